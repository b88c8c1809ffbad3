/* SPDX-License-Identifier: BSD-2-Clause */
/* What a hypervisor with VSM offers before any VTL is enabled: CPUID, the hypercall interface, registers. */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/console.h"
#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/vtl.h"
#include "kit/x64.h"

struct call_32 {
	uint64_t control, input, output;
};

uint64_t hypercall_call_32(const struct call_32 *call, const void *page);

static void cpuid_says_so(void)
{
	const struct cpuid vendor = cpuid(HV_CPUID_VENDOR_AND_MAX_FUNCTION, 0);

	expect_equal(vendor.ebx, HV_CPUID_VENDOR_EBX);
	expect_equal(vendor.ecx, HV_CPUID_VENDOR_ECX);
	expect_equal(vendor.edx, HV_CPUID_VENDOR_EDX);
	/* P22: AccessVsm is bit 48 of the privileges, EBX[16]. */
	expect(cpuid(HV_CPUID_FEATURES, 0).ebx & 1u << 16);
}

static void expect_hypercall_says_as_cpuid(void)
{
	static const struct hv_cpuid_query query[] = {
		{0, 0},		 {1, 0},	  {7, 0},	   {0xd, 0},	    {0xd, 1},
		{0xd, 2},	 {0x80000000, 0}, {0x80000001, 0}, {0x80000008, 0}, {0x40000000, 0},
		{0x40000001, 0}, {0x40000003, 0}, {0x40000004, 0}, {0x4000000c, 0},
	};
	enum {
		QUERIES = sizeof(query) / sizeof(query[0])
	};
	struct {
		struct hv_get_vp_cpuid_values_input header;
		struct hv_cpuid_query query[QUERIES];
	} input = {.header = {.partition_id = HV_PARTITION_ID_SELF, .vp_index = HV_VP_INDEX_SELF}};
	struct hv_cpuid_result result[QUERIES];

	memcpy(input.query, query, sizeof(query));
	expect_equal(hypercall_memory(hypercall_word(HV_CALL_GET_VP_CPUID_VALUES, QUERIES, 0),
				      &input, sizeof(input), result, sizeof(result)),
		     hv_hypercall_result(HV_STATUS_SUCCESS, QUERIES));
	for (unsigned int i = 0; i < QUERIES; i++) {
		const struct cpuid cpu = cpuid(query[i].eax, query[i].ecx);

		if (!memcmp(&result[i], &cpu, sizeof(cpu)))
			continue;
		print("# leaf %x, index %x\n", query[i].eax, query[i].ecx);
		expect_equal(result[i].eax, cpu.eax);
		expect_equal(result[i].ebx, cpu.ebx);
		expect_equal(result[i].ecx, cpu.ecx);
		expect_equal(result[i].edx, cpu.edx);
	}
}

static void hypercall_says_as_cpuid(void)
{
	const bool has_xsave = cpuid(1, 0).ecx & 1u << 26;
	const uint64_t cr4 = read_cr4(), xcr0 = cr4 & CR4_XSAVE ? read_xcr0() : 0;

	expect_hypercall_says_as_cpuid();
	if (!has_xsave)
		return;
	write_cr4(cr4 | CR4_XSAVE);
	write_xcr0(1);
	expect_hypercall_says_as_cpuid();
	write_xcr0(xcr0 ? xcr0 : 3);
	write_cr4(cr4 & ~CR4_XSAVE);
	expect_hypercall_says_as_cpuid();
	write_cr4(cr4);
}

static void only_vtl0_is_there(void)
{
	const uint64_t partition = register_own(HV_REGISTER_VSM_PARTITION_STATUS);
	const uint64_t vp = register_own(HV_REGISTER_VSM_VP_STATUS);

	if (vtl_service_of[0][1]) {
		tap_skip("VTL1 is enabled already");
		return;
	}
	expect_equal(partition & HV_VSM_PARTITION_STATUS_ENABLED_VTL_SET_MASK, 1);
	expect((partition & HV_VSM_PARTITION_STATUS_MAXIMUM_VTL_MASK) != 0);
	expect_equal(vp, 1ull << HV_VSM_VP_STATUS_ENABLED_VTL_SET_SHIFT);
}

static void vina_needs_a_higher_vtl(void)
{
	expect(register_set_u64(HV_VP_INDEX_SELF, 0, HV_REGISTER_VSM_VINA,
				HV_VSM_VINA_ENABLED | 0x60) != HV_STATUS_SUCCESS);
}

static void page_is_not_writable(void)
{
	uint8_t before[64], after[64];

	memcpy(before, hypercall_page[0], sizeof(before));
	expect_equal(try_write(hypercall_page[0], (uint8_t)~before[0]), VECTOR_GP);
	memcpy(after, hypercall_page[0], sizeof(after));
	expect(!memcmp(before, after, sizeof(before)));
}

static void page_needs_an_identity(void)
{
	uint64_t value;

	expect_equal(try_wrmsr(HV_X64_MSR_GUEST_OS_ID, 0), -1);
	value = rdmsr(HV_X64_MSR_HYPERCALL);
	expect_equal(value & HV_PAGE_MSR_ENABLE, 0);
	/* The guest sees the RAM below the disabled hypercall page. */
	expect_equal(hypercall_page[0][0], 0);
	expect_equal(
		try_wrmsr(HV_X64_MSR_HYPERCALL, (uint64_t)hypercall_page[0] | HV_PAGE_MSR_ENABLE),
		-1);
	expect_equal(rdmsr(HV_X64_MSR_HYPERCALL) & HV_PAGE_MSR_ENABLE, 0);
	hypercall_enable();
	expect_equal(rdmsr(HV_X64_MSR_GUEST_OS_ID), KIT_GUEST_OS_ID);
	expect(hypercall_page[0][0] != 0);
}

static void bad_words_are_refused(void)
{
	static const struct {
		uint64_t control;
		uint16_t status;
	} bad[] = {
		{0x7fff, HV_STATUS_INVALID_HYPERCALL_CODE},
		{HV_CALL_NOTIFY_LONG_SPIN_WAIT | 1ull << 60, HV_STATUS_INVALID_HYPERCALL_INPUT},
		{HV_CALL_NOTIFY_LONG_SPIN_WAIT | 1ull << 44, HV_STATUS_INVALID_HYPERCALL_INPUT},
		{HV_CALL_NOTIFY_LONG_SPIN_WAIT | 1ull << 32, HV_STATUS_INVALID_HYPERCALL_INPUT},
		{HV_CALL_NOTIFY_LONG_SPIN_WAIT | 1ull << 17, HV_STATUS_INVALID_HYPERCALL_INPUT},
		{HV_CALL_GET_VP_REGISTERS, HV_STATUS_INVALID_HYPERCALL_INPUT},
		{HV_CALL_GET_VP_REGISTERS | 1ull << 32 | 1ull << 48,
		 HV_STATUS_INVALID_HYPERCALL_INPUT},
	};
	const struct cpu *cpu = cpu_current();

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_equal(hv_hypercall_result_status(
				     hypercall_raw(bad[i].control, (uint64_t)cpu->hypercall_input,
						   (uint64_t)cpu->hypercall_output)),
			     bad[i].status);
}

static void bad_addresses_are_refused(void)
{
	const struct cpu *cpu = cpu_current();
	const uint64_t control = hypercall_word(HV_CALL_GET_VP_REGISTERS, 1, 0);
	const uint64_t in = (uint64_t)cpu->hypercall_input, out = (uint64_t)cpu->hypercall_output;

	expect_equal(hypercall_raw(control, in + 4, out), HV_STATUS_INVALID_ALIGNMENT);
	expect_equal(hypercall_raw(control, in, out + 4), HV_STATUS_INVALID_ALIGNMENT);
	expect_equal(hypercall_raw(control, in + 4096 - 16, out), HV_STATUS_INVALID_ALIGNMENT);
}

static void all_forms_agree(void)
{
	const uint64_t control = hypercall_word(HV_CALL_GET_VP_REGISTERS, 1, 0);
	struct hv_vp_registers_input header = {HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, 0, {0}};
	uint64_t block[14] = {0};
	const uint32_t wanted = (uint32_t)rdmsr(HV_X64_MSR_VP_INDEX);

	expect_equal(register_own(HV_REGISTER_VP_INDEX), wanted);
	memcpy(block, &header, sizeof(header));
	block[2] = HV_REGISTER_VP_INDEX;
	if (!(hypercall_features() & HV_FEATURE(XMM_REGISTERS_FOR_FAST_HYPERCALL)) ||
	    !(hypercall_features() & HV_FEATURE(FAST_HYPERCALL_OUTPUT))) {
		tap_skip("XMM registers for fast hypercalls are not offered");
		return;
	}
	/* 20 bytes of input: RDX, R8, XMM0. The output begins with XMM1 (P28). */
	expect_equal(hypercall_block(control | HV_HYPERCALL_FAST, block),
		     hv_hypercall_result(HV_STATUS_SUCCESS, 1));
	expect_equal(block[4], wanted);
	expect_equal(block[5], 0);
	expect_equal(block[2], HV_REGISTER_VP_INDEX);
}

static void a_32_bit_caller_is_served(void)
{
	struct cpu *cpu = cpu_current();
	struct {
		struct hv_vp_registers_input header;
		uint32_t name[2];
	} input = {{HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, 0, {0}},
		   {HV_REGISTER_VP_INDEX, HV_REGISTER_VSM_CODE_PAGE_OFFSETS}};
	const struct call_32 call = {hypercall_word(HV_CALL_GET_VP_REGISTERS, 2, 0),
				     (uint64_t)cpu->hypercall_input,
				     (uint64_t)cpu->hypercall_output};
	const union hv_register_value *value = (const void *)cpu->hypercall_output;

	memcpy(cpu->hypercall_input, &input, sizeof(input));
	expect_equal(hypercall_call_32(&call, hypercall_page[0]),
		     hv_hypercall_result(HV_STATUS_SUCCESS, 2));
	expect_equal(value[0].reg64, rdmsr(HV_X64_MSR_VP_INDEX));
}

static void overlapping_parameters(void)
{
	struct cpu *cpu = cpu_current();
	struct {
		struct hv_vp_registers_input header;
		uint32_t name;
	} input = {{HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, 0, {0}}, HV_REGISTER_VP_INDEX};

	memcpy(cpu->hypercall_input, &input, sizeof(input));
	expect_equal(hypercall_raw(hypercall_word(HV_CALL_GET_VP_REGISTERS, 1, 0),
				   (uint64_t)cpu->hypercall_input, (uint64_t)cpu->hypercall_input),
		     hv_hypercall_result(HV_STATUS_SUCCESS, 1));
	expect_equal(*(uint32_t *)(void *)cpu->hypercall_input, rdmsr(HV_X64_MSR_VP_INDEX));
}

static void call_stub(void *argument)
{
	const uint32_t offsets = (uint32_t)register_own(HV_REGISTER_VSM_CODE_PAGE_OFFSETS);

	vtl_call_stub(hypercall_page[0] + (offsets >> *(uint32_t *)argument & 0xfff));
}

static void no_vtl_no_switch(void)
{
	uint32_t call = HV_VSM_CODE_PAGE_CALL_SHIFT, back = HV_VSM_CODE_PAGE_RETURN_SHIFT;
	struct fault fault;

	expect(catch_fault(&fault, call_stub, &back));
	expect_equal(fault.vector, VECTOR_UD);
	if (vtl_service_of[0][1])
		return;
	expect(catch_fault(&fault, call_stub, &call));
	expect_equal(fault.vector, VECTOR_UD);
}

static const struct tap_case cases[] = {
	{"CPUID reports the interface and AccessVsm (P22)", cpuid_says_so},
	{"HvCallGetVpCpuidValues returns the values of CPUID", hypercall_says_as_cpuid},
	{"only VTL0 is enabled and active", only_vtl0_is_there},
	{"VsmVina is refused for VTL0 (P10)", vina_needs_a_higher_vtl},
	{"a write to the hypercall page faults and changes nothing (P06)", page_is_not_writable},
	{"the hypercall page exists only while the guest OS ID is set", page_needs_an_identity},
	{"control words with wrong bits are refused", bad_words_are_refused},
	{"parameters that are misaligned or cross a page are refused", bad_addresses_are_refused},
	{"memory and XMM forms have the same result, and keep their inputs (P28)", all_forms_agree},
	{"a 32-bit caller is served by its own convention", a_32_bit_caller_is_served},
	{"input and output may be in the same page", overlapping_parameters},
	{"VTL return in VTL0, and VTL call without a higher VTL, are undefined opcodes",
	 no_vtl_no_switch},
};

TAP_TOPIC(topic_offer, needs_vsm, cases);
