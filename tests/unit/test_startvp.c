/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting VPs, and interrupts by hypercall (TLFS "HvCallStartVirtualProcessor",
 * "HvCallSendSyntheticClusterIpi", "HvCallAssertVirtualInterrupt",
 * "HvCallGetVpIndexFromApicId"). */
#include "core_test.h"

#include "core/vtl/start_vp.h"
#include "vp_fixture.h"

/* 0x3e: a default mask with all rights, ZeroMemoryOnReset. */
#define DENY (HV_VSM_PARTITION_CONFIG_DENY_LOWER_VTL_STARTUP | 0x3e)

/* A partition in which all VPs except the first wait for SIPI. */
static struct vsm_partition *fresh(uint32_t vps, uint8_t max_vtl)
{
	struct vsm_partition *partition = guest_partition(vps, max_vtl, RAM, NULL);

	for (uint32_t i = 1; i < vps; i++)
		vsm_partition_vp(partition, i)->vtl[0].activity = VP_WAIT_FOR_SIPI;
	return partition;
}

static uint16_t start(struct vsm_vp *vp, uint32_t index, uint8_t vtl, uint64_t rip)
{
	struct hv_initial_vp_context context = guest_context(rip, 0x9900);

	return context_call(vp, HV_CALL_START_VIRTUAL_PROCESSOR, index, vtl, &context);
}

static void send(struct vsm_vp *vp, uint32_t destination, uint32_t low)
{
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_ICR, (uint64_t)destination << 56 | low),
			 GUEST_DONE);
}

#define INIT 0x4500u
#define SIPI 0x4600u

/* SDM 3A 9.4: INIT, then SIPI, whose vector is the start address. */
static void init_and_sipi_start_a_vp(void **state)
{
	struct vsm_partition *partition = fresh(2, 1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct vsm_vp *other = vsm_partition_vp(partition, 1);

	send(vp, 1, INIT);
	assert_int_equal(guest_nop(other), GUEST_STOPPED);
	assert_int_equal(other->vtl[0].activity, VP_WAIT_FOR_SIPI);
	send(vp, 1, SIPI | 0x12);
	send(vp, 1, SIPI | 0x13); /* a second SIPI is ignored */
	guest_run(other);
	assert_int_equal(other->vtl[0].activity, VP_RUNNING);
	assert_int_equal(vcpu_get(other, 0, VCPU_SYSTEM)->segment[SEGMENT_CS].base, 0x12000);
	assert_int_equal(vcpu_get(other, 0, VCPU_SYSTEM)->segment[SEGMENT_CS].selector, 0x1200);
	assert_int_equal(vcpu_get(other, 0, VCPU_SYSTEM)->cr0 & X64_CR0_PE, 0);
	vsm_partition_destroy(partition);
}

/* A thread that holds a lock of the library may send any MSI: the thread of irqfds does. */
static void an_msi_of_mode_init_takes_no_lock_of_the_partition(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_vp *other = vsm_partition_vp(vp->partition, 1);

	pthread_mutex_lock(&vp->partition->lock);
	assert_int_equal(vsm_msi(vp->partition, 0xfee01000, INIT), 0);
	pthread_mutex_unlock(&vp->partition->lock);
	assert_int_equal(guest_nop(other), GUEST_STOPPED);
	assert_int_equal(other->vtl[0].activity, VP_WAIT_FOR_SIPI);
}

/* TLFS "INIT and SIPI" of VSM. */
/* shows: rule interrupt-init */
static void init_is_dropped_where_a_higher_vtl_is_enabled(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct vsm_vp *other = vsm_partition_vp(partition, 1);
	uint64_t rip;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_nop(other), GUEST_DONE);
	rip = vcpu_get(other, 0, VCPU_GPR)->rip;
	send(vp, 1, INIT);
	send(vp, 1, SIPI | 0x12);
	guest_run(other);
	assert_int_equal(other->vtl[0].activity, VP_RUNNING);
	assert_int_equal(vcpu_get(other, 0, VCPU_GPR)->rip, rip);
	/* An INIT sent by VTL1's own APIC does not reset VTL1 either. */
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	send(vp, 1, INIT);
	guest_run(other);
	assert_int_equal(other->vtl[1].activity, VP_RUNNING);
	assert_int_equal(vcpu_get(other, 1, VCPU_GPR)->rip, 0x21000);
}

static void a_pending_init_is_dropped_when_vtl1_is_enabled(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct vsm_vp *other = vsm_partition_vp(partition, 1);
	uint64_t rip = vcpu_get(other, 0, VCPU_GPR)->rip;

	send(vp, 1, INIT);
	guest_enable_vtl(partition, 1);
	guest_run(other);
	assert_int_equal(other->vtl[0].activity, VP_RUNNING);
	assert_int_equal(vcpu_get(other, 0, VCPU_GPR)->rip, rip);
}

/* shows: rule config-startup, capabilities-startup */
static void p04_deny_lower_vtl_startup_stops_init_sipi_and_start(void **state)
{
	struct vsm_partition *partition = fresh(3, 1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct vsm_vp *other = vsm_partition_vp(partition, 2);

	assert_int_equal(enable_partition(vp, 1, 0), 0);
	assert_int_equal(enable_vp(vp, 0, 1), 0);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_PARTITION_CONFIG, DENY), 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	/* VTL0 may not start VP 2 either, which has no VTL1. */
	send(vp, 2, INIT);
	send(vp, 2, SIPI | 0x12);
	guest_run(other);
	assert_int_equal(other->vtl[0].activity, VP_WAIT_FOR_SIPI);
	assert_int_equal(start(vp, 2, 0, 0x30000), HV_STATUS_ACCESS_DENIED);
	assert_int_equal(other->vtl[0].activity, VP_WAIT_FOR_SIPI);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(start(vp, 2, 0, 0x30000), 0);
	assert_int_equal(other->vtl[0].activity, VP_RUNNING);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_PARTITION_CONFIG, 0x3e), 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(start(vp, 1, 0, 0x30000), 0);
	vsm_partition_destroy(partition);
}

/* shows: rule interrupt-start; hypercall HvCallStartVirtualProcessor */
static void start_virtual_processor_starts_at_its_context(void **state)
{
	struct vsm_partition *partition = fresh(2, 1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct vsm_vp *other = vsm_partition_vp(partition, 1);

	assert_int_equal(start(vp, 1, 0, 0x31000), 0);
	assert_int_equal(guest_nop(other), GUEST_DONE);
	assert_int_equal(vcpu_get(other, 0, VCPU_GPR)->rip, 0x31000 + SIM_INSTRUCTION_LENGTH);
	assert_int_equal(guest_gpr(other, 0, GPR_RSP), 0x9900);
	/* A running VP is started again as after an INIT, which also resets its APIC. */
	assert_int_equal(guest_write(other, 0xfee00080, 4, 0x40), GUEST_DONE);
	assert_int_equal(start(vp, 1, 0, 0x32000), 0);
	assert_int_equal(vcpu_get(other, 0, VCPU_GPR)->rip, 0x32000);
	assert_int_equal(vsm_lapic_tpr(&other->vtl[0].lapic), 0);
	vsm_partition_destroy(partition);
}

/* shows: rule interrupt-start */
static void start_virtual_processor_has_these_failures(void **state)
{
	struct vsm_partition *partition = fresh(2, 1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct hv_initial_vp_context bad = guest_context(0x30000, 0);
	struct hv_enable_vp_vtl_input input = {.partition_id = 3, .vp_index = 1};

	assert_int_equal((uint16_t)guest_call(vp, HV_CALL_START_VIRTUAL_PROCESSOR, &input,
					      sizeof(input), NULL, 0),
			 HV_STATUS_INVALID_PARTITION_ID);
	assert_int_equal(start(vp, 0, 0, 0), HV_STATUS_INVALID_VP_INDEX);
	assert_int_equal(start(vp, HV_VP_INDEX_SELF, 0, 0), HV_STATUS_INVALID_VP_INDEX);
	assert_int_equal(start(vp, 2, 0, 0), HV_STATUS_INVALID_VP_INDEX);
	assert_int_equal(start(vp, 1, 1, 0), HV_STATUS_ACCESS_DENIED);
	assert_int_equal(start(vp, 1, 255, 0), HV_STATUS_ACCESS_DENIED);
	bad.cr4 = 0;
	assert_int_equal(context_call(vp, HV_CALL_START_VIRTUAL_PROCESSOR, 1, 0, &bad),
			 HV_STATUS_INVALID_REGISTER_VALUE);
	assert_int_equal(enable_partition(vp, 1, 0), 0);
	assert_int_equal(enable_vp(vp, 0, 1), 0);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(start(vp, 1, 1, 0x30000), HV_STATUS_INVALID_VP_STATE);
	assert_int_equal(vsm_partition_vp(partition, 1)->vtl[0].activity, VP_WAIT_FOR_SIPI);
	vsm_partition_destroy(partition);
}

/* A VP with VTL1 starts in VTL1 at the context of HvCallEnableVpVtl, and returns to the context of VTL0. */
/* shows: rule interrupt-start-higher */
static void a_vp_with_a_higher_vtl_starts_in_it(void **state)
{
	struct vsm_partition *partition = fresh(2, 1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct vsm_vp *other = vsm_partition_vp(partition, 1);

	assert_int_equal(enable_partition(vp, 1, 0), 0);
	assert_int_equal(enable_vp(vp, 0, 1), 0);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(enable_vp(vp, 1, 1), 0);
	post(other, 1, 0x40);
	guest_run(other);
	assert_int_equal(other->active_vtl, 0);
	assert_int_equal(other->vtl[0].activity, VP_WAIT_FOR_SIPI);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(start(vp, 1, 0, 0x33000), 0);
	assert_int_equal(other->active_vtl, 1);
	assert_int_equal(vcpu_get(other, 1, VCPU_GPR)->rip, 0x21000);
	set_if(other, 1, true);
	guest_run(other);
	assert_true(was_delivered(other, 1, 0x40, 0));
	eoi(other);
	assert_int_equal(guest_vtl_return(other, true), GUEST_DONE);
	assert_int_equal(other->active_vtl, 0);
	assert_int_equal(vcpu_get(other, 0, VCPU_GPR)->rip, 0x33000);
	assert_int_equal(guest_nop(other), GUEST_DONE);
	vsm_partition_destroy(partition);
}

enum form {
	SLOW,
	FAST,
	SLOW_EX,
	ALL_EX,
	FORMS,
};

static uint16_t cluster_ipi(struct vsm_vp *vp, enum form form, uint32_t vector, uint8_t input_vtl,
			    uint64_t mask)
{
	struct hv_send_synthetic_cluster_ipi_input input = {
		.vector = vector, .input_vtl = input_vtl, .processor_mask = mask};
	struct {
		uint32_t vector;
		uint8_t input_vtl;
		uint8_t flags;
		uint16_t reserved;
		uint64_t format;
		uint64_t valid;
		uint64_t bank;
	} ex = {
		.vector = vector,
		.input_vtl = input_vtl,
		.format = form == ALL_EX ? HV_VP_SET_FORMAT_ALL : HV_VP_SET_FORMAT_SPARSE_4K,
		.valid = form == ALL_EX ? 0 : 1,
		.bank = mask,
	};
	uint64_t result, word;

	switch (form) {
	case SLOW:
		return (uint16_t)guest_call(vp, HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI, &input,
					    sizeof(input), NULL, 0);
	case FAST:
		memcpy(&word, &input, sizeof(word));
		assert_int_equal(
			guest_hypercall(vp, HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI | HV_HYPERCALL_FAST,
					word, mask, &result),
			GUEST_DONE);
		return (uint16_t)result;
	case SLOW_EX:
		return (uint16_t)guest_call(
			vp, HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX | UINT64_C(1) << 17, &ex,
			sizeof(ex), NULL, 0);
	default:
		return (uint16_t)guest_call(vp, HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX, &ex, 24,
					    NULL, 0);
	}
}

/* shows: hypercall HvCallSendSyntheticClusterIpi, HvCallSendSyntheticClusterIpiEx */
static void p18_every_form_of_the_cluster_ipi_obeys_its_target_vtl(void **state)
{
	for (enum form form = SLOW; form < FORMS; form++) {
		struct vsm_partition *partition = guest_partition(3, 1, RAM, NULL);
		struct vsm_vp *vp = vsm_partition_vp(partition, 0);
		struct vsm_vp *two = vsm_partition_vp(partition, 2);

		guest_enable_vtl(partition, 1);
		assert_int_equal(cluster_ipi(vp, form, 0x40, 0, 4), 0);
		guest_run(two);
		assert_true(was_delivered(two, 0, 0x40, 0));
		assert_int_equal(sim_state(two, 1)->interrupts, 0);
		eoi(two);
		assert_int_equal(cluster_ipi(vp, form, 0x41, 0x11, 4), HV_STATUS_ACCESS_DENIED);
		guest_run(two);
		assert_int_equal(two->active_vtl, 0);
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		assert_int_equal(cluster_ipi(vp, form, 0x42, 0x10, 4), 0);
		guest_run(two);
		assert_int_equal(two->active_vtl, 0);
		assert_true(was_delivered(two, 0, 0x42, 0));
		eoi(two);
		assert_int_equal(cluster_ipi(vp, form, 0x43, 0, 4), 0);
		guest_run(two);
		assert_int_equal(two->active_vtl, 1);
		set_if(two, 1, true);
		guest_run(two);
		assert_true(was_delivered(two, 1, 0x43, 0));
		vsm_partition_destroy(partition);
	}
}

static void the_cluster_ipi_has_these_failures(void **state)
{
	struct vsm_vp *vp = *state;
	struct hv_send_synthetic_cluster_ipi_input input = {.vector = 0x40, .flags = 1};

	for (enum form form = SLOW; form < FORMS; form++) {
		assert_int_equal(cluster_ipi(vp, form, 0x0f, 0, 2), HV_STATUS_INVALID_PARAMETER);
		assert_int_equal(cluster_ipi(vp, form, 0x100, 0, 2), HV_STATUS_INVALID_PARAMETER);
		assert_int_equal(cluster_ipi(vp, form, 0x40, 0x20, 2), HV_STATUS_INVALID_PARAMETER);
		/* VPs that do not exist are ignored. */
		assert_int_equal(cluster_ipi(vp, form, 0x40, 0, UINT64_C(1) << 40), 0);
	}
	assert_int_equal((uint16_t)guest_call(vp, HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI, &input,
					      sizeof(input), NULL, 0),
			 HV_STATUS_INVALID_PARAMETER);
}

static uint16_t assert_interrupt(struct vsm_vp *vp, uint64_t control, uint64_t destination,
				 uint32_t vector, uint8_t vtl)
{
	struct hv_assert_virtual_interrupt_input input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.interrupt_control = control,
		.destination_address = destination,
		.requested_vector = vector,
		.target_vtl = vtl,
	};

	return (uint16_t)guest_call(vp, HV_CALL_ASSERT_VIRTUAL_INTERRUPT, &input, sizeof(input),
				    NULL, 0);
}

/* TLFS "HvCallAssertVirtualInterrupt": by a higher VTL for a lower. */
/* shows: hypercall HvCallAssertVirtualInterrupt */
static void a_higher_vtl_asserts_interrupts_for_a_lower(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct vsm_vp *other = vsm_partition_vp(partition, 1);

	guest_enable_vtl(partition, 1);
	assert_int_equal(assert_interrupt(vp, 0, 1, 0x40, 0), HV_STATUS_ACCESS_DENIED);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(assert_interrupt(vp, 0, 1, 0x40, 0), 0);
	guest_run(other);
	assert_true(was_delivered(other, 0, 0x40, 0));
	assert_int_equal(assert_interrupt(vp, HV_INTERRUPT_TYPE_NMI, 1, 0, 0), 0);
	guest_run(other);
	assert_int_equal(sim_state(other, 0)->nmis, 1);
	assert_int_equal(assert_interrupt(vp, 0, 1, 0x40, 1), HV_STATUS_ACCESS_DENIED);
	assert_int_equal(assert_interrupt(vp, 0, 1, 0x0f, 0), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(assert_interrupt(vp, HV_INTERRUPT_TYPE_INIT, 1, 0, 0),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(assert_interrupt(vp, UINT64_C(1) << 40, 1, 0x40, 0),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(assert_interrupt(vp, 0, UINT64_C(1) << 32, 0x40, 0),
			 HV_STATUS_INVALID_PARAMETER);
}

/* shows: hypercall HvCallGetVpIndexFromApicId */
static void vp_indexes_are_found_by_apic_id(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct {
		uint64_t partition_id;
		uint8_t vtl;
		uint8_t reserved[7];
		uint32_t id[4];
	} input = {.partition_id = HV_PARTITION_ID_SELF, .id = {3, 1, 77, 2}};
	uint32_t index[4] = {9, 9, 9, 9};
	uint64_t result;

	memset(guest_ram(partition, GUEST_PARAMETER_GPA + 0x1000), 0xff, 16);
	result = guest_call(vp, HV_CALL_GET_VP_INDEX_FROM_APIC_ID | UINT64_C(4) << 32, &input,
			    sizeof(input), index, sizeof(index));
	assert_int_equal((uint16_t)result, HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(result >> 32 & 0xfff, 2);
	assert_int_equal(index[0], 3);
	assert_int_equal(index[1], 1);
	input.vtl = 1;
	result = guest_call(vp, HV_CALL_GET_VP_INDEX_FROM_APIC_ID | UINT64_C(1) << 32, &input,
			    sizeof(input), index, sizeof(index));
	assert_int_equal((uint16_t)result, HV_STATUS_ACCESS_DENIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_and_sipi_start_a_vp),
		TEST(an_msi_of_mode_init_takes_no_lock_of_the_partition, 2, 1),
		TEST(init_is_dropped_where_a_higher_vtl_is_enabled, 2, 1),
		TEST(a_pending_init_is_dropped_when_vtl1_is_enabled, 2, 1),
		cmocka_unit_test(p04_deny_lower_vtl_startup_stops_init_sipi_and_start),
		cmocka_unit_test(start_virtual_processor_starts_at_its_context),
		cmocka_unit_test(start_virtual_processor_has_these_failures),
		cmocka_unit_test(a_vp_with_a_higher_vtl_starts_in_it),
		cmocka_unit_test(p18_every_form_of_the_cluster_ipi_obeys_its_target_vtl),
		TEST(the_cluster_ipi_has_these_failures, 2, 1),
		TEST(a_higher_vtl_asserts_interrupts_for_a_lower, 2, 1),
		TEST(vp_indexes_are_found_by_apic_id, 4, 1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
