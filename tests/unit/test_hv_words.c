/* SPDX-License-Identifier: BSD-2-Clause */
/* Words made by hand from the bit table of the TLFS. */
#include <vsm/hv/hypercall_word.h>
#include <vsm/hv/vsm.h>
#include <vsm/hv/protection.h>

#include "unit_test.h"

static void a_control_word_is_decoded_to_its_fields(void **state)
{
	/* Rep start 0x123, rep count 0xfed, variable header 0x2aa, fast, code 0x8014. */
	uint64_t word = UINT64_C(0x01230fed05558014);

	assert_int_equal(hv_hypercall_code(word), 0x8014);
	assert_int_equal(hv_hypercall_varhead(word), 0x2aa);
	assert_int_equal(hv_hypercall_rep_count(word), 0xfed);
	assert_int_equal(hv_hypercall_rep_start(word), 0x123);
	assert_true(word & HV_HYPERCALL_FAST);
	assert_int_equal(word & (HV_HYPERCALL_RESERVED_MASK | HV_HYPERCALL_NESTED), 0);
}

static void the_fields_of_a_control_word_cover_each_bit_once(void **state)
{
	const uint64_t field[] = {
		HV_HYPERCALL_CODE_MASK,	     HV_HYPERCALL_FAST,
		HV_HYPERCALL_VARHEAD_MASK,   HV_HYPERCALL_NESTED,
		HV_HYPERCALL_REP_COUNT_MASK, HV_HYPERCALL_REP_START_MASK,
		HV_HYPERCALL_RESERVED_MASK,
	};
	uint64_t seen = 0;

	for (size_t i = 0; i < sizeof(field) / sizeof(field[0]); i++) {
		assert_int_equal(seen & field[i], 0);
		seen |= field[i];
	}
	assert_true(seen == UINT64_MAX);
}

static void a_word_of_ones_has_the_largest_value_in_each_field(void **state)
{
	assert_int_equal(hv_hypercall_code(UINT64_MAX), 0xffff);
	assert_int_equal(hv_hypercall_varhead(UINT64_MAX), HV_HYPERCALL_VARHEAD_MAX);
	assert_int_equal(hv_hypercall_rep_count(UINT64_MAX), HV_HYPERCALL_REP_MAX);
	assert_int_equal(hv_hypercall_rep_start(UINT64_MAX), HV_HYPERCALL_REP_MAX);
}

static void a_result_has_only_status_and_reps(void **state)
{
	assert_true(hv_hypercall_result(0, 0) == 0);
	assert_true(hv_hypercall_result(0x86, 0) == 0x86);
	assert_true(hv_hypercall_result(0x0005, 0x0abc) == UINT64_C(0x00000abc00000005));
	assert_true(hv_hypercall_result(0xffff, 0xffff) == UINT64_C(0x00000fff0000ffff));
	assert_int_equal(hv_hypercall_result_status(UINT64_C(0xfffffabcffff0005)), 0x0005);
	assert_int_equal(hv_hypercall_result_reps(UINT64_C(0xfffffabcffff0005)), 0x0abc);
}

/* A VTL1 kernel writes 0x1f to VsmPartitionConfig: protections, with all rights as the default. */
static void the_default_protection_of_the_partition_config_is_a_set_of_map_flags(void **state)
{
	uint64_t config = 0x1f;
	uint64_t mask = (config & HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_MASK) >>
			HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_SHIFT;

	assert_true(config & HV_VSM_PARTITION_CONFIG_ENABLE_VTL_PROTECTION);
	assert_false(config & HV_VSM_PARTITION_CONFIG_ZERO_MEMORY_ON_RESET);
	assert_int_equal(mask, HV_MAP_GPA_READABLE | HV_MAP_GPA_WRITABLE |
				       HV_MAP_GPA_KERNEL_EXECUTABLE | HV_MAP_GPA_USER_EXECUTABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_control_word_is_decoded_to_its_fields),
		cmocka_unit_test(the_fields_of_a_control_word_cover_each_bit_once),
		cmocka_unit_test(a_word_of_ones_has_the_largest_value_in_each_field),
		cmocka_unit_test(a_result_has_only_status_and_reps),
		cmocka_unit_test(
			the_default_protection_of_the_partition_config_is_a_set_of_map_flags),
	};

	return cmocka_run_group_tests_name("hv_words", tests, NULL, NULL);
}
