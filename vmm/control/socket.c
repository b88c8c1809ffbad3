/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The socket is renamed from a temporary name to its path when it listens: clients never find the
 * new socket before it listens, and two VMMs need no lock file, which another user could hold.
 */
#include "control/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 32
/* A try fails if a name appears or vanishes between two system calls. */
#define TRIES 10u
/* The file at the path vanished. */
#define VANISHED 1

static int fail(const struct vsm_log *log, const struct vmm_socket *self, int error)
{
	return vsm_error(log, error, "%s: %s: %s", self->option, self->path, strerror(error));
}

static int open_folder(struct vmm_socket *self, const char *path, const struct vsm_log *log)
{
	char *copy = strdup(path);

	self->path = strdup(path);
	self->name = copy ? strdup(basename(copy)) : NULL;
	free(copy);
	copy = strdup(path);
	if (self->path && self->name && copy)
		self->folder = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
	else
		errno = ENOMEM;
	free(copy);
	return self->folder < 0 ? fail(log, self, errno) : 0;
}

/* An address whose length does not depend on the path of the folder. */
static struct sockaddr_un address_of(const struct vmm_socket *self, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", self->folder,
		 name);
	return address;
}

/* ------------------------------------------------------------------ the file at the path */

/* 0: a stale socket of this user; VANISHED; else -errno, with a line in the log. */
static int check_old(const struct vmm_socket *self, const char *name, const struct vsm_log *log)
{
	const struct sockaddr_un address = address_of(self, name);
	struct stat status;
	int fd, error;

	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): open_folder() has set the name */
	if (fstatat(self->folder, name, &status, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? VANISHED : fail(log, self, errno);
	if (!S_ISSOCK(status.st_mode))
		return vsm_error(log, EEXIST,
				 "%s: %s exists and is not a socket: name another path",
				 self->option, self->path);
	if (status.st_uid != geteuid())
		return vsm_error(log, EEXIST,
				 "%s: %s is a socket of another user (%u): name another path",
				 self->option, self->path, status.st_uid);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(log, self, errno);
	error = connect(fd, (const struct sockaddr *)&address, sizeof(address)) ? errno : 0;
	close(fd);
	if (error == ECONNREFUSED)
		return 0;
	if (error == ENOENT)
		return VANISHED;
	/* EAGAIN: the backlog of a listening socket is full. */
	if (error && error != EAGAIN)
		return fail(log, self, error);
	return vsm_error(log, EADDRINUSE, "%s: %s is in use by another VMM", self->option,
			 self->path);
}

static int rename_with(const struct vmm_socket *self, const char *from, unsigned int flags)
{
	return renameat2(self->folder, from, self->folder, self->name, flags) ? errno : 0;
}

/* Checks the old socket again, under its temporary name, where no other process can replace it. */
static int check_replaced(const struct vmm_socket *self, const char *temporary,
			  const struct vsm_log *log)
{
	int error = check_old(self, temporary, log);

	if (error == VANISHED)
		return 0;
	if (!error && unlinkat(self->folder, temporary, 0) && errno != ENOENT)
		error = fail(log, self, errno);
	if (error)
		(void)rename_with(self, temporary, RENAME_EXCHANGE);
	return error;
}

static int take_name(const struct vmm_socket *self, const char *temporary,
		     const struct vsm_log *log)
{
	int error = 0;

	for (unsigned int i = 0; i < TRIES; i++) {
		error = rename_with(self, temporary, RENAME_NOREPLACE);
		if (error != EEXIST)
			return error ? fail(log, self, error) : 0;
		error = check_old(self, self->name, log);
		if (error == VANISHED)
			continue;
		if (error)
			return error;
		error = rename_with(self, temporary, RENAME_EXCHANGE);
		if (!error)
			return check_replaced(self, temporary, log);
		if (error == EINVAL)
			return vsm_error(log, EEXIST,
					 "%s: %s: a stale socket is in the way, "
					 "and this file system cannot replace it: remove it",
					 self->option, self->path);
		if (error != ENOENT)
			return fail(log, self, error);
	}
	return fail(log, self, EBUSY);
}

/* ------------------------------------------------------------------ the socket */

static int bind_and_listen(struct vmm_socket *self, const char *temporary,
			   const struct vsm_log *log)
{
	const struct sockaddr_un address = address_of(self, temporary);
	struct stat status = {0};
	mode_t mask;
	int error;

	self->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (self->fd < 0)
		return fail(log, self, errno);
	mask = umask(0177);
	error = bind(self->fd, (const struct sockaddr *)&address, sizeof(address)) ? errno : 0;
	umask(mask);
	if (error)
		return fail(log, self, error);
	if (listen(self->fd, BACKLOG) ||
	    fstatat(self->folder, temporary, &status, AT_SYMLINK_NOFOLLOW))
		error = fail(log, self, errno);
	if (!error)
		error = take_name(self, temporary, log);
	if (error) {
		(void)unlinkat(self->folder, temporary, 0);
		return error;
	}
	self->device = status.st_dev;
	self->inode = status.st_ino;
	return 0;
}

int vmm_socket_open(struct vmm_socket *self, const char *option, const char *path,
		    const struct vsm_log *log)
{
	const size_t longest = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	char temporary[24];
	uint64_t number;
	int error;

	*self = (struct vmm_socket){.option = option, .fd = -1, .folder = -1};
	/* A longer path would make connect() of clients fail. */
	if (strlen(path) > longest)
		return vsm_error(log, ENAMETOOLONG,
				 "%s: %s: the path of a socket has at most %zu bytes", option, path,
				 longest);
	error = open_folder(self, path, log);
	if (!error && getrandom(&number, sizeof(number), 0) != sizeof(number))
		error = fail(log, self, errno);
	if (!error) {
		snprintf(temporary, sizeof(temporary), ".%016llx", (unsigned long long)number);
		error = bind_and_listen(self, temporary, log);
	}
	if (error)
		vmm_socket_close(self);
	return error;
}

bool vmm_socket_is_owner(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) || size != sizeof(peer))
		return false;
	return peer.uid == geteuid() || peer.uid == 0;
}

void vmm_socket_remove(const struct vmm_socket *self)
{
	struct stat status;

	if (self->inode && self->name &&
	    !fstatat(self->folder, self->name, &status, AT_SYMLINK_NOFOLLOW) &&
	    status.st_dev == self->device && status.st_ino == self->inode)
		unlinkat(self->folder, self->name, 0);
}

void vmm_socket_close(struct vmm_socket *self)
{
	if (self->fd >= 0) {
		vmm_socket_remove(self);
		close(self->fd);
	}
	if (self->folder >= 0)
		close(self->folder);
	free(self->path);
	free(self->name);
	*self = (struct vmm_socket){.fd = -1, .folder = -1};
}
