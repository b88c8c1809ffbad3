/* SPDX-License-Identifier: BSD-2-Clause */
/* Access checks of a walk: SDM volume 3A, 4.6 (access rights) and 4.7 (page-fault error codes). */
#include "walk_test.h"

#define USER	   VSM_WALK_USER
#define SUPERVISOR VSM_WALK_SUPERVISOR

static void user_and_write_need_their_bit_at_every_level_sdm_4_6_1(void **state)
{
	static const uint64_t entry[] = {PTE, PDE, PDPTE, PML4E};

	for (unsigned int level = 1; level <= 4; level++) {
		struct walk_test *test = four_level(0x9000 | US | RW | P);
		uint64_t at = entry[level - 1], full = get(test, at);

		assert_finds(test, GVA, R | W | X, USER, 0x9567);
		put(test, at, full & ~(uint64_t)US);
		assert_faults(test, GVA, R, USER, VSM_WALK_USER_DENIED, E_P | E_U, at, level);
		assert_int_equal(test->result.allowed, 0);
		assert_int_equal(test->result.gpa, 0x9567);
		assert_finds(test, GVA, R | W | X, SUPERVISOR, 0x9567);
		put(test, at, full & ~(uint64_t)RW);
		assert_faults(test, GVA, W, USER, VSM_WALK_WRITE_DENIED, E_P | E_U | E_W, at,
			      level);
		assert_faults(test, GVA, W, 0, VSM_WALK_WRITE_DENIED, E_P | E_W, at, level);
		assert_finds(test, GVA, R | X, USER, 0x9567);
		put(test, at, full | XD);
		assert_faults(test, GVA, X, USER, VSM_WALK_EXECUTE_DENIED, E_P | E_U | E_I, at,
			      level);
		assert_faults(test, GVA, X, 0, VSM_WALK_EXECUTE_DENIED, E_P | E_I, at, level);
		assert_finds(test, GVA, R | W, USER, 0x9567);
	}
}

static void the_topmost_entry_that_denies_is_reported(void **state)
{
	struct walk_test *test = four_level(0x9000 | XD | P);

	put(test, PDPTE, PD | RW | P);
	assert_faults(test, GVA, R, USER, VSM_WALK_USER_DENIED, E_P | E_U, PDPTE, 3);
	assert_faults(test, GVA, W, 0, VSM_WALK_WRITE_DENIED, E_P | E_W, PTE, 1);
	put(test, PDE, PT | P);
	assert_faults(test, GVA, W, 0, VSM_WALK_WRITE_DENIED, E_P | E_W, PDE, 2);
	assert_faults(test, GVA, X, 0, VSM_WALK_EXECUTE_DENIED, E_P | E_I, PTE, 1);
}

static void without_cr0_wp_a_supervisor_writes_anywhere_sdm_4_6_1(void **state)
{
	struct walk_test *test = four_level(0x9000 | US | P);

	test->context.cr0 = CR0_PG;
	assert_finds(test, GVA, W, SUPERVISOR, 0x9567);
	assert_faults(test, GVA, W, USER, VSM_WALK_WRITE_DENIED, E_P | E_U | E_W, PTE, 1);
	assert_int_equal(test->result.rights, VSM_WALK_RIGHT_USER | VSM_WALK_RIGHT_EXECUTE);
}

static void the_cpl_is_used_if_the_request_has_no_privilege(void **state)
{
	struct walk_test *test = four_level(0x9000 | P);

	for (test->context.cpl = 0; test->context.cpl < 3; test->context.cpl++)
		assert_finds(test, GVA, R, 0, 0x9567);
	assert_faults(test, GVA, R, 0, VSM_WALK_USER_DENIED, E_P | E_U, PTE, 1);
	assert_finds(test, GVA, R, SUPERVISOR, 0x9567);
	assert_finds(test, GVA, R, VSM_WALK_IMPLICIT, 0x9567);
	test->context.cpl = 0;
	assert_faults(test, GVA, R, USER, VSM_WALK_USER_DENIED, E_P | E_U, PTE, 1);
}

static void smep_denies_user_code_to_the_supervisor_sdm_4_6_1(void **state)
{
	struct walk_test *test = four_level(0x9000 | US | P);

	assert_finds(test, GVA, X, SUPERVISOR, 0x9567);
	test->context.cr4 |= CR4_SMEP;
	assert_faults(test, GVA, X, SUPERVISOR, VSM_WALK_SMEP_DENIED, E_P | E_I, PTE, 1);
	assert_finds(test, GVA, R, SUPERVISOR, 0x9567);
	assert_finds(test, GVA, X, USER, 0x9567);
	/* One level without U/S makes it a supervisor page. */
	put(test, PML4E, PDPT | P);
	assert_finds(test, GVA, X, SUPERVISOR, 0x9567);
}

static void smap_denies_user_data_to_the_supervisor_unless_ac_sdm_4_6_1(void **state)
{
	struct walk_test *test = four_level(0x9000 | US | RW | P);

	test->context.cr4 |= CR4_SMAP;
	assert_faults(test, GVA, R, 0, VSM_WALK_SMAP_DENIED, E_P, PTE, 1);
	assert_faults(test, GVA, W, 0, VSM_WALK_SMAP_DENIED, E_P | E_W, PTE, 1);
	assert_finds(test, GVA, X, 0, 0x9567);
	assert_finds(test, GVA, R | W | X, USER, 0x9567);
	test->context.rflags = EFLAGS_AC;
	assert_finds(test, GVA, R | W, 0, 0x9567);
	/* AC does not apply to implicit accesses of the CPU. */
	assert_faults(test, GVA, W, VSM_WALK_IMPLICIT, VSM_WALK_SMAP_DENIED, E_P | E_W, PTE, 1);
	/* AC does not make a read-only page writable either. */
	put(test, PTE, 0x9000 | US | P);
	assert_faults(test, GVA, W, 0, VSM_WALK_WRITE_DENIED, E_P | E_W, PTE, 1);
	/* SMAP does not apply to supervisor pages. */
	test->context.rflags = 0;
	put(test, PTE, 0x9000 | RW | P);
	assert_finds(test, GVA, R | W, 0, 0x9567);
	assert_finds(test, GVA, R | W, VSM_WALK_IMPLICIT, 0x9567);
}

static void smap_can_be_enforced_and_overridden_as_in_tlfs_translate_gva(void **state)
{
	struct walk_test *test = four_level(0x9000 | US | RW | P);

	test->context.cr4 |= CR4_SMAP;
	assert_finds(test, GVA, R, VSM_WALK_OVERRIDE_SMAP, 0x9567);
	test->context.rflags = EFLAGS_AC;
	assert_faults(test, GVA, R, VSM_WALK_ENFORCE_SMAP, VSM_WALK_SMAP_DENIED, E_P, PTE, 1);
	assert_faults(test, GVA, R, VSM_WALK_ENFORCE_SMAP | VSM_WALK_OVERRIDE_SMAP,
		      VSM_WALK_SMAP_DENIED, E_P, PTE, 1);
	assert_faults(test, GVA, R, VSM_WALK_IMPLICIT | VSM_WALK_OVERRIDE_SMAP,
		      VSM_WALK_SMAP_DENIED, E_P, PTE, 1);
}

static void pkru_applies_to_data_of_user_pages_sdm_4_6_2(void **state)
{
	struct walk_test *test = four_level(0x9000 | UINT64_C(5) << 59 | US | RW | P);

	test->context.pkru = 1U << 10; /* AD of key 5 */
	assert_finds(test, GVA, R | W | X, USER, 0x9567);
	assert_int_equal(test->result.key, 5);
	test->context.cr4 |= CR4_PKE;
	assert_faults(test, GVA, R, USER, VSM_WALK_KEY_DENIED, E_P | E_U | E_PK, PTE, 1);
	assert_faults(test, GVA, W, 0, VSM_WALK_KEY_DENIED, E_P | E_W | E_PK, PTE, 1);
	assert_finds(test, GVA, X, USER, 0x9567);
	test->context.pkru = ~(3U << 10); /* every key but 5 */
	assert_finds(test, GVA, R | W, USER, 0x9567);
	test->context.pkru = 2U << 10; /* WD */
	assert_finds(test, GVA, R | X, USER, 0x9567);
	assert_faults(test, GVA, W, USER, VSM_WALK_KEY_DENIED, E_P | E_U | E_W | E_PK, PTE, 1);
	assert_faults(test, GVA, W, 0, VSM_WALK_KEY_DENIED, E_P | E_W | E_PK, PTE, 1);
	/* WD applies to a supervisor only with CR0.WP. */
	test->context.cr0 = CR0_PG;
	assert_finds(test, GVA, W, 0, 0x9567);
	assert_faults(test, GVA, W, USER, VSM_WALK_KEY_DENIED, E_P | E_U | E_W | E_PK, PTE, 1);
	/* PKRU does not apply to supervisor pages. */
	put(test, PDE, PT | RW | P);
	test->context.pkru = ~0U;
	assert_finds(test, GVA, R | W, 0, 0x9567);
}

static void pkrs_applies_to_data_of_supervisor_pages_sdm_4_6_2(void **state)
{
	struct walk_test *test = four_level(0x9000 | UINT64_C(15) << 59 | RW | P);

	test->context.pkrs = 1U << 30;
	assert_finds(test, GVA, R | W, 0, 0x9567);
	test->context.cr4 |= CR4_PKS;
	assert_faults(test, GVA, R, 0, VSM_WALK_KEY_DENIED, E_P | E_PK, PTE, 1);
	assert_finds(test, GVA, X, 0, 0x9567);
	test->context.pkrs = 2U << 30;
	assert_faults(test, GVA, W, 0, VSM_WALK_KEY_DENIED, E_P | E_W | E_PK, PTE, 1);
	assert_finds(test, GVA, R, 0, 0x9567);
	/* U/S denies a user access, not a supervisor's key. */
	assert_faults(test, GVA, R, USER, VSM_WALK_USER_DENIED, E_P | E_U, PTE, 1);
	/* PKRS does not apply to user pages. */
	put(test, PTE, 0x9000 | UINT64_C(15) << 59 | US | RW | P);
	assert_finds(test, GVA, R | W, USER, 0x9567);
}

static void the_error_code_has_pk_also_when_another_check_fails_sdm_4_7(void **state)
{
	struct walk_test *test = four_level(0x9000 | UINT64_C(1) << 59 | US | P);

	test->context.cr4 |= CR4_PKE;
	test->context.pkru = 2U << 2;
	assert_faults(test, GVA, W, USER, VSM_WALK_WRITE_DENIED, E_P | E_U | E_W | E_PK, PTE, 1);
}

static void keys_apply_only_in_4_level_and_5_level_paging_sdm_4_6_2(void **state)
{
	struct walk_test *test = walk_test_new(CR4_PAE | CR4_PKE | CR4_PKS, EFER_NXE, PDPT);

	test->context.pkru = test->context.pkrs = ~0U;
	put(test, PDPT, PD | P);
	put(test, PD, PS | US | RW | P);
	assert_finds(test, 0x1234, R | W, USER, 0x1234);
	assert_int_equal(test->result.key, 0);
}

static void the_fetch_bit_needs_nxe_or_smep_sdm_4_7(void **state)
{
	struct walk_test *test = four_level(0);

	assert_faults(test, GVA, X, 0, VSM_WALK_NOT_PRESENT, E_I, PTE, 1);
	test->context.efer = EFER_LMA;
	assert_faults(test, GVA, X, 0, VSM_WALK_NOT_PRESENT, 0, PTE, 1);
	test->context.cr4 |= CR4_SMEP;
	assert_faults(test, GVA, X, 0, VSM_WALK_NOT_PRESENT, E_I, PTE, 1);
	/* NXE has no effect in 32-bit paging. */
	test = walk_test_new(0, EFER_NXE, PD);
	assert_faults(test, 0, X, USER, VSM_WALK_NOT_PRESENT, E_U, PD, 2);
}

static void several_accesses_are_checked_separately(void **state)
{
	struct walk_test *test = four_level(0x9000 | XD | US | P);

	assert_int_equal(walk(test, GVA, R | W | X, 0), VSM_WALK_WRITE_DENIED);
	assert_int_equal(test->result.failed, W | X);
	assert_int_equal(test->result.allowed, R);
	assert_int_equal(test->result.why[0], VSM_WALK_OK);
	assert_int_equal(test->result.why[1], VSM_WALK_WRITE_DENIED);
	assert_int_equal(test->result.why[2], VSM_WALK_EXECUTE_DENIED);
	/* A CPU reports a read-modify-write as a write; a fetch comes last. */
	test->context.cr4 |= CR4_SMAP;
	assert_faults(test, GVA, R | W | X, 0, VSM_WALK_WRITE_DENIED, E_P | E_W, PTE, 1);
	assert_faults(test, GVA, R | X, 0, VSM_WALK_SMAP_DENIED, E_P, PTE, 1);
	assert_int_equal(test->result.failed, R | X);
	put(test, PTE, 0);
	assert_faults(test, GVA, R | W, USER, VSM_WALK_NOT_PRESENT, E_W | E_U, PTE, 1);
	assert_int_equal(test->result.failed, R | W);
}

static void rights_that_were_not_requested_are_reported_but_do_not_fail(void **state)
{
	struct walk_test *test = four_level(0x9000 | XD | P);

	assert_finds(test, GVA, R, 0, 0x9567);
	assert_int_equal(test->result.allowed, R);
	assert_int_equal(test->result.why[2], VSM_WALK_EXECUTE_DENIED);
	assert_finds(test, GVA, 0, USER, 0x9567);
	assert_int_equal(test->result.allowed, 0);
}

static void user_and_supervisor_together_must_both_pass(void **state)
{
	struct walk_test *test = four_level(0x9000 | US | RW | P);

	assert_finds(test, GVA, R | W | X, USER | SUPERVISOR, 0x9567);
	test->context.cr4 |= CR4_SMEP;
	/* Only the supervisor fails: the error code is the supervisor's. */
	assert_faults(test, GVA, X, USER | SUPERVISOR, VSM_WALK_SMEP_DENIED, E_P | E_I, PTE, 1);
	put(test, PTE, 0x9000 | RW | P);
	assert_faults(test, GVA, X, USER | SUPERVISOR, VSM_WALK_USER_DENIED, E_P | E_U | E_I, PTE,
		      1);
	put(test, PTE, 0x9000 | US | P);
	assert_faults(test, GVA, W, USER | SUPERVISOR, VSM_WALK_WRITE_DENIED, E_P | E_U | E_W, PTE,
		      1);
}

static void an_exempt_access_skips_only_the_privilege_check(void **state)
{
	struct walk_test *test = four_level(0x9000 | RW | P);

	test->context.cpl = 3;
	test->context.cr4 |= CR4_SMEP | CR4_SMAP;
	assert_finds(test, GVA, R | W | X, VSM_WALK_EXEMPT, 0x9567);
	assert_finds(test, GVA, R | W | X, VSM_WALK_EXEMPT | USER, 0x9567);
	put(test, PTE, 0x9000 | US | RW | P);
	assert_finds(test, GVA, R | W | X, VSM_WALK_EXEMPT | SUPERVISOR, 0x9567);
	put(test, PTE, 0x9000 | XD | P);
	assert_faults(test, GVA, W, VSM_WALK_EXEMPT, VSM_WALK_WRITE_DENIED, E_P | E_W, PTE, 1);
	assert_faults(test, GVA, X, VSM_WALK_EXEMPT, VSM_WALK_EXECUTE_DENIED, E_P | E_I, PTE, 1);
	test->context.cr0 = CR0_PG;
	assert_finds(test, GVA, W, VSM_WALK_EXEMPT, 0x9567);
}

static void rights_are_the_intersection_of_all_entries(void **state)
{
	for (unsigned int i = 0; i < 8; i++) {
		uint64_t bits = (i & 1 ? RW : 0) | (i & 2 ? US : 0) | (i & 4 ? 0 : XD);
		struct walk_test *test = four_level(0x9000 | US | RW | P);

		put(test, PDE, PT | bits | P);
		assert_finds(test, GVA, R, SUPERVISOR, 0x9567);
		assert_int_equal(test->result.rights, i);
	}
}

static void a_shadow_stack_access_is_refused_with_its_reason(void **state)
{
	struct walk_test *test = four_level(0x9000 | RW | P);

	assert_int_equal(walk(test, GVA, R, VSM_WALK_SHADOW_STACK), VSM_WALK_UNSUPPORTED);
	assert_int_equal(test->result.failed, R);
	assert_int_equal(test->result.vector, 0);
}

static void out_of_range_parameters_are_refused(void **state)
{
	struct walk_test *test = four_level(0x9000 | RW | P);

	assert_int_equal(walk(test, GVA, 8, 0), VSM_WALK_INVALID);
	assert_int_equal(walk(test, GVA, R, VSM_WALK_SHADOW_STACK << 1), VSM_WALK_INVALID);
	assert_int_equal(walk_ad(test, GVA, R, 0, (enum vsm_walk_ad)3), VSM_WALK_INVALID);
	for (unsigned int max = 0; max < 256; max++) {
		test->context.max_phys_addr = max;
		assert_int_equal(walk(test, GVA, R, 0),
				 max >= 32 && max <= 52 ? VSM_WALK_OK : VSM_WALK_INVALID);
	}
}

static void every_reason_has_a_different_name(void **state)
{
	for (unsigned int i = 0; i <= VSM_WALK_INVALID; i++)
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(vsm_walk_reason_name((enum vsm_walk_reason)i),
						vsm_walk_reason_name((enum vsm_walk_reason)j));
	assert_string_equal(vsm_walk_reason_name((enum vsm_walk_reason)(VSM_WALK_INVALID + 1)),
			    "?");
	assert_string_equal(vsm_walk_reason_name(VSM_WALK_NOT_PRESENT), "not present");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(user_and_write_need_their_bit_at_every_level_sdm_4_6_1),
		cmocka_unit_test(the_topmost_entry_that_denies_is_reported),
		cmocka_unit_test(without_cr0_wp_a_supervisor_writes_anywhere_sdm_4_6_1),
		cmocka_unit_test(the_cpl_is_used_if_the_request_has_no_privilege),
		cmocka_unit_test(smep_denies_user_code_to_the_supervisor_sdm_4_6_1),
		cmocka_unit_test(smap_denies_user_data_to_the_supervisor_unless_ac_sdm_4_6_1),
		cmocka_unit_test(smap_can_be_enforced_and_overridden_as_in_tlfs_translate_gva),
		cmocka_unit_test(pkru_applies_to_data_of_user_pages_sdm_4_6_2),
		cmocka_unit_test(pkrs_applies_to_data_of_supervisor_pages_sdm_4_6_2),
		cmocka_unit_test(the_error_code_has_pk_also_when_another_check_fails_sdm_4_7),
		cmocka_unit_test(keys_apply_only_in_4_level_and_5_level_paging_sdm_4_6_2),
		cmocka_unit_test(the_fetch_bit_needs_nxe_or_smep_sdm_4_7),
		cmocka_unit_test(several_accesses_are_checked_separately),
		cmocka_unit_test(rights_that_were_not_requested_are_reported_but_do_not_fail),
		cmocka_unit_test(user_and_supervisor_together_must_both_pass),
		cmocka_unit_test(an_exempt_access_skips_only_the_privilege_check),
		cmocka_unit_test(rights_are_the_intersection_of_all_entries),
		cmocka_unit_test(a_shadow_stack_access_is_refused_with_its_reason),
		cmocka_unit_test(out_of_range_parameters_are_refused),
		cmocka_unit_test(every_reason_has_a_different_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
