/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vsm run`: a partition, the machine around it, and the threads that run its VPs.
 *
 * One thread for each VP and one for console input; if configured, one each for the trace file, the
 * control socket and the GDB stub. The caller's thread waits for signals and for the end, and
 * executes operations on stopped VPs: reset, save, crash dumps.
 */
#ifndef VMM_RUN_RUN_H
#define VMM_RUN_RUN_H

#include <vsm/log.h>

#include "config/config.h"

/*
 * Exit statuses. A test kernel's status (--testdev) is odd, that of a signal is 128 plus its number;
 * the following are even, to be distinct from test kernels'.
 */
enum vmm_status {
	VMM_OFF = 0, /* the guest powered off, or the user ended the machine at the console */
	VMM_NOT_STARTED = 2, /* nothing ran: see the message */
	VMM_CRASHED = 4,     /* the guest shut down by a triple fault, or reported a crash */
	VMM_FAILED = 6,	     /* host error: see the message */
	VMM_NO_KERNEL = 8,   /* a restored guest reset, and no kernel was given to boot */
};

/*
 * Runs the machine of @config until it ends; returns the exit status. Messages go to @log, register
 * dumps and the summary to stderr.
 *
 * SIGINT, SIGTERM and SIGHUP end the machine, SIGQUIT dumps the registers; these stay blocked in
 * the caller's thread, and SIGPIPE stays ignored. Call it once, from a program without other tasks.
 */
int vmm_run(const struct vmm_config *config, const struct vsm_log *log);

#endif
