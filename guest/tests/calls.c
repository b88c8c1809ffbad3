/* SPDX-License-Identifier: BSD-2-Clause */
/* Hypercalls of VTL0 under protections: the hypervisor must act with its caller's rights. */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/x64.h"
#include "ops.h"

#define READ_EXECUTE (HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE)

static uint64_t own_index(void)
{
	union hv_register_value value = {{0}};

	expect_equal(register_get(HV_VP_INDEX_SELF, 0, HV_REGISTER_VP_INDEX, &value),
		     HV_STATUS_SUCCESS);
	return value.reg64;
}

/* VTL1 protects the parameter page: the TLFS demands a memory intercept and a restart of the call. An error
 * status is accepted, too. */
static void with_parameters_denied(const uint8_t *parameters, uint32_t flags, uint32_t access)
{
	const struct cpu *cpu = cpu_current();
	const uint32_t count = intercepts();
	struct {
		struct hv_vp_registers_input header;
		uint32_t name;
	} input = {{HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, 0, {0}}, HV_REGISTER_VP_INDEX};
	uint64_t result;

	memcpy(cpu->hypercall_input, &input, sizeof(input));
	memset(cpu->hypercall_output, 0xcc, 64);
	expect_equal(protect(parameters, flags), HV_STATUS_SUCCESS);
	on_intercept(vtl_allow, NULL);
	result = hypercall_raw(hypercall_word(HV_CALL_GET_VP_REGISTERS, 1, 0),
			       (uint64_t)cpu->hypercall_input, (uint64_t)cpu->hypercall_output);
	on_intercept(NULL, NULL);
	if (hv_hypercall_result_status(result) != HV_STATUS_SUCCESS) {
		expect_equal(protect(parameters, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
		tap_skip("this hypervisor refuses such calls without an intercept");
		return;
	}
	expect_equal(intercepts(), count + 1);
	check_address(last_intercept(), (uint64_t)parameters);
	expect_equal(((const struct hv_x64_intercept_message_header *)(const void *)last_intercept()
			      ->payload)
			     ->access_type,
		     access);
	expect_equal(*(uint64_t *)(void *)cpu->hypercall_output, rdmsr(HV_X64_MSR_VP_INDEX));
}

static void input_is_guarded(void)
{
	with_parameters_denied(cpu_current()->hypercall_input, 0, HV_INTERCEPT_ACCESS_READ);
}

static void output_is_guarded(void)
{
	with_parameters_denied(cpu_current()->hypercall_output, READ_EXECUTE,
			       HV_INTERCEPT_ACCESS_WRITE);
}

static void overlay_is_not_its_ram(void)
{
	const uint32_t count = intercepts();

	/* P16: a protection restricts only lower VTLs: VTL1 can still make hypercalls. */
	expect_equal(protect(hypercall_page[1], 0), HV_STATUS_SUCCESS);
	expect_equal(own_index(), rdmsr(HV_X64_MSR_VP_INDEX));
	expect_equal(intercepts(), count);
	expect_equal(protect(hypercall_page[1], VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
}

/* P05, P30: a protection hides an overlay, and is in force after the overlay is removed. */
static void protection_survives_overlay(void)
{
	uint8_t *page = memory_pages(1);
	const uint32_t count = intercepts();
	const uint64_t before = rdmsr(HV_X64_MSR_SIEFP);

	page[0] = 0x11;
	if (try_wrmsr(HV_X64_MSR_SIEFP, (uint64_t)page | HV_PAGE_MSR_ENABLE) != -1) {
		expect(false);
		return;
	}
	page[0] = 0x22;
	if (protect(page, READ_EXECUTE) != HV_STATUS_SUCCESS) {
		wrmsr(HV_X64_MSR_SIEFP, before);
		tap_skip("this hypervisor does not protect what lies under an overlay");
		return;
	}
	expect_equal(*(volatile uint8_t *)page, 0x11);
	expect_equal(intercepts(), count);
	wrmsr(HV_X64_MSR_SIEFP, before);
	on_intercept(vtl_allow, NULL);
	op_store8((uint64_t)page, 0);
	on_intercept(NULL, NULL);
	expect_equal(intercepts(), count + 1);
}

static void look_at_vtl1_page(void)
{
	uint8_t seen[16];
	uint8_t zero[16] = {0};

	/* At the GPA of VTL1's hypercall page VTL0 reads RAM: an overlay belongs to one VTL. */
	memcpy(seen, hypercall_page[1], sizeof(seen));
	expect(!memcmp(seen, zero, sizeof(seen)));
	hypercall_page[1][0] = 0x90;
	expect_equal(protect(hypercall_page[1], VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
	hypercall_page[1][0] = 0;
}

static void vtl0_cannot_protect(void)
{
	const uint16_t status = vtl_protect((uint64_t)memory_pages(1), 1, READ_EXECUTE);

	expect(status != HV_STATUS_SUCCESS);
}

static void vtl0_cannot_look_up(void)
{
	union hv_register_value value = {{0}};
	static const uint32_t names[] = {
		HV_X64_REGISTER_RIP,	    HV_X64_REGISTER_RSP,   HV_X64_REGISTER_CR3,
		HV_X64_REGISTER_EFER,	    HV_X64_REGISTER_LSTAR, HV_REGISTER_VSM_PARTITION_CONFIG,
		HV_REGISTER_VP_ASSIST_PAGE, HV_REGISTER_SIPP,	   HV_REGISTER_SINT0,
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		expect(register_get(HV_VP_INDEX_SELF, input_vtl(1), names[i], &value) !=
		       HV_STATUS_SUCCESS);
		expect(register_set(HV_VP_INDEX_SELF, input_vtl(1), names[i], &value) !=
		       HV_STATUS_SUCCESS);
	}
}

static const struct tap_case cases[] = {
	{"input that the caller may not read is an intercept, then the call is done",
	 input_is_guarded},
	{"output that the caller may not write is an intercept, then the call is done",
	 output_is_guarded},
	{"a VTL can call its hypercall page after protecting that GPA (P16)",
	 overlay_is_not_its_ram},
	{"a protection hides the overlay at its page, and stays when the overlay is removed (P05)",
	 protection_survives_overlay},
	{"VTL0 reads RAM at the GPA of VTL1's hypercall page, and cannot change that page (P06)",
	 look_at_vtl1_page},
	{"VTL0 cannot protect memory", vtl0_cannot_protect},
	{"VTL0 can neither read nor write registers of VTL1", vtl0_cannot_look_up},
};

TAP_TOPIC(topic_calls, needs_vtl1, cases);
