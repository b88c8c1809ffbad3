/* SPDX-License-Identifier: BSD-2-Clause */
#include "core_test.h"
#include "needs.h"

/* HvCallSendSyntheticClusterIpiEx to one VP by its sparse set, from the active VTL of @vp to itself. */
static uint16_t ipi_to(struct vsm_vp *vp, uint32_t index, uint32_t vector)
{
	const struct {
		struct hv_send_synthetic_cluster_ipi_ex_input head;
		uint64_t bank;
	} input = {
		{
			.vector = vector,
			.vp_set = {.format = HV_VP_SET_FORMAT_SPARSE_4K,
				   .valid_banks = UINT64_C(1) << index / 64},
		},
		UINT64_C(1) << index % 64,
	};

	return (uint16_t)guest_call(vp, HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX | UINT64_C(1) << 17,
				    &input, sizeof(input), NULL, 0);
}

static void last_of(uint32_t count)
{
	struct vsm_partition *partition = guest_partition(count, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct vsm_vp *last = vsm_partition_vp(partition, count - 1);
	struct vsm_vp *neighbour = vsm_partition_vp(partition, count - 2);
	uint64_t value;

	assert_non_null(last);
	assert_null(vsm_partition_vp(partition, count));
	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_rdmsr(last, HV_X64_MSR_VP_INDEX, &value), GUEST_DONE);
	assert_int_equal(value, count - 1);
	assert_int_equal(ipi_to(vp, count - 1, 0x61), 0);
	guest_run(last);
	assert_true(was_delivered(last, 0, 0x61, 0));
	eoi(last);
	/* Only x2APIC mode has IDs above 255 (SDM 11.12.1). */
	assert_int_equal(guest_wrmsr(last, X64_MSR_APIC_BASE, 0xfee00c00), GUEST_DONE);
	/* 15-bit destinations: bits 11:5 of the address are bits 14:8 (SDM 11.11 and docs/lapic.md). */
	assert_int_equal(vsm_msi(partition,
				 0xfee00000u | ((count - 1) & 0xff) << 12 | (count - 1) >> 8 << 5,
				 0x62),
			 0);
	guest_run(last);
	assert_true(was_delivered(last, 0, 0x62, 0));
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_get_register(vp, count - 1, 0, HV_REGISTER_VP_INDEX, &value), 0);
	assert_int_equal(value, count - 1);
	assert_int_equal(guest_get_register(vp, count, 0, HV_REGISTER_VP_INDEX, &value),
			 HV_STATUS_INVALID_VP_INDEX);
	guest_run(neighbour);
	assert_int_equal(sim_state(neighbour, 0)->interrupts, 0);
	vsm_partition_destroy(partition);
}

static void the_last_of_240_vps_is_reached(void **state)
{
	last_of(240);
}

static void the_last_of_2048_vps_is_reached(void **state)
{
	last_of(VSM_VP_MAX);
}

static void one_vp_more_is_refused(void **state)
{
	struct vsm_partition *partition;
	struct vsm_config config;

	vsm_config_init(&config);
	config.vp_count = VSM_VP_MAX + 1;
	assert_int_equal(partition_create(&config, &sim_ops, NULL, &partition), -EINVAL);
}

/* shows: rule vtl-count, call-next */
static void sixteen_vtls_are_entered_one_by_one(void **state)
{
	struct vsm_partition *partition = guest_partition(1, VSM_VTL_MAX - 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	for (uint8_t vtl = 1; vtl < VSM_VTL_MAX; vtl++) {
		guest_enable_vtl(partition, vtl);
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		assert_int_equal(vp->active_vtl, vtl);
		guest_set_gpr(vp, vtl, GPR_RSP, 0x1000u * vtl);
	}
	assert_int_equal(partition->enabled_vtls, 0xffff);
	assert_int_equal(guest_vtl_call(vp), GUEST_FAULT); /* there is no higher VTL */
	/* The highest VTL restricts a page for all lower ones: the backend gets the rights of each. */
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_PARTITION_CONFIG, 0x1f), 0);
	assert_int_equal(guest_protect(vp, 0, HV_MAP_GPA_READABLE, 0x300000), 0);
	for (uint8_t vtl = 0; vtl < VSM_VTL_MAX - 1; vtl++)
		assert_int_equal(sim_access(partition, vtl, 0x300), GPA_READ);
	assert_int_equal(sim_access(partition, VSM_VTL_MAX - 1, 0x300), GPA_ALL);
	for (uint8_t vtl = VSM_VTL_MAX - 1; vtl > 0; vtl--) {
		assert_int_equal(guest_gpr(vp, vtl, GPR_RSP), 0x1000u * vtl);
		assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
		assert_int_equal(vp->active_vtl, vtl - 1);
	}
	post(vp, VSM_VTL_MAX - 1, 0x55);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, VSM_VTL_MAX - 1);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_of_240_vps_is_reached),
		unit_test_needs(NEED_2048_VPS, the_last_of_2048_vps_is_reached),
		unit_test_needs(NEED_2048_VPS, one_vp_more_is_refused),
		unit_test_needs(NEED_EXECUTE_VIEW, sixteen_vtls_are_entered_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
