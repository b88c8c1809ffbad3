/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks of a saved state, which may be untrusted. A state is refused if it breaks an invariant of
 * the module, or if a register has a value that no guest can have written.
 */
#include "state.h"

/* One rule for each field. lapic_check_state() returns the name of the first that fails. */
struct rule {
	const char *field;
	bool (*holds)(const struct vsm_lapic *apic, const struct vsm_lapic_state *s);
};

#define RULE(name, condition)                                                                   \
	static bool name##_holds(const struct vsm_lapic *apic, const struct vsm_lapic_state *s) \
	{                                                                                       \
		(void)apic;                                                                     \
		return condition;                                                               \
	}

static bool is_x2apic(const struct vsm_lapic_state *s)
{
	return s->apic_base & LAPIC_BASE_EXTD;
}

static bool is_deadline_mode(const struct vsm_lapic_state *s)
{
	return (s->lvt[VSM_LAPIC_LVT_TIMER] & LAPIC_TIMER_MODE) == LAPIC_TIMER_DEADLINE;
}

static bool only_legal_vectors(const uint32_t set[8])
{
	return !(set[0] & 0xffff);
}

static bool is_empty(const uint32_t set[8])
{
	uint32_t any = 0;

	for (int i = 0; i < 8; i++)
		any |= set[i];
	return !any;
}

static bool id_is_legal(const struct vsm_lapic *apic, const struct vsm_lapic_state *s)
{
	if (is_x2apic(s))
		return s->id == apic->config.id;
	if (apic->config.flags & VSM_LAPIC_ID_WRITABLE)
		return s->id <= 0xff;
	return s->id == (apic->config.id & 0xff);
}

static bool lvt_is_legal(const struct vsm_lapic *apic, const struct vsm_lapic_state *s)
{
	for (int i = 0; i < VSM_LAPIC_LVT_COUNT; i++) {
		uint32_t legal = lapic_lvt_bits(apic, i);

		if (i == VSM_LAPIC_LVT_LINT0)
			legal |= LAPIC_LVT_REMOTE_IRR;
		if (s->lvt[i] & ~legal)
			return false;
		if (!lapic_has_lvt(apic, i) && s->lvt[i] != LAPIC_LVT_MASKED)
			return false;
		if (!(s->svr & LAPIC_SVR_ENABLE) && !(s->lvt[i] & LAPIC_LVT_MASKED))
			return false;
	}
	return true;
}

RULE(magic, s->magic == VSM_LAPIC_STATE_MAGIC)
RULE(version, s->version == VSM_LAPIC_STATE_VERSION)
RULE(size, s->size == sizeof(*s))
RULE(initial_id, s->initial_id == apic->config.id)
RULE(features, s->features == apic->config.flags)
RULE(tsc_khz, s->tsc_khz == apic->config.tsc_khz)
RULE(timer_khz, s->timer_khz == apic->config.timer_khz)
RULE(apic_base, lapic_base_is_legal(apic, s->apic_base))
/* The destination has 32 bits in x2APIC mode, and 8 bits in xAPIC mode. */
RULE(icr, !(s->icr & ~(LAPIC_ICR_LOW_BITS | 0xffffffffull << 32)) &&
		  (is_x2apic(s) || !(s->icr >> 32 & 0xffffff)))
RULE(id, id_is_legal(apic, s))
RULE(ldr, is_x2apic(s) ? s->ldr == lapic_x2apic_ldr(apic->config.id) : !(s->ldr & 0xffffff))
RULE(dfr, (s->dfr & 0x0fffffff) == 0x0fffffff && (!is_x2apic(s) || s->dfr == LAPIC_DFR_FLAT))
RULE(tpr, s->tpr <= 0xff)
RULE(svr, !(s->svr & ~lapic_svr_bits(apic)))
RULE(esr, !(s->esr & ~LAPIC_ESR_BITS))
RULE(errors, !(s->errors & ~LAPIC_ESR_BITS))
RULE(lvt, lvt_is_legal(apic, s))
RULE(divide, !(s->divide & ~LAPIC_DIVIDE_BITS))
RULE(initial_count, !is_deadline_mode(s) || !s->initial_count)
RULE(timer_armed, s->timer_armed <= 1 && (!s->timer_armed || s->initial_count))
/* 0 when not armed, so that a save after a load gives the same state. */
RULE(timer_expiry, s->timer_armed || !s->timer_expiry)
RULE(tsc_deadline, is_deadline_mode(s) || !s->tsc_deadline)
RULE(irr, only_legal_vectors(s->irr))
RULE(isr, only_legal_vectors(s->isr))
RULE(tmr, only_legal_vectors(s->tmr))
RULE(auto_eoi, only_legal_vectors(s->auto_eoi))
RULE(events,
     !(s->events & ~(LAPIC_EVENT_BITS | 0xffu << LAPIC_SIPI_VECTOR_SHIFT)) &&
	     (s->events & VSM_LAPIC_EVENT_SIPI || !(s->events >> LAPIC_SIPI_VECTOR_SHIFT & 0xff)) &&
	     (s->events & VSM_LAPIC_EVENT_NMI || !(s->events & VSM_LAPIC_EVENT_NMI_AGAIN)))
RULE(lazy_eoi, s->lazy_eoi <= 1 && (!s->lazy_eoi || !is_empty(s->isr)))
RULE(lint_line, s->lint_line <= 3)
RULE(reserved, s->reserved == 0)

#define ENTRY(name)                 \
	{                           \
#name, name##_holds \
	}

const char *lapic_check_state(const struct vsm_lapic *apic, const struct vsm_lapic_state *state)
{
	static const struct rule rules[] = {
		ENTRY(magic),	     ENTRY(version),	  ENTRY(size),		ENTRY(initial_id),
		ENTRY(features),     ENTRY(tsc_khz),	  ENTRY(timer_khz),	ENTRY(apic_base),
		ENTRY(icr),	     ENTRY(id),		  ENTRY(ldr),		ENTRY(dfr),
		ENTRY(tpr),	     ENTRY(svr),	  ENTRY(esr),		ENTRY(errors),
		ENTRY(lvt),	     ENTRY(divide),	  ENTRY(initial_count), ENTRY(timer_armed),
		ENTRY(timer_expiry), ENTRY(tsc_deadline), ENTRY(irr),		ENTRY(isr),
		ENTRY(tmr),	     ENTRY(auto_eoi),	  ENTRY(events),	ENTRY(lazy_eoi),
		ENTRY(lint_line),    ENTRY(reserved),
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (!rules[i].holds(apic, state))
			return rules[i].field;
	return NULL;
}
