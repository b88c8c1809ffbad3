/* SPDX-License-Identifier: BSD-2-Clause */
/* TLB flushes by hypercall, and the TLB locks of higher VTLs (TLFS "Virtual MMU",
 * "HvRegisterVsmVpSecureConfigVtlX"). */
#include "hypercall_test.h"

#include "core/vtl/vtl.h"

#include "fixture.h"

static int setup(void **state)
{
	return fixture(70, 2);
}

/* Takes the set of VPs whose TLB of @vtl is to be flushed, without VP 0, which has flushed its own. */
static void take_flushed(uint8_t vtl, uint64_t set[2])
{
	set[0] = set[1] = 0;
	for (uint32_t i = 1; i < partition->vp_count; i++)
		if (atomic_exchange(&partition->vp[i]->flush_wanted, 0) & vtl_bit(vtl))
			set[i / 64] |= UINT64_C(1) << i % 64;
}

static void expect_flushed(uint64_t low, uint64_t high)
{
	uint64_t set[2];

	take_flushed(0, set);
	assert_int_equal(set[0], low);
	assert_int_equal(set[1], high);
}

static uint64_t flush(uint64_t flags, uint64_t mask)
{
	const struct hv_flush_virtual_address_input input = {
		.address_space = 0x3000, .flags = flags, .processor_mask = mask};

	return guest_call(vp, HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE, &input, sizeof(input), NULL, 0);
}

#define ALL_LOW	 (~UINT64_C(1)) /* VPs 1 to 63 */
#define ALL_HIGH UINT64_C(0x3f) /* VPs 64 to 69 */

/* shows: hypercall HvCallFlushVirtualAddressSpace; recommendation UseHypercallForRemoteFlush */
static void a_mask_selects_vps_and_an_empty_one_selects_all(void **state)
{
	uint64_t set[2];

	take_flushed(0, set);
	assert_int_equal(flush(0, 0x1a), HV_STATUS_SUCCESS);
	expect_flushed(0x1a, 0);
	assert_int_equal(flush(HV_FLUSH_ALL_PROCESSORS, 2), HV_STATUS_SUCCESS);
	expect_flushed(ALL_LOW, ALL_HIGH);
	/* Windows Server 2012 flushes all VPs by an empty mask. */
	assert_int_equal(flush(HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES, 0), HV_STATUS_SUCCESS);
	expect_flushed(ALL_LOW, ALL_HIGH);
}

/* shows: recommendation UseHypercallForLocalFlush */
static void the_own_tlb_is_flushed_before_the_guest_continues(void **state)
{
	const uint32_t before = sim_state(vp, 0)->tlb_flushes;

	assert_int_equal(flush(0, 1), HV_STATUS_SUCCESS);
	guest_nop(vp);
	assert_int_equal(sim_state(vp, 0)->tlb_flushes, before + 1);
}

/* shows: hypercall HvCallFlushVirtualAddressList */
static void a_list_is_done_as_a_whole(void **state)
{
	struct {
		struct hv_flush_virtual_address_input header;
		uint64_t range[4];
	} input = {{.processor_mask = 4}, {0x1000, 0x2fff, 0, UINT64_MAX}};

	assert_int_equal(
		guest_call(vp, control_word(HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST, false, 0, 4, 1),
			   &input, sizeof(input), NULL, 0),
		hv_hypercall_result(HV_STATUS_SUCCESS, 4));
}

static uint64_t flush_ex(unsigned int varhead, uint64_t format, uint64_t banks, uint64_t bank0,
			 uint64_t bank1)
{
	struct {
		struct hv_flush_virtual_address_ex_input header;
		uint64_t bank[2];
	} input = {{.vp_set = {format, banks}}, {bank0, bank1}};

	return guest_call(
		vp, control_word(HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX, false, varhead, 0, 0),
		&input, sizeof(input), NULL, 0);
}

/* shows: hypercall HvCallFlushVirtualAddressSpaceEx; recommendation UseExProcessorMasks */
static void sparse_sets_select_vps_by_banks(void **state)
{
	uint64_t set[2];

	take_flushed(0, set);
	assert_int_equal(flush_ex(2, 0, 3, 0x10, 0x21), HV_STATUS_SUCCESS);
	expect_flushed(0x10, 0x21);
	/* Only bank 1 is valid: it is the first element. */
	assert_int_equal(flush_ex(1, 0, 2, 0x3, 0xffff), HV_STATUS_SUCCESS);
	expect_flushed(0, 0x3);
	/* An empty set names no VP, format 1 names all. */
	assert_int_equal(flush_ex(0, 0, 0, 0xff, 0xff), HV_STATUS_SUCCESS);
	expect_flushed(0, 0);
	assert_int_equal(flush_ex(0, 1, 0, 0, 0), HV_STATUS_SUCCESS);
	expect_flushed(ALL_LOW, ALL_HIGH);
	assert_int_equal(flush_ex(0, 2, 0, 0, 0), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(
		flush_ex(2, 0, UINT64_C(1) << 1 | UINT64_C(1) << 63, ~UINT64_C(0), ~UINT64_C(0)),
		HV_STATUS_SUCCESS);
	expect_flushed(0, ALL_HIGH);
	/* A guest that states another number of banks than it passes. */
	assert_int_equal(flush_ex(0, 0, 1, 0x8, 0), HV_STATUS_SUCCESS);
	expect_flushed(0x8, 0);
	assert_int_equal(flush_ex(4, 0, 1, 0x20, 0), HV_STATUS_SUCCESS);
	expect_flushed(0x20, 0);
}

static void banks_that_are_not_in_the_page_are_refused(void **state)
{
	struct hv_flush_virtual_address_ex_input input = {.vp_set = {0, UINT64_MAX}};
	uint64_t result;

	memcpy(guest_ram(partition, 0x6fe0), &input, sizeof(input));
	guest_hypercall(vp, HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX, 0x6fe0, 0, &result);
	assert_int_equal(result, HV_STATUS_INVALID_PARAMETER);
}

static void a_set_in_registers_has_the_length_of_the_variable_header(void **state)
{
	const struct hv_flush_virtual_address_ex_input input = {.vp_set = {0, 7}};
	uint8_t after[BLOCK_BYTES];
	uint64_t result;

	fast_call(vp, control_word(HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX, true, 2, 0, 0), &input,
		  sizeof(input), after, &result);
	assert_int_equal(result, HV_STATUS_INVALID_PARAMETER);
	fast_call(vp, control_word(HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX, true, 3, 0, 0), &input,
		  sizeof(input), after, &result);
	assert_int_equal(result, HV_STATUS_SUCCESS);
}

static void flags_are_checked(void **state)
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		const uint64_t flag = UINT64_C(1) << bit;
		const bool legal = flag == HV_FLUSH_ALL_PROCESSORS ||
				   flag == HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES ||
				   flag == HV_FLUSH_NON_GLOBAL_MAPPINGS_ONLY;

		assert_int_equal(flush(flag, 1),
				 legal ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARAMETER);
	}
	assert_int_equal(flush(HV_FLUSH_USE_TARGET_VTL | HV_FLUSH_TARGET_VTL1, 1),
			 HV_STATUS_ACCESS_DENIED);
}

/* shows: feature CrossVtlFlush; hypercall HvCallFlushVirtualAddressSpace */
static void a_higher_vtl_flushes_a_lower_one(void **state)
{
	uint64_t set[2];

	guest_enable_vtl(partition, 1);
	guest_vtl_call(vp);
	take_flushed(0, set);
	assert_int_equal(flush(0, 2), HV_STATUS_SUCCESS);
	take_flushed(1, set);
	assert_int_equal(set[0], 2);
	assert_int_equal(flush(HV_FLUSH_USE_TARGET_VTL | HV_FLUSH_TARGET_VTL0, 4),
			 HV_STATUS_SUCCESS);
	expect_flushed(4, 0);
	partition->features_edx &= ~HV_FEATURE(CROSS_VTL_FLUSH);
	assert_int_equal(flush(HV_FLUSH_USE_TARGET_VTL | HV_FLUSH_TARGET_VTL0, 4),
			 HV_STATUS_INVALID_PARAMETER);
}

/* TLFS "HvRegisterVsmVpSecureConfigVtlX": the flush waits, and the hypercall has no effect yet. */
/* shows: rule secure-config-tlb */
static void p09_a_locked_tlb_blocks_a_flush_until_its_owner_unlocks_it(void **state)
{
	struct hv_flush_virtual_address_input input = {.processor_mask = 2};
	struct vsm_vp *locked = vsm_partition_vp(partition, 1);
	uint64_t set[2];
	uint64_t at;

	guest_enable_vtl(partition, 1);
	take_flushed(0, set);
	vtl_tlb_lock(locked, 1, 0);
	vtl_tlb_lock(locked, 2, 0);
	memcpy(guest_ram(partition, 0x6000), &input, sizeof(input));
	at = vcpu_get(vp, 0, VCPU_GPR)->rip;
	assert_int_equal(guest_hypercall(vp, HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE, 0x6000, 0, NULL),
			 GUEST_STOPPED);
	assert_int_equal(vp->vtl[0].activity, VP_TLB_LOCKED);
	assert_int_equal(vcpu_get(vp, 0, VCPU_GPR)->rip, at);
	expect_flushed(0, 0);
	/* One of two owners unlocks the TLB: it is still locked. */
	vtl_tlb_unlock_one(locked, 1, 0);
	guest_run(vp);
	assert_int_equal(vp->vtl[0].activity, VP_TLB_LOCKED);
	vtl_tlb_unlock(locked, 2);
	guest_run(vp);
	assert_true(sim_state(vp, 0)->done);
	assert_int_equal(guest_gpr(vp, 0, GPR_RAX), HV_STATUS_SUCCESS);
	assert_int_equal(vcpu_get(vp, 0, VCPU_GPR)->rip, at + SIM_INSTRUCTION_LENGTH);
	expect_flushed(2, 0);
}

static unsigned int kicks;

static void kick_and_interrupt(void *backend)
{
	sim_ops.vp_kick(backend);
	if (++kicks == 3)
		vsm_lapic_post(&vp->vtl[1].lapic, 0x61, VSM_LAPIC_EDGE);
}

static void a_flush_stops_kicking_vps_for_an_interrupt_of_a_higher_vtl(void **state)
{
	const struct hv_flush_virtual_address_input input = {.flags = HV_FLUSH_ALL_PROCESSORS};
	struct backend_ops ops = sim_ops;
	uint64_t at;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	memcpy(guest_ram(partition, 0x6000), &input, sizeof(input));
	ops.vp_kick = kick_and_interrupt;
	partition->ops = &ops;
	kicks = 0;
	for (uint32_t i = 1; i < partition->vp_count; i++)
		atomic_store(&partition->vp[i]->in_guest, vtl_bit(0));
	at = vcpu_get(vp, 0, VCPU_GPR)->rip;
	guest_hypercall(vp, HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE, 0x6000, 0, NULL);
	assert_int_equal(kicks, 3);
	/* VTL1 runs; the call of VTL0 is not done and is repeated when VTL1 returns. */
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(vcpu_get(vp, 0, VCPU_GPR)->rip, at);
	for (uint32_t i = 1; i < partition->vp_count; i++)
		atomic_store(&partition->vp[i]->in_guest, 0);
	partition->ops = &sim_ops;
}

static void locks_on_other_vps_and_other_tlbs_do_not_block(void **state)
{
	guest_enable_vtl(partition, 1);
	vtl_tlb_lock(vsm_partition_vp(partition, 2), 1, 0);
	vtl_tlb_lock(vp, 1, 0);
	assert_int_equal(flush(0, 3), HV_STATUS_SUCCESS);
	/* VTL1 has locked the TLB of VTL0, which does not block VTL1's own flush. */
	guest_vtl_call(vp);
	assert_int_equal(flush(0, 4), HV_STATUS_SUCCESS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_mask_selects_vps_and_an_empty_one_selects_all),
		TEST(the_own_tlb_is_flushed_before_the_guest_continues),
		TEST(a_list_is_done_as_a_whole),
		TEST(sparse_sets_select_vps_by_banks),
		TEST(banks_that_are_not_in_the_page_are_refused),
		TEST(a_set_in_registers_has_the_length_of_the_variable_header),
		TEST(flags_are_checked),
		TEST(a_higher_vtl_flushes_a_lower_one),
		TEST(a_flush_stops_kicking_vps_for_an_interrupt_of_a_higher_vtl),
		TEST(p09_a_locked_tlb_blocks_a_flush_until_its_owner_unlocks_it),
		TEST(locks_on_other_vps_and_other_tlbs_do_not_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
