/* SPDX-License-Identifier: BSD-2-Clause */
#include "lapic_test.h"

/* An APIC with a value in every register. */
static struct vsm_lapic busy(void)
{
	struct vsm_lapic apic = ready();

	wr(&apic, TPR, 0x21);
	wr(&apic, LDR, 0x24000000);
	wr(&apic, DFR, 0x0fffffff);
	wr(&apic, SVR, 0x3f0);
	wr(&apic, LVT_TIMER, 0x20041);
	wr(&apic, LVT_LINT0, 0x8042);
	wr(&apic, LVT_ERROR, 0x43);
	wr(&apic, ICR_HIGH, 0x07000000);
	wr(&apic, ICR, 0x4077);
	wr(&apic, DIVIDE, 0x3);
	wr_at(&apic, 1000, INITIAL_COUNT, 5000);
	vsm_lapic_post(&apic, 0x50, VSM_LAPIC_LEVEL);
	take(&apic);
	vsm_lapic_post(&apic, 0x44, VSM_LAPIC_AUTO_EOI);
	vsm_lapic_set_lint(&apic, 0, true);
	vsm_lapic_post_event(&apic, VSM_LAPIC_EVENT_SIPI, 0x9a);
	vsm_lapic_post_event(&apic, VSM_LAPIC_EVENT_NMI, 0);
	rd(&apic, 0x10);
	return apic;
}

static void an_imported_state_is_exported_unchanged(void **state)
{
	struct vsm_lapic apic = busy(), other;
	struct vsm_lapic_state first, second;

	vsm_lapic_save(&apic, &first);
	power_up(&other, 5, ALL_FEATURES);
	assert_null(vsm_lapic_load(&other, &first));
	vsm_lapic_save(&other, &second);
	assert_memory_equal(&first, &second, sizeof(first));
	assert_int_equal(vsm_lapic_next_deadline(&other), vsm_lapic_next_deadline(&apic));
	assert_int_equal(vsm_lapic_ppr(&other), vsm_lapic_ppr(&apic));
	assert_int_equal(vsm_lapic_highest_isr(&other), 0x50);
	assert_true(vsm_lapic_look(&other));
	assert_true(wr(&other, EOI, 0).flags & VSM_LAPIC_EFFECT_EOI_BROADCAST);
}

#define REFUSED(name, change)                                           \
	do {                                                            \
		struct vsm_lapic_state bad = good, before, after;       \
                                                                        \
		change;                                                 \
		vsm_lapic_save(&apic, &before);                         \
		assert_string_equal(vsm_lapic_load(&apic, &bad), name); \
		vsm_lapic_save(&apic, &after);                          \
		assert_memory_equal(&before, &after, sizeof(before));   \
	} while (0)

static void an_invalid_state_is_refused_with_the_field_name_and_changes_nothing(void **state)
{
	struct vsm_lapic apic = busy(), fresh = ready();
	struct vsm_lapic_state good;

	vsm_lapic_save(&fresh, &good);
	REFUSED("magic", bad.magic++);
	REFUSED("version", bad.version = 2);
	REFUSED("size", bad.size--);
	REFUSED("initial_id", bad.initial_id = 6);
	REFUSED("features", bad.features = 0);
	REFUSED("tsc_khz", bad.tsc_khz = 1);
	REFUSED("timer_khz", bad.timer_khz = 1);
	REFUSED("apic_base", bad.apic_base = 0xfee00400);
	REFUSED("apic_base", bad.apic_base |= 1);
	REFUSED("icr", bad.icr = 1 << 12);
	REFUSED("icr", bad.icr = 1ull << 32);
	REFUSED("id", bad.id = 6);
	REFUSED("ldr", bad.ldr = 1);
	REFUSED("ldr", bad.apic_base |= 0x400);
	REFUSED("dfr", bad.dfr = 0);
	REFUSED("tpr", bad.tpr = 0x100);
	REFUSED("svr", bad.svr |= 1 << 10);
	REFUSED("esr", bad.esr = 0x100);
	REFUSED("errors", bad.errors = 0x100);
	REFUSED("lvt", bad.lvt[VSM_LAPIC_LVT_TIMER] |= 1 << 12);
	REFUSED("lvt", (bad.svr = 0xff, bad.lvt[VSM_LAPIC_LVT_ERROR] = 0x40));
	REFUSED("divide", bad.divide = 4);
	REFUSED("initial_count", (bad.lvt[VSM_LAPIC_LVT_TIMER] = 0x40040, bad.initial_count = 1));
	REFUSED("timer_armed", bad.timer_armed = 1);
	REFUSED("timer_armed", (bad.timer_armed = 2, bad.initial_count = 1));
	REFUSED("timer_expiry", bad.timer_expiry = 1);
	REFUSED("tsc_deadline", bad.tsc_deadline = 1);
	REFUSED("irr", bad.irr[0] = 1 << 15);
	REFUSED("isr", bad.isr[0] = 1);
	REFUSED("tmr", bad.tmr[0] = 2);
	REFUSED("auto_eoi", bad.auto_eoi[0] = 4);
	REFUSED("events", bad.events = 1 << 5);
	REFUSED("events", bad.events = 1 << 8);
	REFUSED("lazy_eoi", bad.lazy_eoi = 1);
	REFUSED("lint_line", bad.lint_line = 4);
	REFUSED("reserved", bad.reserved = 1);
	assert_null(vsm_lapic_load(&apic, &good));
	power_up(&apic, 5, 0);
	vsm_lapic_save(&apic, &good);
	REFUSED("lvt", bad.lvt[VSM_LAPIC_LVT_CMCI] = 0);
	REFUSED("lvt", bad.lvt[VSM_LAPIC_LVT_CMCI] |= 0x40);
	assert_null(vsm_lapic_load(&apic, &good));
}

static uint32_t at(const uint8_t *page, uint32_t offset)
{
	uint32_t value;

	memcpy(&value, page + offset, sizeof(value));
	return value;
}

static void the_kvm_page_has_the_values_of_the_registers(void **state)
{
	static const uint32_t registers[] = {ID,
					     VERSION,
					     TPR,
					     PPR,
					     LDR,
					     DFR,
					     SVR,
					     ESR,
					     LVT_CMCI,
					     ICR,
					     ICR_HIGH,
					     LVT_TIMER,
					     LVT_THERMAL,
					     LVT_PERFORMANCE,
					     LVT_LINT0,
					     LVT_LINT1,
					     LVT_ERROR,
					     INITIAL_COUNT,
					     CURRENT_COUNT,
					     DIVIDE};
	struct vsm_lapic apic = busy();
	uint8_t page[VSM_LAPIC_KVM_STATE_SIZE];

	vsm_lapic_save_kvm(&apic, 2000, page);
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		assert_int_equal(at(page, registers[i]), rd_at(&apic, 2000, registers[i]));
	for (uint32_t i = 0; i < 24; i++)
		assert_int_equal(at(page, ISR + 16 * i), rd(&apic, ISR + 16 * i));
}

static void an_imported_kvm_page_is_exported_unchanged(void **state)
{
	uint8_t first[VSM_LAPIC_KVM_STATE_SIZE], second[VSM_LAPIC_KVM_STATE_SIZE];

	for (int x2apic = 0; x2apic < 2; x2apic++) {
		struct vsm_lapic apic = busy(), other;

		power_up(&other, 5, ALL_FEATURES);
		if (x2apic) {
			assert_true(wrmsr(&apic, VSM_LAPIC_MSR_BASE, BASE_X2APIC));
			assert_true(wrmsr(&apic, 0x830, 0x1234567800004055));
			assert_true(wrmsr(&other, VSM_LAPIC_MSR_BASE, BASE_X2APIC));
		}
		vsm_lapic_save_kvm(&apic, 2000, first);
		assert_int_equal(at(first, ID), x2apic ? 5 : 5u << 24);
		assert_null(vsm_lapic_load_kvm(&other, 2000, first));
		vsm_lapic_save_kvm(&other, 2000, second);
		assert_memory_equal(first, second, sizeof(first));
	}
}

static void an_invalid_kvm_page_is_refused_with_the_field_name_and_changes_nothing(void **state)
{
	static const struct {
		uint32_t offset, value;
		const char *name;
	} cases[] = {
		{ID, 6u << 24, "id"},
		{ID, 0x05000001, "id"},
		{TPR, 0x100, "tpr"},
		{LDR, 1, "ldr"},
		{DFR, 0, "dfr"},
		{SVR, 0x800, "svr"},
		{ISR, 1, "isr"},
		{TMR, 1, "tmr"},
		{IRR, 0x8000, "irr"},
		{ESR, 0x100, "esr"},
		{ICR, 0x1000, "icr"},
		{ICR_HIGH, 1, "icr"},
		{LVT_TIMER, 0x80000, "lvt"},
		{DIVIDE, 0x10, "divide"},
		{CURRENT_COUNT, 5001, "current_count"},
	};
	struct vsm_lapic apic = busy();
	uint8_t good[VSM_LAPIC_KVM_STATE_SIZE], bad[VSM_LAPIC_KVM_STATE_SIZE];
	struct vsm_lapic_state before, after;

	vsm_lapic_save_kvm(&apic, 2000, good);
	vsm_lapic_save(&apic, &before);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *name;

		memcpy(bad, good, sizeof(bad));
		memcpy(bad + cases[i].offset, &cases[i].value, 4);
		name = vsm_lapic_load_kvm(&apic, 2000, bad);
		assert_non_null(name);
		assert_string_equal(name, cases[i].name);
		vsm_lapic_save(&apic, &after);
		assert_memory_equal(&before, &after, sizeof(before));
	}
	assert_null(vsm_lapic_load_kvm(&apic, 2000, good));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_imported_state_is_exported_unchanged),
		cmocka_unit_test(
			an_invalid_state_is_refused_with_the_field_name_and_changes_nothing),
		cmocka_unit_test(the_kvm_page_has_the_values_of_the_registers),
		cmocka_unit_test(an_imported_kvm_page_is_exported_unchanged),
		cmocka_unit_test(
			an_invalid_kvm_page_is_refused_with_the_field_name_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
