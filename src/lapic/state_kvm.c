/* SPDX-License-Identifier: BSD-2-Clause */
/* State as KVM's struct kvm_lapic_state: the first 1 KiB of the register page. */
#include "state.h"

#include <string.h>

enum {
	AT_ID = 0x20,
	AT_VERSION = 0x30,
	AT_TPR = 0x80,
	AT_PPR = 0xa0,
	AT_LDR = 0xd0,
	AT_DFR = 0xe0,
	AT_SVR = 0xf0,
	AT_ISR = 0x100,
	AT_TMR = 0x180,
	AT_IRR = 0x200,
	AT_ESR = 0x280,
	AT_ICR = 0x300,
	AT_ICR_HIGH = 0x310,
	AT_INITIAL_COUNT = 0x380,
	AT_CURRENT_COUNT = 0x390,
	AT_DIVIDE = 0x3e0,
};

static const uint16_t at_lvt[VSM_LAPIC_LVT_COUNT] = {
	[VSM_LAPIC_LVT_CMCI] = 0x2f0,	 [VSM_LAPIC_LVT_TIMER] = 0x320,
	[VSM_LAPIC_LVT_THERMAL] = 0x330, [VSM_LAPIC_LVT_PERFORMANCE] = 0x340,
	[VSM_LAPIC_LVT_LINT0] = 0x350,	 [VSM_LAPIC_LVT_LINT1] = 0x360,
	[VSM_LAPIC_LVT_ERROR] = 0x370,
};

static void put(uint8_t *page, uint32_t at, uint32_t value)
{
	memcpy(page + at, &value, sizeof(value));
}

static uint32_t get(const uint8_t *page, uint32_t at)
{
	uint32_t value;

	memcpy(&value, page + at, sizeof(value));
	return value;
}

void vsm_lapic_save_kvm(const struct vsm_lapic *apic, uint64_t now,
			uint8_t page[VSM_LAPIC_KVM_STATE_SIZE])
{
	bool x2apic = vsm_lapic_mode(apic) == VSM_LAPIC_X2APIC;

	memset(page, 0, VSM_LAPIC_KVM_STATE_SIZE);
	put(page, AT_ID, x2apic ? apic->id : apic->id << 24);
	put(page, AT_VERSION, lapic_version(apic));
	put(page, AT_TPR, apic->tpr);
	put(page, AT_PPR, vsm_lapic_ppr(apic));
	put(page, AT_LDR, apic->ldr);
	put(page, AT_DFR, apic->dfr);
	put(page, AT_SVR, apic->svr);
	for (uint32_t i = 0; i < 8; i++) {
		put(page, AT_ISR + 16 * i, lapic_word(apic->isr, i));
		put(page, AT_TMR + 16 * i, lapic_word(apic->tmr, i));
		put(page, AT_IRR + 16 * i, lapic_word(apic->irr, i));
	}
	put(page, AT_ESR, apic->esr);
	put(page, AT_ICR, (uint32_t)apic->icr);
	put(page, AT_ICR_HIGH, apic->icr >> 32);
	for (int i = 0; i < VSM_LAPIC_LVT_COUNT; i++)
		if (lapic_has_lvt(apic, i))
			put(page, at_lvt[i], LAPIC_LOAD(&apic->lvt[i]));
	put(page, AT_INITIAL_COUNT, apic->initial_count);
	put(page, AT_CURRENT_COUNT, lapic_timer_count(apic, now));
	put(page, AT_DIVIDE, apic->divide);
}

static void get_set(const uint8_t *page, uint32_t at, uint32_t set[8])
{
	for (uint32_t i = 0; i < 8; i++)
		set[i] = get(page, at + 16 * i);
}

/* Reads the registers of @page. Base, events and lines, which it lacks, are those of @apic. */
static void read_page(const struct vsm_lapic *apic, const uint8_t *page,
		      struct vsm_lapic_state *state)
{
	uint32_t id = get(page, AT_ID);

	vsm_lapic_save(apic, state);
	state->id = id;
	if (vsm_lapic_mode(apic) != VSM_LAPIC_X2APIC)
		state->id = id & 0xffffff ? UINT32_MAX : id >> 24;
	state->tpr = get(page, AT_TPR);
	state->ldr = get(page, AT_LDR);
	/* In x2APIC mode KVM still reports the DFR of xAPIC mode, which has no effect. */
	state->dfr = vsm_lapic_mode(apic) == VSM_LAPIC_X2APIC ? LAPIC_DFR_FLAT : get(page, AT_DFR);
	state->svr = get(page, AT_SVR);
	get_set(page, AT_ISR, state->isr);
	get_set(page, AT_TMR, state->tmr);
	get_set(page, AT_IRR, state->irr);
	state->esr = get(page, AT_ESR);
	state->icr = get(page, AT_ICR) | (uint64_t)get(page, AT_ICR_HIGH) << 32;
	for (int i = 0; i < VSM_LAPIC_LVT_COUNT; i++)
		if (lapic_has_lvt(apic, i))
			state->lvt[i] = get(page, at_lvt[i]);
	state->initial_count = get(page, AT_INITIAL_COUNT);
	state->divide = get(page, AT_DIVIDE);
	state->errors = 0;
	memset(state->auto_eoi, 0, sizeof(state->auto_eoi));
	state->lazy_eoi = 0;
	state->timer_armed = 0;
	state->timer_expiry = 0;
	state->tsc_deadline = 0;
}

const char *vsm_lapic_load_kvm(struct vsm_lapic *apic, uint64_t now,
			       const uint8_t page[VSM_LAPIC_KVM_STATE_SIZE])
{
	uint8_t copy[VSM_LAPIC_KVM_STATE_SIZE];
	struct vsm_lapic_state state;
	uint32_t count;
	const char *bad;

	memcpy(copy, page, sizeof(copy));
	read_page(apic, copy, &state);
	bad = lapic_check_state(apic, &state);
	if (bad)
		return bad;
	count = get(copy, AT_CURRENT_COUNT);
	if (count > state.initial_count)
		return "current_count";
	/* A periodic timer whose count is 0 starts its next period. */
	if (!count && (state.lvt[VSM_LAPIC_LVT_TIMER] & LAPIC_TIMER_MODE) == LAPIC_TIMER_PERIODIC)
		count = state.initial_count;
	lapic_apply_state(apic, &state);
	lapic_timer_resume(apic, now, count);
	return NULL;
}
