/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 32
/* How long somebody else may keep the folder locked. */
#define LOCK_TRIES    100u
#define LOCK_PAUSE_NS 20000000

static int fail(const struct vsm_log *log, const char *path, int error)
{
	return vsm_error(log, error, "control: %s: %s", path, strerror(error));
}

/* Two VMMs that look for a socket's owner at the same time must not both find none: they take turns. */
static int lock_folder(const char *path, const struct vsm_log *log)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	char *copy = strdup(path);
	int fd;

	if (!copy)
		return fail(log, path, ENOMEM);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return fail(log, path, errno);
	for (unsigned int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
		if (errno == EWOULDBLOCK && i < LOCK_TRIES) {
			nanosleep(&pause, NULL);
			continue;
		}
		close(fd);
		return vsm_error(log, EBUSY, "control: %s: its folder is locked by somebody", path);
	}
	return fd;
}

/* Removes the socket of a VMM that has ended. Everything else that may be there is an error. */
static int make_room(const char *path, const struct sockaddr_un *address, const struct vsm_log *log)
{
	struct stat status;
	int fd, error = 0;

	if (lstat(path, &status))
		return errno == ENOENT ? 0 : fail(log, path, errno);
	if (!S_ISSOCK(status.st_mode))
		return vsm_error(log, EEXIST,
				 "control: %s exists and is not a socket: name another path", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(log, path, errno);
	/* EAGAIN: somebody listens, who has much to do. */
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)) || errno == EAGAIN)
		error = vsm_error(log, EADDRINUSE,
				  "control: %s is in use: another machine listens there", path);
	else if (errno != ECONNREFUSED || unlink(path))
		error = fail(log, path, errno);
	close(fd);
	return error;
}

static int bind_and_listen(struct vmm_socket *self, const struct sockaddr_un *address,
			   const struct vsm_log *log)
{
	const mode_t mask = umask(0177);
	const int bound = bind(self->fd, (const struct sockaddr *)address, sizeof(*address));
	const int error = errno;
	struct stat status;

	umask(mask);
	if (bound)
		return fail(log, address->sun_path, error);
	if (lstat(address->sun_path, &status))
		return fail(log, address->sun_path, errno);
	self->device = status.st_dev;
	self->inode = status.st_ino;
	return listen(self->fd, BACKLOG) ? fail(log, address->sun_path, errno) : 0;
}

int vmm_socket_open(struct vmm_socket *self, const char *path, const struct vsm_log *log)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int folder, error;

	*self = (struct vmm_socket){.fd = -1};
	if (strlen(path) >= sizeof(address.sun_path))
		return vsm_error(log, ENAMETOOLONG,
				 "control: %s: the path of a socket has at most %zu bytes", path,
				 sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	folder = lock_folder(path, log);
	if (folder < 0)
		return folder;
	error = make_room(path, &address, log);
	if (!error) {
		self->path = strdup(path);
		self->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (!self->path || self->fd < 0)
			error = fail(log, path, self->path ? errno : ENOMEM);
		else
			error = bind_and_listen(self, &address, log);
	}
	close(folder);
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

	if (self->path && self->inode && !lstat(self->path, &status) &&
	    status.st_dev == self->device && status.st_ino == self->inode)
		unlink(self->path);
}

void vmm_socket_close(struct vmm_socket *self)
{
	if (self->fd >= 0) {
		vmm_socket_remove(self);
		close(self->fd);
	}
	free(self->path);
	*self = (struct vmm_socket){.fd = -1};
}
