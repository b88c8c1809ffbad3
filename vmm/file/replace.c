/* SPDX-License-Identifier: BSD-2-Clause */
#include "file/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* A try fails if a name appears or vanishes between two system calls. */
#define TRIES 10u

int vmm_replace_check(const char *path)
{
	struct stat status;

	if (lstat(path, &status))
		return errno == ENOENT ? 0 : -errno;
	return S_ISREG(status.st_mode) ? 0 : -EEXIST;
}

int vmm_replace_create(const char *path, char **temporary)
{
	uint64_t number;
	int fd = -1;

	for (unsigned int i = 0; i < TRIES && fd < 0; i++) {
		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return -errno;
		if (asprintf(temporary, "%s.%012llx", path, (unsigned long long)number >> 16) < 0) {
			*temporary = NULL;
			return -ENOMEM;
		}
		fd = open(*temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0)
			break;
		fd = -errno;
		free(*temporary);
		*temporary = NULL;
		if (fd != -EEXIST)
			break;
	}
	return fd;
}

static int rename_with(const char *from, const char *to, unsigned int flags)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags) ? -errno : 0;
}

/* RENAME_EXCHANGE: the replaced file now has the temporary name, which no other process uses. */
static int check_replaced(const char *temporary, const char *path)
{
	int error = vmm_replace_check(temporary);

	if (!error && unlink(temporary) && errno != ENOENT)
		error = -errno;
	if (error)
		(void)rename_with(temporary, path, RENAME_EXCHANGE);
	return error;
}

int vmm_replace(const char *temporary, const char *path)
{
	int error = 0;

	for (unsigned int i = 0; i < TRIES; i++) {
		error = rename_with(temporary, path, RENAME_NOREPLACE);
		if (error != -EEXIST)
			break;
		error = vmm_replace_check(path);
		if (error)
			return error;
		error = rename_with(temporary, path, RENAME_EXCHANGE);
		if (!error)
			return check_replaced(temporary, path);
		if (error != -ENOENT)
			break;
	}
	/* File systems without these flags, such as NFS: check and rename are not atomic. */
	if (error == -EINVAL || error == -ENOSYS) {
		error = vmm_replace_check(path);
		if (!error && rename(temporary, path))
			error = -errno;
	}
	return error;
}

const char *vmm_replace_text(int error)
{
	return error == -EEXIST ? "it exists and is not a regular file: name another path"
				: strerror(-error);
}
