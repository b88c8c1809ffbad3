/* SPDX-License-Identifier: BSD-2-Clause */
/* LINT0 and LINT1 of VTL0's APIC, and interrupts of an 8259, whose vector the VMM supplies (SDM 3A
 * 11.5.1). */
#include "core_test.h"

#include <stdlib.h>

#include <vsm/debug.h>

#define LINT0_MSR   0x835u
#define LINT1_MSR   0x836u
#define MODE_NMI    0x400u
#define MODE_EXTINT 0x700u
#define APIC_BASE   0x1bu
#define X2APIC	    0xfee00d00u
#define LVT_MASKED  (1u << 16)
#define VECTOR	    0x21

/* Default target of the vector, so that a failed test writes to valid memory. */
static int16_t unused_vector;

static int setup(void **state)
{
	struct vsm_partition *partition = guest_partition(2, 1, RAM, NULL);

	*state = vsm_partition_vp(partition, 0);
	guest_enable_vtl(partition, 1);
	wrmsr(*state, APIC_BASE, X2APIC);
	wrmsr(*state, LINT0_MSR, MODE_EXTINT);
	return 0;
}

static int teardown(void **state)
{
	vsm_partition_destroy(((struct vsm_vp *)*state)->partition);
	return 0;
}

/* Runs the VP; returns whether it exits for the vector of the 8259, which the VMM writes to **@vector. */
static bool exits_for_vector(struct vsm_vp *vp, int16_t **vector)
{
	const struct vsm_exit *exit;

	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	if (exit->reason != VSM_EXIT_INTA)
		return false;
	assert_int_equal(exit->vtl, 0);
	assert_int_equal(*exit->inta.vector, -1);
	*vector = exit->inta.vector;
	return true;
}

static bool is_quiet(struct vsm_vp *vp)
{
	int16_t *vector = &unused_vector;

	return !exits_for_vector(vp, &vector);
}

static void answer(struct vsm_vp *vp, int16_t *vector, int16_t value)
{
	*vector = value;
	assert_int_equal(vsm_vp_lint(vp, 0, false), 0);
}

static void vtl0_gets_the_vector_that_the_vmm_returns(void **state)
{
	struct vsm_vp *vp = *state;
	int16_t *vector = &unused_vector;

	assert_int_equal(vsm_vp_lint(vp, 0, true), 0);
	assert_true(exits_for_vector(vp, &vector));
	assert_false(was_delivered(vp, 0, VECTOR, 0));
	answer(vp, vector, VECTOR);
	assert_true(is_quiet(vp));
	assert_true(was_delivered(vp, 0, VECTOR, 0));
	/* The interrupt is in service in the 8259, not in the APIC. */
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), -1);
	assert_true(is_quiet(vp));
}

static void without_a_vector_of_the_vmm_nothing_is_delivered(void **state)
{
	struct vsm_vp *vp = *state;
	const uint32_t before = sim_state(vp, 0)->interrupts;
	int16_t *vector = &unused_vector;

	assert_int_equal(vsm_vp_lint(vp, 0, true), 0);
	assert_true(exits_for_vector(vp, &vector));
	answer(vp, vector, -1);
	assert_true(is_quiet(vp));
	assert_int_equal(sim_state(vp, 0)->interrupts, before);
}

static void the_vector_is_requested_only_when_vtl0_can_accept_an_interrupt(void **state)
{
	struct vsm_vp *vp = *state;
	int16_t *vector = &unused_vector;

	set_if(vp, 0, false);
	assert_int_equal(vsm_vp_lint(vp, 0, true), 0);
	assert_true(is_quiet(vp));
	set_if(vp, 0, true);
	assert_true(exits_for_vector(vp, &vector));
	answer(vp, vector, VECTOR);
}

/* As with other interrupts, the delivery waits for the end of a single step. */
static void the_8259_waits_while_vtl0_is_stepped(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_debug debug = {.size = sizeof(debug), .flags = VSM_DEBUG_STEP};
	int16_t *vector = &unused_vector;

	assert_int_equal(vsm_vp_debug(vp, 0, &debug), 0);
	assert_int_equal(vsm_vp_lint(vp, 0, true), 0);
	assert_true(is_quiet(vp));
	debug.flags = 0;
	assert_int_equal(vsm_vp_debug(vp, 0, &debug), 0);
	assert_true(exits_for_vector(vp, &vector));
	answer(vp, vector, VECTOR);
}

static void a_line_that_goes_low_again_requests_no_vector(void **state)
{
	struct vsm_vp *vp = *state;

	set_if(vp, 0, false);
	assert_int_equal(vsm_vp_lint(vp, 0, true), 0);
	assert_true(is_quiet(vp));
	assert_int_equal(vsm_vp_lint(vp, 0, false), 0);
	set_if(vp, 0, true);
	assert_true(is_quiet(vp));
}

static void the_lvt_entry_of_lint0_masks_the_8259(void **state)
{
	struct vsm_vp *vp = *state;
	int16_t *vector = &unused_vector;

	wrmsr(vp, LINT0_MSR, MODE_EXTINT | LVT_MASKED);
	assert_int_equal(vsm_vp_lint(vp, 0, true), 0);
	assert_true(is_quiet(vp));
	/* The last instruction of the guest unmasks the entry while the line is still high. */
	sim_next(vp, 0,
		 &(struct sim_action){
			 .kind = SIM_WRMSR, .address = LINT0_MSR, .value = MODE_EXTINT});
	assert_true(exits_for_vector(vp, &vector));
	answer(vp, vector, VECTOR);
}

static void a_disabled_apic_passes_interrupts_of_the_8259(void **state)
{
	struct vsm_vp *vp = *state;
	int16_t *vector = &unused_vector;

	wrmsr(vp, LINT0_MSR, LVT_MASKED);
	wrmsr(vp, APIC_BASE, 0xfee00100);
	assert_int_equal(vsm_vp_lint(vp, 0, true), 0);
	assert_true(exits_for_vector(vp, &vector));
	answer(vp, vector, VECTOR);
	assert_true(is_quiet(vp));
	assert_true(was_delivered(vp, 0, VECTOR, 0));
}

static void p13_the_8259_wakes_a_halted_vp(void **state)
{
	struct vsm_vp *vp = *state;
	int16_t *vector = &unused_vector;

	assert_int_equal(guest_halt(vp), GUEST_DONE);
	assert_int_equal(vp_active(vp)->activity, VP_HALTED);
	assert_int_equal(vsm_vp_lint(vp, 0, true), 0);
	assert_true(exits_for_vector(vp, &vector));
	answer(vp, vector, VECTOR);
	assert_true(is_quiet(vp));
	assert_true(was_delivered(vp, 0, VECTOR, 0));
}

/* Devices belong to VTL0: VTL1 does not get the interrupt, and an entry of VTL1 does not lose it. */
static void the_8259_waits_until_vtl0_runs(void **state)
{
	struct vsm_vp *vp = *state;
	int16_t *vector = &unused_vector;

	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	set_if(vp, 1, true);
	assert_int_equal(vsm_vp_lint(vp, 0, true), 0);
	assert_true(is_quiet(vp));
	assert_int_equal(sim_state(vp, 1)->interrupts, 0);
	assert_int_equal(guest_vtl_return(vp, false), GUEST_EXIT);
	assert_int_equal(vp->exit.reason, VSM_EXIT_INTA);
	vector = vp->exit.inta.vector;
	answer(vp, vector, VECTOR);
	assert_true(is_quiet(vp));
	assert_true(was_delivered(vp, 0, VECTOR, 0));
}

/* A vector that the 8259 has delivered and VTL0 has not accepted yet (P14, P29). */
static void p14_the_vector_is_not_lost_by_saving(void **state)
{
	struct vsm_vp *vp = *state;
	struct guest_saved saved = {0};
	const struct vsm_exit *exit;
	uint32_t before;
	int16_t *vector = &unused_vector;

	assert_int_equal(vsm_vp_lint(vp, 0, true), 0);
	assert_true(exits_for_vector(vp, &vector));
	assert_int_equal(vsm_partition_save(vp->partition, guest_save_write, &saved), -EBUSY);
	answer(vp, vector, VECTOR);
	vsm_vp_kick(vp);
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_INTERRUPTED);
	assert_false(was_delivered(vp, 0, VECTOR, 0));
	free(saved.bytes);
	saved = (struct guest_saved){0};
	assert_int_equal(vsm_partition_save(vp->partition, guest_save_write, &saved), 0);
	guest_run(vp);
	assert_true(was_delivered(vp, 0, VECTOR, 0));
	before = sim_state(vp, 0)->interrupts;
	assert_int_equal(vsm_partition_restore(vp->partition, saved.bytes, saved.size), 0);
	guest_run(vp);
	assert_true(was_delivered(vp, 0, VECTOR, before));
	free(saved.bytes);
}

static void a_reset_requests_no_vector(void **state)
{
	struct vsm_vp *vp = *state;
	int16_t *vector = &unused_vector;

	assert_int_equal(vsm_vp_lint(vp, 0, true), 0);
	assert_true(exits_for_vector(vp, &vector));
	*vector = VECTOR;
	assert_int_equal(vsm_vp_lint(vp, 0, false), 0);
	assert_int_equal(vsm_partition_reset(vp->partition), 0);
	assert_false(vcpu_get(vp, 0, VCPU_EVENTS)->events.interrupt_injected);
}

static void lint1_is_an_nmi_for_vtl0_if_its_entry_has_that_mode(void **state)
{
	struct vsm_vp *vp = *state;
	const uint32_t before = sim_state(vp, 0)->nmis;

	assert_int_equal(vsm_vp_lint(vp, 1, true), 0);
	assert_int_equal(vsm_vp_lint(vp, 1, false), 0);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->nmis, before);
	wrmsr(vp, LINT1_MSR, MODE_NMI);
	assert_int_equal(vsm_vp_lint(vp, 1, true), 0);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->nmis, before + 1);
	assert_int_equal(vsm_vp_lint(vp, 2, true), -EINVAL);
}

/* TLFS "VINA": an interrupt of the 8259 is one of VTL0's. */
static void vina_notifies_a_higher_vtl_of_an_interrupt_of_the_8259(void **state)
{
	struct vsm_vp *vp = *state;
	const uint32_t before = sim_state(vp, 1)->interrupts;

	set_if(vp, 0, true);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	enable_assist(vp);
	host_set(vp, 1, HV_REGISTER_VSM_VINA, 0x70 | HV_VSM_VINA_ENABLED);
	set_if(vp, 1, true);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_false(was_delivered(vp, 1, 0x70, before));
	assert_int_equal(vsm_vp_lint(vp, 0, true), 0);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_true(was_delivered(vp, 1, 0x70, before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(vtl0_gets_the_vector_that_the_vmm_returns, setup,
						teardown),
		cmocka_unit_test_setup_teardown(without_a_vector_of_the_vmm_nothing_is_delivered,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_vector_is_requested_only_when_vtl0_can_accept_an_interrupt, setup,
			teardown),
		cmocka_unit_test_setup_teardown(the_8259_waits_while_vtl0_is_stepped, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_line_that_goes_low_again_requests_no_vector,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_lvt_entry_of_lint0_masks_the_8259, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_disabled_apic_passes_interrupts_of_the_8259,
						setup, teardown),
		cmocka_unit_test_setup_teardown(p13_the_8259_wakes_a_halted_vp, setup, teardown),
		cmocka_unit_test_setup_teardown(the_8259_waits_until_vtl0_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(p14_the_vector_is_not_lost_by_saving, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_reset_requests_no_vector, setup, teardown),
		cmocka_unit_test_setup_teardown(lint1_is_an_nmi_for_vtl0_if_its_entry_has_that_mode,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			vina_notifies_a_higher_vtl_of_an_interrupt_of_the_8259, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
