/* SPDX-License-Identifier: BSD-2-Clause */
/* A spin lock that disables interrupts. It is recursive, since a higher VTL may interrupt the holder on the
 * same VP. */
#ifndef KIT_LOCK_H
#define KIT_LOCK_H

#include <stdint.h>

#include "kit/cpu.h"
#include "kit/x64.h"

struct lock {
	uint32_t owner; /* VP index + 1 */
	uint32_t depth;
	uint64_t rflags;
};

/* Without a struct cpu (GS base 0) only the boot processor runs. */
static inline uint32_t lock_owner_id(void)
{
	const uint64_t gs = rdmsr(MSR_GS_BASE);

	return gs ? ((const struct cpu *)gs)->vp + 1 : 1;
}

static inline void lock_take(struct lock *lock)
{
	const uint32_t me = lock_owner_id();
	uint64_t rflags;

	__asm__ volatile("pushfq; pop %0; cli" : "=r"(rflags)::"memory");
	if (__atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE) == me) {
		lock->depth++;
		return;
	}
	for (;;) {
		uint32_t none = 0;

		if (__atomic_compare_exchange_n(&lock->owner, &none, me, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			break;
		pause();
	}
	lock->rflags = rflags;
}

static inline void lock_drop(struct lock *lock)
{
	uint64_t rflags;

	if (lock->depth) {
		lock->depth--;
		return;
	}
	rflags = lock->rflags;
	__atomic_store_n(&lock->owner, 0, __ATOMIC_RELEASE);
	if (rflags & RFLAGS_IF)
		interrupts_on();
}

#endif
