/* SPDX-License-Identifier: BSD-2-Clause */
/* The protocol of sd_notify(3). */
#ifndef VMM_FILE_NOTIFY_H
#define VMM_FILE_NOTIFY_H

#include <vsm/log.h>

/*
 * Call before a sandbox forbids to connect. Returns the descriptor, or -1: there is no service
 * manager, or (with a warning in the log) no connection.
 */
int vmm_notify_open(const struct vsm_log *log);

/* Sends assignments, such as "READY=1", a line each. @fd may be -1. */
void vmm_notify(int fd, const char *assignments);

#endif
