/* SPDX-License-Identifier: BSD-2-Clause */
/* The protection map of one owner and one restricted VTL, compared with an array of bytes. */
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"
#include "core/backend.h"
#include "core/memory/protection_map.h"
#include "../lab/random.h"

#define PAGES	    300000u /* five blocks, the last one not full */
#define GIB_PAGES   (UINT64_C(1) << 18)
#define TIB_PAGES   (UINT64_C(1) << 28)
#define HUGE_NUMBER (UINT64_C(1) << 59) /* more pages than the maps of any host can describe */

/* Allocations of impossible size return NULL under AddressSanitizer too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void set(struct protection_map *map, uint64_t page, uint8_t access)
{
	assert_true(protection_map_reserve(map, page, access));
	protection_map_set(map, page, access);
}

/* The model: without MBEC, KernelExecutable is used for both execute rights. */
static uint8_t as_stored(uint8_t access, bool user_execute)
{
	if (user_execute)
		return access;
	return (access & (GPA_READ | GPA_WRITE)) | (access & GPA_KERNEL_EXECUTE ? GPA_EXECUTE : 0);
}

static void check_against_model(const struct protection_map *map, const uint8_t *model,
				uint64_t pages, uint64_t *seed)
{
	for (uint64_t page = 0; page < pages; page++)
		assert_int_equal(protection_map_get(map, page), model[page]);
	for (int i = 0; i < 300 && pages; i++) {
		uint64_t page = next_random(seed) % pages;
		uint64_t limit = 1 + next_random(seed) % (pages - page);
		uint64_t run = 1;

		while (run < limit && model[page + run] == model[page])
			run++;
		assert_int_equal(protection_map_run(map, page, limit), run);
	}
}

static void random_changes(bool user_execute, uint8_t access)
{
	struct protection_map *map = protection_map_create(PAGES / 2, access, user_execute);
	uint8_t *model = malloc(PAGES);
	uint64_t pages = PAGES / 2;
	uint64_t seed = 0x9e3779b97f4a7c15;

	memset(model, as_stored(access, user_execute), PAGES);
	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < 200; i++) {
			uint64_t first = next_random(&seed) % pages;
			uint64_t count = 1 + next_random(&seed) % (round % 8 == 0 ? 5000 : 40);
			uint8_t to = next_random(&seed) & GPA_ALL;

			for (uint64_t k = first; k < first + count && k < pages; k++) {
				set(map, k, to);
				model[k] = as_stored(to, user_execute);
			}
		}
		check_against_model(map, model, pages, &seed);
		if (pages < PAGES) {
			pages += 1 + next_random(&seed) % 9000;
			pages = pages > PAGES ? PAGES : pages;
			assert_int_equal(protection_map_grow(map, pages), 0);
		}
	}
	protection_map_destroy(map);
	free(model);
}

static void test_random_changes_equal_a_plain_array(void **state)
{
	random_changes(false, GPA_ALL);
	random_changes(true, GPA_READ | GPA_WRITE);
}

static void test_a_map_without_exceptions_is_small_for_a_tebibyte(void **state)
{
	struct protection_map *map = protection_map_create(TIB_PAGES, GPA_READ, true);

	assert_true(protection_map_memory(map) < 256);
	assert_int_equal(protection_map_get(map, TIB_PAGES - 1), GPA_READ);
	assert_int_equal(protection_map_run(map, 5, TIB_PAGES - 5), TIB_PAGES - 5);
	protection_map_destroy(map);
}

/* Checks the size of a map of 4 GiB: one bit for each page and each of @rights, plus 1%. */
static void check_bound(uint8_t from, uint8_t to, bool user_execute, unsigned int rights)
{
	uint64_t pages = 4 * GIB_PAGES;
	struct protection_map *map = protection_map_create(pages, from, user_execute);

	for (uint64_t page = 0; page < pages; page++)
		set(map, page, to);
	assert_true(protection_map_memory(map) <= rights * pages / 8 * 101 / 100);
	assert_true(protection_map_memory(map) >= rights * pages / 8);
	protection_map_destroy(map);
}

static void test_memory_is_one_bit_a_page_for_each_right_in_use(void **state)
{
	check_bound(GPA_ALL, GPA_ALL & ~GPA_WRITE, false, 1);
	check_bound(GPA_ALL, GPA_READ, false, 2);
	check_bound(GPA_ALL, 0, false, 3);
	check_bound(GPA_ALL, GPA_ALL & ~GPA_KERNEL_EXECUTE, true, 1);
	check_bound(GPA_ALL, 0, true, 4);
}

static void test_only_blocks_with_an_exception_take_memory(void **state)
{
	struct protection_map *map = protection_map_create(TIB_PAGES, GPA_ALL, false);
	size_t with_one;

	set(map, 12345678, GPA_READ | GPA_EXECUTE);
	with_one = protection_map_memory(map);
	set(map, 12345679, GPA_READ | GPA_EXECUTE);
	assert_int_equal(protection_map_memory(map), with_one);
	/* One bitmap of 8 KiB, and an index with 32 bytes for each 256 MiB. */
	assert_true(with_one < 8192 + TIB_PAGES / 65536 * 32 + 256);
	set(map, 99999999, GPA_READ | GPA_EXECUTE);
	assert_int_equal(protection_map_memory(map), with_one + 8192);
	protection_map_destroy(map);
}

static void test_a_page_that_is_set_to_the_default_takes_no_memory(void **state)
{
	struct protection_map *map = protection_map_create(TIB_PAGES, GPA_READ, false);
	size_t before = protection_map_memory(map);

	set(map, 77, GPA_READ);
	assert_int_equal(protection_map_memory(map), before);
	protection_map_destroy(map);
}

static void test_without_mbec_kernel_execute_decides_user_execute_too(void **state)
{
	struct protection_map *map = protection_map_create(64, GPA_ALL, false);

	set(map, 1, GPA_READ | GPA_KERNEL_EXECUTE);
	set(map, 2, GPA_READ | GPA_USER_EXECUTE);
	assert_int_equal(protection_map_get(map, 1), GPA_READ | GPA_EXECUTE);
	assert_int_equal(protection_map_get(map, 2), GPA_READ);
	protection_map_destroy(map);
}

static void test_out_of_memory_changes_nothing(void **state)
{
	struct protection_map *map = protection_map_create(HUGE_NUMBER, GPA_ALL, false);

	assert_non_null(map);
	assert_false(protection_map_reserve(map, 5, GPA_READ));
	assert_int_equal(protection_map_get(map, 5), GPA_ALL);
	/* Changes that need no memory still work. */
	assert_true(protection_map_reserve(map, 5, GPA_ALL));
	protection_map_destroy(map);
}

static void test_growing_without_memory_does_not_change_the_map(void **state)
{
	struct protection_map *map = protection_map_create(100, GPA_ALL, false);

	set(map, 99, 0);
	assert_int_not_equal(protection_map_grow(map, HUGE_NUMBER), 0);
	assert_int_equal(protection_map_get(map, 99), 0);
	assert_int_equal(protection_map_get(map, 98), GPA_ALL);
	assert_int_equal(protection_map_grow(map, 200), 0);
	assert_int_equal(protection_map_get(map, 199), GPA_ALL);
	set(map, 199, GPA_READ);
	assert_int_equal(protection_map_get(map, 199), GPA_READ);
	protection_map_destroy(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_changes_equal_a_plain_array),
		cmocka_unit_test(test_a_map_without_exceptions_is_small_for_a_tebibyte),
		cmocka_unit_test(test_memory_is_one_bit_a_page_for_each_right_in_use),
		cmocka_unit_test(test_only_blocks_with_an_exception_take_memory),
		cmocka_unit_test(test_a_page_that_is_set_to_the_default_takes_no_memory),
		cmocka_unit_test(test_without_mbec_kernel_execute_decides_user_execute_too),
		cmocka_unit_test(test_out_of_memory_changes_nothing),
		cmocka_unit_test(test_growing_without_memory_does_not_change_the_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
