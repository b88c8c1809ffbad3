/* SPDX-License-Identifier: BSD-2-Clause */
/* The TSC of a VTL: private (TLFS "Virtual Processor State Isolation") and writable (SDM 3B
 * 18.17.3). */
#include "core_test.h"
#include "core/msr/msr.h"
#include "core/memory/overlay.h"
#include "core/interrupt/stimer.h"
#include "core/interrupt/tsc.h"
#include "needs.h"
#include "state_test.h"

#define TSC_PAGE     0x60000
#define TSC_PAGE_NEW 0x61000

/* A partition whose clock advances only at entries and when the test moves it. */
static struct vsm_partition *still_partition(uint32_t vps, uint8_t max_vtl)
{
	struct vsm_partition *partition = guest_partition(vps, max_vtl, RAM, NULL);

	sim_clock_step(partition, 0);
	return partition;
}

/* Reads an MSR without executing a guest instruction, which would advance the clock. */
static uint64_t msr_of(struct vsm_vp *vp, uint8_t vtl, uint32_t msr)
{
	uint64_t value;

	assert_true(msr_read(vp, vtl, msr, &value));
	return value;
}

static const struct hv_reference_tsc_page *tsc_page(struct vsm_partition *partition, uint8_t vtl)
{
	return (const void *)overlay_memory(partition, OVERLAY_REFERENCE_TSC, vtl, 0);
}

/* The time that a guest computes from its TSC and TSC page (TLFS "Partition Reference TSC Mechanism"). */
static uint64_t page_time(struct vsm_vp *vp, uint8_t vtl)
{
	const struct hv_reference_tsc_page *page = tsc_page(vp->partition, vtl);

	assert_int_not_equal(page->tsc_sequence, HV_REFERENCE_TSC_SEQUENCE_INVALID);
	return (uint64_t)(((unsigned __int128)tsc_of_vtl(vp, vtl) * page->tsc_scale) >> 64) +
	       (uint64_t)page->tsc_offset;
}

/* shows: rule tsc-adjust */
static void a_write_of_tsc_or_tsc_adjust_changes_both(void **state)
{
	struct vsm_partition *partition = still_partition(2, 1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct vsm_vp *other = vsm_partition_vp(partition, 1);
	uint64_t before;
	uint64_t adjust;

	guest_enable_vtl(partition, 1);
	before = vp_tsc(partition);
	adjust = rdmsr(vp, X64_MSR_TSC);
	assert_in_range(adjust, before, vp_tsc(partition));
	assert_int_equal(rdmsr(vp, X64_MSR_TSC_ADJUST), 0);
	before = vp_tsc(partition);
	wrmsr(vp, X64_MSR_TSC, 1000000);
	adjust = rdmsr(vp, X64_MSR_TSC_ADJUST);
	assert_in_range(1000000 - adjust, before, vp_tsc(partition));
	assert_int_equal(msr_of(vp, 0, X64_MSR_TSC), vp_tsc(partition) + adjust);
	assert_int_equal(sim_state(vp, 0)->tsc_offset, adjust);
	wrmsr(vp, X64_MSR_TSC_ADJUST, (uint64_t)-5);
	assert_int_equal(msr_of(vp, 0, X64_MSR_TSC), vp_tsc(partition) - 5);
	assert_int_equal(sim_state(vp, 0)->tsc_offset, (uint64_t)-5);
	assert_int_equal(msr_of(other, 0, X64_MSR_TSC), vp_tsc(partition));
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(msr_of(vp, 1, X64_MSR_TSC), vp_tsc(partition));
	assert_int_equal(rdmsr(vp, X64_MSR_TSC_ADJUST), 0);
	assert_int_equal(sim_state(vp, 1)->tsc_offset, 0);
	vsm_partition_destroy(partition);
}

/* shows: rule private-tsc, tsc; register HvX64RegisterTsc, HvX64RegisterTscAdjust */
static void a_higher_vtl_reads_and_sets_the_tsc_as_a_register(void **state)
{
	struct vsm_partition *partition = still_partition(1, 1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	uint64_t value;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_set_register(vp, 0, 0x10, HV_X64_REGISTER_TSC_ADJUST, 99),
			 HV_STATUS_SUCCESS);
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_TSC), vp_tsc(partition) + 99);
	assert_int_equal(guest_get_register(vp, 0, 0x10, HV_X64_REGISTER_TSC_ADJUST, &value),
			 HV_STATUS_SUCCESS);
	assert_int_equal(value, 99);
	assert_int_equal(guest_set_register(vp, 0, 0x10, HV_X64_REGISTER_TSC, 7000000),
			 HV_STATUS_SUCCESS);
	assert_in_range(host_get(vp, 0, HV_X64_REGISTER_TSC), 7000000, 7001000);
	assert_int_equal(guest_get_register(vp, 0, 0x10, HV_X64_REGISTER_TSC, &value),
			 HV_STATUS_SUCCESS);
	assert_in_range(value, 7000000, 7001000);
	/* VTL1 can set its own TSC only by WRMSR. */
	assert_int_not_equal(guest_set_register(vp, 0, 0x11, HV_X64_REGISTER_TSC, 1),
			     HV_STATUS_SUCCESS);
	assert_int_equal(msr_of(vp, 1, X64_MSR_TSC), vp_tsc(partition));
	vsm_partition_destroy(partition);
}

/* In each VTL the page and the counter have exactly the same time, which never goes back. */
static void reference_time_does_not_depend_on_the_tsc(void **state)
{
	static const uint64_t tsc[] = {0, 12345, UINT64_C(1) << 40, (UINT64_C(1) << 62) + 7};
	struct vsm_partition *partition = still_partition(1, 1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	guest_enable_vtl(partition, 1);
	wrmsr(vp, HV_X64_MSR_REFERENCE_TSC, TSC_PAGE | 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	wrmsr(vp, HV_X64_MSR_REFERENCE_TSC, TSC_PAGE_NEW | 1);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	for (size_t i = 0; i < sizeof(tsc) / sizeof(tsc[0]); i++) {
		uint64_t sequence = tsc_page(partition, 0)->tsc_sequence;
		uint64_t now;

		wrmsr(vp, X64_MSR_TSC, tsc[i]);
		now = reftime_now(partition);
		assert_int_not_equal(tsc_page(partition, 0)->tsc_sequence, sequence);
		for (unsigned int k = 0; k < 100; k++) {
			uint64_t seen = msr_of(vp, 0, HV_X64_MSR_TIME_REF_COUNT);

			assert_true(seen == now || seen == now + 1);
			assert_int_equal(seen, page_time(vp, 0));
			assert_int_equal(page_time(vp, 1), now);
			sim_advance(partition, 37);
			now = reftime_now(partition);
		}
	}
	vsm_partition_destroy(partition);
}

/* If the TSC would wrap or differs between VPs, the page is invalid and the guest must read the counter. */
static void a_tsc_page_that_would_be_wrong_is_invalid(void **state)
{
	struct vsm_partition *partition = still_partition(2, 0);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct vsm_vp *other = vsm_partition_vp(partition, 1);

	wrmsr(vp, HV_X64_MSR_REFERENCE_TSC, TSC_PAGE | 1);
	wrmsr(vp, X64_MSR_TSC_ADJUST, 5000);
	assert_int_equal(tsc_page(partition, 0)->tsc_sequence, HV_REFERENCE_TSC_SEQUENCE_INVALID);
	assert_int_equal(msr_of(other, 0, HV_X64_MSR_TIME_REF_COUNT), reftime_now(partition));
	wrmsr(other, X64_MSR_TSC_ADJUST, 5000);
	assert_int_equal(page_time(vp, 0), msr_of(vp, 0, HV_X64_MSR_TIME_REF_COUNT));
	assert_int_equal(page_time(other, 0), msr_of(vp, 0, HV_X64_MSR_TIME_REF_COUNT));
	wrmsr(vp, X64_MSR_TSC, UINT64_MAX - 1000000);
	wrmsr(other, X64_MSR_TSC_ADJUST, rdmsr(vp, X64_MSR_TSC_ADJUST));
	assert_int_equal(tsc_page(partition, 0)->tsc_sequence, HV_REFERENCE_TSC_SEQUENCE_INVALID);
	assert_int_equal(msr_of(vp, 0, HV_X64_MSR_TIME_REF_COUNT), reftime_now(partition));
	vsm_partition_destroy(partition);
}

/* TLFS "Synthetic Timers" count reference time; the APIC's timer its own clock. */
static void timers_do_not_depend_on_the_tsc(void **state)
{
	struct vsm_partition *partition = still_partition(1, 0);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	uint64_t due = reftime_now(partition) + 1000;

	wrmsr(vp, HV_X64_MSR_STIMER0_CONFIG, UINT64_C(0x1001) | 0x61 << 4);
	wrmsr(vp, HV_X64_MSR_STIMER0_COUNT, due);
	wrmsr(vp, X64_MSR_TSC, UINT64_C(1) << 50);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->interrupts, 0);
	sim_advance(partition, 99000);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->interrupts, 0);
	wrmsr(vp, X64_MSR_TSC, 0);
	sim_advance(partition, 1100);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->interrupts, 1);
	vsm_partition_destroy(partition);
}

static void a_new_vtl_has_the_partitions_tsc(void **state)
{
	struct vsm_partition *partition = still_partition(1, 1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	wrmsr(vp, X64_MSR_TSC, 1);
	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(msr_of(vp, vp->active_vtl, X64_MSR_TSC), vp_tsc(partition));
	vsm_partition_destroy(partition);
}

static void p29_the_tsc_is_restored_from_a_saved_state(void **state)
{
	struct vsm_partition *partition = still_partition(2, 1);
	struct vsm_partition *other = still_partition(2, 1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct vsm_vp *restored = vsm_partition_vp(other, 0);
	struct guest_saved file;

	guest_enable_vtl(partition, 1);
	wrmsr(vp, HV_X64_MSR_REFERENCE_TSC, TSC_PAGE | 1);
	wrmsr(vsm_partition_vp(partition, 1), X64_MSR_TSC_ADJUST, 4711);
	wrmsr(vp, X64_MSR_TSC_ADJUST, 4711);
	wrmsr(vp, HV_X64_MSR_TSC_INVARIANT_CONTROL, 1);
	file = state_save(partition);
	memcpy(guest_ram(other, 0), guest_ram(partition, 0), RAM);
	sim_advance(other, 123456789);
	state_restores_to_the_same(&file, other);
	assert_int_equal(msr_of(restored, 0, X64_MSR_TSC), vp_tsc(other) + 4711);
	assert_int_equal(rdmsr(restored, X64_MSR_TSC_ADJUST), 4711);
	assert_int_equal(sim_state(restored, 0)->tsc_offset, 4711);
	assert_int_equal(sim_state(restored, 1)->tsc_offset, 0);
	assert_int_equal(rdmsr(restored, HV_X64_MSR_TSC_INVARIANT_CONTROL), 1);
	assert_int_equal(page_time(restored, 0), msr_of(restored, 0, HV_X64_MSR_TIME_REF_COUNT));
	free(file.bytes);
	vsm_partition_destroy(other);
	vsm_partition_destroy(partition);
}

static void p25_a_reset_clears_the_offset_of_the_tsc(void **state)
{
	struct vsm_partition *partition = still_partition(2, 1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	guest_enable_vtl(partition, 1);
	wrmsr(vp, X64_MSR_TSC_ADJUST, 4711);
	wrmsr(vp, HV_X64_MSR_TSC_INVARIANT_CONTROL, 1);
	assert_int_equal(vsm_partition_reset(partition), 0);
	guest_set_long_mode(vp, 0);
	assert_int_equal(msr_of(vp, vp->active_vtl, X64_MSR_TSC), vp_tsc(partition));
	assert_int_equal(rdmsr(vp, X64_MSR_TSC_ADJUST), 0);
	assert_int_equal(rdmsr(vp, HV_X64_MSR_TSC_INVARIANT_CONTROL), 0);
	vsm_partition_destroy(partition);
}

static bool cpuid_shows(struct vsm_vp *vp)
{
	uint32_t value[4];

	cpuid_get(vp, 0, 0x80000007, 0, value);
	return value[3] >> 8 & 1;
}

/* TLFS "TSC Invariant Control": bit 0 enables CPUID 0x80000007 EDX[8]. */
/* shows: rule tsc-invariant; msr HV_X64_MSR_TSC_INVARIANT_CONTROL */
static void the_invariant_tsc_is_reported_after_its_msr_is_written(void **state)
{
	struct vsm_partition *partition = still_partition(2, 0);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct vsm_vp *other = vsm_partition_vp(partition, 1);
	uint32_t raw[4];
	uint32_t leaf[4];

	cpuid_get(vp, 0, HV_CPUID_FEATURES, 0, leaf);
	assert_true(leaf[0] >> 15 & 1);
	assert_false(cpuid_shows(vp));
	assert_int_equal(rdmsr(vp, HV_X64_MSR_TSC_INVARIANT_CONTROL), 0);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_TSC_INVARIANT_CONTROL, 2), GUEST_FAULT);
	wrmsr(vp, HV_X64_MSR_TSC_INVARIANT_CONTROL, 0);
	assert_false(cpuid_shows(vp));
	wrmsr(vp, HV_X64_MSR_TSC_INVARIANT_CONTROL, 1);
	/* On KVM the host may have no invariant TSC. */
	partition->ops->vp_cpuid(vp->backend, 0x80000007, 0, raw);
	assert_int_equal(cpuid_shows(vp), raw[3] >> 8 & 1);
	assert_int_equal(cpuid_shows(other), raw[3] >> 8 & 1);
	assert_int_equal(rdmsr(other, HV_X64_MSR_TSC_INVARIANT_CONTROL), 1);
	wrmsr(other, HV_X64_MSR_TSC_INVARIANT_CONTROL, 1);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_TSC_INVARIANT_CONTROL, 0), GUEST_FAULT);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_needs(NEED_SIM_CLOCK, a_write_of_tsc_or_tsc_adjust_changes_both),
		cmocka_unit_test(a_higher_vtl_reads_and_sets_the_tsc_as_a_register),
		cmocka_unit_test(reference_time_does_not_depend_on_the_tsc),
		cmocka_unit_test(a_tsc_page_that_would_be_wrong_is_invalid),
		cmocka_unit_test(timers_do_not_depend_on_the_tsc),
		cmocka_unit_test(a_new_vtl_has_the_partitions_tsc),
		cmocka_unit_test(p29_the_tsc_is_restored_from_a_saved_state),
		unit_test_needs(NEED_NO_TABLES, p25_a_reset_clears_the_offset_of_the_tsc),
		cmocka_unit_test(the_invariant_tsc_is_reported_after_its_msr_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
