/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of a running VP, and HvExtCallQueryCapabilities. Each register is compared with the
 * MSR, CPUID leaf or page that has its value. */
#include "core_test.h"

static struct vsm_vp *create(struct vsm_partition **partition)
{
	*partition = guest_partition(1, 1, RAM, NULL);
	guest_enable_vtl(*partition, 1);
	return vsm_partition_vp(*partition, 0);
}

/* shows: register HvRegisterHypervisorVersion; leaf HV_CPUID_VERSION */
static void the_hypervisor_version_is_that_of_cpuid(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition);
	union hv_register_value value = {0};
	uint32_t leaf[4];

	cpuid_get(vp, 0, HV_CPUID_VERSION, 0, leaf);
	assert_int_equal(vsm_vp_get_registers(vp, 0, (uint32_t[]){HV_REGISTER_HYPERVISOR_VERSION},
					      &value, 1),
			 1);
	assert_memory_equal(value.bytes, leaf, sizeof(leaf));
	assert_int_not_equal(leaf[1], 0);
	vsm_partition_destroy(partition);
}

/* shows: register HvRegisterVpRuntime */
static void the_runtime_grows_only_while_the_vp_runs(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition);
	uint64_t first, second, msr;

	sim_clock_step(partition, 1000);
	assert_int_equal(guest_get_register(vp, 0, 0, HV_REGISTER_VP_RUNTIME, &first), 0);
	assert_int_equal(guest_get_register(vp, 0, 0, HV_REGISTER_VP_RUNTIME, &second), 0);
	assert_true(second > first);
	sim_clock_step(partition, 0);
	second = host_get(vp, 0, HV_REGISTER_VP_RUNTIME);
	sim_advance(partition, 5000000);
	assert_int_equal(host_get(vp, 0, HV_REGISTER_VP_RUNTIME), second);
	assert_int_equal(guest_rdmsr(vp, HV_X64_MSR_VP_RUNTIME, &msr), GUEST_DONE);
	assert_in_range(msr, second,
			second + 100); /* at most 10 us, although the clock advanced by 5 ms */
	vsm_partition_destroy(partition);
}

static void work_for_a_millisecond(void *opaque, uint32_t id, uint32_t type, const void *data,
				   size_t size)
{
	sim_advance(opaque, 1000000);
}

/* TLFS "Virtual processor run time". */
static void the_runtime_includes_the_hypervisors_own_time(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition);
	struct vsm_connection connection = {.id = 7,
					    .kind = VSM_CONNECTION_EVENT,
					    .fn = work_for_a_millisecond,
					    .opaque = partition};
	struct hv_signal_event_input input = {.connection_id = 7};
	uint64_t before;

	assert_int_equal(vsm_connection_add(partition, &connection), 0);
	before = host_get(vp, 0, HV_REGISTER_VP_RUNTIME);
	assert_int_equal(guest_call(vp, HV_CALL_SIGNAL_EVENT, &input, sizeof(input), NULL, 0), 0);
	assert_in_range(host_get(vp, 0, HV_REGISTER_VP_RUNTIME) - before, 10000, 10100);
	vsm_partition_destroy(partition);
}

static void the_runtime_does_not_grow_while_the_vp_sleeps(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition);
	uint64_t before;

	/* Direct mode, vector 0x50, one expiry 1 ms from now. */
	wrmsr(vp, HV_X64_MSR_STIMER0_CONFIG, 0x1501);
	wrmsr(vp, HV_X64_MSR_STIMER0_COUNT, rdmsr(vp, HV_X64_MSR_TIME_REF_COUNT) + 10000);
	before = host_get(vp, 0, HV_REGISTER_VP_RUNTIME);
	guest_halt(vp);
	assert_true(was_delivered(vp, 0, 0x50, 0));
	assert_true(host_get(vp, 0, HV_REGISTER_VP_RUNTIME) - before < 100);
	vsm_partition_destroy(partition);
}

/* shows: register HvX64RegisterSyntheticEoi */
static void an_eoi_by_register_ends_the_interrupt_of_its_vtl(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition);

	post(vp, 0, 0x41);
	guest_run(vp);
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), 0x41);
	/* VTL1 writes EOI for itself (nothing is in service), then for VTL0. */
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_X64_REGISTER_SYNTHETIC_EOI, 0), 0);
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), 0x41);
	assert_int_equal(guest_set_register(vp, 0, 0x10, HV_X64_REGISTER_SYNTHETIC_EOI, 0), 0);
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), -1);
	vsm_partition_destroy(partition);
}

/* shows: register HvRegisterReferenceTscSequence */
static void the_tsc_sequence_is_that_of_the_page(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition);
	uint64_t page, sequence;

	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_REFERENCE_TSC, 0x60000 | 1),
				 GUEST_DONE);
		assert_int_equal(guest_read(vp, 0x60000, 4, &page), GUEST_DONE);
		assert_int_not_equal(page, 0);
		assert_int_equal(
			guest_get_register(vp, 0, 0, HV_REGISTER_REFERENCE_TSC_SEQUENCE, &sequence),
			0);
		assert_int_equal(sequence, page);
	}
	vsm_partition_destroy(partition);
}

/* shows: register HvRegisterIsolationCapabilities */
static void no_isolation_is_reported(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition);
	uint64_t value = 1;

	assert_int_equal(guest_get_register(vp, 0, 0, HV_REGISTER_ISOLATION_CAPABILITIES, &value),
			 0);
	assert_int_equal(value, 0);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_ISOLATION_CAPABILITIES, 0),
			 HV_STATUS_INVALID_PARAMETER);
	vsm_partition_destroy(partition);
}

/* An empty bitmap: no other extended call is offered. */
/* shows: hypercall HvExtCallQueryCapabilities */
static void no_extended_call_is_reported(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition);
	uint64_t map = UINT64_MAX;

	partition->privileges |=
		HV_PRIVILEGE(ENABLE_EXTENDED_HYPERCALLS); /* not granted by default */
	assert_int_equal(guest_call(vp, HV_EXT_CALL_QUERY_CAPABILITIES, NULL, 0, &map, sizeof(map)),
			 HV_STATUS_SUCCESS);
	assert_int_equal(map, 0);
	assert_int_equal(
		(uint16_t)guest_call(vp, HV_EXT_CALL_QUERY_CAPABILITIES + 1, NULL, 0, NULL, 0),
		HV_STATUS_INVALID_HYPERCALL_CODE);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hypervisor_version_is_that_of_cpuid),
		cmocka_unit_test(the_runtime_grows_only_while_the_vp_runs),
		cmocka_unit_test(the_runtime_includes_the_hypervisors_own_time),
		cmocka_unit_test(the_runtime_does_not_grow_while_the_vp_sleeps),
		cmocka_unit_test(an_eoi_by_register_ends_the_interrupt_of_its_vtl),
		cmocka_unit_test(the_tsc_sequence_is_that_of_the_page),
		cmocka_unit_test(no_isolation_is_reported),
		cmocka_unit_test(no_extended_call_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
