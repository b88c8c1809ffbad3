/* SPDX-License-Identifier: BSD-2-Clause */
/* Each change of VTL0's code must cause a refused write and a refused fetch. */
#include "wx.h"

#include <vsm/hv/hv.h>

#include "kit/console.h"
#include "kit/hypercall.h"
#include "kit/kit.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/tap.h"
#include "kit/time.h"
#include "kit/vtl.h"
#include "kit/x64.h"

#include "../secure-kernel/tests/client.h"

#define ALIASES	     (1ull << 39) /* base of virtual addresses with no other use */
#define ROUNDS	     50u
#define RACE_CHANGES 100u
#define RACE_BURSTS  1000u
#define BURST	     1000u
#define LOCKS	     100u
#define SINT	     3u

/* mov $0, %eax; ret */
static const uint8_t code[] = {0xb8, 0, 0, 0, 0, 0xc3};
#define IMMEDIATE 1u

static uint64_t *alias_table;

static void map_aliases(void)
{
	uint64_t *table = (uint64_t *)read_cr3();

	for (unsigned int level = 3; level > 0; level--) {
		uint64_t *next = memory_pages(1);

		table[ALIASES >> (12 + 9 * level) & 511] =
			(uint64_t)next | PTE_PRESENT | PTE_WRITABLE;
		table = next;
	}
	alias_table = table;
}

static uint8_t *alias_of(const uint8_t *page)
{
	static uint32_t used;

	alias_table[used] = (uint64_t)page | PTE_PRESENT | PTE_WRITABLE;
	return (uint8_t *)(ALIASES + (uint64_t)used++ * PAGE_SIZE);
}

static uint8_t *code_page(void)
{
	uint8_t *page = memory_pages(1);

	memcpy(page, code, sizeof(code));
	return page;
}

static void set_result(uint8_t *page, uint32_t value)
{
	*(volatile uint32_t *)(void *)(page + IMMEDIATE) = value;
}

static uint32_t run(const uint8_t *page)
{
	return ((uint32_t(*)(void))(uintptr_t)page)();
}

static struct wx_counts counts(void)
{
	static struct wx_counts *buffer;
	struct wx_counts now;

	if (!buffer)
		buffer = memory_pages(1);
	expect_equal(
		client_request(SECURE_KERNEL_CALL_FIRST, (uint64_t)buffer, 0, sizeof(now)).status,
		SECURE_KERNEL_OK);
	memcpy(&now, buffer, sizeof(now));
	return now;
}

static void expect_refused(const struct wx_counts *before, uint64_t fetches, uint64_t writes)
{
	const struct wx_counts now = counts();

	expect_equal(now.fetches - before->fetches, fetches);
	expect_equal(now.writes - before->writes, writes);
}

static const char *needs_vtl1(void)
{
	uint64_t status;

	hypercall_enable();
	map_aliases();
	if (client_load() != HV_STATUS_SUCCESS)
		return "VTL1 cannot be enabled";
	status = client_request(SECURE_KERNEL_GET_VERSION, 0, 0, 0).status;
	if (status != SECURE_KERNEL_OK) {
		expect_equal(status, SECURE_KERNEL_REFUSED);
		return "this host cannot deny execution alone: VTL1 refuses all requests";
	}
	/* Executes the functions that all tests use, so that no test counts their first fetches. */
	for (uint32_t i = 0; i < 2; i++) {
		uint8_t *page = code_page();

		run(page);
		set_result(alias_of(page), i);
		counts();
	}
	return NULL;
}

static void run_page(void *page)
{
	run(page);
}

static void every_vp_comes_up(void)
{
	for (uint32_t vp = 0; vp < smp_count; vp++)
		smp_run(vp, run_page, code_page());
	expect_equal(client_request(SECURE_KERNEL_GET_STATUS, 0, 0, 0).r10 >> 32, smp_count);
}

static void a_right_at_a_time(void)
{
	uint8_t *page = code_page(), value;
	struct wx_counts before = counts();

	expect_equal(run(page), 0);
	expect_refused(&before, 1, 0);
	expect_equal(try_read(page, &value), -1);
	expect_equal(run(page), 0);
	expect_refused(&before, 1, 0);
	set_result(page, 7);
	expect_refused(&before, 1, 1);
	set_result(page, 8);
	expect_refused(&before, 1, 1);
	expect_equal(run(page), 8);
	expect_refused(&before, 2, 1);
}

static void aliases_have_the_same_right(void)
{
	uint8_t *page = code_page(), *alias = alias_of(page);
	struct wx_counts before;

	run(page);
	before = counts();
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		set_result(i & 1 ? alias : page, i);
		expect_equal(run(i & 1 ? page : alias), i);
	}
	expect_refused(&before, ROUNDS, ROUNDS);
}

struct race {
	const uint8_t *page;
	volatile uint32_t stop, runs, changes;
};

static void run_it(void *argument)
{
	struct race *race = argument;
	uint32_t last = run(race->page);

	while (!race->stop) {
		const uint32_t now = run(race->page);

		race->changes += now != last;
		race->runs++;
		last = now;
	}
}

static void a_race_gains_nothing(void)
{
	struct race race = {.page = code_page()};
	uint8_t *alias = alias_of(race.page);
	struct wx_counts before, now;
	uint32_t writes = 0;

	if (smp_count == 1) {
		tap_skip("one VP");
		return;
	}
	before = counts();
	smp_begin(1, run_it, &race);
	for (uint32_t i = 0; i < RACE_BURSTS && race.changes < RACE_CHANGES; i++) {
		const uint32_t runs = race.runs;

		for (uint32_t left = BURST; left; left--)
			set_result(alias, ++writes);
		/* If the VPs share a CPU of the host, the other VP may not have run during the burst. */
		wait_for(race.runs != runs);
	}
	race.stop = 1;
	smp_end(1);
	now = counts();
	print("# %u writes, %u runs, %u changes seen; refused: %lu writes, %lu fetches\n", writes,
	      race.runs, race.changes, now.writes - before.writes, now.fetches - before.fetches);
	expect(race.changes >= RACE_CHANGES);
	expect(race.changes <= now.fetches - before.fetches);
	expect(race.changes <= now.writes - before.writes);
}

struct lock_race {
	uint8_t *pages;
	volatile uint32_t turn;
	uint32_t faults;
};

static void run_in_turn(void *argument)
{
	struct lock_race *race = argument;
	struct fault fault;

	for (uint32_t i = 0; i < LOCKS; i++) {
		wait_for(race->turn > i);
		race->faults += catch_fault(&fault, run_page, race->pages + i * PAGE_SIZE);
	}
}

static void a_lock_takes_no_fetch_back(void)
{
	struct lock_race race = {.pages = memory_pages(LOCKS)};

	if (smp_count == 1) {
		tap_skip("one VP");
		return;
	}
	for (uint32_t i = 0; i < LOCKS; i++)
		memcpy(race.pages + i * PAGE_SIZE, code, sizeof(code));
	smp_begin(1, run_in_turn, &race);
	for (uint32_t i = 0; i < LOCKS; i++) {
		race.turn = i + 1;
		expect_equal(client_lock(race.pages + i * PAGE_SIZE, 1), SECURE_KERNEL_OK);
	}
	smp_end(1);
	expect_equal(race.faults, 0);
}

static void no_deputy_writes_code(void)
{
	uint8_t *page = code_page();
	struct {
		struct hv_vp_registers_input header;
		uint32_t name[4];
	} *input = memory_pages(1);
	struct wx_counts before, now;
	uint8_t old[sizeof(code)];

	run(page);
	before = counts();
	expect_equal(client_request(SECURE_KERNEL_CALL_FIRST, (uint64_t)page + 512, 0, 16).status,
		     SECURE_KERNEL_OK);
	expect_equal(run(page), 0);
	expect_refused(&before, 1, 1);

	input->header =
		(struct hv_vp_registers_input){HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, 0, {0}};
	input->name[0] = HV_REGISTER_VSM_VP_STATUS;
	memcpy(old, page, sizeof(old));
	before = counts();
	hypercall_raw(hypercall_word(HV_CALL_GET_VP_REGISTERS, 1, 0), (uint64_t)input,
		      (uint64_t)page);
	/* A write that succeeded was first refused, and the page became writable and not executable. */
	now = counts();
	if (memcmp(old, page, sizeof(old)) != 0)
		expect_equal(now.writes - before.writes, 1);
	memcpy(page, code, sizeof(code));
	expect_equal(run(page), 0);
	expect_refused(&before, 1, 1);
}

/* VTL0 must not execute the overlay, nor the hypervisor write to the code. */
static void an_overlay_is_no_code(void)
{
	uint8_t *page = code_page(), *copy = memory_pages(1);
	const uint64_t simp = rdmsr(HV_X64_MSR_SIMP);
	struct wx_counts before;
	uint64_t end;

	run(page);
	expect_equal(try_wrmsr(HV_X64_MSR_SIMP, (uint64_t)page | HV_PAGE_MSR_ENABLE), VECTOR_GP);
	/* VTL0 sees the overlay while the page is writable, and RAM when it becomes executable. */
	set_result(page, 1);
	expect_equal(try_wrmsr(HV_X64_MSR_SIMP, (uint64_t)page | HV_PAGE_MSR_ENABLE), -1);
	memcpy(page, code, sizeof(code));
	set_result(page, 2);
	before = counts();
	expect_equal(run(page), 1);
	expect_refused(&before, 1, 0);
	memcpy(copy, page, PAGE_SIZE);
	wrmsr(HV_X64_MSR_SCONTROL, HV_SYNIC_SCONTROL_ENABLE);
	wrmsr(HV_X64_MSR_SINT0 + SINT, HV_SYNIC_SINT_POLLING | 0x60);
	wrmsr(HV_X64_MSR_STIMER0_COUNT, rdmsr(HV_X64_MSR_TIME_REF_COUNT) + 1000);
	wrmsr(HV_X64_MSR_STIMER0_CONFIG, HV_STIMER_ENABLE | (uint64_t)SINT << HV_STIMER_SINT_SHIFT);
	end = rdmsr(HV_X64_MSR_TIME_REF_COUNT) + 100000;
	while (rdmsr(HV_X64_MSR_TIME_REF_COUNT) < end)
		pause();
	expect(!memcmp(copy, page, PAGE_SIZE));
	expect_equal(run(page), 1);
	expect_refused(&before, 1, 0);
	wrmsr(HV_X64_MSR_STIMER0_CONFIG, 0);
	wrmsr(HV_X64_MSR_SIMP, simp);
}

static void locked_pages_are_no_others(void)
{
	uint8_t *page = code_page();
	struct wx_counts before;
	struct fault fault;

	expect_equal(client_lock(page, 1), SECURE_KERNEL_OK);
	before = counts();
	expect_equal(try_write(page, 0), VECTOR_GP);
	expect_equal(run(page), 0);
	expect(catch_fault(&fault, run_page, region + PAGE_SIZE));
	expect_equal(fault.vector, VECTOR_GP);
	expect_equal(try_write(region + PAGE_SIZE, 0), VECTOR_GP);
	expect_refused(&before, 0, 0);
}

static void vtl0_changes_no_right(void)
{
	uint8_t *page = code_page();
	struct wx_counts before;

	expect(vtl_protect((uint64_t)page, 1, VTL_PROTECT_ALL) != HV_STATUS_SUCCESS);
	before = counts();
	run(page);
	expect(vtl_protect((uint64_t)page, 1, VTL_PROTECT_ALL) != HV_STATUS_SUCCESS);
	set_result(page, 1);
	expect(vtl_protect((uint64_t)page, 1, VTL_PROTECT_ALL) != HV_STATUS_SUCCESS);
	expect_equal(run(page), 1);
	expect_refused(&before, 2, 1);
}

static const struct tap_case cases[] = {
	{"a VP that has not run VTL1 enters it at its first refused fetch", every_vp_comes_up},
	{"a page is either written or executed", a_right_at_a_time},
	{"two mappings of a page have one right", aliases_have_the_same_right},
	{"two VPs have one right to a page", a_race_gains_nothing},
	{"a page that is locked as code while a VP begins to execute it is executed",
	 a_lock_takes_no_fetch_back},
	{"VTL1 and the hypervisor write to no page that VTL0 executes", no_deputy_writes_code},
	{"no SynIC page is executable, and none covers executable memory", an_overlay_is_no_code},
	{"locked pages and VTL1's own keep their rights", locked_pages_are_no_others},
	{"VTL0 changes no right itself", vtl0_changes_no_right},
};

static TAP_TOPIC(topic_wx, needs_vtl1, cases);

uint8_t kit_main(void)
{
	static const struct tap_topic *const topics[] = {&topic_wx};

	print("TAP version 13\n# VPs: %u\n", smp_count);
	return tap_run(topics, 1) ? EXIT_STATUS_PASS : EXIT_STATUS_FAIL;
}
