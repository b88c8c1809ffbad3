/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vsm run`: a partition, the machine around it, and the threads that run its processors.
 *
 * One thread for each processor, one for the user's keys, one for the trace file if there is one. The
 * caller's thread waits for signals and for the end, and does what needs all processors stopped: reset,
 * and telling of a crash.
 */
#ifndef VMM_RUN_RUN_H
#define VMM_RUN_RUN_H

#include <vsm/log.h>

#include "config/config.h"

/*
 * Exit statuses. Test kernels with --testdev choose an odd one, a signal gives 128 plus its number; these
 * are even, so that neither is taken for the other.
 */
enum vmm_status {
	VMM_OFF = 0, /* the guest switched itself off, or the user ended it at the console */
	VMM_NOT_STARTED = 2, /* nothing ran: the message says why */
	VMM_CRASHED = 4,     /* the guest shut down by a triple fault, or told of its crash */
	VMM_FAILED = 6,	     /* the host could not go on: the message says why */
	VMM_NO_KERNEL = 8, /* a restored guest reset, and no kernel was named to start over with */
};

/*
 * Runs what @config describes until it ends; returns the exit status. Messages go to @log, the register
 * dump of a crash and the summary to stderr. SIGINT, SIGTERM and SIGHUP end it, SIGQUIT writes
 * the registers to stderr; the caller's thread has these signals blocked afterwards, and SIGPIPE is
 * ignored: for a program that does nothing else meanwhile.
 */
int vmm_run(const struct vmm_config *config, const struct vsm_log *log);

#endif
