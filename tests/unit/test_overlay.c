/* SPDX-License-Identifier: BSD-2-Clause */
/* Overlay pages (TLFS "GPA Overlay Pages"). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"
#include "core/memory/overlay.h"
#include "core/memory/protect.h"
#include "bare.h"
#include "sim/sim_internal.h"

#define RW (GPA_READ | GPA_WRITE)
#define RX (GPA_READ | GPA_EXECUTE)

static void test_an_overlay_hides_ram_and_does_not_change_it(void **state)
{
	struct bare *bare = bare_create(2);
	uint8_t *ram = bare_ram(bare, 0, 16);
	uint8_t byte = 0;

	memset(ram + 5 * CORE_PAGE_SIZE, 0x11, CORE_PAGE_SIZE);
	memset(overlay_memory(bare->partition, OVERLAY_SIM, 0, 0), 0x22, CORE_PAGE_SIZE);
	assert_int_equal(overlay_map(bare->partition, OVERLAY_SIM, 0, 0, 5), 0);
	assert_int_equal(gpa_read(bare->partition, 0, 0x5000, &byte, 1, NULL), GPA_OK);
	assert_int_equal(byte, 0x22);
	byte = 0x33;
	assert_int_equal(gpa_write(bare->partition, 0, 0x5fff, &byte, 1, NULL), GPA_OK);
	assert_int_equal(ram[0x5fff], 0x11);
	assert_int_equal(overlay_unmap(bare->partition, OVERLAY_SIM, 0, 0), 0);
	assert_int_equal(gpa_read(bare->partition, 0, 0x5fff, &byte, 1, NULL), GPA_OK);
	assert_int_equal(byte, 0x11);
	assert_int_equal(sim_overlay(bare->partition, 0, 5), SIM_NO_OVERLAY);
	bare_destroy(bare);
}

/* shows: rule overlays-per-vtl */
static void test_only_its_own_vtl_sees_an_overlay(void **state)
{
	struct bare *bare = bare_create(3);
	uint8_t *ram = bare_ram(bare, 0, 16);
	uint8_t byte = 0;

	ram[0x5000] = 0x11;
	overlay_memory(bare->partition, OVERLAY_ASSIST, 1, 0)[0] = 0x22;
	assert_int_equal(overlay_map(bare->partition, OVERLAY_ASSIST, 1, 0, 5), 0);
	for (uint8_t vtl = 0; vtl < 3; vtl++) {
		assert_int_equal(gpa_read(bare->partition, vtl, 0x5000, &byte, 1, NULL), GPA_OK);
		assert_int_equal(byte, vtl == 1 ? 0x22 : 0x11);
		assert_int_equal(sim_overlay(bare->partition, vtl, 5) != SIM_NO_OVERLAY, vtl == 1);
	}
	bare_destroy(bare);
}

static const uint8_t *overlay_base(const struct bare *bare)
{
	return ((const struct sim_backend *)bare->partition->backend)->overlay_memory;
}

static void test_every_overlay_has_a_page_of_its_own(void **state)
{
	struct bare *bare = bare_create(4);
	uint8_t *seen[4 * (2 + 3 * BARE_VPS)];
	size_t count = 0;

	for (uint8_t vtl = 0; vtl < 4; vtl++) {
		seen[count++] = overlay_memory(bare->partition, OVERLAY_HYPERCALL, vtl, 0);
		seen[count++] = overlay_memory(bare->partition, OVERLAY_REFERENCE_TSC, vtl, 0);
		for (uint32_t vp = 0; vp < BARE_VPS; vp++) {
			seen[count++] = overlay_memory(bare->partition, OVERLAY_ASSIST, vtl, vp);
			seen[count++] = overlay_memory(bare->partition, OVERLAY_SIEF, vtl, vp);
			seen[count++] = overlay_memory(bare->partition, OVERLAY_SIM, vtl, vp);
		}
	}
	assert_int_equal(count, bare->partition->memory.overlay_page_count);
	for (size_t i = 0; i < count; i++) {
		assert_true(seen[i] >= overlay_base(bare));
		assert_true(seen[i] < overlay_base(bare) + count * CORE_PAGE_SIZE);
		assert_int_equal((seen[i] - overlay_base(bare)) % CORE_PAGE_SIZE, 0);
		for (size_t k = 0; k < i; k++)
			assert_ptr_not_equal(seen[i], seen[k]);
	}
	bare_destroy(bare);
}

static void test_p06_code_and_clock_pages_cannot_be_written(void **state)
{
	struct bare *bare = bare_create(2);
	struct gpa_fault fault;
	uint8_t byte = 0xcc;

	bare_ram(bare, 0, 16);
	overlay_map(bare->partition, OVERLAY_HYPERCALL, 0, 0, 5);
	overlay_map(bare->partition, OVERLAY_REFERENCE_TSC, 0, 0, 6);
	assert_int_equal(gpa_write(bare->partition, 0, 0x5000, &byte, 1, &fault), GPA_OVERLAY);
	assert_int_equal(fault.gpa, 0x5000);
	assert_int_equal(fault.access, GPA_WRITE);
	assert_int_equal(gpa_write(bare->partition, 0, 0x6000, &byte, 1, NULL), GPA_OVERLAY);
	assert_int_equal(gpa_check(bare->partition, 0, 0x5000, RX, NULL), GPA_OK);
	assert_int_equal(gpa_check(bare->partition, 0, 0x6000, GPA_READ, NULL), GPA_OK);
	assert_int_equal(overlay_memory(bare->partition, OVERLAY_HYPERCALL, 0, 0)[0], 0);
	assert_int_equal(sim_view(bare->partition, 0, 0x5000, NULL), RX);
	assert_int_equal(sim_view(bare->partition, 0, 0x6000, NULL), GPA_READ);
	bare_destroy(bare);
}

static void test_overlays_that_a_vtl_writes_cannot_be_executed(void **state)
{
	struct bare *bare = bare_create(2);

	overlay_map(bare->partition, OVERLAY_SIM, 0, 0, 5);
	overlay_map(bare->partition, OVERLAY_SIEF, 0, 0, 6);
	overlay_map(bare->partition, OVERLAY_ASSIST, 0, 0, 7);
	for (uint64_t gpn = 5; gpn <= 7; gpn++) {
		assert_int_equal(sim_view(bare->partition, 0, gpn << 12, NULL), RW);
		assert_int_equal(gpa_check(bare->partition, 0, gpn << 12, GPA_KERNEL_EXECUTE, NULL),
				 GPA_OVERLAY);
	}
	bare_destroy(bare);
}

static void test_p05_a_protection_under_an_overlay_is_kept_and_enforced(void **state)
{
	struct bare *bare = bare_create(2);
	uint8_t byte = 1;

	bare_ram(bare, 0, 16);
	overlay_map(bare->partition, OVERLAY_SIM, 0, 0, 5);
	assert_int_equal(bare_protect(bare, 1, -1, 5, RX), HV_STATUS_SUCCESS);
	assert_int_equal(gpa_write(bare->partition, 0, 0x5000, &byte, 1, NULL), GPA_DENIED);
	assert_int_equal(sim_overlay(bare->partition, 0, 5), SIM_NO_OVERLAY);
	assert_int_equal(sim_view(bare->partition, 0, 0x5000, NULL), RX);
	overlay_unmap(bare->partition, OVERLAY_SIM, 0, 0);
	assert_int_equal(sim_view(bare->partition, 0, 0x5000, NULL), RX);
	assert_int_equal(overlay_map(bare->partition, OVERLAY_SIM, 0, 0, 5), -EACCES);
	assert_int_equal(protect_effective(bare->partition, 0, 5), RX);
	assert_int_equal(sim_view(bare->partition, 0, 0x5000, NULL), RX);
	bare_destroy(bare);
}

static void test_p30_a_lock_that_the_backend_refuses_leaves_the_overlay_as_it_was(void **state)
{
	struct bare *bare = bare_create(2);
	uint32_t calls;

	bare_ram(bare, 0, 16);
	overlay_map(bare->partition, OVERLAY_SIM, 0, 0, 5);
	calls = sim_calls(bare->partition)->overlay;
	sim_fail(bare->partition, SIM_CALL_OVERLAY, 1, -EIO);
	assert_int_not_equal(bare_protect(bare, 1, -1, 5, RX), HV_STATUS_SUCCESS);
	/* A call that failed may have had a part of its effect, which the undo takes back. */
	assert_int_equal(sim_calls(bare->partition)->overlay, calls + 2);
	assert_int_equal(gpa_check(bare->partition, 0, 0x5000, RW, NULL), GPA_OK);
	assert_int_equal(sim_view(bare->partition, 0, 0x5000, NULL), RW);
	assert_int_equal(sim_access(bare->partition, 0, 5), GPA_ALL);
	assert_int_equal(bare_protect(bare, 1, -1, 5, RX), HV_STATUS_SUCCESS);
	assert_int_equal(sim_view(bare->partition, 0, 0x5000, NULL), RX);
	bare_destroy(bare);
}

static void test_p30_an_overlay_that_the_backend_fails_to_remove_is_removed_later(void **state)
{
	struct bare *bare = bare_create(2);

	bare_ram(bare, 0, 16);
	overlay_map(bare->partition, OVERLAY_SIM, 0, 0, 5);
	sim_fail(bare->partition, SIM_CALL_OVERLAY, 1, -EIO);
	assert_int_equal(overlay_unmap(bare->partition, OVERLAY_SIM, 0, 0), -EIO);
	/* It is shown again, since the call may have had a part of its effect. */
	assert_int_equal(sim_calls(bare->partition)->overlay, 3);
	/* The backend still maps the overlay, so a later lock has to remove it. */
	assert_int_equal(bare_protect(bare, 1, -1, 5, RX), HV_STATUS_SUCCESS);
	assert_int_equal(sim_overlay(bare->partition, 0, 5), SIM_NO_OVERLAY);
	assert_int_equal(sim_view(bare->partition, 0, 0x5000, NULL), RX);
	bare_destroy(bare);
}

static void test_p30_an_overlay_has_only_rights_that_it_and_its_gpa_both_have(void **state)
{
	struct bare *bare = bare_create(2);
	static const uint8_t given[] = {GPA_ALL, RX, GPA_READ | GPA_USER_EXECUTE, GPA_READ, RW, RX};

	bare_ram(bare, 0, 16);
	atomic_store(&bare->partition->mbec_vtls, vtl_bit(1));
	overlay_map(bare->partition, OVERLAY_HYPERCALL, 0, 0, 5);
	for (size_t i = 0; i < sizeof(given); i++) {
		assert_int_equal(bare_protect(bare, 1, -1, 5, given[i]), HV_STATUS_SUCCESS);
		assert_int_equal(sim_overlay(bare->partition, 0, 5), 0);
		assert_int_equal(sim_view(bare->partition, 0, 0x5000, NULL), RX & given[i]);
		assert_int_equal(gpa_check(bare->partition, 0, 0x5000, GPA_KERNEL_EXECUTE, NULL),
				 given[i] & GPA_KERNEL_EXECUTE ? GPA_OK : GPA_DENIED);
	}
	bare_destroy(bare);
}

static void test_overlays_need_no_ram_at_their_gpa(void **state)
{
	struct bare *bare = bare_create(2);
	uint8_t byte;

	assert_int_equal(overlay_map(bare->partition, OVERLAY_SIM, 0, 1, 0x800), 0);
	assert_int_equal(gpa_read(bare->partition, 0, 0x800000, &byte, 1, NULL), GPA_OK);
	assert_int_equal(overlay_unmap(bare->partition, OVERLAY_SIM, 0, 1), 0);
	assert_int_equal(gpa_read(bare->partition, 0, 0x800000, &byte, 1, NULL), GPA_UNMAPPED);
	bare_destroy(bare);
}

static void test_a_moved_overlay_keeps_its_contents(void **state)
{
	struct bare *bare = bare_create(2);
	uint8_t byte = 0x5a;

	bare_ram(bare, 0, 16);
	overlay_map(bare->partition, OVERLAY_SIM, 0, 0, 5);
	gpa_write(bare->partition, 0, 0x5010, &byte, 1, NULL);
	assert_int_equal(overlay_map(bare->partition, OVERLAY_SIM, 0, 0, 9), 0);
	byte = 0;
	assert_int_equal(gpa_read(bare->partition, 0, 0x9010, &byte, 1, NULL), GPA_OK);
	assert_int_equal(byte, 0x5a);
	gpa_read(bare->partition, 0, 0x5010, &byte, 1, NULL);
	assert_int_equal(byte, 0);
	assert_int_equal(sim_overlay(bare->partition, 0, 5), SIM_NO_OVERLAY);
	bare_destroy(bare);
}

static void test_mapping_again_at_the_same_gpa_changes_nothing(void **state)
{
	struct bare *bare = bare_create(2);
	uint32_t calls;

	overlay_map(bare->partition, OVERLAY_SIM, 0, 0, 5);
	calls = sim_calls(bare->partition)->overlay;
	assert_int_equal(overlay_map(bare->partition, OVERLAY_SIM, 0, 0, 5), 0);
	assert_int_equal(sim_calls(bare->partition)->overlay, calls);
	assert_int_equal(overlay_unmap(bare->partition, OVERLAY_SIM, 0, 0), 0);
	assert_null(overlay_shown(bare->partition, 0, 5, GPA_ALL));
	assert_int_equal(overlay_unmap(bare->partition, OVERLAY_SIM, 0, 0), 0);
	bare_destroy(bare);
}

static void test_an_overlay_beyond_the_gpa_space_is_refused(void **state)
{
	struct bare *bare = bare_create(2);
	uint64_t limit = UINT64_C(1) << (40 - 12);

	assert_int_equal(overlay_map(bare->partition, OVERLAY_SIM, 0, 0, limit), -EINVAL);
	assert_int_equal(overlay_map(bare->partition, OVERLAY_SIM, 0, 0, UINT64_MAX), -EINVAL);
	assert_int_equal(sim_calls(bare->partition)->overlay, 0);
	assert_int_equal(overlay_map(bare->partition, OVERLAY_SIM, 0, 0, limit - 1), 0);
	bare_destroy(bare);
}

static uint32_t page_of(struct bare *bare, enum overlay_kind kind, uint8_t vtl, uint32_t vp)
{
	return (uint32_t)((overlay_memory(bare->partition, kind, vtl, vp) - overlay_base(bare)) /
			  CORE_PAGE_SIZE);
}

static void test_a_failed_move_keeps_the_overlay_at_its_old_gpa(void **state)
{
	struct bare *bare = bare_create(2);

	overlay_map(bare->partition, OVERLAY_SIM, 0, 0, 5);
	sim_fail(bare->partition, SIM_CALL_OVERLAY, 1, -EIO);
	assert_int_equal(overlay_map(bare->partition, OVERLAY_SIM, 0, 0, 9), -EIO);
	/* The first call, that which failed, and two that undo it. */
	assert_int_equal(sim_calls(bare->partition)->overlay, 4);
	assert_int_equal(sim_overlay(bare->partition, 0, 5), page_of(bare, OVERLAY_SIM, 0, 0));
	assert_int_equal(sim_overlay(bare->partition, 0, 9), SIM_NO_OVERLAY);
	assert_non_null(overlay_shown(bare->partition, 0, 5, GPA_ALL));
	assert_null(overlay_shown(bare->partition, 0, 9, GPA_ALL));
	bare_destroy(bare);
}

static void test_of_two_overlays_on_a_page_the_first_kind_is_mapped(void **state)
{
	struct bare *bare = bare_create(2);
	struct vsm_partition *partition = bare->partition;

	overlay_map(partition, OVERLAY_SIM, 0, 0, 5);
	overlay_map(partition, OVERLAY_HYPERCALL, 0, 0, 5);
	overlay_map(partition, OVERLAY_SIEF, 0, 1, 5);
	assert_int_equal(sim_overlay(bare->partition, 0, 5),
			 page_of(bare, OVERLAY_HYPERCALL, 0, 0));
	overlay_unmap(partition, OVERLAY_HYPERCALL, 0, 0);
	assert_int_equal(sim_overlay(bare->partition, 0, 5), page_of(bare, OVERLAY_SIEF, 0, 1));
	assert_int_equal(sim_view(bare->partition, 0, 0x5000, NULL), RW);
	overlay_unmap(partition, OVERLAY_SIEF, 0, 1);
	assert_int_equal(sim_overlay(bare->partition, 0, 5), page_of(bare, OVERLAY_SIM, 0, 0));
	overlay_unmap(partition, OVERLAY_SIM, 0, 0);
	assert_int_equal(sim_overlay(bare->partition, 0, 5), SIM_NO_OVERLAY);
	bare_destroy(bare);
}

static void test_a_hidden_overlay_is_placed_and_removed_without_effect(void **state)
{
	struct bare *bare = bare_create(2);
	uint32_t calls;

	overlay_map(bare->partition, OVERLAY_HYPERCALL, 0, 0, 5);
	calls = sim_calls(bare->partition)->overlay;
	overlay_map(bare->partition, OVERLAY_SIM, 0, 0, 5);
	overlay_unmap(bare->partition, OVERLAY_SIM, 0, 0);
	assert_int_equal(sim_calls(bare->partition)->overlay, calls);
	assert_int_equal(sim_overlay(bare->partition, 0, 5),
			 page_of(bare, OVERLAY_HYPERCALL, 0, 0));
	bare_destroy(bare);
}

/* An overlay of VTL1 in the model of the next test; @gpn 0: not mapped. */
struct place {
	enum overlay_kind kind;
	uint32_t vp;
	uint64_t gpn;
};

static void check_places(struct bare *bare, const struct place *place, size_t count)
{
	for (uint64_t gpn = 1; gpn < 5; gpn++) {
		uint32_t expected = SIM_NO_OVERLAY;

		for (size_t i = 0; i < count && expected == SIM_NO_OVERLAY; i++) {
			if (place[i].gpn == gpn)
				expected = page_of(bare, place[i].kind, 1, place[i].vp);
		}
		assert_int_equal(sim_overlay(bare->partition, 1, gpn), expected);
		assert_int_equal(overlay_shown(bare->partition, 1, gpn, GPA_ALL) != NULL,
				 expected != SIM_NO_OVERLAY);
	}
}

static void test_random_mappings_equal_a_list_in_order_of_precedence(void **state)
{
	struct place place[] = {
		{OVERLAY_HYPERCALL, 0, 0}, {OVERLAY_REFERENCE_TSC, 0, 0}, {OVERLAY_ASSIST, 0, 0},
		{OVERLAY_ASSIST, 1, 0},	   {OVERLAY_SIEF, 0, 0},	  {OVERLAY_SIEF, 1, 0},
		{OVERLAY_SIM, 0, 0},	   {OVERLAY_SIM, 1, 0},
	};
	size_t count = sizeof(place) / sizeof(place[0]);
	struct bare *bare = bare_create(2);

	srand(4711);
	for (int step = 0; step < 20000; step++) {
		struct place *one = &place[(size_t)rand() % count];

		one->gpn = (uint64_t)rand() % 5;
		if (one->gpn)
			assert_int_equal(
				overlay_map(bare->partition, one->kind, 1, one->vp, one->gpn), 0);
		else
			assert_int_equal(overlay_unmap(bare->partition, one->kind, 1, one->vp), 0);
		check_places(bare, place, count);
	}
	bare_destroy(bare);
}

static void test_p25_reset_unmaps_all_overlays_and_zeroes_their_pages(void **state)
{
	struct bare *bare = bare_create(2);
	uint8_t *sim = overlay_memory(bare->partition, OVERLAY_SIM, 1, 0);
	uint8_t *assist = overlay_memory(bare->partition, OVERLAY_ASSIST, 1, 1);

	overlay_map(bare->partition, OVERLAY_SIM, 1, 0, 5);
	overlay_map(bare->partition, OVERLAY_HYPERCALL, 1, 0, 5);
	overlay_map(bare->partition, OVERLAY_HYPERCALL, 0, 0, 5);
	memset(sim, 0xaa, CORE_PAGE_SIZE);
	memset(assist, 0xaa, CORE_PAGE_SIZE); /* an overlay that was never mapped */
	assert_int_equal(overlay_reset(bare->partition), 0);
	for (size_t i = 0; i < CORE_PAGE_SIZE; i++) {
		assert_int_equal(sim[i], 0);
		assert_int_equal(assist[i], 0);
	}
	for (uint8_t vtl = 0; vtl < 2; vtl++) {
		assert_int_equal(sim_overlay(bare->partition, vtl, 5), SIM_NO_OVERLAY);
		assert_null(overlay_shown(bare->partition, vtl, 5, GPA_ALL));
	}
	bare_destroy(bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_overlay_hides_ram_and_does_not_change_it),
		cmocka_unit_test(test_only_its_own_vtl_sees_an_overlay),
		cmocka_unit_test(test_every_overlay_has_a_page_of_its_own),
		cmocka_unit_test(test_p06_code_and_clock_pages_cannot_be_written),
		cmocka_unit_test(test_overlays_that_a_vtl_writes_cannot_be_executed),
		cmocka_unit_test(test_p05_a_protection_under_an_overlay_is_kept_and_enforced),
		cmocka_unit_test(
			test_p30_a_lock_that_the_backend_refuses_leaves_the_overlay_as_it_was),
		cmocka_unit_test(
			test_p30_an_overlay_that_the_backend_fails_to_remove_is_removed_later),
		cmocka_unit_test(test_p30_an_overlay_has_only_rights_that_it_and_its_gpa_both_have),
		cmocka_unit_test(test_overlays_need_no_ram_at_their_gpa),
		cmocka_unit_test(test_a_moved_overlay_keeps_its_contents),
		cmocka_unit_test(test_mapping_again_at_the_same_gpa_changes_nothing),
		cmocka_unit_test(test_an_overlay_beyond_the_gpa_space_is_refused),
		cmocka_unit_test(test_a_failed_move_keeps_the_overlay_at_its_old_gpa),
		cmocka_unit_test(test_of_two_overlays_on_a_page_the_first_kind_is_mapped),
		cmocka_unit_test(test_a_hidden_overlay_is_placed_and_removed_without_effect),
		cmocka_unit_test(test_random_mappings_equal_a_list_in_order_of_precedence),
		cmocka_unit_test(test_p25_reset_unmaps_all_overlays_and_zeroes_their_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
