/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket of a machine (docs/control.md): JSON lines from its owner, answers, and events. One
 * thread; it never keeps a processor waiting for a client.
 */
#ifndef VMM_CONTROL_CONTROL_H
#define VMM_CONTROL_CONTROL_H

#include <stdint.h>
#include <vsm/log.h>

struct vmm_control;
struct vmm_guest;

/* What clients that want events are told, besides what libvsm traces. */
enum vmm_event {
	VMM_EVENT_PAUSED,
	VMM_EVENT_RESUMED,
	VMM_EVENT_SAVED,
	VMM_EVENT_RESET,
	VMM_EVENT_CRASH, /* by the crash MSRs or a triple fault; with the processor */
	VMM_EVENT_ERROR, /* the host could not go on; with the processor */
	VMM_EVENT_END,	 /* the machine has ended; @detail: its exit status */
	VMM_EVENT_COUNT,
};

/*
 * Makes the socket, for its owner alone from the moment it exists. A socket of a VMM that has ended is
 * replaced. -errno with a line in the log: -EEXIST: something else is there, -EADDRINUSE: a VMM uses it. Before there
 * are other threads (it changes the umask).
 */
int vmm_control_open(struct vmm_control **control, const char *path, const struct vsm_log *log);

/* Starts the thread, for a guest that is complete and whose processors do not run yet. */
int vmm_control_begin(struct vmm_control *control, struct vmm_guest *guest);

/* Tells clients; any thread, any lock held but the control's own. NULL: nobody. */
void vmm_control_event(struct vmm_control *control, enum vmm_event event, uint32_t vp,
		       uint64_t detail);

/* Tells clients of the end and hangs up. The processors have stopped. NULL is allowed. */
void vmm_control_end(struct vmm_control *control, int status);

/* Removes the socket, when the process ends without more ado. NULL is allowed. */
void vmm_control_abandon(const struct vmm_control *control);

/* Removes it and frees everything. NULL is allowed. */
void vmm_control_close(struct vmm_control *control);

#endif
