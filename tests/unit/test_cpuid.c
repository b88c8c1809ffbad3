/* SPDX-License-Identifier: BSD-2-Clause */
#include "hypercall_test.h"

#include "core/msr/cpuid.h"
#include "needs.h"
#include "vp_fixture.h"

/* shows: hypercall HvCallGetVpCpuidValues */
static void cpuid_of_a_vp_by_hypercall(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct {
		struct hv_get_vp_cpuid_values_input header;
		struct hv_cpuid_query query[2];
	} input = {{.partition_id = HV_PARTITION_ID_SELF, .vp_index = 1},
		   {{0x40000001, 0}, {0x40000003, 0}}};
	const uint64_t control = control_word(HV_CALL_GET_VP_CPUID_VALUES, false, 0, 2, 0);
	struct hv_cpuid_result output[2];

	assert_int_equal(guest_call(vp, control, &input, sizeof(input), output, sizeof(output)),
			 hv_hypercall_result(HV_STATUS_SUCCESS, 2));
	assert_int_equal(output[0].eax, 0x31237648);
	assert_int_equal(output[1].edx, partition->features_edx);
	input.header.flags = 4;
	assert_int_equal(status_of(guest_call(vp, control, &input, sizeof(input), NULL, 0)),
			 HV_STATUS_INVALID_PARAMETER);
	input.header.flags = 3;
	input.header.vp_index = 2;
	assert_int_equal(status_of(guest_call(vp, control, &input, sizeof(input), NULL, 0)),
			 HV_STATUS_INVALID_VP_INDEX);
}

/* SDM 3A 11.4.3, 2A "CPUID": OSXSAVE and OSPKE follow CR4, APIC follows IA32_APIC_BASE. */
static void cpuid_by_hypercall_follows_the_registers(void **state)
{
	struct vsm_vp *vp = *state;
	struct {
		struct hv_get_vp_cpuid_values_input header;
		struct hv_cpuid_query query[2];
	} input = {{.partition_id = HV_PARTITION_ID_SELF, .vp_index = HV_VP_INDEX_SELF},
		   {{1, 0}, {7, 0}}};
	const uint64_t control = control_word(HV_CALL_GET_VP_CPUID_VALUES, false, 0, 2, 0);
	const uint64_t cr4 = vcpu_get(vp, 0, VCPU_SYSTEM)->cr4;
	struct hv_cpuid_result on[2], off[2];

	vcpu_edit(vp, 0, VCPU_SYSTEM)->cr4 = cr4 | X64_CR4_OSXSAVE | X64_CR4_PKE;
	assert_int_equal(guest_call(vp, control, &input, sizeof(input), on, sizeof(on)),
			 hv_hypercall_result(HV_STATUS_SUCCESS, 2));
	vcpu_edit(vp, 0, VCPU_SYSTEM)->cr4 = cr4 & ~(uint64_t)(X64_CR4_OSXSAVE | X64_CR4_PKE);
	assert_int_equal(guest_wrmsr(vp, X64_MSR_APIC_BASE, 0xfee00100), GUEST_DONE);
	assert_int_equal(guest_call(vp, control, &input, sizeof(input), off, sizeof(off)),
			 hv_hypercall_result(HV_STATUS_SUCCESS, 2));
	assert_int_equal(on[0].edx ^ off[0].edx, 1u << 9);
	assert_int_equal(on[0].edx & 1u << 9, 1u << 9);
	assert_int_equal(on[0].ecx ^ off[0].ecx, 1u << 27);
	assert_int_equal(on[0].ecx & 1u << 27, 1u << 27);
	assert_int_equal(on[1].ecx ^ off[1].ecx, 1u << 4);
	assert_int_equal(on[1].ecx & 1u << 4, 1u << 4);
}

#define OSXSAVE (1u << 27)
#define APIC	(1u << 9)

static struct hv_cpuid_result leaf_1_of(struct vsm_vp *vp, uint32_t index)
{
	struct {
		struct hv_get_vp_cpuid_values_input header;
		struct hv_cpuid_query query;
	} input = {{.partition_id = HV_PARTITION_ID_SELF, .vp_index = index}, {1, 0}};
	struct hv_cpuid_result result;

	assert_int_equal(guest_call(vp, control_word(HV_CALL_GET_VP_CPUID_VALUES, false, 0, 1, 0),
				    &input, sizeof(input), &result, sizeof(result)),
			 hv_hypercall_result(HV_STATUS_SUCCESS, 1));
	return result;
}

/* Keeps the rest of CR4: a VTL with paging cannot run without CR4.PAE. */
static void set_osxsave(struct vsm_vp *vp, uint8_t vtl, bool set)
{
	struct vcpu_state *cpu = vcpu_edit(vp, vtl, VCPU_SYSTEM);

	cpu->cr4 = (cpu->cr4 & ~(uint64_t)X64_CR4_OSXSAVE) | (set ? X64_CR4_OSXSAVE : 0);
}

/* VTL0 must not read CR4 and the APIC of a higher VTL that is active on the other VP. */
static void the_result_is_for_the_callers_vtl_and_not_for_the_active_one(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct vsm_vp *other = vsm_partition_vp(partition, 1);

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(other), GUEST_DONE);
	assert_int_equal(other->active_vtl, 1);
	for (unsigned int bits = 0; bits < 4; bits++) {
		set_osxsave(other, 0, bits & 1);
		set_osxsave(other, 1, bits & 2);
		assert_int_equal(!!(leaf_1_of(vp, 1).ecx & OSXSAVE), bits & 1);
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		assert_int_equal(!!(leaf_1_of(vp, 1).ecx & OSXSAVE), bits >> 1);
		assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	}
	assert_int_equal(guest_wrmsr(other, X64_MSR_APIC_BASE, 0xfee00000), GUEST_DONE);
	assert_int_equal(leaf_1_of(vp, 1).edx & APIC, APIC);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(leaf_1_of(vp, 1).edx & APIC, 0);
}

static void for_a_vp_without_the_callers_vtl_the_result_is_of_the_vtl_below(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct vsm_vp *other = vsm_partition_vp(partition, 1);

	guest_enable_vtl(partition, 1);
	atomic_store(&other->enabled_vtls, 1);
	set_osxsave(other, 0, true);
	set_osxsave(other, 1, false);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(leaf_1_of(vp, 1).ecx & OSXSAVE, OSXSAVE);
}

/* Leaf 0xd: AVX at offset 576, components with and without alignment to 64 bytes. */
static void xsave_leaves(void *backend_vp, uint32_t leaf, uint32_t subleaf, uint32_t value[4])
{
	static const uint32_t rows[][4] = {
		[0] = {0x207, 900, 2000, 0}, [1] = {0xf, 1, 0, 0},    /* XSAVEC, XSAVES */
		[2] = {256, 576, 0, 0},	     [8] = {128, 0, 1, 0},    /* 8 is enabled by IA32_XSS */
		[9] = {8, 2688, 0, 0},	     [17] = {64, 2752, 2, 0}, /* aligned to 64 */
	};

	memset(value, 0, 4 * sizeof(value[0]));
	if (leaf == 0xd && subleaf < sizeof(rows) / sizeof(rows[0]))
		memcpy(value, rows[subleaf], sizeof(rows[0]));
}

/* SDM 2A "CPUID", leaf 0DH, SDM 1, 13.4.3: sizes of the standard and of the compacted format. */
static void xsave_sizes_follow_xcr0_and_xss(void **state)
{
	static const struct {
		uint64_t xcr0;
		uint64_t xss;
		uint32_t standard;
		uint32_t compacted;
	} rows[] = {
		{0x1, 0, 576, 576}, /* the legacy area and the header */
		{0x7, 0, 832, 832},
		{0x7, 0x100, 832, 832 + 128},
		{0x207, 0, 2696, 840}, /* the standard format has component 9 at its fixed offset */
		{0x207, 0x100, 2696, 832 + 128 + 8},
		{0x20207, 0, 2816, 832 + 64 + 64}, /* aligned */
		{0x20003, 0, 2816, 576 + 64},
	};
	struct vsm_partition *partition = guest_partition(1, 2, TEST_RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct backend_ops ops = *partition->ops;
	struct {
		struct hv_get_vp_cpuid_values_input header;
		struct hv_cpuid_query query[2];
	} input = {{.partition_id = HV_PARTITION_ID_SELF, .vp_index = HV_VP_INDEX_SELF},
		   {{0xd, 0}, {0xd, 1}}};
	const uint64_t control = control_word(HV_CALL_GET_VP_CPUID_VALUES, false, 0, 2, 0);
	struct hv_cpuid_result result[2];

	ops.vp_cpuid = xsave_leaves;
	partition->ops = &ops;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		vcpu_edit(vp, 0, VCPU_XCR0)->xcr0 = rows[i].xcr0;
		vcpu_edit(vp, 0, VCPU_MSR)->msr[VCPU_MSR_XSS] = rows[i].xss;
		input.header.flags = HV_GET_VP_CPUID_USE_VP_XFEM_XSS;
		assert_int_equal(
			guest_call(vp, control, &input, sizeof(input), result, sizeof(result)),
			hv_hypercall_result(HV_STATUS_SUCCESS, 2));
		assert_int_equal(result[0].ebx, rows[i].standard);
		assert_int_equal(result[1].ebx, rows[i].compacted);
	}
	vsm_partition_destroy(partition);
}

/* The VTLs of a VP share XCR0. A value that VTL1 has set must not show in VTL0's sizes before VTL1
 * returns. */
static void xsave_sizes_show_xcr0_of_a_higher_vtl_only_after_its_return(void **state)
{
	struct vsm_partition *partition = guest_partition(2, 1, TEST_RAM, NULL);
	struct vsm_vp *other = vsm_partition_vp(partition, 1);
	struct backend_ops ops = *partition->ops;
	uint32_t value[4];

	guest_enable_vtl(partition, 1);
	vcpu_edit(other, 0, VCPU_XCR0)->xcr0 = 0x3;
	assert_int_equal(guest_vtl_call(other), GUEST_DONE);
	vcpu_edit(other, 1, VCPU_XCR0)->xcr0 = 0x7;
	ops.vp_cpuid = xsave_leaves;
	partition->ops = &ops;
	cpuid_get(other, 0, 0xd, 0, value);
	assert_int_equal(value[1], 576);
	cpuid_get(other, 1, 0xd, 0, value);
	assert_int_equal(value[1], 832);
	assert_int_equal(guest_vtl_return(other, true), GUEST_DONE);
	cpuid_get(other, 0, 0xd, 0, value);
	assert_int_equal(value[1], 832);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cpuid_of_a_vp_by_hypercall, 2, 2),
		TEST(cpuid_by_hypercall_follows_the_registers, 1, 2),
		TEST(the_result_is_for_the_callers_vtl_and_not_for_the_active_one, 2, 2),
		TEST(for_a_vp_without_the_callers_vtl_the_result_is_of_the_vtl_below, 2, 2),
		unit_test_needs(NEED_SIM_CPU, xsave_sizes_follow_xcr0_and_xss),
		cmocka_unit_test(xsave_sizes_show_xcr0_of_a_higher_vtl_only_after_its_return),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
