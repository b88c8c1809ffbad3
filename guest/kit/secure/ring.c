/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/secure/ring.h"

void ring_add(struct secure_kernel_log *log, uint64_t *sequence,
	      const struct secure_kernel_log_entry *entry)
{
	const uint64_t number = *sequence + 1;
	struct secure_kernel_log_entry *slot = &log->entry[*sequence % SECURE_KERNEL_LOG_ENTRIES];
	struct secure_kernel_log_entry filled = *entry;

	/* A reader that sees 0, or two different numbers, discards the entry. */
	__atomic_store_n(&slot->sequence, 0, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	filled.sequence = 0;
	*slot = filled;
	__atomic_store_n(&slot->sequence, number, __ATOMIC_RELEASE);
	*sequence = number;
	__atomic_store_n(&log->count, number, __ATOMIC_RELEASE);
}
