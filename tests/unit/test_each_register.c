/* SPDX-License-Identifier: BSD-2-Clause */
/* VP registers that are neither plain state (test_registers.c) nor MSRs under another name
 * (test_partition.c): each is compared with what the guest reads in another way. */
#include "core_test.h"
#include "needs.h"

#include "fixture.h"

#define VTL0 0x10u /* HV_INPUT_VTL: UseTargetVtl, VTL0 */

static int setup(void **state)
{
	fixture(2, 1);
	guest_enable_vtl(partition, 1);
	return 0;
}

static void in_vtl1(void)
{
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(vp->active_vtl, 1);
}

static void in_vtl0(void)
{
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(vp->active_vtl, 0);
}

/* A register of @input_vtl as the active VTL reads it. */
static uint64_t get(uint8_t input_vtl, uint32_t name)
{
	uint64_t value;

	if (guest_get_register(vp, HV_VP_INDEX_SELF, input_vtl, name, &value) != HV_STATUS_SUCCESS)
		fail_msg("register 0x%x cannot be read", name);
	return value;
}

static void set(uint8_t input_vtl, uint32_t name, uint64_t value)
{
	if (guest_set_register(vp, HV_VP_INDEX_SELF, input_vtl, name, value) != HV_STATUS_SUCCESS)
		fail_msg("register 0x%x cannot be set", name);
}

static uint64_t apic_page(uint32_t name)
{
	uint64_t value;

	assert_int_equal(guest_read(vp, 0xfee00000 + ((name & 0xff) << 4), 4, &value), GUEST_DONE);
	return value;
}

static void write_apic_page(uint32_t name, uint32_t value)
{
	assert_int_equal(guest_write(vp, 0xfee00000 + ((name & 0xff) << 4), 4, value), GUEST_DONE);
}

static uint8_t vector_of(unsigned int bank)
{
	return (uint8_t)(32 * bank + 20);
}

static void fill_the_banks(void)
{
	set_if(vp, 0, true);
	for (unsigned int bank = 0; bank < 8; bank++) {
		assert_int_equal(vsm_msi(partition, 0xfee00000, 0xc000u | vector_of(bank)), 0);
		guest_run(vp);
		assert_true(was_delivered(vp, 0, vector_of(bank), 0));
	}
	for (unsigned int bank = 0; bank < 8; bank++)
		assert_int_equal(vsm_msi(partition, 0xfee00000, 0xc000u | vector_of(bank)), 0);
	guest_run(vp);
}

/* shows: register of same; register HvX64RegisterApicTmr0 to HvX64RegisterApicTmr7 */
static void an_apic_register_of_vtl0_reads_as_on_its_own_page(void **state)
{
	static const struct {
		uint32_t name;
		uint32_t written; /* on the page; 0: not written */
	} same[] = {
		{HV_X64_REGISTER_APIC_VERSION, 0},
		{HV_X64_REGISTER_APIC_TPR, 0x10},
		{HV_X64_REGISTER_APIC_PPR, 0},
		{HV_X64_REGISTER_APIC_LDR, 0x4000000},
		{HV_X64_REGISTER_APIC_SPURIOUS, 0x1f3},
		{HV_X64_REGISTER_APIC_ISR0, 0},
		{HV_X64_REGISTER_APIC_ISR1, 0},
		{HV_X64_REGISTER_APIC_ISR2, 0},
		{HV_X64_REGISTER_APIC_ISR3, 0},
		{HV_X64_REGISTER_APIC_ISR4, 0},
		{HV_X64_REGISTER_APIC_ISR5, 0},
		{HV_X64_REGISTER_APIC_ISR6, 0},
		{HV_X64_REGISTER_APIC_ISR7, 0},
		{HV_X64_REGISTER_APIC_IRR0, 0},
		{HV_X64_REGISTER_APIC_IRR1, 0},
		{HV_X64_REGISTER_APIC_IRR2, 0},
		{HV_X64_REGISTER_APIC_IRR3, 0},
		{HV_X64_REGISTER_APIC_IRR4, 0},
		{HV_X64_REGISTER_APIC_IRR5, 0},
		{HV_X64_REGISTER_APIC_IRR6, 0},
		{HV_X64_REGISTER_APIC_IRR7, 0},
		{HV_X64_REGISTER_APIC_LVT_TIMER, 0x200e1},
		{HV_X64_REGISTER_APIC_LVT_THERMAL, 0x100e2},
		{HV_X64_REGISTER_APIC_LVT_PERFMON, 0x100e3},
		{HV_X64_REGISTER_APIC_LVT_LINT0, 0x100e4},
		{HV_X64_REGISTER_APIC_LVT_LINT1, 0x100e5},
		{HV_X64_REGISTER_APIC_LVT_ERROR, 0x100e6},
		{HV_X64_REGISTER_APIC_DIVIDE, 0xb},
		{HV_X64_REGISTER_APIC_INIT_COUNT, 0x7fffffff},
	};
	uint64_t seen[sizeof(same) / sizeof(same[0])];

	fill_the_banks();
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		if (same[i].written)
			write_apic_page(same[i].name, same[i].written);
		seen[i] = apic_page(same[i].name);
	}
	in_vtl1();
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (get(VTL0, same[i].name) != seen[i])
			fail_msg("register 0x%x is not what the page has", same[i].name);
	for (unsigned int bank = 0; bank < 8; bank++) {
		const uint64_t bit = UINT64_C(1) << vector_of(bank) % 32;

		assert_int_equal(get(VTL0, HV_X64_REGISTER_APIC_ISR0 + bank), bit);
		assert_int_equal(get(VTL0, HV_X64_REGISTER_APIC_IRR0 + bank), bit);
		assert_int_equal(get(VTL0, HV_X64_REGISTER_APIC_TMR0 + bank), bit);
		assert_int_equal(get(0, HV_X64_REGISTER_APIC_ISR0 + bank), 0);
	}
}

/* shows: register HvX64RegisterApicId, HvX64RegisterInitialApicId, HvX64RegisterApicIcr,
 * HvX64RegisterApicSelfIpi, HvX64RegisterApicEoi, HvX64RegisterApicEse, HvX64RegisterApicCurrentCount
 */
static void vtl1_acts_on_the_apic_of_vtl0_by_registers(void **state)
{
	struct vsm_vp *other = vsm_partition_vp(partition, 1);
	uint64_t value;

	set_if(vp, 0, true);
	in_vtl1();
	assert_int_equal(guest_get_register(vp, 1, VTL0, HV_X64_REGISTER_INITIAL_APIC_ID, &value),
			 0);
	assert_int_equal(value, other->apic_id);
	assert_int_equal(guest_get_register(vp, 1, VTL0, HV_X64_REGISTER_APIC_ID, &value), 0);
	assert_int_equal(value, other->apic_id);
	/* A self-IPI by either register goes to VTL0, and the register EOI ends it. */
	set(VTL0, HV_X64_REGISTER_APIC_SELF_IPI, 0x91);
	in_vtl0();
	guest_run(vp);
	assert_true(was_delivered(vp, 0, 0x91, 0));
	in_vtl1();
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), 0x91);
	set(VTL0, HV_X64_REGISTER_APIC_EOI, 0);
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), -1);
	set(VTL0, HV_X64_REGISTER_APIC_ICR, 0x40092);
	in_vtl0();
	guest_run(vp);
	assert_true(was_delivered(vp, 0, 0x92, 0));
	/* A vector below 16 is an error of VTL0's APIC, which a write latches. */
	write_apic_page(HV_X64_REGISTER_APIC_LVT_ERROR, 0x10000);
	write_apic_page(HV_X64_REGISTER_APIC_ICR, 0x40005);
	write_apic_page(HV_X64_REGISTER_APIC_ESE, 0);
	assert_int_equal(apic_page(HV_X64_REGISTER_APIC_ESE), 1u << 5);
	in_vtl1();
	assert_int_equal(get(VTL0, HV_X64_REGISTER_APIC_ESE), 1u << 5);
	assert_int_equal(get(0, HV_X64_REGISTER_APIC_ESE), 0);
	set(VTL0, HV_X64_REGISTER_APIC_LVT_TIMER, 0x10000);
	set(VTL0, HV_X64_REGISTER_APIC_INIT_COUNT, 0x10000000);
	value = get(VTL0, HV_X64_REGISTER_APIC_CURRENT_COUNT);
	assert_in_range(value, 1, 0x10000000);
	sim_advance(partition, 1000000);
	assert_true(get(VTL0, HV_X64_REGISTER_APIC_CURRENT_COUNT) < value);
	assert_int_equal(get(0, HV_X64_REGISTER_APIC_CURRENT_COUNT), 0);
}

/* shows: register HvX64RegisterXmmControlStatus */
static void mxcsr_is_set_and_read_by_its_register(void **state)
{
	struct hv_x64_xmm_control_status_register *control;
	const struct regs_caller host = {.host = true};
	union hv_register_value value = {0};

	control = &value.xmm_control_status;
	control->mxcsr = 0x1fa1;
	control->mxcsr_mask = 0xffff;
	assert_int_equal(regs_set(vp, 0, HV_X64_REGISTER_XMM_CONTROL_STATUS, &host, &value), 0);
	/* MXCSR is shared: VTL1 has the value, in the XSAVE area (SDM 1, 13.4.1). */
	in_vtl1();
	memset(&value, 0, sizeof(value));
	assert_int_equal(regs_get(vp, 1, HV_X64_REGISTER_XMM_CONTROL_STATUS, &host, &value), 0);
	assert_int_equal(control->mxcsr, 0x1fa1);
	memcpy(&control->mxcsr, vcpu_get(vp, 1, VCPU_FPU)->xsave + 24, sizeof(control->mxcsr));
	assert_int_equal(control->mxcsr, 0x1fa1);
	control->mxcsr = UINT32_C(1) << 16;
	assert_int_equal(regs_set(vp, 0, HV_X64_REGISTER_XMM_CONTROL_STATUS, &host, &value),
			 HV_STATUS_INVALID_REGISTER_VALUE);
}

/* The CPU of the sim backend has no VIRT_SPEC_CTRL. */
/* shows: register HvX64RegisterVirtSpecCtrl */
static void virt_spec_ctrl_is_a_register_where_the_cpu_has_it(void **state)
{
	partition->features.msr_valid[VCPU_MSR_VIRT_SPEC_CTRL] = 4;
	in_vtl1();
	assert_int_equal(get(VTL0, HV_X64_REGISTER_VIRT_SPEC_CTRL), 0);
	set(VTL0, HV_X64_REGISTER_VIRT_SPEC_CTRL, 4);
	assert_int_equal(get(VTL0, HV_X64_REGISTER_VIRT_SPEC_CTRL), 4);
	assert_int_equal(host_get(vp, 1, HV_X64_REGISTER_VIRT_SPEC_CTRL), 0);
	assert_int_equal(guest_set_register(vp, 0, VTL0, HV_X64_REGISTER_VIRT_SPEC_CTRL, 1),
			 HV_STATUS_INVALID_REGISTER_VALUE);
	in_vtl0();
	assert_int_equal(rdmsr(vp, vcpu_msr_number[VCPU_MSR_VIRT_SPEC_CTRL]), 4);
}

/* shows: register HvX64RegisterMsrMtrrCap, HvRegisterTimeRefCount */
static void constants_and_clocks_read_as_their_msrs(void **state)
{
	uint64_t time;

	in_vtl1();
	assert_int_equal(get(VTL0, HV_X64_REGISTER_MSR_MTRR_CAP), rdmsr(vp, X64_MSR_MTRRCAP));
	assert_true(get(VTL0, HV_X64_REGISTER_MSR_MTRR_CAP));
	time = rdmsr(vp, HV_X64_MSR_TIME_REF_COUNT);
	sim_advance(partition, 1000000); /* a millisecond is 10,000 units of 100 ns */
	assert_in_range(get(0, HV_REGISTER_TIME_REF_COUNT), time + 10000, time + 10010);
}

/* shows: register HvRegisterInstructionEmulationHints */
static void the_hints_say_whether_a_higher_vtl_is_enabled(void **state)
{
	struct vsm_partition *plain = guest_partition(1, 1, RAM, NULL);
	uint64_t value;

	assert_int_equal(guest_get_register(vsm_partition_vp(plain, 0), 0, 0,
					    HV_REGISTER_INSTRUCTION_EMULATION_HINTS, &value),
			 0);
	assert_int_equal(value, 0);
	vsm_partition_destroy(plain);
	assert_int_equal(get(0, HV_REGISTER_INSTRUCTION_EMULATION_HINTS),
			 HV_EMULATION_HINT_PARTITION_SECURE_VTL_ENABLED);
}

/* DenyLowerVtlStartup is bit 17, MbecVtlMask begins at bit 1, Dr6Shared is bit 0. */
/* shows: register HvRegisterVsmCapabilities; rule capabilities-mbec, capabilities-startup */
static void the_capabilities_are_those_of_the_backend(void **state)
{
	static const struct {
		bool dr6_shared;
		bool mbec;
		uint64_t value;
	} rows[] = {
		{false, false, 1 << 17},
		{true, false, 1 << 17 | 1},
		{false, true, 1 << 17 | 1 << 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		partition->features.dr6_shared = rows[i].dr6_shared;
		partition->features.mbec = rows[i].mbec;
		assert_int_equal(get(0, HV_REGISTER_VSM_CAPABILITIES), rows[i].value);
	}
}

/* TLFS "Hypercall Page Assist": VTL1 finds the code of its own page by the register. */
/* shows: register HvRegisterVsmCodePageOffsets; rule code-offsets */
static void the_code_page_offsets_are_those_of_code_on_the_page(void **state)
{
	uint64_t offsets;
	uint64_t code;

	in_vtl1();
	wrmsr(vp, HV_X64_MSR_GUEST_OS_ID, 1);
	wrmsr(vp, HV_X64_MSR_HYPERCALL, 0x50001);
	offsets = get(0, HV_REGISTER_VSM_CODE_PAGE_OFFSETS);
	assert_int_equal(offsets >> 24, 0);
	assert_int_not_equal(offsets & 0xfff, offsets >> 12);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(guest_read(vp, 0x50000 + (offsets >> (12 * i) & 0xfff), 8, &code),
				 GUEST_DONE);
		/* Each begins with ENDBR64. */
		assert_int_equal((uint32_t)code, 0xfa1e0ff3);
	}
}

/* TLFS "Configuring Lower VTLs": the highest of 16 VTLs has 15 instances. */
/* shows: register of names; rule secure-config-owner */
static void a_vtl_locks_the_tlb_of_each_lower_vtl_by_its_register(void **state)
{
	static const uint32_t names[] = {
		HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL0,	HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL1,
		HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL2,	HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL3,
		HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL4,	HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL5,
		HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL6,	HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL7,
		HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL8,	HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL9,
		HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL10, HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL11,
		HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL12, HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL13,
		HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL14,
	};
	struct vsm_partition *tall = guest_partition(1, 15, RAM, NULL);
	struct vsm_vp *top = vsm_partition_vp(tall, 0);
	uint64_t value;

	for (uint8_t vtl = 1; vtl < 16; vtl++) {
		guest_enable_vtl(tall, vtl);
		assert_int_equal(guest_vtl_call(top), GUEST_DONE);
	}
	assert_int_equal(top->active_vtl, 15);
	for (unsigned int i = 0; i < 15; i++) {
		assert_int_equal(guest_get_register(top, 0, 0, names[i], &value), 0);
		assert_int_equal(value, 0);
		assert_int_equal(
			guest_set_register(top, 0, 0, names[i], HV_VSM_VP_SECURE_CONFIG_TLB_LOCKED),
			0);
		for (unsigned int other = 0; other < 15; other++)
			assert_int_equal(atomic_load(&top->tlb_locked[other]),
					 other <= i ? vtl_bit(15) : 0);
		assert_int_equal(guest_get_register(top, 0, 0, names[i], &value), 0);
		assert_int_equal(value, HV_VSM_VP_SECURE_CONFIG_TLB_LOCKED);
	}
	vsm_partition_destroy(tall);
}

/* TLFS "Virtual Processor State Isolation" */
/* shows: rule shared-msrs; msr of shared */
static void vtls_share_the_msrs_that_describe_the_vp(void **state)
{
	static const uint32_t shared[] = {
		HV_X64_MSR_TSC_FREQUENCY,
		HV_X64_MSR_VP_INDEX,
		HV_X64_MSR_VP_RUNTIME,
		HV_X64_MSR_TIME_REF_COUNT,
	};
	uint64_t seen[4];

	sim_advance(partition, 1000000000);
	for (size_t i = 0; i < 4; i++)
		seen[i] = rdmsr(vp, shared[i]);
	in_vtl1();
	for (size_t i = 0; i < 4; i++)
		assert_in_range(rdmsr(vp, shared[i]), seen[i], seen[i] + 100);
	assert_in_range(seen[3], 10000000, 10000100);
}

/* shows: rule private-hypercall-msrs, private-synic; msr of private */
static void vtls_have_synthetic_msrs_of_their_own(void **state)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
		uint64_t reset;
	} private[] = {
		{HV_X64_MSR_GUEST_OS_ID, 0x77, 0},
		{HV_X64_MSR_HYPERCALL, 0x50001, 0},
		{HV_X64_MSR_REFERENCE_TSC, 0x51001, 0},
		{HV_X64_MSR_VP_ASSIST_PAGE, 0x52001, 0},
		{HV_X64_MSR_TPR, 0x30, 0},
		{HV_X64_MSR_SCONTROL, 1, 0},
		{HV_X64_MSR_SIEFP, 0x53001, 0},
		{HV_X64_MSR_SIMP, 0x54001, 0},
		{HV_X64_MSR_SINT0, 0x50, 0x10000},
		{HV_X64_MSR_SINT15, 0x5f, 0x10000},
		{HV_X64_MSR_STIMER0_CONFIG, 0x30000, 0},
		{HV_X64_MSR_STIMER3_COUNT, 0x1234567, 0},
	};

	for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++)
		wrmsr(vp, private[i].msr, private[i].value);
	in_vtl1();
	for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++)
		if (rdmsr(vp, private[i].msr) != private[i].reset)
			fail_msg("MSR 0x%x is not VTL1's own", private[i].msr);
	in_vtl0();
	for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++)
		assert_int_equal(rdmsr(vp, private[i].msr), private[i].value);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_NEEDS(NEED_ANY_VECTOR, an_apic_register_of_vtl0_reads_as_on_its_own_page),
		TEST(vtl1_acts_on_the_apic_of_vtl0_by_registers),
		TEST(mxcsr_is_set_and_read_by_its_register),
		TEST_NEEDS(NEED_SIM_CPU, virt_spec_ctrl_is_a_register_where_the_cpu_has_it),
		TEST(constants_and_clocks_read_as_their_msrs),
		TEST(the_hints_say_whether_a_higher_vtl_is_enabled),
		TEST(the_capabilities_are_those_of_the_backend),
		TEST(the_code_page_offsets_are_those_of_code_on_the_page),
		TEST(a_vtl_locks_the_tlb_of_each_lower_vtl_by_its_register),
		TEST(vtls_share_the_msrs_that_describe_the_vp),
		TEST(vtls_have_synthetic_msrs_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
