/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HvCallTranslateVirtualAddress and its Ex form follow from the result of a walk. The first three
 * functions implement the mapping of docs/walk.md.
 */
#include "walk_test.h"

#include <vsm/hv/translate.h>

static uint32_t translate_code(const struct vsm_walk_result *result)
{
	static const uint8_t by_refusal[] = {
		[VSM_WALK_UNMAPPED] = HV_TRANSLATE_GVA_GPA_UNMAPPED,
		[VSM_WALK_NO_READ] = HV_TRANSLATE_GVA_GPA_NO_READ_ACCESS,
		[VSM_WALK_NO_WRITE] = HV_TRANSLATE_GVA_GPA_NO_WRITE_ACCESS,
		[VSM_WALK_OVERLAY] = HV_TRANSLATE_GVA_GPA_ILLEGAL_OVERLAY_ACCESS,
		[VSM_WALK_INTERCEPT] = HV_TRANSLATE_GVA_INTERCEPT,
		[VSM_WALK_UNACCEPTED] = HV_TRANSLATE_GVA_GPA_UNACCEPTED,
	};

	switch (result->reason) {
	case VSM_WALK_OK:
		return HV_TRANSLATE_GVA_SUCCESS;
	case VSM_WALK_NOT_PRESENT:
		return HV_TRANSLATE_GVA_PAGE_NOT_PRESENT;
	case VSM_WALK_NON_CANONICAL:
	case VSM_WALK_RESERVED_BIT:
		return HV_TRANSLATE_GVA_INVALID_PAGE_TABLE_FLAGS;
	case VSM_WALK_TABLE_NOT_READABLE:
	case VSM_WALK_TABLE_NOT_WRITABLE:
	case VSM_WALK_PAGE_REFUSED:
		return by_refusal[result->refusal];
	default:
		return HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION;
	}
}

static uint64_t translate_page(const struct vsm_walk_result *result)
{
	return (result->refusal ? result->stop_gpa : result->gpa) >> 12;
}

static uint64_t translate_cache(const struct vsm_walk_result *result)
{
	return result->cache == VSM_WALK_CACHE_UC_MINUS ? VSM_WALK_CACHE_UC : result->cache;
}

struct vtl {
	struct walk_test *test;
	uint64_t page; /* number of the refused page */
	enum vsm_walk_refusal refusal;
};

static enum vsm_walk_refusal read_entry(void *opaque, uint64_t gpa, unsigned int size,
					uint64_t *entry)
{
	struct vtl *vtl = opaque;

	*entry = get(vtl->test, gpa);
	return gpa >> 12 == vtl->page ? vtl->refusal : VSM_WALK_ALLOWED;
}

static enum vsm_walk_refusal check_page(void *opaque, uint64_t gpa, unsigned int access, bool user)
{
	struct vtl *vtl = opaque;

	return gpa >> 12 == vtl->page ? vtl->refusal : VSM_WALK_ALLOWED;
}

static void result_codes_follow_from_a_walk(void **state)
{
	struct walk_test *test = four_level(0x9000 | P);

	walk(test, GVA, R, 0);
	assert_int_equal(translate_code(&test->result), HV_TRANSLATE_GVA_SUCCESS);
	assert_int_equal(translate_page(&test->result), 9);
	walk(test, GVA, R | W, 0);
	assert_int_equal(translate_code(&test->result), HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION);
	walk(test, GVA, R, VSM_WALK_USER);
	assert_int_equal(translate_code(&test->result), HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION);
	walk(test, GVA + 4096, R, 0);
	assert_int_equal(translate_code(&test->result), HV_TRANSLATE_GVA_PAGE_NOT_PRESENT);
	walk(test, GVA | UINT64_C(1) << 60, R, 0);
	assert_int_equal(translate_code(&test->result), HV_TRANSLATE_GVA_INVALID_PAGE_TABLE_FLAGS);
	put(test, PTE, UINT64_C(1) << 50 | P);
	walk(test, GVA, R, 0);
	assert_int_equal(translate_code(&test->result), HV_TRANSLATE_GVA_INVALID_PAGE_TABLE_FLAGS);
}

static void a_page_that_a_vtl_denies_has_its_result_code(void **state)
{
	static const uint64_t pages[] = {9, PT >> 12, PD >> 12, PDPT >> 12, PML4 >> 12};
	struct walk_test *test = four_level(0x9000 | P);
	struct vtl vtl = {.test = test};

	test->memory = (struct vsm_walk_memory){
		.read = read_entry, .check_page = check_page, .opaque = &vtl};
	for (unsigned int i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		for (unsigned int refusal = 1; refusal <= VSM_WALK_UNACCEPTED; refusal++) {
			vtl.page = pages[i];
			vtl.refusal = (enum vsm_walk_refusal)refusal;
			walk(test, GVA, R, 0);
			/* The codes from GpaUnmapped on, in the order of enum vsm_walk_refusal. */
			assert_int_equal(translate_code(&test->result),
					 HV_TRANSLATE_GVA_GPA_UNMAPPED + refusal - 1);
			assert_int_equal(translate_page(&test->result), pages[i]);
		}
	}
}

static void the_cache_type_is_one_of_the_tlfs(void **state)
{
	struct walk_test *test = four_level(0x9000 | PCD | P);

	walk(test, GVA, R, 0);
	assert_int_equal(test->result.cache, VSM_WALK_CACHE_UC_MINUS);
	assert_int_equal(translate_cache(&test->result), 0);
	put(test, PTE, 0x9000 | P);
	walk(test, GVA, R, 0);
	assert_int_equal(translate_cache(&test->result), 6);
}

static void the_pending_event_of_the_ex_form_is_the_fault(void **state)
{
	struct walk_test *test = four_level(0x9000 | P);

	walk(test, GVA, W, VSM_WALK_USER);
	assert_int_equal(test->result.vector, 14);
	assert_int_equal(test->result.error_code, E_P | E_W | E_U);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(result_codes_follow_from_a_walk),
		cmocka_unit_test(a_page_that_a_vtl_denies_has_its_result_code),
		cmocka_unit_test(the_cache_type_is_one_of_the_tlfs),
		cmocka_unit_test(the_pending_event_of_the_ex_form_is_the_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
