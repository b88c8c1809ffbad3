/* SPDX-License-Identifier: BSD-2-Clause */
#include "core_test.h"
#include "listener.h"
#include "vp_fixture.h"

#include <stdlib.h>

#include <vsm/debug.h>

#define R_W_EXECUTE 0u
#define R_W_WRITE   1u
#define R_W_ACCESS  3u
#define LEN_8	    2u

static uint64_t dr7(unsigned int i, unsigned int type, unsigned int length)
{
	return UINT64_C(1) << 2 * i | (uint64_t)(type | length << 2) << (16 + 4 * i);
}

static int set(struct vsm_vp *vp, uint8_t vtl, uint32_t flags)
{
	const struct vsm_debug debug = {.size = sizeof(debug), .flags = flags};

	return vsm_vp_debug(vp, vtl, &debug);
}

static int set_breakpoint(struct vsm_vp *vp, uint8_t vtl, uint64_t address, unsigned int type,
			  unsigned int length)
{
	const struct vsm_debug debug = {.size = sizeof(debug),
					.flags = VSM_DEBUG_HARDWARE,
					.dr = {0, address},
					.dr7 = dr7(1, type, length)};

	return vsm_vp_debug(vp, vtl, &debug);
}

static const struct vsm_exit *run(struct vsm_vp *vp)
{
	const struct vsm_exit *exit;

	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	return exit;
}

static const struct vsm_exit *expect_stop(struct vsm_vp *vp, uint8_t vtl, uint32_t cause,
					  uint64_t rip)
{
	const struct vsm_exit *exit = run(vp);

	assert_int_equal(exit->reason, VSM_EXIT_DEBUG);
	assert_int_equal(exit->vtl, vtl);
	assert_int_equal(exit->debug.cause, cause);
	assert_int_equal(host_get(vp, vtl, HV_X64_REGISTER_RIP), rip);
	return exit;
}

static void expect_none(struct vsm_vp *vp)
{
	assert_int_equal(run(vp)->reason, VSM_EXIT_INTERRUPTED);
}

static void next(struct vsm_vp *vp, uint8_t vtl, enum sim_kind kind, uint64_t address)
{
	sim_next(vp, vtl, &(struct sim_action){.kind = kind, .address = address, .size = 8});
}

static void next_switch(struct vsm_vp *vp, uint8_t vtl, uint64_t control, uint64_t input)
{
	guest_set_gpr(vp, vtl, GPR_RCX, control);
	guest_set_gpr(vp, vtl, GPR_RAX, input);
	next(vp, vtl, SIM_HYPERCALL, 0);
}

static void a_step_ends_after_one_instruction(void **state)
{
	struct vsm_vp *vp = *state;
	uint64_t rip = host_get(vp, 0, HV_X64_REGISTER_RIP);

	assert_int_equal(set(vp, 0, VSM_DEBUG_STEP), 0);
	for (unsigned int i = 0; i < 3; i++) {
		next(vp, 0, SIM_NOP, 0);
		rip += SIM_INSTRUCTION_LENGTH;
		expect_stop(vp, 0, VSM_DEBUG_STEP, rip);
	}
	next(vp, 0, SIM_WRITE, 0x5000);
	expect_stop(vp, 0, VSM_DEBUG_STEP, rip + SIM_INSTRUCTION_LENGTH);
	assert_int_equal(set(vp, 0, 0), 0);
	next(vp, 0, SIM_NOP, 0);
	expect_none(vp);
}

static void a_step_ends_after_an_instruction_that_exits(void **state)
{
	struct vsm_vp *vp = *state;
	uint64_t rip = host_get(vp, 0, HV_X64_REGISTER_RIP);
	const struct vsm_exit *exit;

	assert_int_equal(set(vp, 0, VSM_DEBUG_STEP), 0);
	next(vp, 0, SIM_RDMSR, HV_X64_MSR_VP_INDEX);
	expect_stop(vp, 0, VSM_DEBUG_STEP, rip += SIM_INSTRUCTION_LENGTH);
	sim_next(vp, 0, &(struct sim_action){.kind = SIM_OUT, .address = 0x3f8, .size = 1});
	exit = run(vp);
	assert_int_equal(exit->reason, VSM_EXIT_IO);
	expect_stop(vp, 0, VSM_DEBUG_STEP, rip += SIM_INSTRUCTION_LENGTH);
	next(vp, 0, SIM_HALT, 0);
	expect_stop(vp, 0, VSM_DEBUG_STEP, rip + SIM_INSTRUCTION_LENGTH);
}

static void a_step_over_a_hypercall_ends_after_it(void **state)
{
	struct vsm_vp *vp = *state;
	uint64_t rip = host_get(vp, 0, HV_X64_REGISTER_RIP);

	assert_int_equal(set(vp, 0, VSM_DEBUG_STEP), 0);
	/* An undefined call code: the hypercall only returns a status. */
	guest_set_gpr(vp, 0, GPR_RCX, 0x7fff);
	next(vp, 0, SIM_HYPERCALL, 0);
	expect_stop(vp, 0, VSM_DEBUG_STEP, rip + SIM_INSTRUCTION_LENGTH);
	assert_int_equal((uint16_t)guest_gpr(vp, 0, GPR_RAX), HV_STATUS_INVALID_HYPERCALL_CODE);
}

/* VTL1 is not stepped, and the step of VTL0 ends when VTL0 runs again. */
static void a_step_over_a_vtl_call_ends_after_the_return(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	uint64_t rip;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	enable_assist(vp);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	rip = host_get(vp, 0, HV_X64_REGISTER_RIP);
	assert_int_equal(set(vp, 0, VSM_DEBUG_STEP), 0);
	next_switch(vp, 0, HV_CALL_VTL_CALL, 0);
	expect_none(vp);
	assert_int_equal(vp->active_vtl, 1);
	next(vp, 1, SIM_NOP, 0);
	expect_none(vp);
	next_switch(vp, 1, HV_CALL_VTL_RETURN, HV_VTL_RETURN_FAST);
	expect_stop(vp, 0, VSM_DEBUG_STEP, rip + SIM_INSTRUCTION_LENGTH);
}

static void a_vtl_that_is_stepped_gets_no_interrupt_until_it_continues(void **state)
{
	struct vsm_vp *vp = *state;
	const uint32_t before = sim_state(vp, 0)->interrupts;

	set_if(vp, 0, true);
	assert_int_equal(set(vp, 0, VSM_DEBUG_STEP), 0);
	post(vp, 0, 0x60);
	next(vp, 0, SIM_NOP, 0);
	while (run(vp)->reason != VSM_EXIT_DEBUG)
		;
	assert_false(was_delivered(vp, 0, 0x60, before));
	assert_int_equal(set(vp, 0, 0), 0);
	next(vp, 0, SIM_NOP, 0);
	expect_none(vp);
	assert_true(was_delivered(vp, 0, 0x60, before));
}

static void a_software_breakpoint_is_the_vmms_or_the_guests(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	const uint64_t rip = host_get(vp, 0, HV_X64_REGISTER_RIP);
	const uint32_t before = sim_state(vp, 0)->exceptions;
	const struct vsm_exit *exit;
	int error;

	error = set(vp, 0, VSM_DEBUG_SOFTWARE);
	if (error == -ENOTSUP) {
		vsm_partition_destroy(partition);
		skip();
	}
	assert_int_equal(error, 0);
	next(vp, 0, SIM_BREAKPOINT, 0);
	expect_stop(vp, 0, VSM_DEBUG_SOFTWARE, rip);
	exit = expect_stop(vp, 0, VSM_DEBUG_SOFTWARE, rip);
	assert_int_equal(sim_state(vp, 0)->exceptions, before);
	*exit->debug.deliver = true;
	expect_none(vp);
	assert_int_equal(sim_state(vp, 0)->exceptions, before + 1);
	assert_int_equal(sim_state(vp, 0)->exception_vector, X64_EXCEPTION_BP);
	/* Without the flag the guest gets #BP. */
	assert_int_equal(set(vp, 0, 0), 0);
	next(vp, 0, SIM_BREAKPOINT, 0);
	expect_none(vp);
	assert_int_equal(sim_state(vp, 0)->exceptions, before + 2);
	vsm_partition_destroy(partition);
}

static void a_hardware_breakpoint_stops_at_the_instruction_and_rf_passes_it(void **state)
{
	struct vsm_vp *vp = *state;
	const uint64_t rip = host_get(vp, 0, HV_X64_REGISTER_RIP);
	const struct vsm_exit *exit;
	uint64_t rflags;

	host_set(vp, 0, HV_X64_REGISTER_DR1, 0x1234);
	assert_int_equal(set_breakpoint(vp, 0, rip + SIM_INSTRUCTION_LENGTH, R_W_EXECUTE, 0), 0);
	next(vp, 0, SIM_NOP, 0);
	exit = expect_stop(vp, 0, VSM_DEBUG_HARDWARE, rip + SIM_INSTRUCTION_LENGTH);
	assert_int_equal(exit->debug.dr6, 2);
	next(vp, 0, SIM_NOP, 0);
	expect_stop(vp, 0, VSM_DEBUG_HARDWARE, rip + SIM_INSTRUCTION_LENGTH);
	rflags = host_get(vp, 0, HV_X64_REGISTER_RFLAGS);
	host_set(vp, 0, HV_X64_REGISTER_RFLAGS, rflags | UINT64_C(1) << 16);
	expect_none(vp);
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_RIP), rip + 2 * SIM_INSTRUCTION_LENGTH);
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_DR1), 0x1234);
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_DR7), X64_DR7_RESET);
}

static void a_watchpoint_stops_after_the_access(void **state)
{
	struct vsm_vp *vp = *state;
	uint64_t rip = host_get(vp, 0, HV_X64_REGISTER_RIP);

	assert_int_equal(set_breakpoint(vp, 0, 0x5008, R_W_WRITE, LEN_8), 0);
	next(vp, 0, SIM_READ, 0x5008);
	expect_none(vp);
	next(vp, 0, SIM_WRITE, 0x5000);
	expect_none(vp);
	next(vp, 0, SIM_WRITE, 0x5008);
	rip += 3 * SIM_INSTRUCTION_LENGTH;
	assert_int_equal(expect_stop(vp, 0, VSM_DEBUG_HARDWARE, rip)->debug.dr6, 2);
	assert_int_equal(set_breakpoint(vp, 0, 0x5008, R_W_ACCESS, LEN_8), 0);
	next(vp, 0, SIM_READ, 0x5008);
	expect_stop(vp, 0, VSM_DEBUG_HARDWARE, rip + SIM_INSTRUCTION_LENGTH);
}

static void each_vtl_has_breakpoints_of_its_own(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	uint64_t rip;

	guest_enable_vtl(partition, 1);
	assert_int_equal(set_breakpoint(vp, 1, 0x5008, R_W_WRITE, LEN_8), 0);
	next(vp, 0, SIM_WRITE, 0x5008);
	expect_none(vp);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	rip = host_get(vp, 1, HV_X64_REGISTER_RIP);
	next(vp, 1, SIM_WRITE, 0x5008);
	expect_stop(vp, 1, VSM_DEBUG_HARDWARE, rip + SIM_INSTRUCTION_LENGTH);
}

static void an_entry_into_a_vtl_stops_before_its_first_instruction(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;

	guest_enable_vtl(partition, 1);
	assert_int_equal(set(vp, 1, VSM_DEBUG_VTL_ENTRY), 0);
	for (unsigned int i = 0; i < 2; i++) {
		const uint64_t rip = host_get(vp, 1, HV_X64_REGISTER_RIP);

		next_switch(vp, 0, HV_CALL_VTL_CALL, 0);
		expect_stop(vp, 1, VSM_DEBUG_VTL_ENTRY, rip);
		assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	}
	next(vp, 0, SIM_NOP, 0);
	expect_none(vp);
}

static void an_intercept_stops_at_the_instruction_before_the_higher_vtl_runs(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	uint64_t rip;

	listener_create(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_protect(vp, 0, MAP_READ_EXECUTE, 0x5000), 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	rip = host_get(vp, 0, HV_X64_REGISTER_RIP);
	assert_int_equal(set(vp, 0, VSM_DEBUG_INTERCEPT), 0);
	next(vp, 0, SIM_WRITE, 0x5008);
	expect_stop(vp, 0, VSM_DEBUG_INTERCEPT, rip);
	assert_true(listener_has_message(vp, 1));
	expect_none(vp);
	assert_int_equal(vp->active_vtl, 1);
}

static void an_unanswered_stop_blocks_neither_save_nor_reset(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct guest_saved saved = {0};

	assert_int_equal(set(vp, 0, VSM_DEBUG_STEP), 0);
	next(vp, 0, SIM_NOP, 0);
	assert_int_equal(run(vp)->reason, VSM_EXIT_DEBUG);
	assert_int_equal(vsm_partition_save(partition, guest_save_write, &saved), 0);
	free(saved.bytes);
	/* A reset keeps the debug settings. */
	assert_int_equal(vsm_partition_reset(partition), 0);
	assert_int_equal(vp->vtl[0].debug, VSM_DEBUG_STEP);
}

static void what_cannot_be_enforced_is_refused(void **state)
{
	struct vsm_vp *vp = *state;
	const struct vsm_debug small = {.size = sizeof(small) - 8};
	const struct vsm_debug reserved = {.size = sizeof(reserved), .reserved = 1};
	const struct vsm_debug detect = {
		.size = sizeof(detect), .flags = VSM_DEBUG_HARDWARE, .dr7 = UINT64_C(1) << 13};

	assert_int_equal(set(vp, 2, VSM_DEBUG_STEP), -EINVAL);
	assert_int_equal(set(vp, 0, VSM_DEBUG_ALL + 1), -EINVAL);
	assert_int_equal(vsm_vp_debug(vp, 0, &small), -EINVAL);
	assert_int_equal(vsm_vp_debug(vp, 0, &reserved), -EINVAL);
	assert_int_equal(vsm_vp_debug(vp, 0, &detect), -EINVAL);
	assert_int_equal(set_breakpoint(vp, 0, 0x3f8, 2, 0), -EINVAL);
	assert_int_equal(set_breakpoint(vp, 0, 0x1000, R_W_EXECUTE, 1), -EINVAL);
	assert_int_equal(set_breakpoint(vp, 0, 0x1004, R_W_WRITE, LEN_8), -EINVAL);
	assert_int_equal(set_breakpoint(vp, 0, UINT64_C(1) << 60, R_W_EXECUTE, 0), -EINVAL);
	/* Hardware breakpoints may be on while DR7 enables none. */
	assert_int_equal(set(vp, 0, VSM_DEBUG_HARDWARE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_step_ends_after_one_instruction, 1, 1),
		TEST(a_step_ends_after_an_instruction_that_exits, 1, 1),
		TEST(a_step_over_a_hypercall_ends_after_it, 1, 1),
		TEST(a_step_over_a_vtl_call_ends_after_the_return, 1, 1),
		TEST(a_vtl_that_is_stepped_gets_no_interrupt_until_it_continues, 1, 1),
		cmocka_unit_test(a_software_breakpoint_is_the_vmms_or_the_guests),
		TEST(a_hardware_breakpoint_stops_at_the_instruction_and_rf_passes_it, 1, 1),
		TEST(a_watchpoint_stops_after_the_access, 1, 1),
		TEST(each_vtl_has_breakpoints_of_its_own, 1, 1),
		TEST(an_entry_into_a_vtl_stops_before_its_first_instruction, 1, 1),
		TEST(an_intercept_stops_at_the_instruction_before_the_higher_vtl_runs, 1, 1),
		TEST(an_unanswered_stop_blocks_neither_save_nor_reset, 1, 1),
		TEST(what_cannot_be_enforced_is_refused, 1, 1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
