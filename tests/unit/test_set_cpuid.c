/* SPDX-License-Identifier: BSD-2-Clause */
#include "core_test.h"
#include "needs.h"
#include "vp_fixture.h"

#include <vsm/cpuid.h>

#define X2APIC	   (1u << 21)
#define HYPERVISOR (1u << 31)
#define APIC	   (1u << 9)
#define MSR	   (1u << 5)
#define TSC	   (1u << 4)

static const struct vsm_cpuid good[] = {
	{.leaf = 0, .eax = 0x1f},
	{.leaf = 1, .eax = 0x12345, .ecx = X2APIC | HYPERVISOR, .edx = APIC | MSR | TSC},
	{.leaf = 7, .has_subleaf = 1, .subleaf = 0, .ebx = 1},
	{.leaf = 7, .has_subleaf = 1, .subleaf = 1, .eax = 2},
	{.leaf = 0x80000008, .eax = 40},
};

#define COUNT ARRAY_SIZE(good)

static void the_leaves_of_the_vmm_replace_those_of_the_host(void **state)
{
	struct vsm_vp *vp = *state;
	uint32_t value[4];

	assert_int_equal(vsm_vp_set_cpuid(vp, good, COUNT), 0);
	cpuid_get(vp, 0, 1, 0, value);
	assert_int_equal(value[0], 0x12345);
	cpuid_get(vp, 1, 7, 1, value);
	assert_int_equal(value[0], 2);
	cpuid_get(vp, 0, 7, 0, value);
	assert_int_equal(value[1], 1);
	cpuid_get(vp, 0, 0x80000001, 0, value);
	assert_int_equal(value[3], 0);
}

static void the_hypervisor_leaves_stay_those_of_the_library(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_cpuid bad[COUNT + 1];
	uint32_t value[4];

	memcpy(bad, good, sizeof(good));
	bad[COUNT] = (struct vsm_cpuid){.leaf = HV_CPUID_FEATURES, .eax = UINT32_MAX};
	assert_int_equal(vsm_vp_set_cpuid(vp, bad, COUNT + 1), -EINVAL);
	bad[COUNT].leaf = 0x40000100;
	assert_int_equal(vsm_vp_set_cpuid(vp, bad, COUNT + 1), -EINVAL);
	assert_int_equal(vsm_vp_set_cpuid(vp, good, COUNT), 0);
	cpuid_get(vp, 0, HV_CPUID_VENDOR_AND_MAX_FUNCTION, 0, value);
	assert_int_equal(value[1], HV_CPUID_VENDOR_EBX);
	/* The physical address bits of leaf 0x40000004 are those that the VMM has set. */
	cpuid_get(vp, 0, HV_CPUID_ENLIGHTENMENT_INFO, 0, value);
	assert_int_equal(value[2] & HV_CPUID_PHYSICAL_ADDRESS_BITS_ECX, 40);
}

/* TLFS "Hypervisor Feature and Interface Discovery", leaf 0x40000004 EBX. */
static void the_retries_of_spinlocks_are_those_of_the_vmm(void **state)
{
	struct vsm_partition *partition = guest_partition(2, 1, RAM, NULL);
	struct vsm_cpuid own[COUNT + 1];
	struct vsm_cpuid *leaf = &own[COUNT];
	uint32_t value[4];

	memcpy(own, good, sizeof(good));
	*leaf = (struct vsm_cpuid){.leaf = HV_CPUID_ENLIGHTENMENT_INFO, .eax = 1, .ebx = 8191};
	assert_int_equal(vsm_vp_set_cpuid(vsm_partition_vp(partition, 0), own, COUNT + 1), -EINVAL);
	cpuid_get(vsm_partition_vp(partition, 0), 0, leaf->leaf, 0, value);
	assert_int_equal(value[1], UINT32_MAX);
	leaf->eax = 0;
	assert_int_equal(vsm_vp_set_cpuid(vsm_partition_vp(partition, 0), own, COUNT + 1), 0);
	own[1].ebx = 1u << 24;
	leaf->ebx = 8192;
	assert_int_equal(vsm_vp_set_cpuid(vsm_partition_vp(partition, 1), own, COUNT + 1), -EINVAL);
	leaf->ebx = 8191;
	assert_int_equal(vsm_vp_set_cpuid(vsm_partition_vp(partition, 1), own, COUNT + 1), 0);
	for (uint32_t i = 0; i < 2; i++) {
		cpuid_get(vsm_partition_vp(partition, i), 0, leaf->leaf, 0, value);
		assert_int_equal(value[1], 8191);
		assert_int_not_equal(value[0], 0);
	}
	vsm_partition_destroy(partition);
}

static void features_that_the_library_always_implements_cannot_be_hidden(void **state)
{
	static const struct {
		uint32_t ecx;
		uint32_t edx;
	} cleared[] = {{X2APIC, 0}, {HYPERVISOR, 0}, {0, APIC}, {0, MSR}, {0, TSC}};
	struct vsm_vp *vp = *state;
	struct vsm_cpuid bad[COUNT];

	for (size_t i = 0; i < ARRAY_SIZE(cleared); i++) {
		memcpy(bad, good, sizeof(good));
		bad[1].ecx &= ~cleared[i].ecx;
		bad[1].edx &= ~cleared[i].edx;
		assert_int_equal(vsm_vp_set_cpuid(vp, bad, COUNT), -EINVAL);
	}
}

static void an_apic_id_is_that_of_the_vp(void **state)
{
	struct vsm_partition *partition = guest_partition(3, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 2);
	struct vsm_cpuid own[COUNT + 1];

	memcpy(own, good, sizeof(good));
	own[COUNT] = (struct vsm_cpuid){.leaf = 0xb, .has_subleaf = 1, .ecx = 0x100, .edx = 2};
	assert_int_equal(vsm_vp_set_cpuid(vp, own, COUNT + 1), -EINVAL);
	own[1].ebx = 2u << 24;
	assert_int_equal(vsm_vp_set_cpuid(vp, own, COUNT + 1), 0);
	own[COUNT].edx = 1;
	assert_int_equal(vsm_vp_set_cpuid(vp, own, COUNT + 1), -EINVAL);
	vsm_partition_destroy(partition);
}

static void misuse_is_refused_and_changes_nothing(void **state)
{
	static struct vsm_cpuid many[257];
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct vsm_cpuid bad[COUNT + 1];
	uint32_t value[4];

	memcpy(bad, good, sizeof(good));
	bad[COUNT] = good[2];
	assert_int_equal(vsm_vp_set_cpuid(vp, bad, COUNT + 1), -EINVAL);
	bad[COUNT] = (struct vsm_cpuid){.leaf = 7};
	assert_int_equal(vsm_vp_set_cpuid(vp, bad, COUNT + 1), -EINVAL);
	bad[COUNT] = (struct vsm_cpuid){.leaf = 9, .has_subleaf = 2};
	assert_int_equal(vsm_vp_set_cpuid(vp, bad, COUNT + 1), -EINVAL);
	assert_int_equal(vsm_vp_set_cpuid(vp, good, 1), -EINVAL);
	assert_int_equal(vsm_vp_set_cpuid(vp, many, ARRAY_SIZE(many)), -EINVAL);
	/* RAM ends at 16 MiB, for which 23 address bits are too few. */
	memcpy(bad, good, sizeof(good));
	bad[4].eax = 23;
	assert_int_equal(vsm_vp_set_cpuid(vp, bad, COUNT), -EINVAL);
	cpuid_get(vp, 0, 0, 0, value);
	assert_int_equal(value[0], 1);
	assert_int_equal(guest_nop(vsm_partition_vp(partition, 1)), GUEST_DONE);
	assert_int_equal(vsm_vp_set_cpuid(vp, good, COUNT), -EBUSY);
}

static void a_tsc_frequency_that_the_tsc_does_not_have_is_refused(void **state)
{
	static const struct {
		uint32_t khz;
		int error;
	} rows[] = {
		{1000000, 0}, {1000200, 0}, {999800, 0}, {1000300, -ENOTSUP}, {2000000, -ENOTSUP}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vsm_partition *partition = NULL;
		struct vsm_config config;

		vsm_config_init(&config);
		config.tsc_khz = rows[i].khz;
		assert_int_equal(partition_create(&config, &sim_ops, NULL, &partition),
				 rows[i].error);
		if (!rows[i].error)
			assert_int_equal(partition->features.tsc_hz, rows[i].khz * UINT64_C(1000));
		vsm_partition_destroy(partition);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_NEEDS_VP(NEED_SET_CPUID, the_leaves_of_the_vmm_replace_those_of_the_host, 1,
			      1),
		TEST_NEEDS_VP(NEED_SET_CPUID, the_hypervisor_leaves_stay_those_of_the_library, 1,
			      1),
		unit_test_needs(NEED_SET_CPUID, the_retries_of_spinlocks_are_those_of_the_vmm),
		TEST_NEEDS_VP(NEED_SET_CPUID,
			      features_that_the_library_always_implements_cannot_be_hidden, 1, 1),
		unit_test_needs(NEED_SET_CPUID, an_apic_id_is_that_of_the_vp),
		TEST_NEEDS_VP(NEED_SET_CPUID, misuse_is_refused_and_changes_nothing, 2, 1),
		unit_test_needs(NEED_SIM, a_tsc_frequency_that_the_tsc_does_not_have_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
