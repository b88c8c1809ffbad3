/* SPDX-License-Identifier: BSD-2-Clause */
/* The log. VTL1 only writes it; VTL0 reads it concurrently. */
#ifndef SECURE_KERNEL_RING_H
#define SECURE_KERNEL_RING_H

#include "kit/secure/interface.h"

_Static_assert(sizeof(struct secure_kernel_log) <= SECURE_KERNEL_LOG_PAGES * 4096,
	       "the log exceeds its pages");

/* Overwrites the oldest entry. @sequence: the last number, in memory that VTL0 cannot write. One writer at a
 * time. */
void ring_add(struct secure_kernel_log *log, uint64_t *sequence,
	      const struct secure_kernel_log_entry *entry);

#endif
