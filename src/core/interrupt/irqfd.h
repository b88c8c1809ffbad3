/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts by eventfd. */
#ifndef CORE_IRQFD_H
#define CORE_IRQFD_H

#include "core/core.h"

/* Whether @fd is an eventfd, not a pipe, socket or file. Does not need /proc. */
bool is_eventfd(int fd);

/* No other thread uses the partition. */
void irqfd_destroy(struct vsm_partition *partition);

#endif
