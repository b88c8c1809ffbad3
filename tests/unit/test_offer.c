/* SPDX-License-Identifier: BSD-2-Clause */
#include "hypercall_test.h"

#include "core/msr/cpuid.h"
#include "core/partition.h"
#include "needs.h"

struct seen {
	unsigned int lines;
	char text[1024];
};

static void keep(void *opaque, const struct vsm_log_record *record)
{
	struct seen *seen = opaque;

	seen->lines++;
	strncat(seen->text, record->text, sizeof(seen->text) - strlen(seen->text) - 1);
}

static struct vsm_partition *make(struct vsm_config *config, struct seen *seen)
{
	struct vsm_partition *partition = NULL;

	config->log = (struct vsm_log){keep, seen, VSM_LOG_WARN};
	assert_int_equal(partition_create(config, &sim_ops, NULL, &partition), 0);
	return partition;
}

static void bits_that_are_not_implemented_are_removed_and_reported(void **state)
{
	struct vsm_config config;
	struct seen seen = {0};
	struct vsm_partition *partition;

	vsm_config_init(&config);
	config.privileges |= HV_PRIVILEGE(CREATE_PARTITIONS) | HV_PRIVILEGE(DEBUGGING);
	config.features |= HV_FEATURE(NPIEP);
	config.recommendations |= HV_RECOMMEND(NESTED);
	partition = make(&config, &seen);
	assert_false(partition_has(partition, HV_PRIVILEGE(CREATE_PARTITIONS)));
	assert_false(partition_has(partition, HV_PRIVILEGE(DEBUGGING)));
	assert_int_equal(partition->features_edx & HV_FEATURE(NPIEP), 0);
	assert_int_equal(partition->recommendations & HV_RECOMMEND(NESTED), 0);
	assert_int_equal(seen.lines, 3);
	assert_true(partition_has(partition, HV_PRIVILEGE(ACCESS_VSM)));
	vsm_partition_destroy(partition);
}

static void all_default_bits_are_offered_without_a_message(void **state)
{
	struct vsm_config config;
	struct seen seen = {0};
	struct vsm_partition *partition;

	vsm_config_init(&config);
	partition = make(&config, &seen);
	assert_int_equal(partition->privileges, config.privileges);
	assert_int_equal(partition->features_edx, config.features);
	assert_int_equal(partition->recommendations, config.recommendations);
	assert_int_equal(seen.lines, 0);
	vsm_partition_destroy(partition);
}

/* shows: rule access-vsm */
static void vsm_without_the_features_it_needs_is_not_offered(void **state)
{
	struct vsm_config config;
	struct seen seen = {0};
	struct vsm_partition *partition;

	vsm_config_init(&config);
	config.privileges &= ~HV_PRIVILEGE(ACCESS_VP_REGISTERS);
	partition = make(&config, &seen);
	assert_false(partition_has(partition, HV_PRIVILEGE(ACCESS_VSM)));
	assert_int_equal(partition->vtl_count, 1);
	assert_int_equal(seen.lines, 1);
	vsm_partition_destroy(partition);

	vsm_config_init(&config);
	config.max_vtl = 0;
	partition = make(&config, &seen);
	assert_false(partition_has(partition, HV_PRIVILEGE(ACCESS_VSM)));
	assert_int_equal(seen.lines, 1);
	vsm_partition_destroy(partition);
}

static void a_feature_without_its_privilege_is_not_offered(void **state)
{
	struct vsm_config config;
	struct seen seen = {0};
	struct vsm_partition *partition;

	vsm_config_init(&config);
	config.privileges &= ~HV_PRIVILEGE(ACCESS_GUEST_IDLE_REG);
	partition = make(&config, &seen);
	assert_int_equal(partition->features_edx & HV_FEATURE(GUEST_IDLE), 0);
	assert_int_equal(seen.lines, 1);
	vsm_partition_destroy(partition);

	vsm_config_init(&config);
	config.privileges &= ~HV_PRIVILEGE(ENABLE_EXTENDED_GVA_RANGES);
	partition = make(&config, &seen);
	assert_int_equal(partition->features_edx & HV_FEATURE(EXTENDED_GVA_RANGES), 0);
	assert_int_equal(seen.lines, 2);
	vsm_partition_destroy(partition);
}

static void p24_each_default_feature_has_its_privilege(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 2, TEST_RAM, NULL);

	assert_true(partition->features_edx & HV_FEATURE(EXTENDED_GVA_RANGES));
	assert_true(partition_has(partition, HV_PRIVILEGE(ENABLE_EXTENDED_GVA_RANGES)));
	assert_true(partition->features_edx & HV_FEATURE(FAST_HYPERCALL_OUTPUT));
	assert_true(partition_has(partition, HV_PRIVILEGE(FAST_HYPERCALL_OUTPUT)));
	assert_true(partition->recommendations & HV_RECOMMEND(APIC_MSRS));
	assert_true(partition_has(partition, HV_PRIVILEGE(ACCESS_INTR_CTRL_REGS)));
	assert_false(partition->recommendations & HV_RECOMMEND(DEPRECATE_AUTO_EOI));
	vsm_partition_destroy(partition);
}

static void leaf(struct vsm_vp *vp, uint32_t number, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	uint32_t value[4];

	cpuid_get(vp, 0, number, 0, value);
	assert_int_equal(value[0], a);
	assert_int_equal(value[1], b);
	assert_int_equal(value[2], c);
	assert_int_equal(value[3], d);
}

static void the_leaves_are_those_of_the_interface(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 2, TEST_RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct cpuid_leaf all[CPUID_LEAF_MAX];
	uint32_t value[4];

	leaf(vp, 0x40000000, 0x4000000b, 0x7263694d, 0x666f736f, 0x76482074);
	leaf(vp, 0x40000001, 0x31237648, 0, 0, 0);
	leaf(vp, 0x40000003, (uint32_t)partition->privileges,
	     (uint32_t)(partition->privileges >> 32), 0, partition->features_edx);
	leaf(vp, 0x40000004, partition->recommendations, UINT32_MAX, 46, 0);
	/* TLFS: "If any value is zero, the hypervisor does not expose the corresponding information". */
	leaf(vp, 0x40000005, 2048, 0, 0, 0);
	leaf(vp, 0x40000006, 0, 0, 0, 0);
	leaf(vp, 0x4000000a, 0, 0, 0, 0);
	cpuid_get(vp, 0, 1, 0, value);
	assert_true(value[2] >> 31);
	assert_int_equal(cpuid_leaves(partition, all), 12);
	for (unsigned int i = 0; i < 12; i++)
		assert_int_equal(all[i].leaf, 0x40000000 + i);
	vsm_partition_destroy(partition);
}

static void p22_access_vsm_is_bit_16_of_ebx(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 2, TEST_RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	uint32_t with[4];
	uint32_t without[4];

	cpuid_get(vp, 0, 0x40000003, 0, with);
	partition->privileges &= ~HV_PRIVILEGE(ACCESS_VSM);
	cpuid_get(vp, 0, 0x40000003, 0, without);
	assert_int_equal(with[0], without[0]);
	assert_int_equal(with[1] ^ without[1], 1u << 16);
	vsm_partition_destroy(partition);
}

static void p24_recommended_hypercalls_exist(void **state)
{
	assert_non_null(hypercall_find(HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE));
	assert_non_null(hypercall_find(HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST));
	assert_non_null(hypercall_find(HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX));
	assert_non_null(hypercall_find(HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX));
	assert_non_null(hypercall_find(HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI));
	assert_non_null(hypercall_find(HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX));
}

static void expect_code(const uint8_t *at, const void *code, size_t size)
{
	assert_memory_equal(at, code, size);
}

/* TLFS "VTL Call", "VTL Return": register contract of the stubs, with either instruction. */
/* shows: rule code-offsets */
static void the_stubs_are_at_the_code_page_offsets(void **state)
{
	static const uint8_t instruction[2][3] = {{0x0f, 0x01, 0xc1}, {0xe6, 0x7e}};
	static const uint8_t length[2] = {3, 2};
	struct vsm_partition *partition = guest_partition(1, 2, TEST_RAM, NULL);
	uint8_t page[CORE_PAGE_SIZE];

	for (unsigned int kind = 0; kind < 2; kind++) {
		uint8_t code[32];
		static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
		const uint8_t n = length[kind];

		memcpy(partition->features.hypercall, instruction[kind], 3);
		partition->features.hypercall_length = n;
		hypercall_page_fill(partition, page);
		/* Offset 0: the hypercall instruction. */
		memcpy(code, endbr64, sizeof(endbr64));
		memcpy(code + 4, instruction[kind], n);
		code[4 + n] = 0xc3;
		expect_code(page, code, 5u + n);
		for (unsigned int mode = 0; mode < 2; mode++) {
			const uint64_t offsets = hypercall_page_offsets(partition, mode);
			const uint8_t *entry[2] = {page + (offsets & 0xfff),
						   page + (offsets >> 12 & 0xfff)};

			assert_int_equal(offsets >> 24, 0);
			for (uint8_t back = 0; back < 2; back++) {
				size_t at = 0;

				/* mov rax, rcx; mov ecx, n - or mov ecx, eax; mov eax, n */
				memcpy(code,
				       mode ? "\xf3\x0f\x1e\xfa\x48\x89\xc8\xb9"
					    : "\xf3\x0f\x1e\xfb\x89\xc1\xb8",
				       mode ? 8 : 7);
				at = mode ? 8 : 7;
				code[at++] = (uint8_t)(0x11 + back);
				memset(code + at, 0, 3);
				at += 3;
				memcpy(code + at, instruction[kind], n);
				at += n;
				code[at++] = 0xc3;
				expect_code(entry[back], code, at);
			}
		}
		/* The rest is INT3. */
		for (unsigned int i = 0x100; i < sizeof(page); i++)
			assert_int_equal(page[i], 0xcc);
	}
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bits_that_are_not_implemented_are_removed_and_reported),
		cmocka_unit_test(all_default_bits_are_offered_without_a_message),
		cmocka_unit_test(vsm_without_the_features_it_needs_is_not_offered),
		cmocka_unit_test(a_feature_without_its_privilege_is_not_offered),
		cmocka_unit_test(p24_each_default_feature_has_its_privilege),
		unit_test_needs(NEED_SIM_CPU, the_leaves_are_those_of_the_interface),
		cmocka_unit_test(p22_access_vsm_is_bit_16_of_ebx),
		cmocka_unit_test(p24_recommended_hypercalls_exist),
		cmocka_unit_test(the_stubs_are_at_the_code_page_offsets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
