/* SPDX-License-Identifier: BSD-2-Clause */
#include <vsm/hv/hv.h>

#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/vtl.h"
#include "kit/x64.h"

#include "client.h"
#include "topics.h"

static uint64_t intercepts(void)
{
	return client_request(SECURE_KERNEL_GET_STATUS, 0, 0, 0).r11;
}

static const volatile struct secure_kernel_log_entry *last_entry(void)
{
	const volatile struct secure_kernel_log *log = client_log();

	return &log->entry[(log->count - 1) % SECURE_KERNEL_LOG_ENTRIES];
}

static void target_is_intact(void)
{
	for (uint32_t i = 0; i < TARGET_PAGES * PAGE_SIZE; i++)
		if (!expect_equal(target[i], (uint8_t)(i * 7 + 1)))
			break;
}

static void write_target(void *argument)
{
	const uint64_t before = intercepts();

	(void)argument;
	for (uint32_t page = 0; page < TARGET_PAGES; page++)
		expect_equal(try_write(target + page * PAGE_SIZE + 5, 0), VECTOR_GP);
	expect_equal(intercepts(), before + TARGET_PAGES);
}

static void locked_pages_stay(void)
{
	for (uint32_t vp = 0; vp < smp_count; vp++)
		smp_run(vp, write_target, NULL);
	target_is_intact();
}

static void write_once(void *argument)
{
	*(volatile uint8_t *)argument = 0;
}

static void attempts_are_logged(void)
{
	const volatile struct secure_kernel_log *log = client_log();
	const uint64_t before = log->count;
	struct fault fault;

	expect(catch_fault(&fault, write_once, target + 0x123));
	expect_equal(fault.vector, VECTOR_GP);
	expect_equal(fault.error, 0);
	expect_equal(log->count, before + 1);
	expect_equal(last_entry()->sequence, before + 1);
	expect_equal(last_entry()->event, SECURE_KERNEL_EVENT_INTERCEPT);
	expect_equal(last_entry()->vp, cpu_current()->vp);
	expect_equal(last_entry()->address & ~4095ull, (uint64_t)target);
	expect_equal(last_entry()->rip, fault.rip);
	expect_equal(last_entry()->detail,
		     (uint64_t)HV_MESSAGE_TYPE_GPA_INTERCEPT << 8 | HV_INTERCEPT_ACCESS_WRITE);
}

static void region_is_closed(void)
{
	const uint64_t log = (uint64_t)client_log();

	for (uint64_t at = 0; at < SECURE_KERNEL_REGION; at += PAGE_SIZE) {
		uint8_t *page = region + at;
		uint8_t value;

		expect_equal(try_write(page, 0), VECTOR_GP);
		if ((uint64_t)page - log < SECURE_KERNEL_LOG_PAGES * PAGE_SIZE)
			expect_equal(try_read(page, &value), -1);
		else
			expect_equal(try_read(page, &value), VECTOR_GP);
	}
	expect_vtl1_is_well();
}

struct call {
	uint64_t control, input, output, result;
};

static void make_call(void *argument)
{
	struct call *call = argument;

	call->result = hypercall_raw(call->control, call->input, call->output);
}

/* True if a hypercall had no effect: #GP, or an error status. */
static bool refused(uint64_t control, const void *input, const void *output)
{
	struct call call = {control, (uint64_t)input, (uint64_t)output, 0};
	struct fault fault;

	if (catch_fault(&fault, make_call, &call))
		return fault.vector == VECTOR_GP;
	return hv_hypercall_result_status(call.result) != HV_STATUS_SUCCESS;
}

static void hypercalls_write_nothing(void)
{
	struct {
		struct hv_vp_registers_input header;
		uint32_t name[4];
	} *input = memory_pages(1);
	const uint64_t get = hypercall_word(HV_CALL_GET_VP_REGISTERS, 1, 0);

	input->header =
		(struct hv_vp_registers_input){HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, 0, {0}};
	input->name[0] = HV_REGISTER_VSM_VP_STATUS;
	expect(!refused(get, input, memory_pages(1)));
	for (uint64_t at = 0; at < SECURE_KERNEL_REGION; at += 16ull * PAGE_SIZE)
		expect(refused(get, input, region + at));
	expect(refused(get, input, target));
	expect(refused(get, region, memory_pages(1)));
	target_is_intact();
	expect_vtl1_is_well();
}

static void registers_are_out_of_reach(void)
{
	static const uint32_t names[] = {HV_X64_REGISTER_RIP,
					 HV_X64_REGISTER_RSP,
					 HV_X64_REGISTER_CR3,
					 HV_X64_REGISTER_EFER,
					 HV_REGISTER_VSM_PARTITION_CONFIG,
					 HV_REGISTER_PENDING_EVENT0,
					 HV_REGISTER_SIPP};
	const union hv_register_value zero = {.reg128 = {0, 0}};

	for (uint32_t vp = 0; vp < smp_count; vp++) {
		for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			union hv_register_value value;

			expect(register_get(vp, input_vtl(1), names[i], &value) !=
			       HV_STATUS_SUCCESS);
			expect(register_set(vp, input_vtl(1), names[i], &zero) !=
			       HV_STATUS_SUCCESS);
		}
	}
	expect(register_set_u64(HV_VP_INDEX_SELF, 0, HV_REGISTER_VSM_PARTITION_CONFIG, 0) !=
	       HV_STATUS_SUCCESS);
	expect_vtl1_is_well();
}

static void protections_stay(void)
{
	expect(vtl_protect((uint64_t)target, 1, VTL_PROTECT_ALL) != HV_STATUS_SUCCESS);
	expect(vtl_protect((uint64_t)region, 1, VTL_PROTECT_ALL) != HV_STATUS_SUCCESS);
	expect_equal(try_write(target, 0), VECTOR_GP);
	expect_equal(try_write(region, 0), VECTOR_GP);
	target_is_intact();
}

/* The pages are ordinary memory of VTL0: only the overlay makes the lock illegal. */
static void overlays_are_found(void)
{
	static const uint32_t msrs[] = {HV_X64_MSR_SIMP, HV_X64_MSR_SIEFP,
					HV_X64_MSR_VP_ASSIST_PAGE, HV_X64_MSR_REFERENCE_TSC};
	uint8_t *page = memory_pages(2);
	const uint64_t first = (uint64_t)page;

	for (uint32_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		const uint64_t before = rdmsr(msrs[i]);

		wrmsr(msrs[i], (first + PAGE_SIZE) | HV_PAGE_MSR_ENABLE);
		expect_equal(client_lock(page, 2), SECURE_KERNEL_DENIED);
		expect_equal(try_write(page, 1), -1);
		wrmsr(msrs[i], before);
	}
}

static void no_overlay_covers_a_locked_page(void *argument)
{
	static const uint32_t msrs[] = {HV_X64_MSR_SIMP, HV_X64_MSR_SIEFP,
					HV_X64_MSR_VP_ASSIST_PAGE, HV_X64_MSR_REFERENCE_TSC,
					HV_X64_MSR_HYPERCALL};

	(void)argument;
	for (uint32_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		expect_equal(try_wrmsr(msrs[i], (uint64_t)target | HV_PAGE_MSR_ENABLE), VECTOR_GP);
		target_is_intact();
	}
}

static void overlays_stay_away(void)
{
	for (uint32_t vp = 0; vp < smp_count; vp++)
		smp_run(vp, no_overlay_covers_a_locked_page, NULL);
}

static void vtl1_starts_once(void)
{
	struct hv_enable_vp_vtl_input input = {.partition_id = HV_PARTITION_ID_SELF,
					       .target_vtl = 1};

	vtl_context(&input.context, cpu_current(), NULL, read_cr3());
	expect(vtl_enable_partition(1, 0) != HV_STATUS_SUCCESS);
	for (uint32_t vp = 0; vp < smp_count; vp++) {
		input.vp_index = vp;
		expect(hypercall(HV_CALL_ENABLE_VP_VTL, &input, sizeof(input), NULL, 0) !=
		       HV_STATUS_SUCCESS);
		expect(hypercall(HV_CALL_START_VIRTUAL_PROCESSOR, &input, sizeof(input), NULL, 0) !=
		       HV_STATUS_SUCCESS);
	}
	expect_vtl1_is_well();
}

/* A start loads control registers without an intercept: CR0.WP and CR4.SMEP would be off. */
static void vtl0_is_not_started_again(void)
{
	struct hv_enable_vp_vtl_input input = {.partition_id = HV_PARTITION_ID_SELF};

	vtl_context(&input.context, cpu_current(), NULL, read_cr3());
	input.context.cr0 &= ~CR0_WP;
	for (uint32_t vp = 0; vp < smp_count; vp++) {
		input.vp_index = vp;
		expect_equal(
			hypercall(HV_CALL_START_VIRTUAL_PROCESSOR, &input, sizeof(input), NULL, 0),
			HV_STATUS_ACCESS_DENIED);
	}
	expect_vtl1_is_well();
}

#define FLOOD_VECTOR 0x62
#define REQUESTS     300u

static volatile uint32_t stop_flood;

static void flood(void *argument)
{
	uint32_t *sent = argument;

	while (!stop_flood) {
		struct hv_send_synthetic_cluster_ipi_input ipi = {
			.vector = FLOOD_VECTOR, .input_vtl = input_vtl(1), .processor_mask = 1};

		expect(hypercall(HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI, &ipi, sizeof(ipi), NULL, 0) !=
		       HV_STATUS_SUCCESS);
		ipi.input_vtl = 0;
		*sent += hypercall(HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI, &ipi, sizeof(ipi), NULL,
				   0) == HV_STATUS_SUCCESS;
	}
}

static void floods_do_not_stop_it(void)
{
	volatile uint32_t *arrived = &cpu_current()->interrupts[FLOOD_VECTOR];
	uint8_t *page = memory_pages(1);
	uint32_t sent = 0;

	if (smp_count == 1) {
		tap_skip("one VP");
		return;
	}
	stop_flood = 0;
	smp_begin(1, flood, &sent);
	for (uint32_t i = 0; i < REQUESTS; i++) {
		expect_equal(client_hmac(page, 64, page + 64), SECURE_KERNEL_OK);
		interrupts_window();
	}
	stop_flood = 1;
	smp_end(1);
	interrupts_window();
	expect(sent > 0);
	expect(*arrived > 0 && *arrived <= sent);
	expect_vtl1_is_well();
}

static const struct tap_case cases[] = {
	{"no VP writes to a locked page: each attempt raises #GP", locked_pages_stay},
	{"each attempt is in the log, with its instruction and address", attempts_are_logged},
	{"VTL0 cannot access VTL1's memory, except reading the log", region_is_closed},
	{"hypercalls of VTL0 neither write to VTL1's memory and locked pages nor read it",
	 hypercalls_write_nothing},
	{"VTL1's registers are neither read nor written", registers_are_out_of_reach},
	{"VTL0 cannot unlock a page", protections_stay},
	{"a range with an overlay page of VTL0 is not locked", overlays_are_found},
	{"no overlay is placed over a locked page", overlays_stay_away},
	{"VTL0 cannot enable or start VTL1 on a VP", vtl1_starts_once},
	{"VTL0 cannot start a VP again with other control registers", vtl0_is_not_started_again},
	{"VTL0 and VTL1 continue to work during a flood of IPIs", floods_do_not_stop_it},
};

TAP_TOPIC(topic_attacks, needs_secure_kernel, cases);
