/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Posting, by any thread. A poster sets its IRR (or event) bit, then the attention word; the owner
 * clears the attention word, then reads the IRR. All four are sequentially consistent, so either
 * the owner sees the bit, or the poster sees the word clear and returns KICK. If a poster finds the
 * word set, the owner has yet to clear it and read the IRR, and the poster that set it kicks.
 */
#include "internal.h"

/* Sets the attention word. Returns KICK if it was clear, else QUEUED. */
static enum vsm_lapic_posted attend(struct vsm_lapic *apic)
{
	if (LAPIC_SYNC_LOAD(&apic->attention))
		return VSM_LAPIC_QUEUED;
	return __atomic_exchange_n(&apic->attention, 1, __ATOMIC_SEQ_CST) ? VSM_LAPIC_QUEUED
									  : VSM_LAPIC_KICK;
}

bool vsm_lapic_look(struct vsm_lapic *apic)
{
	if (!LAPIC_SYNC_LOAD(&apic->attention))
		return false;
	return __atomic_exchange_n(&apic->attention, 0, __ATOMIC_SEQ_CST);
}

bool vsm_lapic_has_posted(const struct vsm_lapic *apic)
{
	return LAPIC_SYNC_LOAD(&apic->attention);
}

/* Posts a request, if the APIC accepts messages. The vector is legal. */
static enum vsm_lapic_posted request(struct vsm_lapic *apic, uint8_t vector,
				     enum vsm_lapic_trigger trigger)
{
	uint64_t bit = lapic_bit(vector);

	for (;;) {
		uint32_t resets = LAPIC_SYNC_LOAD(&apic->resets);

		if (!lapic_accepts_messages(apic))
			return VSM_LAPIC_IGNORED;
		/* Before the IRR: the owner reads both after it has taken the vector (SDM 11.8.4). */
		lapic_put(apic->tmr, vector, trigger == VSM_LAPIC_LEVEL);
		lapic_put(apic->auto_eoi, vector, trigger == VSM_LAPIC_AUTO_EOI);
		if (__atomic_fetch_or(&apic->irr[vector >> 6], bit, __ATOMIC_SEQ_CST) & bit)
			return VSM_LAPIC_COALESCED;
		if (LAPIC_SYNC_LOAD(&apic->resets) == resets)
			return attend(apic);
		/* The IRR was perhaps cleared before. Repeat, since others may have coalesced. */
		__atomic_fetch_and(&apic->irr[vector >> 6], ~bit, __ATOMIC_SEQ_CST);
	}
}

enum vsm_lapic_posted vsm_lapic_post(struct vsm_lapic *apic, uint8_t vector,
				     enum vsm_lapic_trigger trigger)
{
	if (vector >= LAPIC_FIRST_LEGAL_VECTOR)
		return request(apic, vector, trigger);
	return lapic_accepts_messages(apic) ? lapic_error(apic, VSM_LAPIC_ESR_RECEIVE_VECTOR)
					    : VSM_LAPIC_IGNORED;
}

/*
 * Errors accumulate until the guest writes the ESR (SDM 11.5.3): only the first one raises the
 * interrupt of the LVT error entry. An illegal vector in that entry is another error, without an
 * interrupt.
 */
enum vsm_lapic_posted lapic_error(struct vsm_lapic *apic, uint32_t bits)
{
	uint32_t old = __atomic_fetch_or(&apic->errors, bits, __ATOMIC_SEQ_CST);
	uint32_t lvt = LAPIC_LOAD(&apic->lvt[VSM_LAPIC_LVT_ERROR]);
	uint8_t vector = lvt & LAPIC_LVT_VECTOR;

	if (old || lvt & LAPIC_LVT_MASKED || !lapic_accepts_messages(apic))
		return VSM_LAPIC_IGNORED;
	if (vector >= LAPIC_FIRST_LEGAL_VECTOR)
		return request(apic, vector, VSM_LAPIC_EDGE);
	__atomic_fetch_or(&apic->errors, VSM_LAPIC_ESR_RECEIVE_VECTOR, __ATOMIC_SEQ_CST);
	return VSM_LAPIC_IGNORED;
}

enum vsm_lapic_posted vsm_lapic_post_event(struct vsm_lapic *apic, uint32_t event,
					   uint8_t sipi_vector)
{
	uint32_t old = LAPIC_SYNC_LOAD(&apic->events), new;

	event &= LAPIC_EVENT_BITS & ~VSM_LAPIC_EVENT_NMI_AGAIN;
	if (!event)
		return VSM_LAPIC_IGNORED;
	do {
		new = old;
		if (event & VSM_LAPIC_EVENT_INIT)
			new &= LAPIC_EVENT_BITS & ~VSM_LAPIC_EVENT_SIPI;
		if (event & VSM_LAPIC_EVENT_SIPI && !(new &VSM_LAPIC_EVENT_SIPI))
			new |= (uint32_t)sipi_vector << LAPIC_SIPI_VECTOR_SHIFT;
		if (event & old & VSM_LAPIC_EVENT_NMI)
			new |= VSM_LAPIC_EVENT_NMI_AGAIN;
		new |= event;
	} while (!__atomic_compare_exchange_n(&apic->events, &old, new, true, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	return old == new ? VSM_LAPIC_COALESCED : attend(apic);
}

uint32_t vsm_lapic_events(const struct vsm_lapic *apic)
{
	return LAPIC_SYNC_LOAD(&apic->events) & LAPIC_EVENT_BITS;
}

uint32_t vsm_lapic_take_events(struct vsm_lapic *apic, uint32_t mask, uint8_t *sipi_vector)
{
	uint32_t gone, old;

	if (mask & VSM_LAPIC_EVENT_NMI)
		mask |= VSM_LAPIC_EVENT_NMI_AGAIN;
	gone = mask & LAPIC_EVENT_BITS;
	if (gone & VSM_LAPIC_EVENT_SIPI)
		gone |= 0xffu << LAPIC_SIPI_VECTOR_SHIFT;
	old = __atomic_fetch_and(&apic->events, ~gone, __ATOMIC_SEQ_CST);
	if (old & mask & VSM_LAPIC_EVENT_SIPI && sipi_vector)
		*sipi_vector = old >> LAPIC_SIPI_VECTOR_SHIFT & 0xff;
	return old & mask & LAPIC_EVENT_BITS;
}

enum vsm_lapic_posted vsm_lapic_post_message(struct vsm_lapic *apic,
					     const struct vsm_lapic_ipi *ipi)
{
	/* SDM 11.6.1: events by delivery mode. Mode 3 is reserved. */
	static const uint8_t event[8] = {
		[VSM_LAPIC_SMI] = VSM_LAPIC_EVENT_SMI,
		[3] = 0,
		[VSM_LAPIC_NMI] = VSM_LAPIC_EVENT_NMI,
		[VSM_LAPIC_INIT] = VSM_LAPIC_EVENT_INIT,
		[VSM_LAPIC_SIPI] = VSM_LAPIC_EVENT_SIPI,
		[VSM_LAPIC_EXTINT] = VSM_LAPIC_EVENT_EXTINT,
	};

	if (vsm_lapic_mode(apic) == VSM_LAPIC_DISABLED || ipi->delivery > VSM_LAPIC_EXTINT)
		return VSM_LAPIC_IGNORED;
	if (ipi->delivery <= VSM_LAPIC_LOWEST_PRIORITY)
		return vsm_lapic_post(apic, ipi->vector,
				      ipi->flags & VSM_LAPIC_IPI_LEVEL ? VSM_LAPIC_LEVEL
								       : VSM_LAPIC_EDGE);
	return vsm_lapic_post_event(apic, event[ipi->delivery], ipi->vector);
}
