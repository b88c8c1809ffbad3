/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket of a machine (docs/control.md). One thread serves it; no VP waits for a
 * client.
 */
#ifndef VMM_CONTROL_CONTROL_H
#define VMM_CONTROL_CONTROL_H

#include <vsm/log.h>

struct vmm_control;
struct vmm_guest;

/*
 * Creates the socket, accessible only to its owner; replaces the socket of a VMM that has ended.
 * Changes the umask: call before other threads exist. -errno with a line in the log: -EEXIST:
 * another file is there, -EADDRINUSE: a VMM uses it.
 */
int vmm_control_open(struct vmm_control **control, const char *path, const struct vsm_log *log);

/* The guest must be complete, and its VPs must not run yet. */
int vmm_control_begin(struct vmm_control *control, struct vmm_guest *guest);

/* Sends the last events and ends the thread. The VPs must have stopped. NULL is allowed. */
void vmm_control_end(struct vmm_control *control, int status);

/* Removes the socket before an immediate exit of the process. NULL is allowed. */
void vmm_control_abandon(const struct vmm_control *control);

/* NULL is allowed. */
void vmm_control_close(struct vmm_control *control);

#endif
