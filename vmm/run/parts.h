/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions that vmm_run() calls, a file each. */
#ifndef VMM_RUN_PARTS_H
#define VMM_RUN_PARTS_H

#include "guest/guest.h"

/* -errno with a line in the log. */
int vmm_check(const struct vmm_config *config, const struct vsm_log *log);

/* Passes console input to the serial port. */
int vmm_input_start(struct vmm_guest *guest);
void vmm_input_join(struct vmm_guest *guest);

/* Executes the pending orders of the control socket. The VPs must have stopped. */
void vmm_orders_execute(struct vmm_guest *guest);

/* Prints registers of each VP and VTL to stderr. The VPs may run. */
void vmm_describe(const struct vmm_guest *guest);

/* Prints one line to stderr; in the journal a crash has the priority of an error. */
void vmm_summary(const struct vmm_guest *guest, int status, const char *end, double seconds);

#endif
