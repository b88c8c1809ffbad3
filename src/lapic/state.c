/* SPDX-License-Identifier: BSD-2-Clause */
/* Saving and loading state in the module's format. */
#include "state.h"

#include <string.h>

_Static_assert(sizeof(struct vsm_lapic_state) == 256, "the format has no padding");

static void save_set(uint32_t out[8], const uint64_t set[4])
{
	for (uint32_t i = 0; i < 8; i++)
		out[i] = lapic_word(set, i);
}

static void load_set(uint64_t set[4], const uint32_t in[8])
{
	for (int i = 0; i < 4; i++)
		LAPIC_STORE(&set[i], in[2 * i] | (uint64_t)in[2 * i + 1] << 32);
}

void vsm_lapic_save(const struct vsm_lapic *apic, struct vsm_lapic_state *state)
{
	*state = (struct vsm_lapic_state){
		.magic = VSM_LAPIC_STATE_MAGIC,
		.version = VSM_LAPIC_STATE_VERSION,
		.size = sizeof(*state),
		.initial_id = apic->config.id,
		.features = apic->config.flags,
		.tsc_khz = apic->config.tsc_khz,
		.timer_khz = apic->config.timer_khz,
		.apic_base = apic->apic_base,
		.icr = apic->icr,
		.timer_expiry = apic->timer_expiry,
		.tsc_deadline = apic->tsc_deadline,
		.id = apic->id,
		.ldr = apic->ldr,
		.dfr = apic->dfr,
		.tpr = apic->tpr,
		.svr = apic->svr,
		.esr = apic->esr,
		.errors = LAPIC_LOAD(&apic->errors),
		.initial_count = apic->initial_count,
		.divide = apic->divide,
		.events = LAPIC_LOAD(&apic->events),
		.timer_armed = apic->timer_armed,
		.lazy_eoi = apic->lazy_eoi,
		.lint_line = LAPIC_LOAD(&apic->lint_line),
	};
	for (int i = 0; i < VSM_LAPIC_LVT_COUNT; i++)
		state->lvt[i] = LAPIC_LOAD(&apic->lvt[i]);
	save_set(state->irr, apic->irr);
	save_set(state->isr, apic->isr);
	save_set(state->tmr, apic->tmr);
	save_set(state->auto_eoi, apic->auto_eoi);
}

void lapic_apply_state(struct vsm_lapic *apic, const struct vsm_lapic_state *state)
{
	LAPIC_STORE(&apic->apic_base, state->apic_base);
	apic->icr = state->icr;
	apic->timer_expiry = state->timer_expiry;
	apic->tsc_deadline = state->tsc_deadline;
	LAPIC_STORE(&apic->id, state->id);
	LAPIC_STORE(&apic->ldr, state->ldr);
	LAPIC_STORE(&apic->dfr, state->dfr);
	LAPIC_STORE(&apic->tpr, state->tpr);
	LAPIC_STORE(&apic->svr, state->svr);
	apic->esr = state->esr;
	LAPIC_STORE(&apic->errors, state->errors);
	apic->initial_count = state->initial_count;
	apic->divide = state->divide;
	for (int i = 0; i < VSM_LAPIC_LVT_COUNT; i++)
		LAPIC_STORE(&apic->lvt[i], state->lvt[i]);
	load_set(apic->irr, state->irr);
	load_set(apic->isr, state->isr);
	load_set(apic->tmr, state->tmr);
	load_set(apic->auto_eoi, state->auto_eoi);
	apic->highest_isr = lapic_highest(apic->isr);
	LAPIC_STORE(&apic->events, state->events);
	apic->timer_armed = state->timer_armed;
	apic->lazy_eoi = state->lazy_eoi;
	LAPIC_STORE(&apic->lint_line, state->lint_line);
	lapic_timer_update(apic);
	/* Makes the owner check for loaded vectors and events. */
	__atomic_store_n(&apic->attention, 1, __ATOMIC_SEQ_CST);
}

const char *vsm_lapic_load(struct vsm_lapic *apic, const struct vsm_lapic_state *state)
{
	struct vsm_lapic_state copy;
	const char *bad;

	/* Checks and uses a copy: another thread may be able to write to @state. */
	memcpy(&copy, state, sizeof(copy));
	bad = lapic_check_state(apic, &copy);
	if (!bad)
		lapic_apply_state(apic, &copy);
	return bad;
}
