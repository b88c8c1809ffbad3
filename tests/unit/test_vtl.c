/* SPDX-License-Identifier: BSD-2-Clause */
#include "core_test.h"
#include "vp_fixture.h"

/* shows: rule entry-call, return-next; hypercall HvCallVtlCall, HvCallVtlReturn */
static void a_vtl_is_entered_by_call_and_left_by_return(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct vsm_counters counters;
	uint64_t rip;

	guest_enable_vtl(partition, 1);
	assert_int_equal(vp->active_vtl, 0);
	vsm_vp_counters(vp, &counters);
	assert_int_equal(counters.vtl_switches, 0);
	rip = vcpu_get(vp, 0, VCPU_GPR)->rip;
	guest_set_gpr(vp, 0, GPR_RBX, 0x1234);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(guest_gpr(vp, 1, GPR_RBX), 0x1234);
	assert_int_equal(guest_gpr(vp, 1, GPR_RSP), 0x9000);
	assert_int_equal(vcpu_get(vp, 1, VCPU_GPR)->rip, 0x21000);
	assert_int_equal(vcpu_get(vp, 0, VCPU_GPR)->rip, rip + SIM_INSTRUCTION_LENGTH);
	guest_set_gpr(vp, 1, GPR_RBX, 0x5678);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(vp->active_vtl, 0);
	assert_int_equal(guest_gpr(vp, 0, GPR_RBX), 0x5678);
	assert_int_equal(guest_gpr(vp, 0, GPR_RSP), 0x8000);
	vsm_vp_counters(vp, &counters);
	assert_int_equal(counters.vtl_switches, 2);
	assert_int_equal(counters.intercepts, 0);
	assert_true(counters.exits >= 2);
}

/* shows: rule enable-partition-vtl; hypercall HvCallEnablePartitionVtl; refuses: rule
 * enable-partition-options
 */
static void enable_partition_vtl_has_these_failures(void **state)
{
	struct vsm_vp *vp = *state;

	assert_int_equal(enable_partition(vp, 0, 0), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(enable_partition(vp, 3, 0), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(enable_partition(vp, 1, 0x2), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(enable_partition(vp, 1, 0), HV_STATUS_SUCCESS);
	assert_int_equal(enable_partition(vp, 1, 0), HV_STATUS_INVALID_VTL_STATE);
	/* VTL0 is not the highest VTL below VTL2 any more. */
	assert_int_equal(enable_partition(vp, 2, 0), HV_STATUS_ACCESS_DENIED);
}

static void p01_enable_vp_vtl_acts_on_the_vp_that_is_named(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;

	assert_int_equal(enable_partition(vp, 1, 0), HV_STATUS_SUCCESS);
	assert_int_equal(enable_vp(vp, 1, 1), HV_STATUS_ACCESS_DENIED);
	assert_int_equal(enable_vp(vp, 0, 1), HV_STATUS_SUCCESS);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(enable_vp(vp, 2, 1), HV_STATUS_SUCCESS);
	assert_int_equal(vsm_partition_vp(partition, 0)->enabled_vtls, 3);
	assert_int_equal(vsm_partition_vp(partition, 1)->enabled_vtls, 1);
	assert_int_equal(vsm_partition_vp(partition, 2)->enabled_vtls, 3);
	assert_int_equal(enable_vp(vp, 2, 1), HV_STATUS_VTL_ALREADY_ENABLED);
	assert_int_equal(enable_vp(vp, 3, 1), HV_STATUS_INVALID_VP_INDEX);
}

static void misuse_of_vtl_call_and_return_is_an_invalid_opcode(void **state)
{
	struct vsm_vp *vp = *state;

	/* No higher VTL; no lower VTL. */
	assert_int_equal(guest_vtl_call(vp), GUEST_FAULT);
	assert_int_equal(sim_state(vp, 0)->exception_vector, X64_EXCEPTION_UD);
	assert_int_equal(guest_vtl_return(vp, false), GUEST_FAULT);
	assert_int_equal(sim_state(vp, 0)->exception_vector, X64_EXCEPTION_UD);
}

/* A VMM reads registers while it handles an exit; the read must not wait for the completion of the exit. */
static void the_thread_with_an_uncompleted_exit_may_read_registers(void **state)
{
	struct vsm_vp *vp = *state;
	const struct sim_action in = {.kind = SIM_IN, .address = 0x60, .size = 1};
	const uint32_t name = HV_X64_REGISTER_RBX;
	union hv_register_value value = {0};
	const struct vsm_exit *exit;

	sim_next(vp, 0, &in);
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_IO);
	exit->io.data[0] = 0x5a;
	value.reg64 = 0x77;
	assert_int_equal(vsm_vp_set_registers(vp, 0, &name, &value, 1), 1);
	value.reg64 = 0;
	assert_int_equal(vsm_vp_get_registers(vp, 0, &name, &value, 1), 1);
	assert_int_equal(value.reg64, 0x77);
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_true(sim_state(vp, 0)->done);
	assert_int_equal(sim_state(vp, 0)->action.value, 0x5a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_vtl_is_entered_by_call_and_left_by_return, 1, 2),
		TEST(enable_partition_vtl_has_these_failures, 1, 2),
		TEST(p01_enable_vp_vtl_acts_on_the_vp_that_is_named, 3, 1),
		TEST(misuse_of_vtl_call_and_return_is_an_invalid_opcode, 1, 1),
		TEST(the_thread_with_an_uncompleted_exit_may_read_registers, 1, 1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
