/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that hold guest memory. A file is mapped as a whole, so that the core's addresses of its
 * pages do not change with the map of GPAs.
 */
#ifndef CORE_MEMORY_FILE_H
#define CORE_MEMORY_FILE_H

#include <sys/types.h>

#include "core/core.h"

struct ram_file {
	struct backend_file backend; /* its descriptor belongs to the partition */
	struct ram_file *next;
	dev_t device;
	ino_t inode;
	/*
	 * A bit for each page that the next reset zeroes: guests could write it since the last one.
	 * Kept if the page becomes readonly, or leaves the map while a VTL above 0 is enabled.
	 */
	uint64_t *written;
	/* a: pages written since vsm_memory_dirty() cleared the bit. NULL: never logged. */
	_Atomic uint64_t *dirty;
	bool used; /* only within ram_files_sweep() */
};

/* A file that has grown has two struct ram_file. */
static inline bool ram_file_is_same(const struct ram_file *one, const struct ram_file *other)
{
	return one == other || (one->device == other->device && one->inode == other->inode);
}

/*
 * Finds or adds file @fd, which needs @size bytes from *@offset on; if @fd is -1, makes a file and
 * sets *@offset for @gpa. Memory lock held for writing; ram_files_sweep() releases a file without a
 * region. -EINVAL: the file is too short; -ENOMEM and other errors of the host.
 */
int ram_file_get(struct vsm_partition *partition, int fd, uint64_t gpa, uint64_t size,
		 uint64_t *offset, struct ram_file **out);
void ram_file_note_written(struct ram_file *file, uint64_t page, uint64_t pages);
void ram_file_clear_written(struct ram_file *file, uint64_t page, uint64_t pages);
/*
 * Sets `written` for exactly the pages of present regions that guests can write. Memory lock held
 * for writing.
 */
void ram_files_note_present(struct vsm_partition *partition);
/* Allocates the file's bits of dirty pages. Memory lock held for writing. False: no memory. */
bool ram_file_log(struct ram_file *file);
/* Any thread, memory lock held for reading. */
void ram_file_note_dirty(const struct ram_file *file, uint64_t page, uint64_t pages);
/* For a file that has dirty bits. */
bool ram_file_is_dirty(const struct ram_file *file, uint64_t page);
/* Zeroes the pages that are set in `written`. The partition is stopped. */
int ram_files_zero(struct vsm_partition *partition);
/*
 * Releases the files that no region, present or former, uses; if @keep, not those with pages set in
 * `written`, which a reset must zero. Memory lock held for writing.
 */
void ram_files_sweep(struct vsm_partition *partition, bool keep);
void ram_files_destroy(struct vsm_partition *partition);

#endif
