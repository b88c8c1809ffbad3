/* SPDX-License-Identifier: BSD-2-Clause */
/* Delivery from the IRR to the processor, and EOI (SDM 11.8). Only the owner calls these. */
#include "internal.h"

/* SDM 11.8.3.1: the higher class; the TPR's sub-class if the TPR's class is not lower. */
static uint8_t priority(uint32_t tpr, int in_service)
{
	uint32_t service_class = in_service < 0 ? 0 : (uint32_t)in_service & 0xf0;

	return (tpr & 0xf0) >= service_class ? tpr : service_class;
}

uint8_t vsm_lapic_ppr(const struct vsm_lapic *apic)
{
	return priority(LAPIC_LOAD(&apic->tpr), apic->highest_isr);
}

uint8_t vsm_lapic_tpr(const struct vsm_lapic *apic)
{
	return LAPIC_LOAD(&apic->tpr);
}

void vsm_lapic_set_tpr(struct vsm_lapic *apic, uint8_t tpr)
{
	LAPIC_STORE(&apic->tpr, tpr);
}

/* SDM 11.8.6: CR8 is bits 7:4 of the TPR; a write to it clears bits 3:0. */
uint8_t vsm_lapic_cr8(const struct vsm_lapic *apic)
{
	return vsm_lapic_tpr(apic) >> 4;
}

void vsm_lapic_set_cr8(struct vsm_lapic *apic, uint8_t cr8)
{
	vsm_lapic_set_tpr(apic, (cr8 & 15) << 4);
}

int vsm_lapic_highest_irr(const struct vsm_lapic *apic)
{
	return lapic_highest(apic->irr);
}

int vsm_lapic_highest_isr(const struct vsm_lapic *apic)
{
	return apic->highest_isr;
}

/* The SVR is not checked: after a software disable, vectors stay pending (SDM 11.4.7.2). */
int vsm_lapic_pending(const struct vsm_lapic *apic)
{
	int vector = lapic_highest(apic->irr);

	return vector >= 0 && (vector & 0xf0) > (vsm_lapic_ppr(apic) & 0xf0) ? vector : -1;
}

bool vsm_lapic_take(struct vsm_lapic *apic, struct vsm_lapic_taken *taken)
{
	int pending = vsm_lapic_pending(apic);
	uint8_t vector = pending;

	if (pending < 0)
		return false;
	__atomic_fetch_and(&apic->irr[vector >> 6], ~lapic_bit(vector), __ATOMIC_SEQ_CST);
	taken->vector = vector;
	/* Read after the IRR bit is cleared, since a poster writes auto_eoi before the IRR. */
	taken->auto_eoi = lapic_test(apic->auto_eoi, vector);
	if (!taken->auto_eoi) {
		lapic_owner_set(apic->isr, vector);
		apic->highest_isr = vector;
	}
	return true;
}

uint8_t vsm_lapic_acknowledge(struct vsm_lapic *apic)
{
	struct vsm_lapic_taken taken;

	if (vsm_lapic_take(apic, &taken))
		return taken.vector;
	return LAPIC_LOAD(&apic->svr) & 0xff;
}

/* An EOI that the guest may skip is that of the highest vector, so lazy_eoi ends with it. */
static void leave_service(struct vsm_lapic *apic, uint8_t vector)
{
	lapic_owner_clear(apic->isr, vector);
	apic->highest_isr = lapic_highest(apic->isr);
	apic->lazy_eoi = false;
}

bool vsm_lapic_withdraw(struct vsm_lapic *apic, const struct vsm_lapic_taken *taken)
{
	uint8_t vector = taken->vector;

	if (vector < LAPIC_FIRST_LEGAL_VECTOR)
		return false;
	/*
	 * TMR and auto_eoi need no restoring: they still have the trigger of this vector, or that
	 * of a later post of the same vector, which merges with this one.
	 */
	if (!taken->auto_eoi) {
		if (apic->highest_isr != vector)
			return false;
		leave_service(apic, vector);
	}
	__atomic_fetch_or(&apic->irr[vector >> 6], lapic_bit(vector), __ATOMIC_SEQ_CST);
	return true;
}

void lapic_eoi(struct vsm_lapic *apic, struct vsm_lapic_effect *effect)
{
	uint8_t vector = apic->highest_isr;

	if (apic->highest_isr < 0)
		return;
	leave_service(apic, vector);
	effect->eoi_vector = vector;
	effect->flags |= VSM_LAPIC_EFFECT_EOI | VSM_LAPIC_EFFECT_PENDING;
	if (!lapic_test(apic->tmr, vector))
		return;
	/* SDM 11.8.5: broadcast, unless the guest chose to write to the I/O APIC itself. */
	if (!(LAPIC_LOAD(&apic->svr) & LAPIC_SVR_SUPPRESS_EOI))
		effect->flags |= VSM_LAPIC_EFFECT_EOI_BROADCAST;
	lapic_lint_eoi(apic, vector);
}

void vsm_lapic_eoi(struct vsm_lapic *apic, struct vsm_lapic_effect *effect)
{
	*effect = (struct vsm_lapic_effect){0};
	lapic_eoi(apic, effect);
}

/* Not if an I/O APIC waits for the EOI, the IRR has a vector, or the ISR has another vector. */
bool vsm_lapic_may_skip_eoi(const struct vsm_lapic *apic)
{
	uint8_t vector = apic->highest_isr;
	uint64_t others = 0;

	if (apic->lazy_eoi || apic->highest_isr < 0 || lapic_test(apic->tmr, vector))
		return false;
	for (int i = 0; i < 4; i++) {
		uint64_t mine = i == vector >> 6 ? lapic_bit(vector) : 0;

		others |= LAPIC_SYNC_LOAD(&apic->irr[i]) | (LAPIC_LOAD(&apic->isr[i]) & ~mine);
	}
	return !others;
}

void vsm_lapic_skip_eoi(struct vsm_lapic *apic)
{
	apic->lazy_eoi = apic->highest_isr >= 0;
}

bool vsm_lapic_is_skipping_eoi(const struct vsm_lapic *apic)
{
	return apic->lazy_eoi;
}

void vsm_lapic_resolve_eoi(struct vsm_lapic *apic, bool bit_was_set,
			   struct vsm_lapic_effect *effect)
{
	*effect = (struct vsm_lapic_effect){0};
	if (!apic->lazy_eoi)
		return;
	apic->lazy_eoi = false;
	if (!bit_was_set)
		lapic_eoi(apic, effect);
}
