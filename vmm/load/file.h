/* SPDX-License-Identifier: BSD-2-Clause */
/* A file of the user, read into memory. Its users check the contents. */
#ifndef VMM_LOAD_FILE_H
#define VMM_LOAD_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vsm/log.h>

struct vmm_file {
	const char *name; /* for messages */
	const uint8_t *data;
	size_t size;
};

/* The type of a file that cannot be loaded, for messages, or NULL. */
typedef const char *vmm_kind_fn(const struct vmm_file *file);

struct vmm_file_limit {
	uint64_t size;
	const char *why;   /* after the number of bytes, such as "that fit into RAM" */
	vmm_kind_fn *kind; /* type of a file above the limit; NULL: no detection */
	bool again;	   /* the file will be read again, like a kernel at reset: refuses a pipe */
};

/*
 * @path must outlive @file. Returns: 0, -errno of a system call, -EFBIG above @limit, -ENOEXEC for
 * an empty file, -ESPIPE for a pipe that @limit refuses; with one line in the log.
 */
int vmm_file_read(struct vmm_file *file, const char *path, const struct vmm_file_limit *limit,
		  const struct vsm_log *log);

/* Logs that @path cannot be read for @error (positive). Returns -@error. */
int vmm_file_error(const char *path, int error, const struct vsm_log *log);

/* A zeroed @file is allowed. */
void vmm_file_free(struct vmm_file *file);

/* Little-endian; @offset must be inside the file. */
uint16_t vmm_file_u16(const struct vmm_file *file, size_t offset);
uint32_t vmm_file_u32(const struct vmm_file *file, size_t offset);
uint64_t vmm_file_u64(const struct vmm_file *file, size_t offset);

#endif
