/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VTL may enable VTL1 on the partition and on each VP (TLFS "VTL Enablement"). */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/apic.h"
#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/vtl.h"
#include "kit/x64.h"

static const char *fresh(void)
{
	const char *reason = needs_vsm();

	if (!reason && vtl_service_of[0][1])
		reason = "VTL1 is enabled already";
	return reason;
}

static uint8_t maximum_vtl(void)
{
	return (register_own(HV_REGISTER_VSM_PARTITION_STATUS) &
		HV_VSM_PARTITION_STATUS_MAXIMUM_VTL_MASK) >>
	       HV_VSM_PARTITION_STATUS_MAXIMUM_VTL_SHIFT;
}

static uint64_t vp_status(uint32_t vp)
{
	union hv_register_value value = {{0}};

	expect_equal(register_get(vp, 0, HV_REGISTER_VSM_VP_STATUS, &value), HV_STATUS_SUCCESS);
	return value.reg64;
}

static bool enabled_on(uint32_t vp)
{
	return vp_status(vp) >> HV_VSM_VP_STATUS_ENABLED_VTL_SET_SHIFT & 2;
}

/* EnableVpVtl with a context; @bad_cr0 and @bad_rip are invalid bits to set in it, or 0. */
static uint16_t enable_vp(uint32_t vp, uint8_t vtl, uint64_t bad_cr0, uint64_t bad_rip)
{
	struct hv_enable_vp_vtl_input input = {
		.partition_id = HV_PARTITION_ID_SELF, .vp_index = vp, .target_vtl = vtl};

	vtl_context(&input.context, cpu_current(), (void (*)(void))0x1000, read_cr3());
	input.context.cr0 |= bad_cr0;
	input.context.rip |= bad_rip;
	return hypercall(HV_CALL_ENABLE_VP_VTL, &input, sizeof(input), NULL, 0);
}

static void wrong_orders_are_refused(void)
{
	expect_equal(enable_vp(HV_VP_INDEX_SELF, 1, 0, 0), HV_STATUS_INVALID_VTL_STATE);
	expect_equal(vtl_enable_partition(0, 0), HV_STATUS_INVALID_PARAMETER);
	expect(vtl_enable_partition((uint8_t)(maximum_vtl() + 1), 0) != HV_STATUS_SUCCESS);
	expect(vtl_enable_partition(1, HV_ENABLE_PARTITION_VTL_RESERVED_MASK) != HV_STATUS_SUCCESS);
	expect_equal(vp_status(0), 1ull << HV_VSM_VP_STATUS_ENABLED_VTL_SET_SHIFT);
}

static void partition_is_enabled_once(void)
{
	expect_equal(vtl_enable_partition(1, 0), HV_STATUS_SUCCESS);
	expect_equal(vtl_enable_partition(1, 0), HV_STATUS_INVALID_VTL_STATE);
	expect_equal(register_own(HV_REGISTER_VSM_PARTITION_STATUS) &
			     HV_VSM_PARTITION_STATUS_ENABLED_VTL_SET_MASK,
		     3);
	expect(!enabled_on(0));
}

static void bad_contexts_are_refused(void)
{
	expect_equal(enable_vp(HV_VP_INDEX_SELF, 0, 0, 0), HV_STATUS_INVALID_PARAMETER);
	expect_equal(enable_vp(smp_count + 100, 1, 0, 0), HV_STATUS_INVALID_VP_INDEX);
	expect_equal(enable_vp(HV_VP_INDEX_SELF, 1, 1ull << 40, 0),
		     HV_STATUS_INVALID_REGISTER_VALUE);
	expect_equal(enable_vp(HV_VP_INDEX_SELF, 1, 0, 1ull << 63),
		     HV_STATUS_INVALID_REGISTER_VALUE);
	if (smp_count > 1)
		expect_equal(enable_vp(1, 1, 0, 0), HV_STATUS_ACCESS_DENIED);
	expect(!enabled_on(0));
}

static void boot_vp_is_enabled(void)
{
	expect_equal(vtl_enable_vp(0, 1), HV_STATUS_SUCCESS);
	expect(enabled_on(0));
	expect_equal(vp_status(0) & HV_VSM_VP_STATUS_ACTIVE_VTL_MASK, 0);
	expect(enable_vp(HV_VP_INDEX_SELF, 1, 0, 0) != HV_STATUS_SUCCESS);
	if (smp_count > 1)
		expect_equal(enable_vp(1, 1, 0, 0), HV_STATUS_ACCESS_DENIED);
}

static void look_from_vtl1(void *argument)
{
	uint64_t *seen = argument;
	const struct cpu *cpu = cpu_current();

	seen[0] = cpu->vtl;
	seen[1] = register_own(HV_REGISTER_VSM_VP_STATUS);
	seen[2] = rdmsr(MSR_APIC_BASE);
	seen[3] = apic_read(APIC_SPURIOUS);
	seen[4] = read_dr7();
	seen[5] = rdmsr(HV_X64_MSR_SINT0 + 5);
}

static void vtl1_starts_at_its_context(void)
{
	uint64_t seen[6] = {0};
	const uint64_t base = rdmsr(MSR_APIC_BASE);

	vtl_run(look_from_vtl1, seen);
	expect_equal(seen[0], 1);
	expect_equal(seen[1] & HV_VSM_VP_STATUS_ACTIVE_VTL_MASK, 1);
	expect_equal(seen[2], (base & ~APIC_BASE_X2APIC) | APIC_BASE_ENABLED);
	expect(seen[3] & APIC_SOFTWARE_ENABLED);
	expect_equal(seen[4], 0x400);
	expect_equal(seen[5], HV_SYNIC_SINT_RESET);
}

static void enable_all_others(void *argument)
{
	for (uint32_t vp = 1; vp < smp_count; vp++) {
		for (uint32_t other = 1; other < smp_count; other++)
			expect_equal(enabled_on(other), other < vp);
		expect_equal(vtl_enable_vp(vp, 1), HV_STATUS_SUCCESS);
		expect_equal(vtl_enable_vp(vp, 1), HV_STATUS_VTL_ALREADY_ENABLED);
	}
}

static void others_are_enabled_from_vtl1(void)
{
	if (smp_count == 1) {
		tap_skip("one VP");
		return;
	}
	vtl_run(enable_all_others, NULL);
	for (uint32_t vp = 1; vp < smp_count; vp++) {
		uint64_t seen[6] = {0};

		expect(enabled_on(vp));
		vtl_run_on(vp, 1, look_from_vtl1, seen);
		expect_equal(seen[0], 1);
		expect(!(seen[2] & APIC_BASE_BOOT));
	}
}

static void configure(void *argument)
{
	const uint64_t enable = HV_VSM_PARTITION_CONFIG_ENABLE_VTL_PROTECTION;
	const uint64_t all = HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_MASK;
	const uint64_t zero = HV_VSM_PARTITION_CONFIG_ZERO_MEMORY_ON_RESET;
	const uint32_t name = HV_REGISTER_VSM_PARTITION_CONFIG;

	expect_equal(vtl_protect((uint64_t)argument, 1, HV_MAP_GPA_READABLE),
		     HV_STATUS_ACCESS_DENIED);
	expect(register_own(name) & zero);
	expect_equal(register_set_u64(HV_VP_INDEX_SELF, 0, name, 1ull << 63 | enable | all),
		     HV_STATUS_INVALID_REGISTER_VALUE);
	expect_equal(register_set_u64(HV_VP_INDEX_SELF, input_vtl(2), name, enable | all),
		     HV_STATUS_ACCESS_DENIED);
	expect_equal(register_set_u64(HV_VP_INDEX_SELF, 0, name, enable | all | zero),
		     HV_STATUS_SUCCESS);
	expect_equal(register_own(name), enable | all | zero);
	expect_equal(vtl_protect((uint64_t)argument, 1, HV_MAP_GPA_WRITABLE),
		     HV_STATUS_INVALID_PARAMETER);
}

static void protection_is_off_at_first(void)
{
	uint8_t *page = memory_pages(1);
	union hv_register_value value;

	expect(register_get(HV_VP_INDEX_SELF, input_vtl(1), HV_REGISTER_VSM_PARTITION_CONFIG,
			    &value) != HV_STATUS_SUCCESS);
	vtl_run(configure, page);
	expect_equal(try_write(page, 1), -1);
	expect_equal(vtl_protect((uint64_t)page, 1, HV_MAP_GPA_READABLE) != HV_STATUS_SUCCESS, 1);
}

static const struct tap_case cases[] = {
	{"calls in the wrong order, or with unknown bits, are refused and change nothing",
	 wrong_orders_are_refused},
	{"VTL1 of the partition can be enabled once", partition_is_enabled_once},
	{"invalid contexts, other VPs and VTL0 are refused", bad_contexts_are_refused},
	{"VTL0 enables VTL1 on its own VP, and stays active", boot_vp_is_enabled},
	{"a VTL call starts VTL1 at its context, with registers at reset and an enabled APIC (P23)",
	 vtl1_starts_at_its_context},
	{"VTL1 enables itself on exactly the VP that it names (P01)", others_are_enabled_from_vtl1},
	{"protections need EnableVtlProtection and valid flags", protection_is_off_at_first},
};

TAP_TOPIC(topic_enable, fresh, cases);
