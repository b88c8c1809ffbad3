/* SPDX-License-Identifier: BSD-2-Clause */
/* VTL protections (TLFS "Memory Access Protections"). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"
#include "core/memory/protect.h"
#include "bare.h"

#define RX  (GPA_READ | GPA_EXECUTE)
#define RW  (GPA_READ | GPA_WRITE)
#define TIB (UINT64_C(1) << BARE_GPA_BITS)

/* Allocations of impossible size return NULL under AddressSanitizer too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static uint8_t right(struct bare *bare, uint8_t vtl, uint64_t gpn)
{
	return protect_effective(bare->partition, vtl, gpn);
}

static int vtls2(void **state)
{
	*state = bare_create(2);
	return 0;
}

static int vtls3(void **state)
{
	*state = bare_create(3);
	return 0;
}

static int vtls4(void **state)
{
	*state = bare_create(4);
	return 0;
}

static int tear_down(void **state)
{
	bare_destroy(*state);
	return 0;
}

#define TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static bool listed(uint32_t flags, const uint32_t *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i] == flags)
			return true;
	}
	return false;
}

static void check_flags(struct bare *bare, const uint32_t *legal, size_t count)
{
	for (uint32_t flags = 0; flags < 0x40; flags++)
		assert_int_equal(protect_check_flags(bare->partition, 1, flags),
				 listed(flags, legal, count) ? HV_STATUS_SUCCESS
							     : HV_STATUS_INVALID_PARAMETER);
	for (unsigned int bit = 4; bit < 32; bit++)
		assert_int_equal(protect_check_flags(bare->partition, 1, 0xf | 1u << bit),
				 HV_STATUS_INVALID_PARAMETER);
}

/* shows: rule protect-flags */
static void test_legal_flags_without_mbec_are_none_r_rx_rw_rwx(void **state)
{
	/* TLFS HV_MAP_GPA_FLAGS; both execute bits together. */
	static const uint32_t legal[] = {0x0, 0x1, 0x3, 0xd, 0xf};
	struct bare *bare = *state;

	check_flags(bare, legal, sizeof(legal) / sizeof(legal[0]));
}

static void test_mbec_adds_user_execute_alone_but_not_kernel_execute_alone(void **state)
{
	static const uint32_t legal[] = {0x0, 0x1, 0x3, 0xd, 0xf, 0x9, 0xb};
	struct bare *bare = *state;

	atomic_store(&bare->partition->mbec_vtls, 1u << 1);
	check_flags(bare, legal, sizeof(legal) / sizeof(legal[0]));
}

static void test_mbec_of_another_vtl_does_not_apply(void **state)
{
	struct bare *bare = *state;

	atomic_store(&bare->partition->mbec_vtls, 1u << 2);
	assert_int_equal(protect_check_flags(bare->partition, 1, 0x9), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(protect_check_flags(bare->partition, 2, 0x9), HV_STATUS_SUCCESS);
}

/* refuses: rule protect-cannot */
static void test_p20_what_the_engine_cannot_deny_is_refused(void **state)
{
	struct bare *bare = *state;

	/* userfaultfd can deny all accesses, or writes. */
	bare->partition->features.protect = GPA_READ | GPA_WRITE;
	assert_int_equal(protect_check_flags(bare->partition, 1, 0x0), HV_STATUS_SUCCESS);
	assert_int_equal(protect_check_flags(bare->partition, 1, 0xd), HV_STATUS_SUCCESS);
	assert_int_equal(protect_check_flags(bare->partition, 1, 0xf), HV_STATUS_SUCCESS);
	assert_int_equal(protect_check_flags(bare->partition, 1, 0x1), HV_STATUS_OPERATION_DENIED);
	assert_int_equal(protect_check_flags(bare->partition, 1, 0x3), HV_STATUS_OPERATION_DENIED);
	bare->partition->features.protect = 0;
	assert_int_equal(protect_check_flags(bare->partition, 1, 0x0), HV_STATUS_OPERATION_DENIED);
	assert_int_equal(protect_check_flags(bare->partition, 1, 0xd), HV_STATUS_OPERATION_DENIED);
	assert_int_equal(protect_check_flags(bare->partition, 1, 0xf), HV_STATUS_SUCCESS);
}

static void test_p20_user_execute_alone_needs_hardware_that_can(void **state)
{
	struct bare *bare = *state;

	atomic_store(&bare->partition->mbec_vtls, 1u << 1);
	bare->partition->features.mbec = false;
	assert_int_equal(protect_check_flags(bare->partition, 1, 0x9), HV_STATUS_OPERATION_DENIED);
	assert_int_equal(protect_check_flags(bare->partition, 1, 0x1), HV_STATUS_SUCCESS);
}

static void test_a_refusal_is_logged_once_and_then_only_at_debug_level(void **state)
{
	struct bare *bare = *state;

	bare->partition->features.protect = GPA_READ | GPA_WRITE;
	protect_check_flags(bare->partition, 1, 0x1);
	assert_int_equal(bare->log_lines, 1);
	assert_int_equal(bare->log_level, VSM_LOG_WARN);
	protect_check_flags(bare->partition, 1, 0x1);
	assert_int_equal(bare->log_lines, 2);
	assert_int_equal(bare->log_level, VSM_LOG_DEBUG);
}

static void test_a_default_mask_that_cannot_be_enforced_is_refused(void **state)
{
	struct bare *bare = *state;

	bare_ram(bare, 0, 16);
	bare->partition->features.protect = GPA_READ | GPA_WRITE;
	assert_int_equal(protect_set_default(bare->partition, 1, RW), HV_STATUS_OPERATION_DENIED);
	assert_int_equal(protect_set_default(bare->partition, 1, GPA_WRITE),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(right(bare, 0, 3), GPA_ALL);
	assert_int_equal(sim_calls(bare->partition)->protect, 0);
}

static void test_nothing_is_restricted_at_first(void **state)
{
	struct bare *bare = *state;

	bare_ram(bare, 0, 16);
	for (uint8_t vtl = 0; vtl < 3; vtl++)
		assert_int_equal(right(bare, vtl, 5), GPA_ALL);
	assert_int_equal(protect_memory_used(bare->partition), 0);
	assert_int_equal(sim_calls(bare->partition)->protect, 0);
}

static void test_p16_a_mask_applies_to_every_lower_vtl_and_not_to_its_owner(void **state)
{
	struct bare *bare = *state;

	bare_ram(bare, 0, 16);
	assert_int_equal(bare_protect(bare, 2, -1, 5, RX), HV_STATUS_SUCCESS);
	assert_int_equal(right(bare, 0, 5), RX);
	assert_int_equal(right(bare, 1, 5), RX);
	assert_int_equal(right(bare, 2, 5), GPA_ALL);
	assert_int_equal(right(bare, 3, 5), GPA_ALL);
	assert_int_equal(sim_access(bare->partition, 0, 5), RX);
	assert_int_equal(sim_access(bare->partition, 1, 5), RX);
	assert_int_equal(sim_access(bare->partition, 2, 5), GPA_ALL);
	assert_int_equal(right(bare, 0, 4), GPA_ALL);
	assert_int_equal(right(bare, 0, 6), GPA_ALL);
}

static void test_a_single_vtl_can_be_restricted(void **state)
{
	struct bare *bare = *state;

	bare_ram(bare, 0, 16);
	assert_int_equal(bare_protect(bare, 2, 0, 5, 0), HV_STATUS_SUCCESS);
	assert_int_equal(right(bare, 0, 5), 0);
	assert_int_equal(right(bare, 1, 5), GPA_ALL);
	assert_int_equal(sim_access(bare->partition, 1, 5), GPA_ALL);
}

/* shows: rule protect-hierarchy */
static void test_rights_are_the_intersection_over_all_owners(void **state)
{
	struct bare *bare = *state;

	bare_ram(bare, 0, 16);
	assert_int_equal(bare_protect(bare, 1, -1, 5, RX), HV_STATUS_SUCCESS);
	assert_int_equal(bare_protect(bare, 2, -1, 5, RW), HV_STATUS_SUCCESS);
	assert_int_equal(right(bare, 0, 5), GPA_READ);
	assert_int_equal(sim_access(bare->partition, 0, 5), GPA_READ);
	assert_int_equal(right(bare, 1, 5), RW);
	assert_int_equal(bare_protect(bare, 1, -1, 5, GPA_ALL), HV_STATUS_SUCCESS);
	assert_int_equal(right(bare, 0, 5), RW);
	assert_int_equal(sim_access(bare->partition, 0, 5), RW);
}

static void test_the_lowest_vtl_that_denies_a_page_receives_the_intercept(void **state)
{
	struct bare *bare = *state;

	bare_ram(bare, 0, 16);
	bare_protect(bare, 1, -1, 5, RX);
	bare_protect(bare, 2, -1, 5, GPA_READ);
	bare_protect(bare, 3, -1, 5, 0);
	assert_int_equal(protect_denier(bare->partition, 0, 5, GPA_WRITE), 1);
	assert_int_equal(protect_denier(bare->partition, 0, 5, GPA_KERNEL_EXECUTE), 2);
	assert_int_equal(protect_denier(bare->partition, 0, 5, GPA_READ), 3);
	assert_int_equal(protect_denier(bare->partition, 1, 5, GPA_WRITE), 2);
	assert_int_equal(protect_denier(bare->partition, 2, 5, GPA_WRITE), 3);
	assert_int_equal(protect_denier(bare->partition, 3, 5, GPA_WRITE), 0);
	assert_int_equal(protect_denier(bare->partition, 0, 6, GPA_ALL), 0);
}

static void test_without_mbec_user_execute_follows_kernel_execute(void **state)
{
	struct bare *bare = *state;

	bare_ram(bare, 0, 16);
	bare_protect(bare, 1, -1, 5, GPA_READ | GPA_USER_EXECUTE);
	assert_int_equal(right(bare, 0, 5), GPA_READ);
}

/* shows: rule protect-flags-mbec */
static void test_with_mbec_both_execute_rights_are_kept(void **state)
{
	struct bare *bare = *state;

	bare_ram(bare, 0, 16);
	atomic_store(&bare->partition->mbec_vtls, 1u << 1);
	bare_protect(bare, 1, -1, 5, GPA_READ | GPA_USER_EXECUTE);
	assert_int_equal(right(bare, 0, 5), GPA_READ | GPA_USER_EXECUTE);
	assert_int_equal(sim_access(bare->partition, 0, 5), GPA_READ | GPA_USER_EXECUTE);
}

static void test_the_default_mask_applies_to_all_ram_and_to_ram_added_later(void **state)
{
	struct bare *bare = *state;

	bare_ram(bare, 0, 16);
	bare_protect(bare, 1, -1, 3, GPA_ALL);
	assert_int_equal(protect_set_default(bare->partition, 2, RX), HV_STATUS_SUCCESS);
	assert_int_equal(right(bare, 0, 3), RX);
	bare_ram(bare, 100, 16);
	for (uint8_t vtl = 0; vtl < 2; vtl++) {
		assert_int_equal(right(bare, vtl, 15), RX);
		assert_int_equal(sim_access(bare->partition, vtl, 15), RX);
		assert_int_equal(right(bare, vtl, 100), RX);
		assert_int_equal(sim_access(bare->partition, vtl, 115), RX);
	}
	assert_int_equal(sim_access(bare->partition, 2, 100), GPA_ALL);
}

static void test_the_default_mask_replaces_the_masks_of_pages(void **state)
{
	struct bare *bare = *state;

	bare_ram(bare, 0, 16);
	bare_protect(bare, 1, -1, 3, 0);
	assert_int_equal(protect_set_default(bare->partition, 1, RW), HV_STATUS_SUCCESS);
	assert_int_equal(right(bare, 0, 3), RW);
	assert_int_equal(sim_access(bare->partition, 0, 3), RW);
	assert_int_equal(protect_set_default(bare->partition, 1, GPA_ALL), HV_STATUS_SUCCESS);
	assert_int_equal(right(bare, 0, 3), GPA_ALL);
	assert_int_equal(sim_access(bare->partition, 0, 3), GPA_ALL);
	assert_int_equal(protect_memory_used(bare->partition), 0);
}

static void test_p11_the_default_mask_of_a_tebibyte_is_one_call(void **state)
{
	struct bare *bare = *state;

	bare_ram(bare, UINT64_C(1) << 20, (TIB >> 12) - (UINT64_C(1) << 20));
	assert_int_equal(protect_set_default(bare->partition, 1, RW), HV_STATUS_SUCCESS);
	assert_int_equal(sim_calls(bare->partition)->protect, 1);
	assert_int_equal(sim_calls(bare->partition)->protect_ranges, 1);
	assert_true(protect_memory_used(bare->partition) < 1024);
	assert_int_equal(right(bare, 0, (TIB >> 12) - 1), RW);
}

static void test_the_default_mask_of_one_owner_keeps_the_page_masks_of_another(void **state)
{
	struct bare *bare = *state;

	bare_ram(bare, 0, 64);
	bare_protect(bare, 2, -1, 7, 0);
	assert_int_equal(protect_set_default(bare->partition, 1, RW), HV_STATUS_SUCCESS);
	assert_int_equal(sim_access(bare->partition, 0, 6), RW);
	assert_int_equal(sim_access(bare->partition, 0, 7), 0);
	assert_int_equal(sim_access(bare->partition, 0, 8), RW);
}

static void test_neighbours_are_updated_as_one_range(void **state)
{
	struct bare *bare = *state;
	uint64_t gpn[64];
	size_t done;

	bare_ram(bare, 0, 256);
	for (size_t i = 0; i < 64; i++)
		gpn[i] = 10 + i;
	assert_int_equal(protect_set(bare->partition, 1, -1, gpn, 64, 0, &done), HV_STATUS_SUCCESS);
	assert_int_equal(done, 64);
	assert_int_equal(sim_calls(bare->partition)->protect, 1);
	assert_int_equal(sim_calls(bare->partition)->protect_ranges, 1);
}

static void test_scattered_pages_are_updated_in_one_call(void **state)
{
	struct bare *bare = *state;
	uint64_t gpn[64];
	size_t done;

	bare_ram(bare, 0, 256);
	for (size_t i = 0; i < 64; i++)
		gpn[i] = 2 * i;
	protect_set(bare->partition, 1, -1, gpn, 64, 0, &done);
	assert_int_equal(sim_calls(bare->partition)->protect, 1);
	assert_int_equal(sim_calls(bare->partition)->protect_ranges, 64);
}

static void test_a_change_without_effect_does_not_update_the_backend(void **state)
{
	struct bare *bare = *state;
	uint32_t calls;

	bare_ram(bare, 0, 16);
	bare_protect(bare, 2, -1, 5, 0);
	calls = sim_calls(bare->partition)->protect;
	assert_int_equal(bare_protect(bare, 1, -1, 5, 0), HV_STATUS_SUCCESS);
	assert_int_equal(bare_protect(bare, 2, -1, 5, 0), HV_STATUS_SUCCESS);
	assert_int_equal(sim_calls(bare->partition)->protect, calls);
	assert_int_equal(bare_protect(bare, 2, -1, 5, GPA_ALL), HV_STATUS_SUCCESS);
	assert_int_equal(sim_access(bare->partition, 0, 5), 0);
	assert_int_equal(sim_access(bare->partition, 1, 5), GPA_ALL);
}

static void test_a_page_that_is_not_ram_ends_the_list(void **state)
{
	struct bare *bare = *state;
	uint64_t gpn[] = {1, 2, 16, 3};
	size_t done;

	bare_ram(bare, 0, 16);
	assert_int_equal(protect_set(bare->partition, 1, -1, gpn, 4, 0, &done),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(done, 2);
	assert_int_equal(right(bare, 0, 2), 0);
	assert_int_equal(sim_access(bare->partition, 0, 2), 0);
	assert_int_equal(right(bare, 0, 3), GPA_ALL);
	gpn[0] = UINT64_MAX;
	assert_int_equal(protect_set(bare->partition, 1, -1, gpn, 4, 0, &done),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(done, 0);
}

/* Pretends RAM of a size that no host has. */
static void claim_ram(struct vsm_partition *partition, uint64_t pages)
{
	struct memory *memory = &partition->memory;

	memory->region = calloc(1, sizeof(*memory->region));
	memory->region[0] = (struct ram_region){.pages = pages};
	memory->region_count = 1;
	memory->span = calloc(1, sizeof(*memory->span));
	memory->span[0] = (struct ram_span){.pages = pages};
	memory->span_count = 1;
	memory->page_count = pages;
}

static void test_out_of_memory_changes_the_page_for_no_vtl(void **state)
{
	struct bare *bare = *state;

	/* So much RAM that a protection map cannot allocate its array of blocks. */
	claim_ram(bare->partition, UINT64_C(1) << 59);
	assert_int_equal(bare_protect(bare, 2, -1, 5, 0), HV_STATUS_INSUFFICIENT_MEMORY);
	assert_int_equal(right(bare, 0, 5), GPA_ALL);
	assert_int_equal(right(bare, 1, 5), GPA_ALL);
	assert_int_equal(sim_calls(bare->partition)->protect, 0);
}

static void test_a_failure_of_the_backend_changes_nothing(void **state)
{
	static const struct {
		int error;
		uint16_t status;
	} expected[] = {
		{-EIO, HV_STATUS_OPERATION_FAILED},
		{-ENOMEM, HV_STATUS_INSUFFICIENT_MEMORY},
		{-ENOTSUP, HV_STATUS_OPERATION_DENIED},
	};
	uint64_t gpn[] = {4, 5, 5, 6};
	size_t done;

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		struct bare *bare = bare_create(3);

		bare_ram(bare, 0, 16);
		bare_protect(bare, 2, -1, 5, RX);
		/* The update of the second VTL fails: that of the first one is undone, too. */
		sim_fail(bare->partition, SIM_CALL_PROTECT, 2, expected[i].error);
		assert_int_equal(protect_set(bare->partition, 2, -1, gpn, 4, 0, &done),
				 expected[i].status);
		assert_int_equal(done, 0);
		for (uint8_t vtl = 0; vtl < 2; vtl++) {
			for (uint64_t page = 4; page <= 6; page++) {
				uint8_t before = page == 5 ? RX : GPA_ALL;

				assert_int_equal(right(bare, vtl, page), before);
				assert_int_equal(sim_access(bare->partition, vtl, page), before);
			}
		}
		bare_destroy(bare);
	}
}

static void test_a_default_mask_that_fails_changes_nothing(void **state)
{
	struct bare *bare = *state;

	bare_ram(bare, 0, 16);
	bare_protect(bare, 2, -1, 5, 0);
	sim_fail(bare->partition, SIM_CALL_PROTECT, 2, -EIO);
	assert_int_equal(protect_set_default(bare->partition, 2, RX), HV_STATUS_OPERATION_FAILED);
	for (uint8_t vtl = 0; vtl < 2; vtl++) {
		assert_int_equal(right(bare, vtl, 5), 0);
		assert_int_equal(right(bare, vtl, 6), GPA_ALL);
		assert_int_equal(sim_access(bare->partition, vtl, 5), 0);
		assert_int_equal(sim_access(bare->partition, vtl, 6), GPA_ALL);
	}
}

static void test_ram_whose_protection_fails_is_not_added(void **state)
{
	struct bare *bare = *state;
	void *host;

	bare_ram(bare, 0, 16);
	protect_set_default(bare->partition, 1, RX);
	sim_fail(bare->partition, SIM_CALL_PROTECT, 1, -EIO);
	assert_int_equal(vsm_memory_add(bare->partition, 0x100000, 0x1000, -1, 0, &host), -EIO);
	assert_int_equal(sim_access(bare->partition, 0, 0x100), 0);
	assert_int_equal(bare->partition->memory.region_count, 1);
	assert_int_equal(bare->partition->memory.page_count, 16);
	assert_null(memory_find(bare->partition, 0x100));
	bare_ram(bare, 0x100, 1);
	assert_int_equal(right(bare, 0, 0x100), RX);
}

static void test_p25_reset_drops_every_protection(void **state)
{
	struct bare *bare = *state;

	bare_ram(bare, 0, 16);
	protect_set_default(bare->partition, 2, RX);
	bare_protect(bare, 1, -1, 5, 0);
	assert_int_equal(protect_reset(bare->partition), 0);
	for (uint8_t vtl = 0; vtl < 3; vtl++) {
		for (uint64_t gpn = 0; gpn < 16; gpn++) {
			assert_int_equal(right(bare, vtl, gpn), GPA_ALL);
			assert_int_equal(sim_access(bare->partition, vtl, gpn), GPA_ALL);
		}
	}
	assert_int_equal(protect_memory_used(bare->partition), 0);
	/* RAM added later is not restricted either: the reset also removed the default mask. */
	bare_ram(bare, 32, 1);
	assert_int_equal(sim_access(bare->partition, 0, 32), GPA_ALL);
}

#define MODEL_VTLS  4u
#define MODEL_PAGES 512u
#define MODEL_STEPS 20000

/* The rights that each owner gives each lower VTL, page by page: a plain array. */
struct model {
	uint8_t mask[MODEL_VTLS][MODEL_VTLS][MODEL_PAGES];
};

static uint8_t model_access(const struct model *model, uint8_t vtl, uint64_t gpn)
{
	uint8_t access = GPA_ALL;

	for (unsigned int owner = vtl + 1u; owner < MODEL_VTLS; owner++)
		access &= model->mask[owner][vtl][gpn];
	return access;
}

static bool model_is_ram(uint64_t gpn)
{
	return gpn < 200 || (gpn >= 300 && gpn < MODEL_PAGES);
}

static void model_step(struct bare *bare, struct model *model)
{
	static const uint8_t legal[] = {0, GPA_READ, RX, RW, GPA_ALL};
	uint8_t owner = 1 + (uint8_t)(rand() % 3);
	uint8_t access = legal[rand() % 5];
	int restricted = rand() % 2 ? -1 : rand() % owner;
	uint64_t gpn[100];
	size_t count = 1 + (size_t)rand() % 100;
	uint64_t first = (uint64_t)rand() % MODEL_PAGES;
	size_t expected = 0;
	size_t done;

	if (rand() % 50 == 0) {
		assert_int_equal(protect_set_default(bare->partition, owner, access), 0);
		memset(model->mask[owner], access, sizeof(model->mask[owner]));
		return;
	}
	for (size_t i = 0; i < count; i++)
		gpn[i] = rand() % 4 ? (first + i) % MODEL_PAGES : (uint64_t)rand() % MODEL_PAGES;
	while (expected < count && model_is_ram(gpn[expected]))
		expected++;
	protect_set(bare->partition, owner, restricted, gpn, count, access, &done);
	assert_int_equal(done, expected);
	for (size_t i = 0; i < expected; i++) {
		for (uint8_t vtl = 0; vtl < owner; vtl++) {
			if (restricted < 0 || restricted == vtl)
				model->mask[owner][vtl][gpn[i]] = access;
		}
	}
}

static void test_random_changes_equal_a_plain_model_in_core_and_backend(void **state)
{
	struct bare *bare = *state;
	struct model *model = malloc(sizeof(*model));

	srand(20240817);
	memset(model, GPA_ALL, sizeof(*model));
	bare_ram(bare, 300, MODEL_PAGES - 300);
	bare_ram(bare, 0, 200);
	for (int step = 0; step < MODEL_STEPS; step++) {
		model_step(bare, model);
		if (step % 10)
			continue;
		for (uint8_t vtl = 0; vtl < MODEL_VTLS; vtl++) {
			for (uint64_t gpn = 0; gpn < MODEL_PAGES; gpn++) {
				uint8_t access = model_access(model, vtl, gpn);

				if (!model_is_ram(gpn))
					continue;
				assert_int_equal(right(bare, vtl, gpn), access);
				assert_int_equal(sim_access(bare->partition, vtl, gpn), access);
			}
		}
	}
	free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_legal_flags_without_mbec_are_none_r_rx_rw_rwx, vtls2),
		TEST(test_mbec_adds_user_execute_alone_but_not_kernel_execute_alone, vtls2),
		TEST(test_mbec_of_another_vtl_does_not_apply, vtls3),
		TEST(test_p20_what_the_engine_cannot_deny_is_refused, vtls2),
		TEST(test_p20_user_execute_alone_needs_hardware_that_can, vtls2),
		TEST(test_a_refusal_is_logged_once_and_then_only_at_debug_level, vtls2),
		TEST(test_a_default_mask_that_cannot_be_enforced_is_refused, vtls2),
		TEST(test_nothing_is_restricted_at_first, vtls3),
		TEST(test_p16_a_mask_applies_to_every_lower_vtl_and_not_to_its_owner, vtls4),
		TEST(test_a_single_vtl_can_be_restricted, vtls3),
		TEST(test_rights_are_the_intersection_over_all_owners, vtls3),
		TEST(test_the_lowest_vtl_that_denies_a_page_receives_the_intercept, vtls4),
		TEST(test_without_mbec_user_execute_follows_kernel_execute, vtls2),
		TEST(test_with_mbec_both_execute_rights_are_kept, vtls2),
		TEST(test_the_default_mask_applies_to_all_ram_and_to_ram_added_later, vtls3),
		TEST(test_the_default_mask_replaces_the_masks_of_pages, vtls2),
		TEST(test_p11_the_default_mask_of_a_tebibyte_is_one_call, vtls2),
		TEST(test_the_default_mask_of_one_owner_keeps_the_page_masks_of_another, vtls3),
		TEST(test_neighbours_are_updated_as_one_range, vtls2),
		TEST(test_scattered_pages_are_updated_in_one_call, vtls2),
		TEST(test_a_change_without_effect_does_not_update_the_backend, vtls3),
		TEST(test_a_page_that_is_not_ram_ends_the_list, vtls2),
		TEST(test_out_of_memory_changes_the_page_for_no_vtl, vtls3),
		cmocka_unit_test(test_a_failure_of_the_backend_changes_nothing),
		TEST(test_a_default_mask_that_fails_changes_nothing, vtls3),
		TEST(test_ram_whose_protection_fails_is_not_added, vtls2),
		TEST(test_p25_reset_drops_every_protection, vtls3),
		TEST(test_random_changes_equal_a_plain_model_in_core_and_backend, vtls4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
