/* SPDX-License-Identifier: BSD-2-Clause */
/* Inline forms of vsm_lapic_*() for the run loop. Only the owner may call them. */
#ifndef LAPIC_FAST_H
#define LAPIC_FAST_H

#include "lapic/internal.h"

static inline bool lapic_fast_look(struct vsm_lapic *apic)
{
	return LAPIC_SYNC_LOAD(&apic->attention) && vsm_lapic_look(apic);
}

static inline uint32_t lapic_fast_events(const struct vsm_lapic *apic)
{
	return LAPIC_SYNC_LOAD(&apic->events) & LAPIC_EVENT_BITS;
}

/* The priority is computed only if the IRR has a vector. */
static inline int lapic_fast_pending(const struct vsm_lapic *apic)
{
	const uint64_t any = LAPIC_SYNC_LOAD(&apic->irr[0]) | LAPIC_SYNC_LOAD(&apic->irr[1]) |
			     LAPIC_SYNC_LOAD(&apic->irr[2]) | LAPIC_SYNC_LOAD(&apic->irr[3]);

	return __builtin_expect(any != 0, 0) ? vsm_lapic_pending(apic) : -1;
}

static inline bool lapic_fast_extint_waits(const struct vsm_lapic *apic)
{
	return __builtin_expect(LAPIC_SYNC_LOAD(&apic->lint_line) & 1u, 0) &&
	       vsm_lapic_accepts_extint(apic);
}

static inline bool lapic_fast_may_skip_eoi(const struct vsm_lapic *apic)
{
	return __builtin_expect(apic->highest_isr >= 0, 0) && vsm_lapic_may_skip_eoi(apic);
}

static inline bool lapic_fast_is_skipping_eoi(const struct vsm_lapic *apic)
{
	return __builtin_expect(apic->lazy_eoi, 0);
}

static inline uint8_t lapic_fast_cr8(const struct vsm_lapic *apic)
{
	return (uint8_t)(LAPIC_LOAD(&apic->tpr) >> 4);
}

static inline bool lapic_fast_is_enabled(const struct vsm_lapic *apic)
{
	return LAPIC_LOAD(&apic->apic_base) & LAPIC_BASE_EN;
}

#endif
