/* SPDX-License-Identifier: BSD-2-Clause */
/* StartVirtualProcessor, INIT and SIPI, and VTLs that may not use them (TLFS "VP Startup"). */
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

struct starting {
	uint32_t vp;
	uint8_t vtl;
	uint64_t cr0_extra;
	uint16_t status;
};

static volatile uint32_t arrived;

/* Entry of a started VP: does what the kit's entry does, and counts starts. */
static void begin(void)
{
	struct cpu *cpu = cpu_current();

	cpu_load(cpu);
	__atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
	smp_idle();
}

static void start(void *argument)
{
	struct starting *starting = argument;
	struct hv_enable_vp_vtl_input input = {.partition_id = HV_PARTITION_ID_SELF,
					       .vp_index = starting->vp,
					       .target_vtl = starting->vtl};
	static uint64_t tables;
	const uint32_t vp = starting->vp < smp_count ? starting->vp : 0;

	if (!tables)
		tables = paging_create();
	vtl_context(&input.context, cpu_table[vp][0], begin, tables);
	/* TR is loaded again, so the TSS must not be marked busy. */
	((uint8_t *)cpu_table[vp][0]->gdt)[3 * 8 + 5] &= (uint8_t)~2;
	input.context.cr0 |= starting->cr0_extra;
	starting->status =
		hypercall(HV_CALL_START_VIRTUAL_PROCESSOR, &input, sizeof(input), NULL, 0);
}

static const char *needs_two(void)
{
	const char *reason = needs_vtl1();

	if (!reason && smp_count < 2)
		reason = "one VP";
	if (!reason && !(hypercall_privileges() & HV_PRIVILEGE(START_VIRTUAL_PROCESSOR)))
		reason = "StartVirtualProcessor is not offered";
	return reason;
}

static void nothing(void *argument)
{
	(*(volatile uint32_t *)argument)++;
}

static void started_vp_runs(void)
{
	struct starting starting = {smp_count - 1, 0, 0, 0};
	const uint32_t before = arrived;
	volatile uint32_t worked = 0;

	start(&starting);
	if (!expect_equal(starting.status, HV_STATUS_SUCCESS))
		return;
	expect(wait_for(arrived == before + 1));
	smp_run(starting.vp, nothing, (void *)(uintptr_t)&worked);
	expect_equal(worked, 1);
}

static void restarted_vp_keeps_vtl1(void)
{
	volatile uint32_t worked = 0;

	vtl_run_on(smp_count - 1, 1, nothing, (void *)(uintptr_t)&worked);
	expect_equal(worked, 1);
}

static void bad_starts_are_refused(void)
{
	struct starting starting = {0, 0, 0, 0};
	const uint32_t before = arrived;

	start(&starting);
	expect_equal(starting.status, HV_STATUS_INVALID_VP_INDEX);
	starting.vp = smp_count + 20;
	start(&starting);
	expect_equal(starting.status, HV_STATUS_INVALID_VP_INDEX);
	starting.vp = 1;
	starting.vtl = 1;
	start(&starting);
	expect_equal(starting.status, HV_STATUS_ACCESS_DENIED);
	starting.vtl = 0;
	starting.cr0_extra = 1ull << 45;
	start(&starting);
	expect_equal(starting.status, HV_STATUS_INVALID_REGISTER_VALUE);
	time_delay_ms(5);
	expect_equal(arrived, before);
	{
		volatile uint32_t worked = 0;

		smp_run(1, nothing, (void *)(uintptr_t)&worked);
		expect_equal(worked, 1);
	}
}

static void init_is_dropped(void)
{
	volatile uint32_t worked = 0;

	/* TLFS: INIT is dropped on a VP that has a higher VTL enabled. */
	apic_send(smp_apic_id[1], APIC_INIT);
	time_delay_ms(5);
	apic_send(smp_apic_id[1], APIC_STARTUP | 0x99);
	time_delay_ms(5);
	smp_run(1, nothing, (void *)(uintptr_t)&worked);
	expect_equal(worked, 1);
}

static void configure(void *argument)
{
	const uint64_t config = register_own(HV_REGISTER_VSM_PARTITION_CONFIG);
	const uint64_t bit = HV_VSM_PARTITION_CONFIG_DENY_LOWER_VTL_STARTUP;

	expect_equal(register_set_u64(HV_VP_INDEX_SELF, 0, HV_REGISTER_VSM_PARTITION_CONFIG,
				      argument ? config | bit : config & ~bit),
		     HV_STATUS_SUCCESS);
}

static void denied_start_is_refused(void)
{
	struct starting starting = {1, 0, 0, 0};
	const uint32_t before = arrived;

	if (!(register_own(HV_REGISTER_VSM_CAPABILITIES) &
	      HV_VSM_CAPABILITY_DENY_LOWER_VTL_STARTUP)) {
		tap_skip("VsmCapabilities has no DenyLowerVtlStartup");
		return;
	}
	vtl_run(configure, &starting);
	start(&starting);
	expect_equal(starting.status, HV_STATUS_ACCESS_DENIED);
	expect_equal(arrived, before);
	vtl_run(start, &starting);
	expect_equal(starting.status, HV_STATUS_SUCCESS);
	expect(wait_for(arrived == before + 1));
	vtl_run(configure, NULL);
}

static void index_of_apic_id(void)
{
	struct {
		struct hv_get_vp_index_from_apic_id_input header;
		uint32_t id[2];
	} input = {{HV_PARTITION_ID_SELF, 0, {0}}, {0, 0}};
	uint32_t index[2];

	for (uint32_t vp = 0; vp < smp_count; vp++) {
		input.id[0] = smp_apic_id[vp];
		expect_equal(hv_hypercall_result_status(hypercall_memory(
				     hypercall_word(HV_CALL_GET_VP_INDEX_FROM_APIC_ID, 1, 0),
				     &input, sizeof(input), index, sizeof(index))),
			     HV_STATUS_SUCCESS);
		expect_equal(index[0], vp);
	}
	input.id[0] = 0x7ffffff0;
	expect(hv_hypercall_result_status(hypercall_memory(
		       hypercall_word(HV_CALL_GET_VP_INDEX_FROM_APIC_ID, 1, 0), &input,
		       sizeof(input), index, sizeof(index))) != HV_STATUS_SUCCESS);
}

static const struct tap_case cases[] = {
	{"a VP starts with the context of the call", started_vp_runs},
	{"VTL1 of a VP is unchanged after VTL0 of that VP was started again",
	 restarted_vp_keeps_vtl1},
	{"starting the own VP, unknown VPs, higher VTLs, or with bad contexts is refused",
	 bad_starts_are_refused},
	{"INIT and SIPI are dropped where VTL1 is enabled (P04)", init_is_dropped},
	{"DenyLowerVtlStartup keeps VTL0 from starting VPs (P04)", denied_start_is_refused},
	{"GetVpIndexFromApicId returns the index of every VP", index_of_apic_id},
};

TAP_TOPIC(topic_start, needs_two, cases);
