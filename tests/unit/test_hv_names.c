/* SPDX-License-Identifier: BSD-2-Clause */
#include <vsm/hv/hv.h>
#include <vsm/hv/names.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "unit_test.h"

struct entry {
	uint32_t number;
	const char *constant;
	const char *tlfs; /* the name in the TLFS, or NULL if the constant is that name */
};

#define THREE(constant, number, tlfs) {(number), #constant, #tlfs},
#define TWO(name, number)	      {(number), #name, NULL},
static const struct entry statuses[] = {HV_STATUS_LIST(TWO)};
static const struct entry hypercalls[] = {HV_HYPERCALL_LIST(THREE)};
static const struct entry registers[] = {HV_REGISTER_LIST(THREE)};
static const struct entry msrs[] = {HV_MSR_LIST(TWO)};
static const struct entry message_types[] = {HV_MESSAGE_TYPE_LIST(THREE)};
static const struct entry intercept_types[] = {HV_INTERCEPT_TYPE_LIST(THREE)};
static const struct entry translate_results[] = {HV_TRANSLATE_GVA_RESULT_LIST(THREE)};
static const struct entry entry_reasons[] = {HV_VTL_ENTRY_REASON_LIST(THREE)};
static const struct entry leaves[] = {HV_CPUID_LIST(TWO)};
static const struct entry privileges[] = {HV_PRIVILEGE_LIST(THREE)};
static const struct entry features[] = {HV_FEATURE_LIST(THREE)};
static const struct entry recommendations[] = {HV_RECOMMEND_LIST(THREE)};
static const struct entry cr_intercepts[] = {HV_CR_INTERCEPT_LIST(THREE)};
static const struct entry map_flags[] = {HV_MAP_GPA_LIST(THREE)};

static const char *status_name(uint32_t number)
{
	return hv_status_name((uint16_t)number);
}

static const char *hypercall_name(uint32_t number)
{
	return hv_hypercall_name((uint16_t)number);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TABLE(array, prefix, name_of, limit)                        \
	{                                                           \
#array, array, COUNT(array), prefix, name_of, limit \
	}

static const struct table {
	const char *title;
	const struct entry *entry;
	size_t count;
	const char *prefix; /* printed before a constant without a TLFS name */
	const char *(*name_of)(uint32_t number);
	uint64_t limit; /* exclusive upper limit of numbers */
} tables[] = {
	TABLE(statuses, "HV_STATUS_", status_name, 1u << 16),
	TABLE(hypercalls, "", hypercall_name, 1u << 16),
	TABLE(registers, "", hv_register_name, 1ull << 32),
	TABLE(msrs, "HV_X64_MSR_", hv_msr_name, 1ull << 32),
	TABLE(message_types, "", hv_message_type_name, 1ull << 32),
	TABLE(intercept_types, "", hv_intercept_type_name, 1ull << 32),
	TABLE(translate_results, "", hv_translate_gva_result_name, 1ull << 32),
	TABLE(entry_reasons, "", hv_vtl_entry_reason_name, 1ull << 32),
	TABLE(leaves, "HV_CPUID_", hv_cpuid_leaf_name, 1ull << 32),
	TABLE(privileges, "", hv_privilege_name, 1ull << 32),
	TABLE(features, "", hv_feature_name, 1ull << 32),
	TABLE(recommendations, "", hv_recommendation_name, 1ull << 32),
	TABLE(cr_intercepts, "", hv_cr_intercept_name, 1ull << 32),
	TABLE(map_flags, "", hv_map_gpa_flag_name, 1ull << 32),
};

static void expected_name(const struct table *table, size_t i, char *text, size_t size)
{
	const struct entry *entry = &table->entry[i];

	snprintf(text, size, "%s%s", table->prefix, entry->tlfs ? entry->tlfs : entry->constant);
}

static void every_entry_of_every_table_prints_its_name(void **state)
{
	for (size_t t = 0; t < COUNT(tables); t++) {
		for (size_t i = 0; i < tables[t].count; i++) {
			char expected[128];

			expected_name(&tables[t], i, expected, sizeof(expected));
			assert_string_equal(tables[t].name_of(tables[t].entry[i].number), expected);
		}
	}
}

static void no_table_has_a_number_or_a_name_twice(void **state)
{
	for (size_t t = 0; t < COUNT(tables); t++) {
		const struct entry *entry = tables[t].entry;

		for (size_t i = 0; i < tables[t].count; i++) {
			for (size_t j = 0; j < i; j++) {
				assert_int_not_equal(entry[i].number, entry[j].number);
				assert_string_not_equal(entry[i].constant, entry[j].constant);
				if (entry[i].tlfs)
					assert_string_not_equal(entry[i].tlfs, entry[j].tlfs);
			}
		}
	}
}

static void every_table_ascends(void **state)
{
	for (size_t t = 0; t < COUNT(tables); t++)
		for (size_t i = 1; i < tables[t].count; i++)
			assert_true(tables[t].entry[i - 1].number < tables[t].entry[i].number);
}

static int in_table(const struct table *table, uint32_t number)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->entry[i].number == number)
			return 1;
	return 0;
}

/* Small tables are tested with all numbers; others with the neighbours of each entry, and numbers
 * that differ from it in one bit. */
static void a_number_without_a_name_prints_a_question_mark(void **state)
{
	size_t asked = 0;

	for (size_t t = 0; t < COUNT(tables); t++) {
		const struct table *table = &tables[t];

		if (table->limit <= 1u << 16) {
			for (uint32_t n = 0; n < table->limit; n++) {
				assert_int_equal(in_table(table, n),
						 strcmp(table->name_of(n), "?") != 0);
				asked++;
			}
			continue;
		}
		for (size_t i = 0; i < table->count; i++) {
			for (unsigned int bit = 0; bit < 32; bit++) {
				uint32_t n = table->entry[i].number;
				uint32_t near[] = {n + 1, n - 1, n ^ 1u << bit};

				for (size_t k = 0; k < COUNT(near); k++) {
					assert_int_equal(in_table(table, near[k]),
							 strcmp(table->name_of(near[k]), "?") != 0);
					asked++;
				}
			}
		}
		assert_string_equal(table->name_of(UINT32_MAX), "?");
	}
	assert_true(asked > 2 * (1u << 16));
}

/* Writes a '_' before each word, in capitals. A word begins at a capital before a small letter
 * ("VpIndex"), and at one between a small letter and a digit ("GuestCrashP0"), unless that letter
 * is the k of a size ("Fix4kC0000"). */
static void to_constant(const char *tlfs, char *text)
{
	for (const char *c = tlfs; *c; c++) {
		if (c > tlfs && isupper((unsigned char)c[0])) {
			int small_next = islower((unsigned char)c[1]) != 0;
			int digit_next = isdigit((unsigned char)c[1]) != 0;
			int small_before = islower((unsigned char)c[-1]) && c[-1] != 'k';

			if (small_next || (digit_next && small_before))
				*text++ = '_';
		}
		*text++ = (char)toupper((unsigned char)*c);
	}
	*text = '\0';
}

static void check_spelling(const struct entry *entry, size_t count, const char *tlfs_prefix,
			   const char *constant_prefix)
{
	for (size_t i = 0; i < count; i++) {
		char expected[160];
		size_t prefix_length = strlen(tlfs_prefix);
		size_t constant_length = strlen(constant_prefix);

		if (strncmp(entry[i].tlfs, tlfs_prefix, prefix_length) != 0)
			continue;
		assert_true(strncmp(entry[i].constant, constant_prefix, constant_length) == 0);
		to_constant(entry[i].tlfs + prefix_length, expected);
		assert_string_equal(entry[i].constant + constant_length, expected);
	}
}

static void constants_are_the_tlfs_names_in_capitals(void **state)
{
	check_spelling(hypercalls, COUNT(hypercalls), "HvCall", "HV_CALL_");
	check_spelling(hypercalls, COUNT(hypercalls), "HvExtCall", "HV_EXT_CALL_");
	check_spelling(registers, COUNT(registers), "HvRegister", "HV_REGISTER_");
	check_spelling(registers, COUNT(registers), "HvX64Register", "HV_X64_REGISTER_");
	check_spelling(message_types, COUNT(message_types), "HvMessageType", "HV_MESSAGE_TYPE_");
	check_spelling(intercept_types, COUNT(intercept_types), "HvInterceptType", "");
	check_spelling(translate_results, COUNT(translate_results), "HvTranslateGva", "");
	check_spelling(entry_reasons, COUNT(entry_reasons), "HvVtlEntry", "");
	check_spelling(map_flags, COUNT(map_flags), "", "");
}

static void a_mask_prints_as_the_names_of_its_bits(void **state)
{
	char text[256];

	assert_int_equal(hv_privileges_text(text, sizeof(text), HV_PRIVILEGES_FOR_VSM), 43);
	assert_string_equal(text, "AccessSynicRegs|AccessVsm|AccessVpRegisters");
	hv_privileges_text(text, sizeof(text), 0);
	assert_string_equal(text, "0");
	hv_privileges_text(text, sizeof(text), HV_BIT64(63) | HV_BIT64(9 + 32) | 1);
	assert_string_equal(text, "AccessVpRunTimeReg|bit41|bit63");
	hv_features_text(text, sizeof(text), HV_FEATURE(NPIEP) | HV_FEATURE(APIC_EOI_INTERCEPT));
	assert_string_equal(text, "Npiep|ApicEoiIntercept");
	hv_recommendations_text(text, sizeof(text), HV_RECOMMEND(RESET_MSR) | HV_BIT32(31));
	assert_string_equal(text, "UseMsrForReset|bit31");
	hv_cr_intercepts_text(text, sizeof(text), HV_CR_INTERCEPT(CR0_WRITE) | HV_BIT64(29));
	assert_string_equal(text, "Cr0Write|bit29");
	hv_map_gpa_flags_text(text, sizeof(text),
			      HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE | HV_BIT32(7));
	assert_string_equal(text, "Readable|KernelExecutable|UserExecutable|bit7");
}

static void rights_are_written_as_three_letters(void **state)
{
	static const char *const expected[] = {"---", "r--", "-w-", "rw-", "--k", "r-k",
					       "-wk", "rwk", "--u", "r-u", "-wu", "rwu",
					       "--x", "r-x", "-wx", "rwx"};

	for (uint32_t flags = 0; flags < 16; flags++) {
		char text[4];

		hv_map_gpa_rights_text(text, flags | HV_BIT32(13));
		assert_string_equal(text, expected[flags]);
	}
}

static void a_mask_that_does_not_fit_is_truncated_and_its_whole_length_returned(void **state)
{
	char whole[4096];
	size_t length = hv_privileges_text(whole, sizeof(whole), UINT64_MAX);

	assert_int_equal(strlen(whole), length);
	assert_int_equal(hv_privileges_text(NULL, 0, UINT64_MAX), length);
	for (size_t size = 1; size <= length + 2; size++) {
		char text[4096];
		size_t kept = size - 1 < length ? size - 1 : length;

		memset(text, 'x', sizeof(text));
		assert_int_equal(hv_privileges_text(text, size, UINT64_MAX), length);
		assert_int_equal(strlen(text), kept);
		assert_memory_equal(text, whole, kept);
		for (size_t i = size; i < size + 8; i++)
			assert_int_equal(text[i], 'x');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_entry_of_every_table_prints_its_name),
		cmocka_unit_test(no_table_has_a_number_or_a_name_twice),
		cmocka_unit_test(every_table_ascends),
		cmocka_unit_test(a_number_without_a_name_prints_a_question_mark),
		cmocka_unit_test(constants_are_the_tlfs_names_in_capitals),
		cmocka_unit_test(a_mask_prints_as_the_names_of_its_bits),
		cmocka_unit_test(rights_are_written_as_three_letters),
		cmocka_unit_test(
			a_mask_that_does_not_fit_is_truncated_and_its_whole_length_returned),
	};

	return cmocka_run_group_tests_name("hv_names", tests, NULL, NULL);
}
