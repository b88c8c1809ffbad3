/* SPDX-License-Identifier: BSD-2-Clause */
/* A TCP socket on the loopback interface, for one user. */
#ifndef VMM_GDB_LISTEN_H
#define VMM_GDB_LISTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Returns: the descriptor, or -errno. */
int vmm_listen_local(uint16_t port);

/*
 * The user at the other end of a TCP connection over the loopback interface, from @table, the text
 * of /proc/net/tcp (proc(5)). False: the connection is absent or has no process.
 */
bool vmm_listen_peer(const char *table, uint16_t peer_port, uint16_t own_port, uid_t *user);

/* Whether the client of @fd is of this user or of root. @table: descriptor of /proc/net/tcp. */
bool vmm_listen_is_owner(int fd, int table);

#endif
