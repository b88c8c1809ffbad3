/* SPDX-License-Identifier: BSD-2-Clause */
/* A UNIX socket at a path, for the user who made it. */
#ifndef VMM_CONTROL_SOCKET_H
#define VMM_CONTROL_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>
#include <vsm/log.h>

struct vmm_socket {
	char *path; /* as the user gave it, for messages */
	char *name; /* in the folder */
	int folder; /* O_PATH */
	int fd;
	dev_t device; /* of the socket's file, so that only our own is removed */
	ino_t inode;  /* 0: it has no name yet */
};

/*
 * Makes it, not blocking, with access for its owner alone from the moment it exists. The same user's socket that no process
 * listens to any more is replaced; everything else at @path is left alone. Needs /proc. Changes the umask for a moment: before
 * there are threads. Returns: 0, or with a line in the log -EEXIST (something else is there), -EADDRINUSE (a VMM listens there),
 * -ENAMETOOLONG, -EBUSY (what is there changes all the time), or -errno of a system call.
 */
int vmm_socket_open(struct vmm_socket *socket, const char *path, const struct vsm_log *log);

/* Whether the process at the other end of @fd runs as this user, or as root. */
bool vmm_socket_is_owner(int fd);

/* Removes the file if it is still ours. */
void vmm_socket_remove(const struct vmm_socket *socket);
void vmm_socket_close(struct vmm_socket *socket);

#endif
