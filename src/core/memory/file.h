/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that hold guest memory. A file is mapped as a whole, so that its pages stay where they are
 * in the core while the map of GPAs changes.
 */
#ifndef CORE_MEMORY_FILE_H
#define CORE_MEMORY_FILE_H

#include <sys/types.h>

#include "core/core.h"

struct ram_file {
	struct backend_file backend; /* the descriptor is the partition's own */
	struct ram_file *next;
	dev_t device;
	ino_t inode;
	/*
	 * A bit a page: since the last reset guests could write there. A reset zeroes these pages,
	 * also those that are readonly or at no GPA by then.
	 */
	uint64_t *written;
	/* a: a bit a page: written since vsm_memory_dirty() took the bit. NULL: never logged. */
	_Atomic uint64_t *dirty;
	bool used; /* scratch of ram_file_sweep() */
};

/* Two of these may describe one file, if it grew in between. */
static inline bool ram_file_is_same(const struct ram_file *one, const struct ram_file *other)
{
	return one == other || (one->device == other->device && one->inode == other->inode);
}

/*
 * The file of @fd with @size bytes from @offset, or, if @fd is -1, a new one whose offset of @gpa
 * *@offset is set to. Memory lock held for writing; a file without a region is released by
 * ram_file_sweep(). -EINVAL: it ends before; -ENOMEM and other errors of the host.
 */
int ram_file_get(struct vsm_partition *partition, int fd, uint64_t gpa, uint64_t size,
		 uint64_t *offset, struct ram_file **out);
/* Pages from @page on can be written by guests from now on. */
void ram_file_note_written(struct ram_file *file, uint64_t page, uint64_t pages);
/* From now on the file has bits of dirty pages. Memory lock held for writing. False: no memory. */
bool ram_file_log(struct ram_file *file);
/* Pages from @page on were written. Any thread, with the memory lock held for reading. */
void ram_file_note_dirty(const struct ram_file *file, uint64_t page, uint64_t pages);
/* Whether ram_file_note_dirty() noted the page of a file with such bits, and it is not taken. */
bool ram_file_is_dirty(const struct ram_file *file, uint64_t page);
/* Zeroes the pages that were noted. The partition is stopped. 0 or -errno, logged. */
int ram_files_zero(struct vsm_partition *partition);
/*
 * Releases the files that no region has. @keep: not those with noted pages, which a reset is to
 * zero. Without it the notes begin anew, with the pages of regions. Memory lock held for writing.
 */
void ram_files_sweep(struct vsm_partition *partition, bool keep);
void ram_files_destroy(struct vsm_partition *partition);

#endif
