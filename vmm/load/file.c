/* SPDX-License-Identifier: BSD-2-Clause */
#include "load/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_CHUNK (1u << 20)

/* Disk images are often larger than RAM: report the type instead of the size. */
static int too_large(const char *name, const uint8_t *data, size_t size,
		     const struct vmm_file_limit *limit, const struct vsm_log *log)
{
	const struct vmm_file file = {name, data, size};
	const char *what = limit->kind ? limit->kind(&file) : NULL;

	if (what)
		return vsm_error(log, EFBIG, "%s: %s", name, what);
	return vsm_error(log, EFBIG, "%s: larger than the %llu bytes %s", name,
			 (unsigned long long)limit->size, limit->why);
}

int vmm_file_error(const char *path, int error, const struct vsm_log *log)
{
	struct stat status;

	/* For a folder, landlock makes open(2) fail with EACCES, but permits stat(2). */
	if (error == EISDIR || (error == EACCES && !stat(path, &status) && S_ISDIR(status.st_mode)))
		return vsm_error(log, error, "%s: a folder, not a file", path);
	if (error == EACCES)
		return vsm_error(log, error, "%s: %s to user %u", path, strerror(error),
				 (unsigned int)geteuid());
	return vsm_error(log, error, "%s: %s", path, strerror(error));
}

/* read(), not mmap(): truncation of a mapped file would raise SIGBUS. */
static int read_all(int fd, struct vmm_file *file, const struct vmm_file_limit *limit,
		    const struct vsm_log *log)
{
	size_t room = 0, used = 0;
	uint8_t *data = NULL;
	ssize_t got;

	for (;;) {
		if (used == room) {
			uint8_t *more;

			room = room ? 2 * room : FIRST_CHUNK;
			more = realloc(data, room);
			if (!more) {
				free(data);
				return vsm_error(log, ENOMEM, "%s: no memory to read it",
						 file->name);
			}
			data = more;
		}
		got = read(fd, data + used, room - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		used += (size_t)got;
		if (used > limit->size) {
			const int error = too_large(file->name, data, used, limit, log);

			free(data);
			return error;
		}
	}
	if (got < 0 || used == 0) {
		const int error = got < 0 ? errno : ENOEXEC;

		free(data);
		return got < 0 ? vmm_file_error(file->name, error, log)
			       : vsm_error(log, error, "%s: the file is empty", file->name);
	}
	file->data = data;
	file->size = used;
	return 0;
}

int vmm_file_read(struct vmm_file *file, const char *path, const struct vmm_file_limit *limit,
		  const struct vsm_log *log)
{
	/* Opening a FIFO without a writer would block, at a reset until the process is killed. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | (limit->again ? O_NONBLOCK : 0));
	int error;

	*file = (struct vmm_file){.name = path};
	if (fd < 0)
		return vmm_file_error(path, errno, log);
	if (limit->again && lseek(fd, 0, SEEK_CUR) < 0 && errno == ESPIPE)
		error = vsm_error(log, ESPIPE,
				  "%s: a pipe, which can be read only once; a kernel is read "
				  "again at each reset: write it to a file, and use that",
				  path);
	else
		error = read_all(fd, file, limit, log);
	close(fd);
	return error;
}

void vmm_file_free(struct vmm_file *file)
{
	free((void *)(uintptr_t)file->data);
	*file = (struct vmm_file){0};
}

uint16_t vmm_file_u16(const struct vmm_file *file, size_t offset)
{
	uint16_t value;

	memcpy(&value, file->data + offset, sizeof(value));
	return value;
}

uint32_t vmm_file_u32(const struct vmm_file *file, size_t offset)
{
	uint32_t value;

	memcpy(&value, file->data + offset, sizeof(value));
	return value;
}

uint64_t vmm_file_u64(const struct vmm_file *file, size_t offset)
{
	uint64_t value;

	memcpy(&value, file->data + offset, sizeof(value));
	return value;
}
