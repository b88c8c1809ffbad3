/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EOI assist (TLFS "EOI Assist"): when "No EOI required" is set, as the guest reads it, and which interrupts
 * end by it. Exits during a handler must not end the permission, and no code outside of the guest may see an
 * ISR that is out of date.
 */
#include "core_test.h"
#include "needs.h"

#include <stdlib.h>

#include <vsm/x86.h>

#define LOW	 0x41
#define MIDDLE	 0x61
#define HIGH	 0x81
#define ISR	 0xfee00100u
#define PPR	 0xfee000a0u
#define NO_RAM	 0xfed00000u
#define PORT	 0x3f8u
#define MOVED_TO 0x48000u

/* One VP in VTL0 with VTL1 enabled; both VTLs have an assist page. */
static struct vsm_vp *with_assist(void)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	enable_assist(vp);
	set_if(vp, 1, true);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	enable_assist(vp);
	return vp;
}

static int setup(void **state)
{
	*state = with_assist();
	return 0;
}

static int teardown(void **state)
{
	struct vsm_vp *vp = *state;

	vsm_partition_destroy(vp->partition);
	return 0;
}

static uint64_t read4(struct vsm_vp *vp, uint64_t gpa)
{
	uint64_t value;

	assert_int_equal(guest_read(vp, gpa, 4, &value), GUEST_DONE);
	return value;
}

/* The active VTL reads "No EOI required". */
static bool offered(struct vsm_vp *vp)
{
	return read4(vp, vp->vtl[vp->active_vtl].assist_msr & ~UINT64_C(0xfff)) &
	       HV_APIC_ASSIST_NO_EOI_REQUIRED;
}

/* The active VTL completes an interrupt without an EOI. */
static void skip_eoi(struct vsm_vp *vp)
{
	assert_int_equal(
		guest_write(vp, vp->vtl[vp->active_vtl].assist_msr & ~UINT64_C(0xfff), 4, 0),
		GUEST_DONE);
}

/* Whether @vector of @vtl is in service, as the APIC reports it to the VMM. */
static bool in_service(struct vsm_vp *vp, uint8_t vtl, uint8_t vector)
{
	struct vsm_lapic_state lapic;

	assert_int_equal(vsm_vp_lapic(vp, vtl, &lapic), 0);
	assert_int_equal(lapic.lazy_eoi, 0);
	return lapic.isr[vector / 32] >> vector % 32 & 1;
}

/* The handler of @vector of the active VTL begins. */
static void begin(struct vsm_vp *vp, uint8_t vector, enum vsm_lapic_trigger trigger)
{
	const uint8_t vtl = vp->active_vtl;
	const uint32_t before = sim_state(vp, vtl)->interrupts;

	vsm_lapic_post(&vp->vtl[vtl].lapic, vector, trigger);
	vp_kick(vp);
	guest_run(vp);
	assert_int_equal(sim_state(vp, vtl)->interrupts, before + 1);
	assert_true(was_delivered(vp, vtl, vector, before));
}

/* ------------------------------------------------------------------ exits */

static void by_port(struct vsm_vp *vp)
{
	assert_int_equal(guest_do(vp,
				  (struct sim_action){
					  .kind = SIM_OUT, .address = PORT, .value = 1, .size = 1},
				  NULL),
			 GUEST_EXIT);
	guest_run(vp);
}

static void by_mmio(struct vsm_vp *vp)
{
	uint64_t value;

	assert_int_equal(guest_read(vp, NO_RAM, 4, &value), GUEST_EXIT);
	guest_run(vp);
}

static void by_wrmsr(struct vsm_vp *vp)
{
	wrmsr(vp, HV_X64_MSR_STIMER0_CONFIG + 1, 0);
}

static void by_rdmsr(struct vsm_vp *vp)
{
	rdmsr(vp, HV_X64_MSR_TIME_REF_COUNT);
}

static void by_hypercall(struct vsm_vp *vp)
{
	uint64_t value;

	assert_int_equal(guest_get_register(vp, 0, 0, HV_X64_REGISTER_RSP, &value),
			 HV_STATUS_ACCESS_DENIED);
}

static void by_halt(struct vsm_vp *vp)
{
	assert_int_equal(guest_halt(vp), GUEST_DONE);
	assert_int_equal(vp->vtl[0].activity, VP_HALTED);
	vsm_nmi(vp);
	guest_run(vp);
	assert_int_equal(vp->vtl[0].activity, VP_RUNNING);
}

static void by_kick(struct vsm_vp *vp)
{
	vsm_vp_kick(vp);
	guest_run(vp);
}

static void by_vtl_call(struct vsm_vp *vp)
{
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
}

static void by_apic(struct vsm_vp *vp)
{
	assert_int_equal(read4(vp, PPR), LOW & 0xf0);
}

static void by_auto_eoi(struct vsm_vp *vp)
{
	begin(vp, HIGH, VSM_LAPIC_AUTO_EOI);
}

static void by_nothing(struct vsm_vp *vp)
{
}

/* shows: rule interrupt-eoi-assist */
static void exits_during_a_handler_do_not_require_an_eoi(void **state)
{
	static void (*const cause[])(struct vsm_vp *) = {
		by_nothing, by_port, by_mmio,	  by_wrmsr, by_rdmsr,	by_hypercall,
		by_halt,    by_kick, by_vtl_call, by_apic,  by_auto_eoi};
	struct vsm_vp *vp = *state;
	unsigned int eois = 0;

	for (unsigned int i = 0; i < 100; i++) {
		begin(vp, LOW, VSM_LAPIC_EDGE);
		cause[i % ARRAY_SIZE(cause)](vp);
		cause[i / 3 % ARRAY_SIZE(cause)](vp);
		assert_true(in_service(vp, 0, LOW));
		if (offered(vp))
			skip_eoi(vp);
		else
			eois++;
		assert_false(in_service(vp, 0, LOW));
	}
	assert_int_equal(eois, 0);
}

/* ------------------------------------------------------------------ when an EOI is required */

static void an_interrupt_that_waits_for_the_eoi_requires_it(void **state)
{
	static const uint8_t waiting[] = {LOW, MIDDLE - 1, MIDDLE, MIDDLE + 1};
	struct vsm_vp *vp = *state;

	for (unsigned int i = 0; i < ARRAY_SIZE(waiting); i++) {
		begin(vp, MIDDLE, VSM_LAPIC_EDGE);
		assert_true(offered(vp));
		post(vp, 0, waiting[i]);
		assert_false(offered(vp));
		by_wrmsr(vp);
		assert_false(offered(vp));
		/* The guest may clear a bit that is already clear. */
		skip_eoi(vp);
		assert_true(in_service(vp, 0, MIDDLE));
		const uint32_t before = sim_state(vp, 0)->interrupts;
		eoi(vp);
		assert_true(was_delivered(vp, 0, waiting[i], before));
		assert_true(offered(vp));
		skip_eoi(vp);
	}
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), -1);
}

static void a_skipped_eoi_lets_the_next_lower_interrupt_in(void **state)
{
	struct vsm_vp *vp = *state;

	begin(vp, MIDDLE, VSM_LAPIC_EDGE);
	by_port(vp);
	skip_eoi(vp);
	begin(vp, LOW, VSM_LAPIC_EDGE);
	assert_false(in_service(vp, 0, MIDDLE));
	assert_true(in_service(vp, 0, LOW));
}

static void a_nested_interrupt_requires_an_eoi_and_the_outer_one_does_not(void **state)
{
	struct vsm_vp *vp = *state;

	begin(vp, LOW, VSM_LAPIC_EDGE);
	begin(vp, HIGH, VSM_LAPIC_EDGE);
	assert_false(offered(vp));
	by_port(vp);
	assert_false(offered(vp));
	eoi(vp);
	assert_false(in_service(vp, 0, HIGH));
	assert_true(in_service(vp, 0, LOW));
	assert_true(offered(vp));
	skip_eoi(vp);
	assert_false(in_service(vp, 0, LOW));
}

/* The I/O APIC waits for the EOI of a level-triggered interrupt. */
static void a_level_triggered_interrupt_requires_an_eoi(void **state)
{
	struct vsm_vp *vp = *state;
	const struct vsm_exit *exit;

	begin(vp, LOW, VSM_LAPIC_LEVEL);
	assert_false(offered(vp));
	by_wrmsr(vp);
	assert_false(offered(vp));
	sim_next(vp, 0, &(struct sim_action){.kind = SIM_WRMSR, .address = HV_X64_MSR_EOI});
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_EOI);
	assert_int_equal(exit->eoi.vector, LOW);
}

/* TLFS "EOI Assist": a guest may always send an EOI. It ends one interrupt. */
static void an_eoi_with_the_bit_set_ends_one_interrupt(void **state)
{
	struct vsm_vp *vp = *state;

	begin(vp, LOW, VSM_LAPIC_EDGE);
	assert_true(offered(vp));
	eoi(vp);
	assert_false(in_service(vp, 0, LOW));
	assert_false(offered(vp));
	begin(vp, LOW, VSM_LAPIC_EDGE);
	begin(vp, HIGH, VSM_LAPIC_EDGE);
	eoi(vp);
	assert_true(in_service(vp, 0, LOW));
}

/* ------------------------------------------------------------------ who reads the ISR */

static void the_guest_reads_isr_and_ppr_after_the_skipped_eoi(void **state)
{
	struct vsm_vp *vp = *state;

	begin(vp, LOW, VSM_LAPIC_EDGE);
	assert_int_equal(read4(vp, ISR + LOW / 32 * 16), 1u << LOW % 32);
	assert_int_equal(read4(vp, PPR), LOW & 0xf0);
	skip_eoi(vp);
	assert_int_equal(read4(vp, ISR + LOW / 32 * 16), 0);
	assert_int_equal(read4(vp, PPR), 0);
}

static void a_higher_vtl_reads_the_apic_of_the_interrupted_vtl(void **state)
{
	const uint32_t name = HV_X64_REGISTER_APIC_ISR0 + LOW / 32;
	struct vsm_vp *vp = *state;
	uint64_t value;

	for (unsigned int skipped = 0; skipped < 2; skipped++) {
		begin(vp, LOW, VSM_LAPIC_EDGE);
		if (skipped)
			skip_eoi(vp);
		post(vp, 1, HIGH);
		guest_run(vp);
		assert_int_equal(vp->active_vtl, 1);
		assert_int_equal(guest_get_register(vp, 0, 0x10, name, &value), 0);
		assert_int_equal(value, skipped ? 0 : 1u << LOW % 32);
		/* While VTL1 runs, the bit of VTL0 is clear. */
		assert_int_equal(*(uint32_t *)(void *)vp->vtl[0].assist, 0);
		assert_true(offered(vp));
		skip_eoi(vp);
		assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
		assert_int_equal(offered(vp), !skipped);
		skip_eoi(vp);
		assert_false(in_service(vp, 0, LOW));
		assert_false(in_service(vp, 1, HIGH));
	}
}

/* VINA: an interrupt of VTL0 is deliverable only if no interrupt of its class is in service. */
static void vina_is_decided_after_the_skipped_eoi(void **state)
{
	struct vsm_vp *vp = *state;

	for (unsigned int skipped = 0; skipped < 2; skipped++) {
		const uint32_t before = sim_state(vp, 1)->interrupts;

		begin(vp, MIDDLE, VSM_LAPIC_EDGE);
		if (skipped)
			skip_eoi(vp);
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_VINA,
						    HV_VSM_VINA_ENABLED | HV_VSM_VINA_AUTO_RESET |
							    HV_VSM_VINA_AUTO_EOI | 0xe0),
				 0);
		post(vp, 0, LOW);
		guest_run(vp);
		assert_int_equal(sim_state(vp, 1)->interrupts, before + skipped);
		assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
		eoi(vp);
		guest_run(vp);
		eoi(vp);
		assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), -1);
		assert_int_equal(vsm_lapic_highest_irr(&vp->vtl[0].lapic), -1);
	}
}

static void a_guest_that_is_saved_in_a_handler_skips_its_eoi_after_the_restore(void **state)
{
	struct vsm_vp *vp = *state;

	for (unsigned int skipped = 0; skipped < 2; skipped++) {
		struct vsm_vp *other = with_assist();
		struct guest_saved saved = {0};

		begin(vp, LOW, VSM_LAPIC_EDGE);
		if (skipped)
			skip_eoi(vp);
		assert_int_equal(vsm_partition_save(vp->partition, guest_save_write, &saved), 0);
		memcpy(guest_ram(other->partition, 0), guest_ram(vp->partition, 0), RAM);
		assert_int_equal(vsm_partition_restore(other->partition, saved.bytes, saved.size),
				 0);
		assert_int_equal(in_service(other, 0, LOW), !skipped);
		assert_int_equal(offered(other), !skipped);
		skip_eoi(other);
		assert_false(in_service(other, 0, LOW));
		skip_eoi(vp);
		free(saved.bytes);
		vsm_partition_destroy(other->partition);
	}
}

/* Restores a permission for @vtl, whose handler of LOW has cleared the bit or not. */
static void restore_permission(struct vsm_vp *vp, uint8_t vtl, bool bit)
{
	struct vsm_lapic_state lapic;

	assert_int_equal(vsm_vp_lapic(vp, vtl, &lapic), 0);
	assert_int_equal(lapic.isr[LOW / 32], 1u << LOW % 32);
	lapic.lazy_eoi = 1;
	*(uint32_t *)(void *)vp->vtl[vtl].assist = bit;
	assert_int_equal(vsm_vp_set_lapic(vp, vtl, &lapic), 0);
}

static void a_restored_permission_ends_before_the_next_entry(void **state)
{
	struct vsm_vp *vp = *state;

	for (unsigned int skipped = 0; skipped < 2; skipped++) {
		const uint32_t before = sim_state(vp, 0)->interrupts;

		begin(vp, LOW, VSM_LAPIC_EDGE);
		restore_permission(vp, 0, !skipped);
		/* An interrupt of the same class is injected at this entry if LOW has ended. */
		vsm_lapic_post(&vp->vtl[0].lapic, LOW + 1, VSM_LAPIC_EDGE);
		guest_run(vp);
		assert_int_equal(sim_state(vp, 0)->interrupts, before + 1 + skipped);
		assert_int_equal(in_service(vp, 0, LOW), !skipped);
		assert_int_equal(offered(vp), skipped);
		eoi(vp);
		eoi(vp);
		assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), -1);
	}
}

/* The entry of VTL1 does not set the bit again, by which an EOI that VTL1 has skipped would be lost. */
static void a_restored_permission_of_a_vtl_that_preempts_ends(void **state)
{
	struct vsm_vp *vp = *state;

	for (unsigned int skipped = 0; skipped < 2; skipped++) {
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		begin(vp, LOW, VSM_LAPIC_EDGE);
		assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
		restore_permission(vp, 1, !skipped);
		vsm_lapic_post(&vp->vtl[1].lapic, HIGH, VSM_LAPIC_AUTO_EOI);
		guest_run(vp);
		assert_int_equal(vp->active_vtl, 1);
		assert_int_equal(in_service(vp, 1, LOW), !skipped);
		skip_eoi(vp);
		assert_false(in_service(vp, 1, LOW));
		assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	}
}

static void init_ends_the_permission(void **state)
{
	struct vsm_partition *partition = guest_partition(2, 0, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 1);

	enable_assist(vp);
	begin(vp, LOW, VSM_LAPIC_EDGE);
	assert_true(offered(vp));
	interrupt_post_event(vp, 0, VSM_LAPIC_EVENT_INIT, 0);
	guest_run(vp);
	assert_int_equal(vp->vtl[0].activity, VP_WAIT_FOR_SIPI);
	assert_false(in_service(vp, 0, LOW));
	vsm_partition_destroy(partition);
}

/* ------------------------------------------------------------------ the page */

static void the_bit_follows_the_page(void **state)
{
	struct vsm_vp *vp = *state;

	begin(vp, LOW, VSM_LAPIC_EDGE);
	wrmsr(vp, HV_X64_MSR_VP_ASSIST_PAGE, MOVED_TO | HV_PAGE_MSR_ENABLE);
	assert_int_equal(read4(vp, ASSIST_GPA(0)), 0);
	assert_true(offered(vp));
	/* RAM below the former place is not the page. */
	assert_int_equal(guest_write(vp, ASSIST_GPA(0), 4, 0), GUEST_DONE);
	assert_true(in_service(vp, 0, LOW));
	/* Without a page only an EOI ends the interrupt. */
	wrmsr(vp, HV_X64_MSR_VP_ASSIST_PAGE, MOVED_TO);
	assert_int_equal(read4(vp, MOVED_TO), 0);
	assert_int_equal(guest_write(vp, MOVED_TO, 4, 0), GUEST_DONE);
	assert_true(in_service(vp, 0, LOW));
	wrmsr(vp, HV_X64_MSR_VP_ASSIST_PAGE, ASSIST_GPA(0) | HV_PAGE_MSR_ENABLE);
	assert_true(offered(vp));
	skip_eoi(vp);
	assert_false(in_service(vp, 0, LOW));
}

/* VTL1 hides the page of VTL0 in a handler: what VTL0 writes to RAM there is no EOI. */
static void a_hidden_page_offers_nothing(void **state)
{
	struct vsm_vp *vp = *state;

	begin(vp, LOW, VSM_LAPIC_EDGE);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_PARTITION_CONFIG, 0x3f), 0);
	assert_int_equal(guest_protect(vp, 0, MAP_READ_EXECUTE, ASSIST_GPA(0)), 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_false(offered(vp));
	assert_true(in_service(vp, 0, LOW));
	eoi(vp);
	assert_false(in_service(vp, 0, LOW));
}

/* ------------------------------------------------------------------ hostile guests */

static void vtl0_cannot_end_an_interrupt_of_vtl1(void **state)
{
	struct vsm_vp *vp = *state;

	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	begin(vp, LOW, VSM_LAPIC_EDGE);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	/* VTL0 writes to its own RAM at the GPA of VTL1's page, sets and clears its own bit, and moves its page. */
	for (unsigned int i = 0; i < 4; i++) {
		const uint64_t place = i < 2 ? ASSIST_GPA(0) : ASSIST_GPA(1);

		wrmsr(vp, HV_X64_MSR_VP_ASSIST_PAGE, place | HV_PAGE_MSR_ENABLE);
		assert_int_equal(guest_write(vp, ASSIST_GPA(1), 4, i & 1), GUEST_DONE);
		assert_int_equal(guest_write(vp, place, 4, i & 1), GUEST_DONE);
		assert_true(in_service(vp, 1, LOW));
		/* An interrupt of the same class does not enter VTL1. */
		post(vp, 1, LOW + 1);
		assert_int_equal(guest_nop(vp), GUEST_DONE);
		assert_int_equal(vp->active_vtl, 0);
	}
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_false(offered(vp));
	eoi(vp);
	assert_true(in_service(vp, 1, LOW + 1));
	assert_true(offered(vp));
}

/* A bit that the guest itself has set is no permission: its interrupt is in service until an EOI. */
static void a_bit_that_the_guest_sets_changes_nothing(void **state)
{
	struct vsm_vp *vp = *state;
	const uint32_t before = sim_state(vp, 0)->interrupts;

	begin(vp, MIDDLE, VSM_LAPIC_EDGE);
	post(vp, 0, LOW);
	assert_int_equal(guest_write(vp, ASSIST_GPA(0), 4, 1), GUEST_DONE);
	assert_true(offered(vp));
	skip_eoi(vp);
	assert_true(in_service(vp, 0, MIDDLE));
	assert_int_equal(sim_state(vp, 0)->interrupts, before + 1);
	eoi(vp);
	assert_int_equal(sim_state(vp, 0)->interrupts, before + 2);
	assert_true(in_service(vp, 0, LOW));
	/* With nothing in service the library neither sets the bit nor reads it. */
	skip_eoi(vp);
	assert_int_equal(guest_write(vp, ASSIST_GPA(0), 4, 0xfffffffe), GUEST_DONE);
	assert_int_equal(read4(vp, ASSIST_GPA(0)), 0xfffffffe);
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), -1);
}

static void a_run_that_fails_leaves_no_permission(void **state)
{
	struct vsm_vp *vp = *state;
	const struct vsm_exit *exit;

	begin(vp, LOW, VSM_LAPIC_EDGE);
	assert_true(offered(vp));
	vp->partition->ops->disable(vp->partition->backend);
	sim_next(vp, 0, &(struct sim_action){.kind = SIM_NOP});
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_ERROR);
	assert_true(in_service(vp, 0, LOW));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exits_during_a_handler_do_not_require_an_eoi),
		TEST(an_interrupt_that_waits_for_the_eoi_requires_it),
		TEST(a_skipped_eoi_lets_the_next_lower_interrupt_in),
		TEST(a_nested_interrupt_requires_an_eoi_and_the_outer_one_does_not),
		TEST(a_level_triggered_interrupt_requires_an_eoi),
		TEST(an_eoi_with_the_bit_set_ends_one_interrupt),
		TEST(the_guest_reads_isr_and_ppr_after_the_skipped_eoi),
		TEST(a_higher_vtl_reads_the_apic_of_the_interrupted_vtl),
		TEST(vina_is_decided_after_the_skipped_eoi),
		TEST(a_guest_that_is_saved_in_a_handler_skips_its_eoi_after_the_restore),
		TEST(a_restored_permission_ends_before_the_next_entry),
		TEST(a_restored_permission_of_a_vtl_that_preempts_ends),
		cmocka_unit_test(init_ends_the_permission),
		TEST(the_bit_follows_the_page),
		TEST(a_hidden_page_offers_nothing),
		TEST(vtl0_cannot_end_an_interrupt_of_vtl1),
		TEST(a_bit_that_the_guest_sets_changes_nothing),
		TEST_NEEDS(NEED_DISABLE, a_run_that_fails_leaves_no_permission),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
