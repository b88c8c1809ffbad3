/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vsm run`. Each VP has a thread, and so have console input and, if configured, the trace file,
 * the control socket and the GDB stub. The caller's thread waits for signals and for the end, and
 * executes operations on stopped VPs: reset, save, crash dumps.
 */
#ifndef VMM_RUN_RUN_H
#define VMM_RUN_RUN_H

#include <vsm/log.h>

#include "config/config.h"

/*
 * The statuses below are even; that of a test kernel (--testdev) is odd, that of a signal 128 plus
 * its number.
 */
enum vmm_status {
	VMM_OFF = 0,	     /* the guest powered off, or the user ended the machine */
	VMM_NOT_STARTED = 2, /* nothing ran: see the message */
	VMM_CRASHED = 4,     /* the guest shut down by a triple fault, or reported a crash */
	VMM_FAILED = 6,	     /* host error: see the message */
	VMM_NO_KERNEL = 8,   /* a restored guest reset without a kernel to boot */
};

/*
 * Runs the machine of @config until it ends; returns the exit status. Messages go to @log, register
 * dumps and the summary to stderr.
 *
 * SIGINT, SIGTERM and SIGHUP end the machine, SIGQUIT dumps the registers; these and SIGUSR1 stay
 * blocked in the caller's thread, and SIGPIPE stays ignored. Call it once, from a program without
 * other tasks.
 */
int vmm_run(const struct vmm_config *config, const struct vsm_log *log);

#endif
