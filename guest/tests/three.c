/* SPDX-License-Identifier: BSD-2-Clause */
/* VTL2 above VTL1. VTL2 stays enabled for the topics that follow. */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/apic.h"
#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/time.h"
#include "kit/vtl.h"
#include "kit/x64.h"
#include "ops.h"

#define READ_EXECUTE (HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE)
#define VECTOR	     0x76

static void configure(void *argument)
{
	const uint64_t config = HV_VSM_PARTITION_CONFIG_ENABLE_VTL_PROTECTION |
				HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_MASK |
				HV_VSM_PARTITION_CONFIG_ZERO_MEMORY_ON_RESET;

	*(uint16_t *)argument =
		register_set_u64(HV_VP_INDEX_SELF, 0, HV_REGISTER_VSM_PARTITION_CONFIG, config);
}

static const char *needs_vtl2(void)
{
	static bool enabled;
	const char *reason = needs_vtl1();
	uint16_t status = 0;

	if (reason || enabled)
		return reason;
	if ((register_own(HV_REGISTER_VSM_PARTITION_STATUS) &
	     HV_VSM_PARTITION_STATUS_MAXIMUM_VTL_MASK) >>
	    HV_VSM_PARTITION_STATUS_MAXIMUM_VTL_SHIFT < 2)
		return "VsmPartitionStatus reports no VTL2";
	if (!expect_equal(vtl_enable_all(2), HV_STATUS_SUCCESS))
		return "VTL2 cannot be enabled";
	vtl_run_in(2, configure, &status);
	expect_equal(status, HV_STATUS_SUCCESS);
	enabled = true;
	return NULL;
}

static void note_vtl(void *argument)
{
	uint64_t *seen = argument;

	seen[cpu_current()->vtl] = register_own(HV_REGISTER_VSM_VP_STATUS);
}

static void note_from_vtl1(void *argument)
{
	note_vtl(argument);
	vtl_run(note_vtl, argument);
}

static void calls_climb(void)
{
	for (uint32_t vp = 0; vp < smp_count; vp++) {
		uint64_t seen[VTL_COUNT] = {0};

		vtl_run_on(vp, 1, note_from_vtl1, seen);
		expect_equal(seen[1] & HV_VSM_VP_STATUS_ACTIVE_VTL_MASK, 1);
		expect_equal(seen[2] & HV_VSM_VP_STATUS_ACTIVE_VTL_MASK, 2);
		expect_equal(seen[2] >> HV_VSM_VP_STATUS_ENABLED_VTL_SET_SHIFT, 7);
	}
}

static void store_here(void *argument)
{
	op_store8((uint64_t)argument, 0);
}

static void vtl1_is_stopped(void)
{
	struct vtl_service *above = vtl_service_of[0][2];
	uint8_t *page = memory_pages(1);
	const uint32_t before = above->intercepts;

	expect_equal(vtl_protect_by(2, (uint64_t)page, 1, READ_EXECUTE), HV_STATUS_SUCCESS);
	above->on_intercept = vtl_allow;
	vtl_run(store_here, page);
	expect_equal(above->intercepts, before + 1);
	above->on_intercept = NULL;
	expect_equal(page[0], 2);
}

/* If VTL1 and VTL2 deny an access, VTL1 receives an intercept first, then VTL2. */
static void both_deny(void)
{
	struct vtl_service *one = vtl_service_of[0][1], *two = vtl_service_of[0][2];
	uint8_t *page = memory_pages(1);
	const uint32_t before[2] = {one->intercepts, two->intercepts};

	expect_equal(vtl_protect_by(2, (uint64_t)page, 1, READ_EXECUTE), HV_STATUS_SUCCESS);
	expect_equal(vtl_protect_by(1, (uint64_t)page, 1, READ_EXECUTE), HV_STATUS_SUCCESS);
	one->on_intercept = vtl_allow;
	two->on_intercept = vtl_allow;
	op_store8((uint64_t)page, 0);
	one->on_intercept = NULL;
	two->on_intercept = NULL;
	expect_equal(page[0], 2);
	expect_equal(one->intercepts, before[0] + 1);
	expect_equal(two->intercepts, before[1] + 1);
}

static void send_self(void *argument)
{
	apic_send(smp_apic_id[cpu_current()->vp], APIC_FIXED | VECTOR);
}

static void interrupts_find_their_vtl(void)
{
	uint32_t before[VTL_COUNT];

	for (uint8_t vtl = 0; vtl < VTL_COUNT; vtl++) {
		for (uint8_t i = 0; i < VTL_COUNT; i++)
			before[i] = cpu_table[0][i]->interrupts[VECTOR];
		vtl_run_in(vtl, send_self, NULL);
		interrupts_window();
		expect(wait_for(cpu_table[0][vtl]->interrupts[VECTOR] == before[vtl] + 1));
		for (uint8_t i = 0; i < VTL_COUNT; i++)
			expect_equal(cpu_table[0][i]->interrupts[VECTOR], before[i] + (i == vtl));
	}
}

static void attack_in_vtl1(void *argument)
{
	const union hv_register_value value = {{0}};

	expect(register_set(HV_VP_INDEX_SELF, input_vtl(2), HV_X64_REGISTER_RIP, &value) !=
	       HV_STATUS_SUCCESS);
	expect(register_set(HV_VP_INDEX_SELF, input_vtl(2), HV_REGISTER_VSM_PARTITION_CONFIG,
			    &value) != HV_STATUS_SUCCESS);
}

static void vtl1_cannot_reach_vtl2(void)
{
	uint64_t seen[VTL_COUNT] = {0};

	vtl_run(attack_in_vtl1, NULL);
	vtl_run_in(2, note_vtl, seen);
	expect_equal(seen[2] & HV_VSM_VP_STATUS_ACTIVE_VTL_MASK, 2);
}

static const struct tap_case cases[] = {
	{"a VTL call goes to the next higher VTL, on every VP", calls_climb},
	{"VTL2 restricts VTL1", vtl1_is_stopped},
	{"if VTL1 and VTL2 deny an access, both receive an intercept, VTL1 first", both_deny},
	{"an interrupt for each VTL is delivered while any other VTL runs",
	 interrupts_find_their_vtl},
	{"VTL1 cannot write registers of VTL2", vtl1_cannot_reach_vtl2},
};

TAP_TOPIC(topic_three, needs_vtl2, cases);
