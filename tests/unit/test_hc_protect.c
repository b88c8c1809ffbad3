/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit_test.h"
#include "core/memory/overlay.h"
#include "core/memory/protect.h"
#include "listener.h"
#include "needs.h"
#include "vp_fixture.h"

#define RAM  (16u << 20)
#define PAGE 0x200u

#define USE_TARGET_VTL 0x10
#define CALLER	       0x00 /* UseTargetVtl = 0: the caller's VTL */

#define RX 0xdu
#define RW 0x3u

struct list {
	uint64_t partition_id;
	uint32_t map_flags;
	uint8_t input_vtl;
	uint8_t reserved[3];
	uint64_t gpn[510];
};

/* VTL1, and VTL2 if @vtls is 2, have protections enabled. Returns in the highest VTL. */
static struct vsm_partition *create(struct vsm_vp *vp, uint8_t vtls)
{
	for (uint8_t vtl = 1; vtl <= vtls; vtl++) {
		listener_create(vp->partition, vtl);
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	}
	return vp->partition;
}

static struct list one_page(uint32_t flags, uint8_t input_vtl, uint64_t gpn)
{
	return (struct list){
		.partition_id = UINT64_MAX,
		.map_flags = flags,
		.input_vtl = input_vtl,
		.gpn = {gpn},
	};
}

/* Returns the hypercall result: the status, and in bits 43:32 the count of completed elements. */
static uint64_t modify(struct vsm_partition *partition, const struct list *list, size_t count)
{
	return guest_call(vsm_partition_vp(partition, 0), 0x000c | (uint64_t)count << 32, list,
			  16 + 8 * count, NULL, 0);
}

static uint16_t modify_one(struct vsm_partition *partition, uint32_t flags, uint8_t input_vtl,
			   uint64_t gpn)
{
	struct list list = one_page(flags, input_vtl, gpn);

	return (uint16_t)modify(partition, &list, 1);
}

static void test_no_target_or_the_own_vtl_as_target_restricts_every_lower_vtl(void **state)
{
	struct vsm_partition *partition = create(*state, 2);

	assert_int_equal(modify_one(partition, RX, CALLER, PAGE), HV_STATUS_SUCCESS);
	assert_int_equal(modify_one(partition, RW, USE_TARGET_VTL | 2, PAGE + 1),
			 HV_STATUS_SUCCESS);
	/* Without UseTargetVtl, TargetVtl is ignored. */
	assert_int_equal(modify_one(partition, RW, 0xf, PAGE + 2), HV_STATUS_SUCCESS);
	for (uint8_t vtl = 0; vtl < 2; vtl++) {
		assert_int_equal(sim_access(partition, vtl, PAGE), RX);
		assert_int_equal(sim_access(partition, vtl, PAGE + 1), RW);
		assert_int_equal(sim_access(partition, vtl, PAGE + 2), RW);
	}
	assert_int_equal(sim_access(partition, 2, PAGE), 0xf);
}

/* OpenHCL in VTL2 changes VTL1's mask by this target. */
/* shows: rule protect-target-owner, vtl2-masks */
static void test_a_lower_target_is_the_owner_of_the_mask(void **state)
{
	struct vsm_partition *partition = create(*state, 2);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	uint64_t gpn = PAGE;

	assert_int_equal(modify_one(partition, RX, USE_TARGET_VTL | 1, PAGE), HV_STATUS_SUCCESS);
	assert_int_equal(sim_access(partition, 0, PAGE), RX);
	assert_int_equal(sim_access(partition, 1, PAGE), 0xf);
	assert_int_equal(protect_by_owner(partition, 1, 0, gpn), RX);
	assert_int_equal(protect_by_owner(partition, 2, 0, gpn), 0xf);
	/* VTL1 gets the intercept, and may change the mask back. */
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(guest_write(vp, (uint64_t)PAGE << 12, 1, 7), GUEST_STOPPED);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(modify_one(partition, 0xf, CALLER, PAGE), HV_STATUS_SUCCESS);
	assert_int_equal(sim_access(partition, 0, PAGE), 0xf);
}

/* "A VTL can only place protections on a lower VTL": there is none below VTL0, for any caller. */
/* shows: rule protect-target-vtl0 */
static void test_vtl0_as_target_owns_no_mask(void **state)
{
	struct vsm_partition *partition = create(*state, 2);

	assert_int_equal(modify_one(partition, RX, USE_TARGET_VTL | 0, PAGE),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(sim_access(partition, 0, PAGE), 0xf);
	assert_int_equal(guest_vtl_return(vsm_partition_vp(partition, 0), true), GUEST_DONE);
	assert_int_equal(modify_one(partition, RX, USE_TARGET_VTL | 0, PAGE),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(sim_access(partition, 0, PAGE), 0xf);
}

/* A higher VTL does not depend on the lower one's EnableVtlProtection. */
static void test_a_higher_vtl_may_change_the_mask_before_its_owner_enables_it(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 2, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(modify_one(partition, RX, CALLER, PAGE), HV_STATUS_ACCESS_DENIED);
	guest_enable_vtl(partition, 2);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(modify_one(partition, RX, CALLER, PAGE), HV_STATUS_ACCESS_DENIED);
	assert_int_equal(modify_one(partition, RX, USE_TARGET_VTL | 1, PAGE), HV_STATUS_SUCCESS);
	assert_int_equal(sim_access(partition, 0, PAGE), RX);
	vsm_partition_destroy(partition);
}

/* shows: rule protect-modify-errors */
static void test_each_wrong_parameter_has_its_status(void **state)
{
	struct vsm_partition *partition = create(*state, 1);
	struct list list = one_page(RX, CALLER, PAGE);

	list.partition_id = 5;
	assert_int_equal((uint16_t)modify(partition, &list, 1), HV_STATUS_INVALID_PARTITION_ID);
	list = one_page(RX, CALLER, PAGE);
	list.reserved[1] = 1;
	assert_int_equal((uint16_t)modify(partition, &list, 1), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(modify_one(partition, RX, 0x20, PAGE), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(modify_one(partition, RX, 0x80, PAGE), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(modify_one(partition, RX, USE_TARGET_VTL | 2, PAGE),
			 HV_STATUS_ACCESS_DENIED);
	assert_int_equal(modify_one(partition, RX, USE_TARGET_VTL | 15, PAGE),
			 HV_STATUS_ACCESS_DENIED);
	assert_int_equal(modify_one(partition, 0x2, CALLER, PAGE), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(modify_one(partition, 0x8001, CALLER, PAGE), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(modify_one(partition, RX, CALLER, RAM >> 12), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(modify_one(partition, RX, CALLER, UINT64_MAX),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(sim_access(partition, 0, PAGE), 0xf);
}

static void test_vtl0_cannot_protect_pages(void **state)
{
	struct vsm_partition *partition = create(*state, 1);

	assert_int_equal(guest_vtl_return(vsm_partition_vp(partition, 0), true), GUEST_DONE);
	assert_int_equal(modify_one(partition, RX, CALLER, PAGE), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(modify_one(partition, RX, USE_TARGET_VTL | 1, PAGE),
			 HV_STATUS_ACCESS_DENIED);
}

/* shows: rule protect-before-enable */
static void test_before_enable_vtl_protection_access_is_denied(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 2, RAM, NULL);

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vsm_partition_vp(partition, 0)), GUEST_DONE);
	assert_int_equal(modify_one(partition, RX, CALLER, PAGE), HV_STATUS_ACCESS_DENIED);
	assert_int_equal(sim_access(partition, 0, PAGE), 0xf);
	vsm_partition_destroy(partition);
}

static void test_a_target_that_is_not_enabled_is_an_invalid_vtl_state(void **state)
{
	struct vsm_partition *partition = create(*state, 1);

	/* VTLs need not be consecutive: VTL2 calls while VTL1 is not enabled. */
	partition->vtl[2].config = HV_VSM_PARTITION_CONFIG_ENABLE_VTL_PROTECTION;
	atomic_store(&partition->enabled_vtls, 1 << 0 | 1 << 2);
	atomic_store(&vsm_partition_vp(partition, 0)->enabled_vtls, 1 << 0 | 1 << 2);
	vp_set_active(vsm_partition_vp(partition, 0), 2);
	guest_set_long_mode(vsm_partition_vp(partition, 0), 2);
	assert_int_equal(modify_one(partition, RX, USE_TARGET_VTL | 1, PAGE),
			 HV_STATUS_INVALID_VTL_STATE);
	assert_int_equal(modify_one(partition, RX, CALLER, PAGE), HV_STATUS_SUCCESS);
}

static void test_p20_what_the_backend_cannot_deny_is_an_operation_denied(void **state)
{
	struct sim_options options = {.undeniable = GPA_EXECUTE, .no_mbec = true};
	struct vsm_partition *partition = guest_partition(1, 2, RAM, &options);

	create(vsm_partition_vp(partition, 0), 1);
	assert_int_equal(modify_one(partition, RW, CALLER, PAGE), HV_STATUS_OPERATION_DENIED);
	assert_int_equal(modify_one(partition, 0x1, CALLER, PAGE), HV_STATUS_OPERATION_DENIED);
	assert_int_equal(modify_one(partition, RX, CALLER, PAGE), HV_STATUS_SUCCESS);
	assert_int_equal(modify_one(partition, 0x0, CALLER, PAGE + 1), HV_STATUS_SUCCESS);
	assert_int_equal(sim_access(partition, 0, PAGE), RX);
	assert_int_equal(sim_access(partition, 0, PAGE + 1), 0);
	vsm_partition_destroy(partition);
}

static void test_a_full_list_of_510_pages_is_done(void **state)
{
	struct vsm_partition *partition = create(*state, 1);
	struct list list = one_page(RX, CALLER, 0);

	for (size_t i = 0; i < 510; i++)
		list.gpn[i] = PAGE + 2 * i;
	assert_int_equal(modify(partition, &list, 510), UINT64_C(510) << 32);
	for (size_t i = 0; i < 510; i++) {
		assert_int_equal(sim_access(partition, 0, PAGE + 2 * i), RX);
		assert_int_equal(sim_access(partition, 0, PAGE + 2 * i + 1), 0xf);
	}
}

static void test_a_list_that_fails_returns_the_count_of_completed_elements(void **state)
{
	struct vsm_partition *partition = create(*state, 1);
	struct list list = one_page(RX, CALLER, 0);

	for (size_t i = 0; i < 100; i++)
		list.gpn[i] = PAGE + i;
	list.gpn[70] = RAM >> 12;
	assert_int_equal(modify(partition, &list, 100),
			 HV_STATUS_INVALID_PARAMETER | UINT64_C(70) << 32);
	assert_int_equal(sim_access(partition, 0, PAGE + 69), RX);
	assert_int_equal(sim_access(partition, 0, PAGE + 71), 0xf);
}

static void test_a_start_index_skips_completed_elements(void **state)
{
	struct vsm_partition *partition = create(*state, 1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct list list = one_page(RX, CALLER, 0);

	for (size_t i = 0; i < 4; i++)
		list.gpn[i] = PAGE + i;
	assert_int_equal(guest_call(vp, 0x000c | UINT64_C(4) << 32 | UINT64_C(2) << 48, &list,
				    16 + 32, NULL, 0),
			 UINT64_C(4) << 32);
	assert_int_equal(sim_access(partition, 0, PAGE + 1), 0xf);
	assert_int_equal(sim_access(partition, 0, PAGE + 2), RX);
}

static void test_p27_a_long_list_is_interrupted_and_continued_by_the_start_index(void **state)
{
	struct vsm_partition *partition = create(*state, 1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct list list = one_page(RX, CALLER, 0);
	uint64_t exits = atomic_load(&vp->exits);

	for (size_t i = 0; i < 510; i++)
		list.gpn[i] = PAGE + i;
	/* Each read of the clock advances it by 60 us, so that a time slice ends at its first
	 * check. */
	sim_clock_step(partition, 60000);
	assert_int_equal(modify(partition, &list, 510), UINT64_C(510) << 32);
	assert_true(atomic_load(&vp->exits) - exits >= 10);
	for (size_t i = 0; i < 510; i++)
		assert_int_equal(sim_access(partition, 0, PAGE + i), RX);
}

static void test_p30_a_protection_under_an_overlay_also_hides_the_overlay(void **state)
{
	struct vsm_partition *partition = create(*state, 1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(overlay_map(partition, OVERLAY_SIM, 0, 0, PAGE), 0);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(modify_one(partition, 0, CALLER, PAGE), HV_STATUS_SUCCESS);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(guest_write(vp, (uint64_t)PAGE << 12, 1, 7), GUEST_STOPPED);
	assert_int_equal(guest_ram(partition, (uint64_t)PAGE << 12)[0], 0);
	assert_int_equal(vp->active_vtl, 1);
}

struct check {
	uint64_t partition_id;
	uint8_t input_vtl;
	uint8_t desired;
	uint16_t reserved0;
	uint32_t reserved1;
	uint64_t gpn[3];
};

static uint64_t check(struct vsm_partition *partition, const struct check *input, uint64_t *result)
{
	return guest_call(vsm_partition_vp(partition, 0),
			  HV_CALL_CHECK_SPARSE_GPA_PAGE_VTL_ACCESS | UINT64_C(3) << 32, input,
			  sizeof(*input), result, 3 * sizeof(*result));
}

/* shows: hypercall HvCallCheckSparseGpaPageVtlAccess */
static void test_checking_returns_what_is_denied_and_by_which_vtl(void **state)
{
	struct vsm_partition *partition = create(*state, 2);
	struct check input = {
		.partition_id = UINT64_MAX,
		.input_vtl = USE_TARGET_VTL | 0,
		.desired = 0xf,
		.gpn = {PAGE, PAGE + 1, PAGE + 2},
	};
	uint64_t gpn = PAGE + 1;
	uint64_t result[3];
	size_t done;

	modify_one(partition, RX, CALLER, PAGE);
	modify_one(partition, 0x1, CALLER, PAGE + 1);
	protect_set(partition, 1, -1, &gpn, 1, RX, &done);
	assert_int_equal(check(partition, &input, result), UINT64_C(3) << 32);
	/* Bits 7:0: 1 is an intercept; 15:8: the denied rights; 19:16: the VTL that denies them. */
	assert_int_equal(result[0], 1 | 0x2 << 8 | 2 << 16);
	assert_int_equal(result[1], 1 | 0xe << 8 | 1 << 16);
	assert_int_equal(result[2], 0);
	input.desired = 0x1;
	assert_int_equal(check(partition, &input, result), UINT64_C(3) << 32);
	assert_int_equal(result[0] | result[1] | result[2], 0);
}

static void test_checking_refuses_invalid_parameters(void **state)
{
	struct vsm_partition *partition = create(*state, 1);
	const struct check good = {.partition_id = UINT64_MAX, .desired = 1};
	struct check input = good;
	uint64_t result[3];

	input.partition_id = 5;
	assert_int_equal((uint16_t)check(partition, &input, result),
			 HV_STATUS_INVALID_PARTITION_ID);
	input = good;
	input.desired = 0x10;
	assert_int_equal((uint16_t)check(partition, &input, result), HV_STATUS_INVALID_PARAMETER);
	input = good;
	input.reserved1 = 1;
	assert_int_equal((uint16_t)check(partition, &input, result), HV_STATUS_INVALID_PARAMETER);
	input = good;
	input.input_vtl = USE_TARGET_VTL | 2;
	assert_int_equal((uint16_t)check(partition, &input, result), HV_STATUS_ACCESS_DENIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_NEEDS_VP(NEED_EXECUTE_VIEW,
			      test_no_target_or_the_own_vtl_as_target_restricts_every_lower_vtl, 1,
			      2),
		TEST(test_a_lower_target_is_the_owner_of_the_mask, 1, 2),
		TEST(test_vtl0_as_target_owns_no_mask, 1, 2),
		cmocka_unit_test(test_a_higher_vtl_may_change_the_mask_before_its_owner_enables_it),
		TEST(test_each_wrong_parameter_has_its_status, 1, 2),
		TEST(test_vtl0_cannot_protect_pages, 1, 2),
		cmocka_unit_test(test_before_enable_vtl_protection_access_is_denied),
		TEST(test_a_target_that_is_not_enabled_is_an_invalid_vtl_state, 1, 2),
		cmocka_unit_test(test_p20_what_the_backend_cannot_deny_is_an_operation_denied),
		TEST(test_a_full_list_of_510_pages_is_done, 1, 2),
		TEST(test_a_list_that_fails_returns_the_count_of_completed_elements, 1, 2),
		TEST(test_a_start_index_skips_completed_elements, 1, 2),
		TEST(test_p27_a_long_list_is_interrupted_and_continued_by_the_start_index, 1, 2),
		TEST(test_p30_a_protection_under_an_overlay_also_hides_the_overlay, 1, 2),
		TEST_NEEDS_VP(NEED_DENY_EXECUTE,
			      test_checking_returns_what_is_denied_and_by_which_vtl, 1, 2),
		TEST(test_checking_refuses_invalid_parameters, 1, 2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
