/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts of a VP with several VTLs (TLFS "Virtual Interrupt Support" of VSM, "Virtual Interrupt
 * Controller"). */
#include "core_test.h"

/* One VP in VTL0, with VTLs 1 to @highest enabled, each with its assist page. */
static void enable_vtls(void **state, uint8_t highest)
{
	struct vsm_partition *partition = guest_partition(1, 2, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	for (uint8_t vtl = 1; vtl <= highest; vtl++) {
		guest_enable_vtl(partition, vtl);
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		enable_assist(vp);
	}
	while (vp->active_vtl > 0)
		assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	*state = vp;
}

static int vtl1(void **state)
{
	enable_vtls(state, 1);
	return 0;
}

static int vtl2(void **state)
{
	enable_vtls(state, 2);
	return 0;
}

static int tear_down(void **state)
{
	struct vsm_vp *vp = *state;

	vsm_partition_destroy(vp->partition);
	return 0;
}

#define TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static struct hv_vp_assist_page *assist(struct vsm_vp *vp, uint8_t vtl)
{
	return (struct hv_vp_assist_page *)(void *)vp->vtl[vtl].assist;
}

static void finish_and_return(struct vsm_vp *vp)
{
	eoi(vp);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
}

/* TLFS: "interrupts for a higher VTL preempt lower VTLs", regardless of RFLAGS.IF in either. */
/* shows: rule entry-interrupt, interrupt-preempts */
static void an_interrupt_for_a_higher_vtl_preempts_regardless_of_if(void **state)
{
	struct vsm_vp *vp = *state;

	set_if(vp, 0, false);
	set_if(vp, 1, false);
	post(vp, 1, 0x40);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	/* The delivery within VTL1 depends on its IF. */
	assert_false(was_delivered(vp, 1, 0x40, 0));
	set_if(vp, 1, true);
	guest_run(vp);
	assert_true(was_delivered(vp, 1, 0x40, 0));
}

/* shows: rule interrupt-highest */
static void p03_the_highest_vtl_runs_first_and_no_interrupt_is_lost(void **state)
{
	struct vsm_vp *vp = *state;

	set_if(vp, 1, true);
	set_if(vp, 2, true);
	post(vp, 0, 0x30);
	post(vp, 1, 0x41);
	post(vp, 2, 0x52);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 2);
	assert_true(was_delivered(vp, 2, 0x52, 0));
	finish_and_return(vp);
	assert_int_equal(vp->active_vtl, 1);
	guest_run(vp);
	assert_true(was_delivered(vp, 1, 0x41, 0));
	assert_false(was_delivered(vp, 0, 0x30, 0));
	finish_and_return(vp);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 0);
	assert_true(was_delivered(vp, 0, 0x30, 0));
	for (uint8_t vtl = 0; vtl < 3; vtl++)
		assert_int_equal(sim_state(vp, vtl)->interrupts, 1);
}

/* shows: rule entry-no-preempt, interrupt-lower-waits */
static void an_interrupt_for_a_lower_vtl_waits(void **state)
{
	struct vsm_vp *vp = *state;

	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	post(vp, 0, 0x40);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(sim_state(vp, 0)->interrupts, 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	guest_run(vp);
	assert_true(was_delivered(vp, 0, 0x40, 0));
}

/* shows: rule interrupt-tpr */
static void p12_a_vector_that_the_tpr_masks_enters_only_after_the_tpr_is_lowered(void **state)
{
	struct vsm_vp *vp = *state;

	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_TPR, 0x50), GUEST_DONE);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	post(vp, 1, 0x5f);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(guest_nop(vp), GUEST_DONE);
		assert_int_equal(vp->active_vtl, 0);
	}
	/* A vector above the TPR enters VTL1; the other stays pending in the IRR. */
	post(vp, 1, 0x60);
	set_if(vp, 1, true);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	assert_true(was_delivered(vp, 1, 0x60, 0));
	assert_false(was_delivered(vp, 1, 0x5f, 0));
	eoi(vp);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_TPR, 0), GUEST_DONE);
	guest_run(vp);
	assert_true(was_delivered(vp, 1, 0x5f, 0));
}

static void p12_an_interrupt_before_the_assist_page_exists_enters_once(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	guest_enable_vtl(partition, 1);
	post(vp, 1, 0x40);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	set_if(vp, 1, true);
	guest_run(vp);
	finish_and_return(vp);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_int_equal(vp->active_vtl, 0);
	assert_int_equal(sim_state(vp, 1)->interrupts, 1);
	vsm_partition_destroy(partition);
}

/* TLFS "VTL Return": with an interrupt still pending, the VTL is entered again regardless of IF. */
/* shows: rule return-pending */
static void a_return_with_an_interrupt_pending_enters_again(void **state)
{
	struct vsm_vp *vp = *state;

	post(vp, 1, 0x40);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	set_if(vp, 1, false);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(assist(vp, 1)->vtl_control.entry_reason, HV_VTL_ENTRY_INTERRUPT);
}

static enum guest_outcome halt_by_hlt(struct vsm_vp *vp)
{
	return guest_halt(vp);
}

static enum guest_outcome halt_by_guest_idle(struct vsm_vp *vp)
{
	uint64_t value;

	return guest_rdmsr(vp, HV_X64_MSR_GUEST_IDLE, &value);
}

/* A flush that a TLB lock of VTL1 on another VP blocks. */
static enum guest_outcome halt_by_tlb_lock(struct vsm_vp *vp)
{
	struct hv_flush_virtual_address_input flush = {.processor_mask = 2};

	vtl_tlb_lock(vsm_partition_vp(vp->partition, 1), 1, 0);
	memcpy(guest_ram(vp->partition, GUEST_PARAMETER_GPA), &flush, sizeof(flush));
	return guest_hypercall(vp, HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE, GUEST_PARAMETER_GPA, 0,
			       NULL);
}

/* shows: rule interrupt-halt */
static void p13_every_halt_is_ended_by_an_interrupt_for_a_higher_vtl(void **state)
{
	static const struct {
		enum guest_outcome (*halt)(struct vsm_vp *vp);
		enum guest_outcome outcome;
		enum vp_activity activity;
	} paths[] = {
		{halt_by_hlt, GUEST_DONE, VP_HALTED},
		{halt_by_guest_idle, GUEST_DONE, VP_IDLE},
		{halt_by_tlb_lock, GUEST_STOPPED, VP_TLB_LOCKED},
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		for (unsigned int interrupt = 0; interrupt < 3; interrupt++) {
			struct vsm_partition *partition = guest_partition(2, 1, RAM, NULL);
			struct vsm_vp *vp = vsm_partition_vp(partition, 0);

			guest_enable_vtl(partition, 1);
			set_if(vp, 0, interrupt == 1);
			assert_int_equal(paths[i].halt(vp), paths[i].outcome);
			assert_int_equal(vp->vtl[0].activity, paths[i].activity);
			guest_run(vp);
			assert_int_equal(vp->vtl[0].activity, paths[i].activity);
			if (interrupt == 2)
				interrupt_post_event(vp, 1, VSM_LAPIC_EVENT_NMI, 0);
			else
				post(vp, 1, 0x40);
			guest_run(vp);
			assert_int_equal(vp->active_vtl, 1);
			/* The lower VTL is still halted when it runs again. */
			set_if(vp, 1, true);
			guest_run(vp);
			if (interrupt != 2)
				eoi(vp);
			assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
			assert_int_equal(vp->vtl[0].activity, paths[i].activity);
			vsm_partition_destroy(partition);
		}
	}
}

static void hlt_is_ended_by_the_vtls_own_interrupt_only_with_if(void **state)
{
	struct vsm_vp *vp = *state;

	set_if(vp, 0, false);
	assert_int_equal(guest_halt(vp), GUEST_DONE);
	post(vp, 0, 0x40);
	guest_run(vp);
	assert_int_equal(vp->vtl[0].activity, VP_HALTED);
	set_if(vp, 0, true);
	guest_run(vp);
	assert_int_equal(vp->vtl[0].activity, VP_RUNNING);
	assert_true(was_delivered(vp, 0, 0x40, 0));
}

/* TLFS "Guest idle": until an interrupt is pending, regardless of IF. */
/* shows: feature GuestIdle; msr HV_X64_MSR_GUEST_IDLE */
static void guest_idle_is_ended_by_an_interrupt_regardless_of_if(void **state)
{
	struct vsm_vp *vp = *state;

	set_if(vp, 0, false);
	assert_int_equal(halt_by_guest_idle(vp), GUEST_DONE);
	assert_int_equal(vp->vtl[0].activity, VP_IDLE);
	post(vp, 0, 0x40);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_false(was_delivered(vp, 0, 0x40, 0));
}

static void an_interrupt_for_a_lower_vtl_does_not_end_the_halt_of_a_higher(void **state)
{
	struct vsm_vp *vp = *state;

	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	set_if(vp, 1, true);
	assert_int_equal(guest_halt(vp), GUEST_DONE);
	post(vp, 0, 0x40);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(vp->vtl[1].activity, VP_HALTED);
}

static void an_exception_from_a_higher_vtl_ends_a_halt(void **state)
{
	struct vsm_vp *vp = *state;

	set_if(vp, 0, false);
	assert_int_equal(guest_halt(vp), GUEST_DONE);
	vp_inject_exception(vp, 0, X64_EXCEPTION_GP, true, 0, 0);
	guest_run(vp);
	assert_int_equal(vp->vtl[0].activity, VP_RUNNING);
	assert_int_equal(sim_state(vp, 0)->exception_vector, X64_EXCEPTION_GP);
}

/* shows: rule interrupt-nmi */
static void an_nmi_ignores_the_tpr_and_enters_a_higher_vtl(void **state)
{
	struct vsm_vp *vp = *state;

	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_TPR, 0xff), GUEST_DONE);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	interrupt_post_event(vp, 1, VSM_LAPIC_EVENT_NMI, 0);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(sim_state(vp, 1)->nmis, 1);
	assert_int_equal(sim_state(vp, 0)->nmis, 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	vsm_nmi(vp);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->nmis, 1);
	assert_int_equal(vp->active_vtl, 0);
}

static void p14_a_vector_leaves_the_irr_only_when_the_cpu_accepts_it(void **state)
{
	struct vsm_vp *vp = *state;

	/* VTL0 cannot accept the vector (IF), then VTL1 preempts: the vector stays pending. */
	set_if(vp, 0, false);
	post(vp, 0, 0x40);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_int_equal(vsm_lapic_highest_irr(&vp->vtl[0].lapic), 0x40);
	post(vp, 1, 0x50);
	set_if(vp, 1, true);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	post(vp, 0, 0x40); /* merges */
	finish_and_return(vp);
	set_if(vp, 0, true);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->interrupts, 1);
	assert_true(was_delivered(vp, 0, 0x40, 0));
}

static void p14_kicks_lose_no_vector_and_double_none(void **state)
{
	struct vsm_vp *vp = *state;

	for (uint32_t i = 0; i < 200; i++) {
		uint8_t vtl = i & 1;

		set_if(vp, vtl, true);
		post(vp, vtl, (uint8_t)(0x40 + i % 64));
		vsm_vp_kick(vp);
		for (unsigned int runs = 0; runs < 3; runs++)
			guest_run(vp);
		assert_int_equal(vp->active_vtl, vtl);
		assert_int_equal(sim_state(vp, vtl)->interrupts, i / 2 + 1);
		eoi(vp);
		if (vtl)
			assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	}
}

static void vina(struct vsm_vp *vp, uint64_t value)
{
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_VINA, value), 0);
}

/* TLFS "Virtual Interrupt Notification Assist" */
/* shows: rule vina-once, vina-asserted; register HvRegisterVsmVina */
static void vina_notifies_once_of_an_interrupt_for_a_lower_vtl(void **state)
{
	struct vsm_vp *vp = *state;

	set_if(vp, 0, true);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	set_if(vp, 1, true);
	vina(vp, HV_VSM_VINA_ENABLED | 0xe0);
	post(vp, 0, 0x40);
	guest_run(vp);
	assert_true(was_delivered(vp, 1, 0xe0, 0));
	assert_int_equal(assist(vp, 1)->vtl_control.vina_status, HV_VINA_STATUS_ASSERTED);
	eoi(vp);
	post(vp, 0, 0x41);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 1)->interrupts, 1);
	assert_int_equal(assist(vp, 1)->vtl_control.vina_status, HV_VINA_STATUS_ASSERTED);
	/* The guest clears the status: VINA is asserted again while the interrupt is pending. */
	assert_int_equal(guest_write(vp, ASSIST_GPA(1) + 12, 1, 0), GUEST_DONE);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 1)->interrupts, 2);
}

static void vina_is_not_asserted_when_the_lower_vtl_could_not_accept_the_interrupt(void **state)
{
	struct vsm_vp *vp = *state;

	set_if(vp, 0, false);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	set_if(vp, 1, true);
	vina(vp, HV_VSM_VINA_ENABLED | 0xe0);
	post(vp, 0, 0x40);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 1)->interrupts, 0);
	assert_int_equal(assist(vp, 1)->vtl_control.vina_status, 0);
	vina(vp, 0xe0);
	set_if(vp, 0, true);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 1)->interrupts, 0);
}

/* shows: rule vina-auto-reset */
static void vina_auto_reset_clears_the_status_at_the_next_entry(void **state)
{
	struct vsm_vp *vp = *state;

	for (unsigned int automatic = 0; automatic < 2; automatic++) {
		set_if(vp, 0, true);
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		set_if(vp, 1, true);
		assist(vp, 1)->vtl_control.vina_status = 0;
		vina(vp, HV_VSM_VINA_ENABLED | 0xe0 | (automatic ? HV_VSM_VINA_AUTO_RESET : 0));
		post(vp, 0, 0x40);
		guest_run(vp);
		assert_int_equal(assist(vp, 1)->vtl_control.vina_status, 1);
		eoi(vp);
		assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
		guest_run(vp);
		eoi(vp);
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		assert_int_equal(assist(vp, 1)->vtl_control.vina_status, !automatic);
		assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	}
}

/* shows: rule vina-auto-eoi */
static void vina_auto_eoi_leaves_nothing_in_service(void **state)
{
	struct vsm_vp *vp = *state;

	set_if(vp, 0, true);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	set_if(vp, 1, true);
	vina(vp, HV_VSM_VINA_ENABLED | HV_VSM_VINA_AUTO_EOI | 0xe0);
	post(vp, 0, 0x40);
	guest_run(vp);
	assert_true(was_delivered(vp, 1, 0xe0, 0));
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[1].lapic), -1);
}

/* TLFS "VINA": only the active VTL is notified; the VTL below it is notified when it runs again. */
static void p03_vina_notifies_the_active_vtl_and_no_other(void **state)
{
	struct vsm_vp *vp = *state;

	for (uint8_t vtl = 1; vtl <= 2; vtl++) {
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		assert_int_equal(vp->active_vtl, vtl);
		set_if(vp, vtl, true);
		vina(vp, HV_VSM_VINA_ENABLED | HV_VSM_VINA_AUTO_EOI | (0xe0 + vtl));
	}
	set_if(vp, 0, true);
	post(vp, 0, 0x40);
	guest_run(vp);
	assert_true(was_delivered(vp, 2, 0xe2, 0));
	assert_int_equal(assist(vp, 2)->vtl_control.vina_status, HV_VINA_STATUS_ASSERTED);
	assert_int_equal(assist(vp, 1)->vtl_control.vina_status, 0);
	assert_int_equal(vsm_lapic_highest_irr(&vp->vtl[1].lapic), -1);
	assert_int_equal(sim_state(vp, 0)->interrupts, 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(vp->active_vtl, 1);
	guest_run(vp);
	assert_true(was_delivered(vp, 1, 0xe1, 0));
	assert_int_equal(sim_state(vp, 2)->interrupts, 1);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	guest_run(vp);
	assert_true(was_delivered(vp, 0, 0x40, 0));
}

static void vina_ends_a_halt_and_later_posts_still_kick(void **state)
{
	struct vsm_vp *vp = *state;

	set_if(vp, 0, true);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	vina(vp, HV_VSM_VINA_ENABLED | 0xe0);
	set_if(vp, 1, true);
	assert_int_equal(guest_halt(vp), GUEST_DONE);
	post(vp, 0, 0x40);
	guest_run(vp);
	assert_int_equal(vp->vtl[1].activity, VP_RUNNING);
	assert_true(was_delivered(vp, 1, 0xe0, 0));
	assert_int_equal(vsm_lapic_post(&vp->vtl[1].lapic, 0x70, VSM_LAPIC_EDGE), VSM_LAPIC_KICK);
}

/* TLFS "Virtual Interrupt Controller": EOI, ICR and TPR as MSRs, of the VTL that uses them. */
/* shows: msr HV_X64_MSR_EOI, HV_X64_MSR_ICR, HV_X64_MSR_TPR; recommendation UseApicMsrs */
static void synthetic_apic_msrs_act_on_the_vtls_own_apic(void **state)
{
	struct vsm_vp *vp = *state;
	uint64_t value;

	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_TPR, 0x30), GUEST_DONE);
	assert_int_equal(guest_rdmsr(vp, HV_X64_MSR_TPR, &value), GUEST_DONE);
	assert_int_equal(value, 0x30);
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_CR8), 0);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_TPR, 0x100), GUEST_FAULT);
	assert_int_equal(guest_rdmsr(vp, HV_X64_MSR_EOI, &value), GUEST_FAULT);
	set_if(vp, 1, true);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_ICR, 0x44080), GUEST_DONE);
	guest_run(vp);
	assert_true(was_delivered(vp, 1, 0x80, 0));
	assert_int_equal(sim_state(vp, 0)->interrupts, 0);
	/* P33: the upper half of the value is ignored. */
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_EOI, UINT64_MAX << 32), GUEST_DONE);
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[1].lapic), -1);
}

/* SDM 3A 11.4: the register page at the same GPA accesses the APIC of the active VTL. */
/* shows: rule interrupt-apic */
static void the_apic_page_is_that_of_the_active_vtl(void **state)
{
	struct vsm_vp *vp = *state;
	uint64_t value;

	assert_int_equal(guest_write(vp, 0xfee00080, 4, 0x20), GUEST_DONE);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_read(vp, 0xfee00080, 4, &value), GUEST_DONE);
	assert_int_equal(value, 0);
	set_if(vp, 1, true);
	assert_int_equal(guest_write(vp, 0xfee00300, 4, 0x40081), GUEST_DONE); /* to self */
	guest_run(vp);
	assert_true(was_delivered(vp, 1, 0x81, 0));
	assert_int_equal(guest_write(vp, 0xfee000b0, 4, 0), GUEST_DONE);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(guest_read(vp, 0xfee00080, 4, &value), GUEST_DONE);
	assert_int_equal(value, 0x20);
}

/* TLFS "EOI Assist": the guest clears the bit instead of an EOI. */
/* shows: rule interrupt-eoi-assist */
static void eoi_assist_ends_an_interrupt_without_an_exit(void **state)
{
	struct vsm_vp *vp = *state;
	struct hv_vp_assist_page *page;

	page = enable_assist(vp);
	set_if(vp, 0, true);
	/* The handler's first instruction, in the entry that delivers the vector, reads the bit as set. */
	sim_next(vp, 0,
		 &(struct sim_action){.kind = SIM_READ, .address = ASSIST_GPA(0), .size = 4});
	vsm_lapic_post(&vp->vtl[0].lapic, 0x40,
		       VSM_LAPIC_EDGE); /* without a kick, which would end the entry */
	guest_run(vp);
	assert_true(was_delivered(vp, 0, 0x40, 0));
	assert_int_equal(sim_state(vp, 0)->action.value, HV_APIC_ASSIST_NO_EOI_REQUIRED);
	/* The handler did not clear the bit: the hypervisor clears it at the exit, and the interrupt stays
	 * in service. */
	assert_int_equal(page->apic_assist, 0);
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), 0x40);
	eoi(vp);
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), -1);

	sim_next(vp, 0,
		 &(struct sim_action){.kind = SIM_WRITE, .address = ASSIST_GPA(0), .size = 4});
	vsm_lapic_post(&vp->vtl[0].lapic, 0x50, VSM_LAPIC_EDGE);
	guest_run(vp);
	assert_true(was_delivered(vp, 0, 0x50, 1));
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), -1);
}

static void the_eoi_assist_bit_is_resolved_when_the_vtl_is_left(void **state)
{
	struct vsm_vp *vp = *state;
	struct hv_vp_assist_page *page;
	uint64_t value;

	page = enable_assist(vp);
	set_if(vp, 0, true);
	set_if(vp, 1, true);
	post(vp, 0, 0x40);
	sim_next(vp, 0, &(struct sim_action){.kind = SIM_NOP});
	guest_run(vp);
	post(vp, 1, 0x50);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(page->apic_assist & HV_APIC_ASSIST_NO_EOI_REQUIRED, 0);
	assert_int_equal(guest_read(vp, ASSIST_GPA(1), 4, &value), GUEST_DONE);
	finish_and_return(vp);
	eoi(vp);
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), -1);
}

/* A level-triggered interrupt of VTL0 ends with an exit to the VMM, which passes the EOI to its I/O APIC. */
static void the_eoi_of_a_level_triggered_interrupt_exits_to_the_vmm(void **state)
{
	struct vsm_vp *vp = *state;
	const struct vsm_exit *exit;

	set_if(vp, 0, true);
	assert_int_equal(vsm_msi(vp->partition, 0xfee00000, 0xc045), 0); /* level, assert, fixed */
	guest_run(vp);
	assert_true(was_delivered(vp, 0, 0x45, 0));
	sim_next(vp, 0, &(struct sim_action){.kind = SIM_WRMSR, .address = HV_X64_MSR_EOI});
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_EOI);
	assert_int_equal(exit->eoi.vector, 0x45);
	assert_int_equal(vsm_msi(vp->partition, 0x12345000, 0), -EINVAL);
}

/* VTL1 writes EOI for the level-triggered vectors 0x45 and 0x55 of VTL0 in one hypercall; runs to the exit. */
static const struct vsm_exit *end_two_at_once(struct vsm_vp *vp)
{
	const struct {
		struct hv_vp_registers_input header;
		struct hv_register_assoc value[2];
	} input = {
		.header = {.partition_id = HV_PARTITION_ID_SELF,
			   .vp_index = HV_VP_INDEX_SELF,
			   .input_vtl = 0x10},
		.value = {{.name = HV_X64_REGISTER_SYNTHETIC_EOI},
			  {.name = HV_X64_REGISTER_SYNTHETIC_EOI}},
	};
	const struct vsm_exit *exit;

	set_if(vp, 0, true);
	for (uint32_t vector = 0x45; vector <= 0x55; vector += 0x10) {
		assert_int_equal(vsm_msi(vp->partition, 0xfee00000, 0xc000 | vector), 0);
		guest_run(vp);
	}
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), 0x55);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	memcpy(guest_ram(vp->partition, GUEST_PARAMETER_GPA), &input, sizeof(input));
	guest_set_gpr(vp, 1, GPR_RCX, HV_CALL_SET_VP_REGISTERS | UINT64_C(2) << 32);
	guest_set_gpr(vp, 1, GPR_RDX, GUEST_PARAMETER_GPA);
	sim_next(vp, 1, &(struct sim_action){.kind = SIM_HYPERCALL});
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), -1);
	return exit;
}

static void two_level_triggered_eois_at_once_both_exit(void **state)
{
	struct vsm_vp *vp = *state;
	const struct vsm_exit *exit = end_two_at_once(vp);

	assert_int_equal(exit->reason, VSM_EXIT_EOI);
	assert_int_equal(exit->eoi.vector, 0x45);
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_EOI);
	assert_int_equal(exit->eoi.vector, 0x55);
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_INTERRUPTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_interrupt_for_a_higher_vtl_preempts_regardless_of_if, vtl1),
		TEST(p03_the_highest_vtl_runs_first_and_no_interrupt_is_lost, vtl2),
		TEST(an_interrupt_for_a_lower_vtl_waits, vtl1),
		TEST(p12_a_vector_that_the_tpr_masks_enters_only_after_the_tpr_is_lowered, vtl1),
		cmocka_unit_test(p12_an_interrupt_before_the_assist_page_exists_enters_once),
		TEST(a_return_with_an_interrupt_pending_enters_again, vtl1),
		cmocka_unit_test(p13_every_halt_is_ended_by_an_interrupt_for_a_higher_vtl),
		TEST(hlt_is_ended_by_the_vtls_own_interrupt_only_with_if, vtl1),
		TEST(guest_idle_is_ended_by_an_interrupt_regardless_of_if, vtl1),
		TEST(an_interrupt_for_a_lower_vtl_does_not_end_the_halt_of_a_higher, vtl1),
		TEST(an_exception_from_a_higher_vtl_ends_a_halt, vtl1),
		TEST(an_nmi_ignores_the_tpr_and_enters_a_higher_vtl, vtl1),
		TEST(p14_a_vector_leaves_the_irr_only_when_the_cpu_accepts_it, vtl1),
		TEST(p14_kicks_lose_no_vector_and_double_none, vtl1),
		TEST(vina_notifies_once_of_an_interrupt_for_a_lower_vtl, vtl1),
		TEST(vina_is_not_asserted_when_the_lower_vtl_could_not_accept_the_interrupt, vtl1),
		TEST(vina_auto_reset_clears_the_status_at_the_next_entry, vtl1),
		TEST(vina_auto_eoi_leaves_nothing_in_service, vtl1),
		TEST(p03_vina_notifies_the_active_vtl_and_no_other, vtl2),
		TEST(vina_ends_a_halt_and_later_posts_still_kick, vtl1),
		TEST(synthetic_apic_msrs_act_on_the_vtls_own_apic, vtl1),
		TEST(the_apic_page_is_that_of_the_active_vtl, vtl1),
		TEST(eoi_assist_ends_an_interrupt_without_an_exit, vtl1),
		TEST(the_eoi_assist_bit_is_resolved_when_the_vtl_is_left, vtl1),
		TEST(the_eoi_of_a_level_triggered_interrupt_exits_to_the_vmm, vtl1),
		TEST(two_level_triggered_eois_at_once_both_exit, vtl1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
