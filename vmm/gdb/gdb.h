/* SPDX-License-Identifier: BSD-2-Clause */
/* `vsm run --gdb`: the library's GDB stub on a socket, for one client at a time. */
#ifndef VMM_GDB_GDB_H
#define VMM_GDB_GDB_H

#include <stdbool.h>
#include <vsm/log.h>

struct vmm_gdb;
struct vmm_guest;

/*
 * Sets *@table to a descriptor of /proc/net/tcp, which the caller closes, if @where is ":PORT", else
 * to -1. Call before landlock, whose rules cannot permit it: each lookup makes a new inode. Returns
 * 0, or -errno with a line in the log.
 */
int vmm_gdb_table(const char *where, int *table, const struct vsm_log *log);

/*
 * Opens the socket: a path, accessible only to its owner, or ":PORT" on 127.0.0.1, where only
 * processes of this user and of root are accepted. @table: of vmm_gdb_table(), open until
 * vmm_gdb_close(). Changes the umask: call before other threads exist. -errno with a line in the
 * log.
 */
int vmm_gdb_open(struct vmm_gdb **gdb, const char *where, int table, const struct vsm_log *log);

/*
 * Sets guest->gdb; call before the VPs run. @hold: the VPs wait for a client. -errno with a line in
 * the log.
 */
int vmm_gdb_begin(struct vmm_gdb *gdb, struct vmm_guest *guest, bool hold);

/* The VPs must have stopped. NULL is allowed. */
void vmm_gdb_end(struct vmm_gdb *gdb, struct vmm_guest *guest);
/* Removes the socket's file before an immediate exit of the process. NULL is allowed. */
void vmm_gdb_abandon(const struct vmm_gdb *gdb);
/* NULL is allowed. */
void vmm_gdb_close(struct vmm_gdb *gdb);

#endif
