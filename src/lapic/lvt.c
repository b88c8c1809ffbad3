/* SPDX-License-Identifier: BSD-2-Clause */
/* The local vector table and its interrupts (SDM 11.5.1), and the SVR, which masks it (11.9). */
#include "internal.h"

/* Writable bits. Delivery status is always idle here, remote IRR is read-only. */
static const struct {
	uint32_t bits;
	bool has_mode;	/* delivery mode; the others are always fixed */
	bool has_level; /* level-sensitive: only LINT0, "not supported for LINT1" */
} entries[VSM_LAPIC_LVT_COUNT] = {
	[VSM_LAPIC_LVT_CMCI] = {LAPIC_LVT_VECTOR | LAPIC_LVT_MODE | LAPIC_LVT_MASKED, true, false},
	[VSM_LAPIC_LVT_TIMER] = {LAPIC_LVT_VECTOR | LAPIC_LVT_MASKED | LAPIC_TIMER_MODE, false,
				 false},
	[VSM_LAPIC_LVT_THERMAL] = {LAPIC_LVT_VECTOR | LAPIC_LVT_MODE | LAPIC_LVT_MASKED, true,
				   false},
	[VSM_LAPIC_LVT_PERFORMANCE] = {LAPIC_LVT_VECTOR | LAPIC_LVT_MODE | LAPIC_LVT_MASKED, true,
				       false},
	[VSM_LAPIC_LVT_LINT0] = {LAPIC_LVT_VECTOR | LAPIC_LVT_MODE | LAPIC_LVT_MASKED |
					 LAPIC_LVT_ACTIVE_LOW | LAPIC_LVT_LEVEL,
				 true, true},
	[VSM_LAPIC_LVT_LINT1] = {LAPIC_LVT_VECTOR | LAPIC_LVT_MODE | LAPIC_LVT_MASKED |
					 LAPIC_LVT_ACTIVE_LOW | LAPIC_LVT_LEVEL,
				 true, false},
	[VSM_LAPIC_LVT_ERROR] = {LAPIC_LVT_VECTOR | LAPIC_LVT_MASKED, false, false},
};

uint32_t lapic_lvt_bits(const struct vsm_lapic *apic, enum vsm_lapic_lvt lvt)
{
	uint32_t bits = entries[lvt].bits;

	if (lvt == VSM_LAPIC_LVT_TIMER && !(apic->config.flags & VSM_LAPIC_HAS_DEADLINE))
		bits &= ~LAPIC_TIMER_DEADLINE;
	return bits;
}

uint32_t lapic_svr_bits(const struct vsm_lapic *apic)
{
	return LAPIC_SVR_BITS |
	       (apic->config.flags & VSM_LAPIC_HAS_DIRECTED_EOI ? LAPIC_SVR_SUPPRESS_EOI : 0);
}

/* SDM 11.4.8: version 0x14; bits 23:16 number of LVT entries minus 1; bit 24 directed EOI. */
uint32_t lapic_version(const struct vsm_lapic *apic)
{
	uint32_t entry_count = apic->config.flags & VSM_LAPIC_HAS_CMCI ? 7 : 6;

	return 0x14 | (entry_count - 1) << 16 |
	       (apic->config.flags & VSM_LAPIC_HAS_DIRECTED_EOI ? 1u << 24 : 0);
}

/* SDM 11.4.7.2: a software disable sets all mask bits; enabling leaves them set. */
void lapic_write_svr(struct vsm_lapic *apic, uint32_t value)
{
	LAPIC_STORE(&apic->svr, value & lapic_svr_bits(apic));
	for (int i = 0; !(value & LAPIC_SVR_ENABLE) && i < VSM_LAPIC_LVT_COUNT; i++)
		__atomic_fetch_or(&apic->lvt[i], LAPIC_LVT_MASKED, __ATOMIC_RELAXED);
}

static bool is_level_sensitive(enum vsm_lapic_lvt lvt, uint32_t value)
{
	return entries[lvt].has_level && value & LAPIC_LVT_LEVEL && !(value & LAPIC_LVT_MODE);
}

static enum vsm_lapic_posted deliver(struct vsm_lapic *apic, enum vsm_lapic_lvt lvt, uint32_t value)
{
	static const uint8_t event[8] = {
		[VSM_LAPIC_SMI] = VSM_LAPIC_EVENT_SMI,
		[VSM_LAPIC_NMI] = VSM_LAPIC_EVENT_NMI,
		[VSM_LAPIC_INIT] = VSM_LAPIC_EVENT_INIT,
		[VSM_LAPIC_EXTINT] = VSM_LAPIC_EVENT_EXTINT,
	};
	uint32_t mode = entries[lvt].has_mode ? (value & LAPIC_LVT_MODE) >> 8 : VSM_LAPIC_FIXED;

	if (value & LAPIC_LVT_MASKED || vsm_lapic_mode(apic) == VSM_LAPIC_DISABLED)
		return VSM_LAPIC_IGNORED;
	if (mode != VSM_LAPIC_FIXED)
		return vsm_lapic_post_event(apic, event[mode], 0);
	return vsm_lapic_post(apic, value & LAPIC_LVT_VECTOR,
			      is_level_sensitive(lvt, value) ? VSM_LAPIC_LEVEL : VSM_LAPIC_EDGE);
}

/* Remote IRR allows LINT0 one request until its EOI, by the thread that sets the bit. */
static enum vsm_lapic_posted deliver_level(struct vsm_lapic *apic, enum vsm_lapic_lvt lvt)
{
	uint32_t value = LAPIC_LOAD(&apic->lvt[lvt]);
	enum vsm_lapic_posted posted;

	if (value & LAPIC_LVT_MASKED || !lapic_accepts_messages(apic))
		return VSM_LAPIC_IGNORED;
	if (__atomic_fetch_or(&apic->lvt[lvt], LAPIC_LVT_REMOTE_IRR, __ATOMIC_SEQ_CST) &
	    LAPIC_LVT_REMOTE_IRR)
		return VSM_LAPIC_COALESCED;
	posted = deliver(apic, lvt, value);
	/* Not accepted: no EOI of the vector would clear remote IRR. */
	if (posted == VSM_LAPIC_IGNORED || (value & LAPIC_LVT_VECTOR) < LAPIC_FIRST_LEGAL_VECTOR)
		__atomic_fetch_and(&apic->lvt[lvt], ~LAPIC_LVT_REMOTE_IRR, __ATOMIC_SEQ_CST);
	return posted;
}

static bool line_is_high(const struct vsm_lapic *apic, unsigned int pin)
{
	return LAPIC_SYNC_LOAD(&apic->lint_line) & 1u << pin;
}

enum vsm_lapic_posted vsm_lapic_post_local(struct vsm_lapic *apic, enum vsm_lapic_lvt lvt)
{
	if ((unsigned int)lvt >= VSM_LAPIC_LVT_COUNT || !lapic_has_lvt(apic, lvt))
		return VSM_LAPIC_IGNORED;
	return deliver(apic, lvt, LAPIC_LOAD(&apic->lvt[lvt]));
}

enum vsm_lapic_posted vsm_lapic_set_lint(struct vsm_lapic *apic, unsigned int pin, bool level)
{
	enum vsm_lapic_lvt lvt = pin ? VSM_LAPIC_LVT_LINT1 : VSM_LAPIC_LVT_LINT0;
	uint32_t bit = 1u << pin, old;

	if (pin > 1)
		return VSM_LAPIC_IGNORED;
	if (!level) {
		__atomic_fetch_and(&apic->lint_line, ~bit, __ATOMIC_SEQ_CST);
		return VSM_LAPIC_IGNORED;
	}
	old = __atomic_fetch_or(&apic->lint_line, bit, __ATOMIC_SEQ_CST);
	if (is_level_sensitive(lvt, LAPIC_LOAD(&apic->lvt[lvt])))
		return deliver_level(apic, lvt);
	return old & bit ? VSM_LAPIC_COALESCED : vsm_lapic_post_local(apic, lvt);
}

/* The EOI of LINT0's vector clears remote IRR. A line that is still high sends another request. */
void lapic_lint_eoi(struct vsm_lapic *apic, uint8_t vector)
{
	uint32_t *entry = &apic->lvt[VSM_LAPIC_LVT_LINT0];
	uint32_t value = LAPIC_LOAD(entry);

	if (!(value & LAPIC_LVT_REMOTE_IRR) || (value & LAPIC_LVT_VECTOR) != vector)
		return;
	__atomic_fetch_and(entry, ~LAPIC_LVT_REMOTE_IRR, __ATOMIC_SEQ_CST);
	if (line_is_high(apic, 0) && is_level_sensitive(VSM_LAPIC_LVT_LINT0, value))
		deliver_level(apic, VSM_LAPIC_LVT_LINT0);
}

void lapic_write_lvt(struct vsm_lapic *apic, enum vsm_lapic_lvt lvt, uint32_t value,
		     struct vsm_lapic_effect *effect)
{
	uint32_t old = LAPIC_SYNC_LOAD(&apic->lvt[lvt]), new;

	value &= lapic_lvt_bits(apic, lvt);
	if (!vsm_lapic_is_software_enabled(apic))
		value |= LAPIC_LVT_MASKED;
	do {
		new = value;
		/* A new vector or trigger clears remote IRR, since the EOI would not match. */
		if (is_level_sensitive(lvt, value) && !((old ^ value) & LAPIC_LVT_VECTOR))
			new |= old &LAPIC_LVT_REMOTE_IRR;
	} while (!__atomic_compare_exchange_n(&apic->lvt[lvt], &old, new, true, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));

	if (lvt == VSM_LAPIC_LVT_LINT0 && is_level_sensitive(lvt, new) && line_is_high(apic, 0) &&
	    deliver_level(apic, lvt) >= VSM_LAPIC_QUEUED)
		effect->flags |= VSM_LAPIC_EFFECT_PENDING;
	/* SDM 11.5.4.1: a change to or from TSC-deadline mode disarms the timer. */
	if (lvt == VSM_LAPIC_LVT_TIMER && (old ^ new) & LAPIC_TIMER_MODE) {
		/* The reserved mode (both bits set) is not TSC-deadline mode. */
		if (((old & LAPIC_TIMER_MODE) == LAPIC_TIMER_DEADLINE) !=
		    ((new &LAPIC_TIMER_MODE) == LAPIC_TIMER_DEADLINE))
			lapic_timer_disarm(apic);
		else
			lapic_timer_update(apic);
		effect->flags |= VSM_LAPIC_EFFECT_TIMER;
	}
}

bool vsm_lapic_accepts_extint(const struct vsm_lapic *apic)
{
	uint32_t lint0 = LAPIC_LOAD(&apic->lvt[VSM_LAPIC_LVT_LINT0]);

	if (vsm_lapic_mode(apic) == VSM_LAPIC_DISABLED)
		return true;
	return !(lint0 & LAPIC_LVT_MASKED) && (lint0 & LAPIC_LVT_MODE) >> 8 == VSM_LAPIC_EXTINT;
}

bool vsm_lapic_extint_waits(const struct vsm_lapic *apic)
{
	return line_is_high(apic, 0) && vsm_lapic_accepts_extint(apic);
}
