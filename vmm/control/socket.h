/* SPDX-License-Identifier: BSD-2-Clause */
/* A UNIX socket at a path, for the user who made it. */
#ifndef VMM_CONTROL_SOCKET_H
#define VMM_CONTROL_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>
#include <vsm/log.h>

struct vmm_socket {
	char *path;
	int fd;
	dev_t device; /* of the file at @path, so that only our own is removed */
	ino_t inode;
};

/*
 * Makes it, not blocking, with access for its owner alone from the moment it exists. A socket that nobody listens to any
 * more is replaced. -errno with a line in the log. Changes the umask for a moment: before there are threads.
 */
int vmm_socket_open(struct vmm_socket *socket, const char *path, const struct vsm_log *log);

/* Whether whoever is at the other end of @fd is this user, or root. */
bool vmm_socket_is_owner(int fd);

/* Removes the file if it is still ours. */
void vmm_socket_remove(const struct vmm_socket *socket);
void vmm_socket_close(struct vmm_socket *socket);

#endif
