/* SPDX-License-Identifier: BSD-2-Clause */
/* A UNIX socket at a path, accessible only to its owner. */
#ifndef VMM_CONTROL_SOCKET_H
#define VMM_CONTROL_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>
#include <vsm/log.h>

struct vmm_socket {
	const char *option; /* of the command line, for messages */
	char *path;	    /* as given by the user, for messages */
	char *name;
	int folder; /* O_PATH */
	int fd;
	dev_t device; /* identity of the socket's file: only this file is removed */
	ino_t inode;  /* 0: not linked yet */
};

/*
 * Creates a non-blocking socket, accessible only to its owner. Replaces a stale socket of the same
 * user; keeps any other file. Needs /proc. Changes the umask: call before other threads exist.
 * Returns: 0, or with a line in the log -EEXIST (another file is there), -EADDRINUSE (a VMM listens
 * there), -ENAMETOOLONG, -EBUSY (the file there keeps changing), or -errno of a system call.
 */
int vmm_socket_open(struct vmm_socket *socket, const char *option, const char *path,
		    const struct vsm_log *log);

/* Whether the process at the other end of @fd runs as this user, or as root. */
bool vmm_socket_is_owner(int fd);

/* Removes the file if it is still that of @socket. */
void vmm_socket_remove(const struct vmm_socket *socket);
void vmm_socket_close(struct vmm_socket *socket);

#endif
