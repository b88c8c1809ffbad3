/* SPDX-License-Identifier: BSD-2-Clause */
#include "core_test.h"
#include "vp_fixture.h"

#include <stdlib.h>

#define VECTOR_MAX 8u

/* A guest that spins: it exits for an interrupt window that the core requests, otherwise by a yield. */
struct spinner {
	const struct hv_vp_assist_page *page; /* or NULL */
	uint8_t vector[VECTOR_MAX];
	uint32_t offered[VECTOR_MAX]; /* the page's APIC assist at each injection */
	unsigned int count;
};

static struct spinner spinner;

static int spin(void *opaque, struct backend_run *run)
{
	if (run->inject >= 0 && spinner.count < VECTOR_MAX) {
		spinner.offered[spinner.count] = spinner.page ? spinner.page->apic_assist : 0;
		spinner.vector[spinner.count++] = (uint8_t)run->inject;
	}
	run->exit = run->interrupt_window ? BACKEND_EXIT_WINDOW : BACKEND_EXIT_YIELD;
	return 0;
}

static void run_spinner(struct vsm_vp *vp)
{
	struct backend_ops ops = *vp->partition->ops;
	const struct backend_ops *old = vp->partition->ops;

	spinner = (struct spinner){.page = (void *)vp->vtl[vp->active_vtl].assist};
	ops.vp_run = spin;
	vp->partition->ops = &ops;
	guest_run(vp);
	vp->partition->ops = old;
}

/* TLFS "SINTx registers": a vector with AutoEOI is not in service after it was taken. */
static void p34_an_auto_eoi_interrupt_does_not_block_the_next(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;

	set_if(vp, 0, false);
	enable_synic(vp, 2, 0xb9 | HV_SYNIC_SINT_AUTO_EOI);
	wrmsr(vp, HV_X64_MSR_SINT0 + 3, 0xb4);
	assert_int_equal(vsm_sint_assert(partition, 0, 0, 2), 0);
	assert_int_equal(vsm_sint_assert(partition, 0, 0, 3), 0);
	set_if(vp, 0, true);
	run_spinner(vp);
	assert_int_equal(spinner.count, 2);
	assert_int_equal(spinner.vector[0], 0xb9);
	assert_int_equal(spinner.vector[1], 0xb4);
}

static void p34_vina_with_auto_eoi_does_not_block_the_next(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	enable_assist(vp);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_VINA,
					    HV_VSM_VINA_ENABLED | HV_VSM_VINA_AUTO_EOI | 0xb9),
			 0);
	set_if(vp, 1, true);
	vsm_lapic_post(&vp->vtl[0].lapic, 0x41, VSM_LAPIC_EDGE);
	vsm_lapic_post(&vp->vtl[1].lapic, 0xb4, VSM_LAPIC_EDGE);
	run_spinner(vp);
	assert_int_equal(spinner.count, 2);
	assert_int_equal(spinner.vector[0], 0xb9);
	assert_int_equal(spinner.vector[1], 0xb4);
}

static void
p34_auto_eoi_above_an_offered_eoi_assist_does_not_complete_the_lower_interrupt(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 0, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	enable_assist(vp);
	post(vp, 0, 0x41);
	run_spinner(vp);
	assert_int_equal(spinner.offered[0], HV_APIC_ASSIST_NO_EOI_REQUIRED);
	vsm_lapic_post(&vp->vtl[0].lapic, 0x51, VSM_LAPIC_AUTO_EOI);
	vsm_lapic_post(&vp->vtl[0].lapic, 0x31, VSM_LAPIC_EDGE);
	run_spinner(vp);
	/* 0x31 waits for the EOI of 0x41, which must exit: "no EOI required" is cleared. */
	assert_int_equal(spinner.count, 1);
	assert_int_equal(spinner.vector[0], 0x51);
	assert_int_equal(spinner.offered[0], 0);
	eoi(vp);
	run_spinner(vp);
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), 0x31);
	vsm_partition_destroy(partition);
}

/* SDM 3A "Handling Multiple NMIs": one in service, one latched. */
static void of_several_nmis_during_one_exit_two_are_taken(void **state)
{
	struct vsm_vp *vp = *state;

	for (unsigned int sent = 1; sent <= 4; sent++) {
		const uint32_t before = sim_state(vp, 0)->nmis;

		for (unsigned int i = 0; i < sent; i++)
			vsm_nmi(vp);
		for (unsigned int i = 0; i < 4; i++)
			guest_nop(vp);
		assert_int_equal(sim_state(vp, 0)->nmis - before, sent < 2 ? sent : 2);
	}
}

static void while_an_nmi_is_in_service_one_more_is_latched(void **state)
{
	struct vsm_vp *vp = *state;

	vcpu_edit(vp, 0, VCPU_EVENTS)->events.nmi_masked = true;
	for (unsigned int i = 0; i < 3; i++)
		vsm_nmi(vp);
	/* Without an entry: check what the next entry injects. */
	interrupt_before_entry(vp, &vp->run);
	assert_int_equal(vcpu_get(vp, 0, VCPU_EVENTS)->events.nmi_pending, 1);
}

static void two_waiting_nmis_are_saved_and_restored(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct guest_saved saved = {0};

	vsm_nmi(vp);
	vsm_nmi(vp);
	interrupt_before_entry(vp, &vp->run);
	vsm_nmi(vp);
	vsm_nmi(vp);
	assert_int_equal(vsm_partition_save(partition, guest_save_write, &saved), 0);
	assert_int_equal(vsm_partition_reset(partition), 0);
	assert_int_equal(vsm_partition_restore(partition, saved.bytes, saved.size), 0);
	assert_int_equal(vcpu_get(vp, 0, VCPU_EVENTS)->events.nmi_pending, 2);
	assert_int_equal(vsm_lapic_events(&vp->vtl[0].lapic),
			 VSM_LAPIC_EVENT_NMI | VSM_LAPIC_EVENT_NMI_AGAIN);
	free(saved.bytes);
}

#define EVENT(vector, error) \
	(UINT64_C(1) | UINT64_C(1) << 8 | (uint64_t)(vector) << 16 | (uint64_t)(error) << 32)

/* TLFS "HvX64RegisterPendingEvent0": a write replaces the pending event. */
static void p35_a_pending_event_that_is_written_back_is_unchanged(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	const uint32_t name = HV_REGISTER_PENDING_EVENT0;
	const uint8_t below = HV_INPUT_VTL_USE_TARGET;
	uint64_t event;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	for (uint32_t index = 0; index < 2; index++) {
		static const uint64_t vector[] = {13, 14, 14, 13, 8, 8};

		for (size_t i = 0; i < sizeof(vector) / sizeof(vector[0]); i++) {
			assert_int_equal(
				guest_set_register(vp, index, below, name, EVENT(vector[i], 0)), 0);
			assert_int_equal(guest_get_register(vp, index, below, name, &event), 0);
			assert_int_equal(event, EVENT(vector[i], 0));
			assert_int_equal(guest_set_register(vp, index, below, name, event), 0);
			assert_int_equal(guest_get_register(vp, index, below, name, &event), 0);
			assert_int_equal(event, EVENT(vector[i], 0));
		}
		assert_false(vsm_partition_vp(partition, index)->vtl[0].triple_fault);
	}
}

static void p35_the_vmm_replaces_a_pending_event_as_well(void **state)
{
	struct vsm_vp *vp = *state;
	const uint32_t name = HV_REGISTER_PENDING_EVENT0;
	union hv_register_value value = {.reg128 = {.low = EVENT(14, 2), .high = 0x5000}};
	union hv_register_value read;

	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(vsm_vp_set_registers(vp, 0, &name, &value, 1), 1);
		assert_int_equal(vsm_vp_get_registers(vp, 0, &name, &read, 1), 1);
		assert_memory_equal(&read, &value, sizeof(value));
	}
	assert_int_equal(guest_nop(vp), GUEST_FAULT);
	assert_int_equal(sim_state(vp, 0)->exception_vector, 14);
	assert_int_equal(sim_state(vp, 0)->exception_error_code, 2);
}

/* SDM 3A 6.15: an exception during the delivery of another one still becomes a double fault. */
static void a_fault_while_another_is_delivered_is_a_double_fault(void **state)
{
	struct vsm_vp *vp = *state;

	vp_inject_exception(vp, 0, 14, true, 0, 0);
	vp_inject_exception(vp, 0, 13, true, 0, 0);
	assert_int_equal(vcpu_get(vp, 0, VCPU_EVENTS)->events.exception_vector, 8);
	vp_inject_exception(vp, 0, 13, true, 0, 0);
	assert_true(vp->vtl[0].triple_fault);
}

/* A write replaces an interruption of another type; a write without the pending bit removes it. */
static void p35_a_pending_interruption_is_replaced(void **state)
{
	struct vsm_vp *vp = *state;
	const uint64_t interrupt = 1 | UINT64_C(0x41) << 16;
	const uint64_t nmi = 1 | HV_INTERRUPTION_TYPE_NMI << 1 | UINT64_C(2) << 16;
	const struct vcpu_events *events;

	host_set(vp, 0, HV_REGISTER_PENDING_INTERRUPTION, nmi);
	host_set(vp, 0, HV_REGISTER_PENDING_INTERRUPTION, interrupt);
	assert_int_equal(host_get(vp, 0, HV_REGISTER_PENDING_INTERRUPTION), interrupt);
	events = &vcpu_get(vp, 0, VCPU_EVENTS)->events;
	assert_true(events->interrupt_injected && !events->nmi_injected);
	host_set(vp, 0, HV_REGISTER_PENDING_INTERRUPTION, 0);
	events = &vcpu_get(vp, 0, VCPU_EVENTS)->events;
	assert_false(events->interrupt_injected || events->nmi_injected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(p34_an_auto_eoi_interrupt_does_not_block_the_next, 1, 1),
		TEST(p34_vina_with_auto_eoi_does_not_block_the_next, 1, 1),
		cmocka_unit_test(
			p34_auto_eoi_above_an_offered_eoi_assist_does_not_complete_the_lower_interrupt),
		TEST(of_several_nmis_during_one_exit_two_are_taken, 1, 0),
		TEST(while_an_nmi_is_in_service_one_more_is_latched, 1, 0),
		TEST(two_waiting_nmis_are_saved_and_restored, 1, 0),
		TEST(p35_a_pending_event_that_is_written_back_is_unchanged, 2, 1),
		TEST(p35_the_vmm_replaces_a_pending_event_as_well, 1, 0),
		TEST(a_fault_while_another_is_delivered_is_a_double_fault, 1, 0),
		TEST(p35_a_pending_interruption_is_replaced, 1, 0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
