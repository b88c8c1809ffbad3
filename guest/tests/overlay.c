/* SPDX-License-Identifier: BSD-2-Clause */
/* Overlay pages of VTL0 over pages that VTL1 restricts (P30): VTL0 must read the RAM of such a page, whether
 * it placed the overlay before the restriction, or tries to on any VP. */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/console.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/time.h"
#include "kit/x64.h"
#include "ops.h"

#define READ_EXECUTE (HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE)
#define RAM_BYTE     0x77
#define OWN_BYTE     0xcc /* contents of VTL0's overlay, which it must not see */

static const struct kind {
	const char *text;
	uint32_t msr;
	uint32_t name;
	bool written; /* the guest can write to this overlay */
	bool per_vp;
} kinds[] = {
	{"hypercall page", HV_X64_MSR_HYPERCALL, HV_X64_REGISTER_HYPERCALL, false, false},
	{"TSC page", HV_X64_MSR_REFERENCE_TSC, HV_REGISTER_REFERENCE_TSC, false, false},
	{"assist page", HV_X64_MSR_VP_ASSIST_PAGE, HV_REGISTER_VP_ASSIST_PAGE, true, true},
	{"SIEF page", HV_X64_MSR_SIEFP, HV_REGISTER_SIFP, true, true},
	{"SIM page", HV_X64_MSR_SIMP, HV_REGISTER_SIPP, true, true},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static uint8_t *page, *elsewhere;

static void fill(void)
{
	if (!page) {
		page = memory_pages(1);
		elsewhere = memory_pages(1);
	}
	for (uint32_t i = 0; i < PAGE_SIZE; i++)
		page[i] = RAM_BYTE;
}

static void see_ram(void *argument)
{
	volatile uint8_t *seen = page;
	const uint32_t count = intercepts();

	expect_equal(seen[0], RAM_BYTE);
	expect_equal(seen[PAGE_SIZE - 1], RAM_BYTE);
	on_intercept(vtl_skip, NULL);
	op_store8((uint64_t)page, OWN_BYTE);
	on_intercept(NULL, NULL);
	expect_equal(intercepts(), count + 1);
	expect_equal(seen[0], RAM_BYTE);
}

static void see_ram_everywhere(void)
{
	for (uint32_t vp = 0; vp < smp_count; vp++)
		smp_run(vp, see_ram, NULL);
}

static void place_where_it_may_not(void *argument)
{
	const struct kind *kind = argument;
	const uint64_t before = rdmsr(kind->msr);

	if (!expect_equal(try_wrmsr(kind->msr, (uint64_t)page | HV_PAGE_MSR_ENABLE), VECTOR_GP))
		print("#   %s\n", kind->text);
	expect_equal(rdmsr(kind->msr), before);
	if (!kind->written)
		return;
	wrmsr(kind->msr, (uint64_t)elsewhere | HV_PAGE_MSR_ENABLE);
	expect_equal(try_wrmsr(kind->msr, (uint64_t)page | HV_PAGE_MSR_ENABLE), VECTOR_GP);
	wrmsr(kind->msr, before);
}

static void nothing_is_placed(void)
{
	static const uint32_t flags[] = {READ_EXECUTE, 0};

	for (uint32_t i = 0; i < 2; i++) {
		fill();
		expect_equal(protect(page, flags[i]), HV_STATUS_SUCCESS);
		for (uint32_t k = 0; k < KINDS; k++)
			for (uint32_t vp = 0; vp < smp_count; vp++)
				smp_run(vp, place_where_it_may_not, (void *)&kinds[k]);
		if (flags[i])
			see_ram_everywhere();
		expect_equal(protect(page, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
	}
}

struct placing {
	uint32_t vp, name;
	uint64_t value;
	uint16_t status;
};

static void place_by_register(void *argument)
{
	struct placing *placing = argument;

	placing->status =
		register_set_u64(placing->vp, input_vtl(0), placing->name, placing->value);
}

static void registers_place_nothing(void)
{
	fill();
	expect_equal(protect(page, READ_EXECUTE), HV_STATUS_SUCCESS);
	for (uint32_t k = 0; k < KINDS; k++)
		for (uint32_t vp = 0; vp < smp_count; vp++) {
			struct placing placing = {vp, kinds[k].name,
						  (uint64_t)page | HV_PAGE_MSR_ENABLE, 0};

			vtl_run(place_by_register, &placing);
			if (!expect(placing.status != HV_STATUS_SUCCESS))
				print("#   %s of VP %u\n", kinds[k].text, vp);
		}
	see_ram_everywhere();
	expect_equal(protect(page, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
}

static uint64_t before_place;

static void place(void *argument)
{
	const struct kind *kind = argument;

	before_place = rdmsr(kind->msr);
	wrmsr(kind->msr, (uint64_t)page | HV_PAGE_MSR_ENABLE);
	for (uint32_t i = 0; i < PAGE_SIZE; i++)
		((volatile uint8_t *)page)[i] = OWN_BYTE;
}

static void place_again(void *argument)
{
	const struct kind *kind = argument;

	/* Writing the same value does not change the overlay, so it is not refused. */
	expect_equal(try_wrmsr(kind->msr, (uint64_t)page | HV_PAGE_MSR_ENABLE), -1);
}

static void take_away(void *argument)
{
	const struct kind *kind = argument;

	for (uint32_t i = 0; i < PAGE_SIZE; i++)
		((volatile uint8_t *)page)[i] = 0;
	wrmsr(kind->msr, before_place);
}

static void later_locks_hide(void)
{
	for (uint32_t k = 0; k < KINDS; k++)
		for (uint32_t vp = 0; kinds[k].written && vp < smp_count; vp++) {
			fill();
			smp_run(vp, place, (void *)&kinds[k]);
			expect_equal(*(volatile uint8_t *)page, OWN_BYTE);
			expect_equal(protect(page, READ_EXECUTE), HV_STATUS_SUCCESS);
			see_ram_everywhere();
			smp_run(vp, place_again, (void *)&kinds[k]);
			see_ram_everywhere();
			expect_equal(protect(page, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
			expect_equal(*(volatile uint8_t *)page, OWN_BYTE);
			smp_run(vp, take_away, (void *)&kinds[k]);
			expect_equal(*(volatile uint8_t *)page, RAM_BYTE);
		}
}

/* VTL0 cannot write to its TSC page, but chooses its contents by IA32_TSC. */
static void a_later_lock_hides_the_tsc_page(void)
{
	const uint64_t before = rdmsr(HV_X64_MSR_REFERENCE_TSC);

	fill();
	wrmsr(HV_X64_MSR_REFERENCE_TSC, (uint64_t)page | HV_PAGE_MSR_ENABLE);
	expect(*(volatile uint8_t *)page != RAM_BYTE);
	expect_equal(protect(page, READ_EXECUTE), HV_STATUS_SUCCESS);
	see_ram_everywhere();
	expect_equal(protect(page, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
	expect(*(volatile uint8_t *)page != RAM_BYTE);
	wrmsr(HV_X64_MSR_REFERENCE_TSC, before);
	expect_equal(*(volatile uint8_t *)page, RAM_BYTE);
}

static void call_on_each(void *argument)
{
	union hv_register_value value;

	expect_equal(register_get(HV_VP_INDEX_SELF, 0, HV_REGISTER_VP_INDEX, &value),
		     HV_STATUS_SUCCESS);
}

static void hypercalls_go_on(void)
{
	uint8_t *code = hypercall_page[0];
	const uint32_t count = intercepts();
	const uint8_t first = *(volatile uint8_t *)code;

	expect_equal(protect(code, READ_EXECUTE), HV_STATUS_SUCCESS);
	smp_run_all(call_on_each, NULL);
	expect_equal(*(volatile uint8_t *)code, first);
	/* Writes the same value, as an operating system does at its start. */
	wrmsr(HV_X64_MSR_HYPERCALL, rdmsr(HV_X64_MSR_HYPERCALL));
	smp_run_all(call_on_each, NULL);
	expect_equal(intercepts(), count);
	on_intercept(vtl_skip, NULL);
	op_store8((uint64_t)code, OWN_BYTE);
	on_intercept(NULL, NULL);
	expect_equal(intercepts(), count + 1);
	expect_equal(*(volatile uint8_t *)code, first);
	expect_equal(protect(code, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
}

static void an_overlay_is_no_code(void)
{
	struct fault fault;

	fill();
	if (protect(page, HV_MAP_GPA_READABLE | HV_MAP_GPA_WRITABLE) != HV_STATUS_SUCCESS) {
		tap_skip("this host cannot deny execution alone");
		return;
	}
	place((void *)&kinds[KINDS - 1]);
	*(volatile uint8_t *)page = 0xc3;
	on_intercept(vtl_inject_gp, NULL);
	expect(catch_fault(&fault, (void (*)(void *))(uintptr_t)page, NULL));
	on_intercept(NULL, NULL);
	expect_equal(fault.rip, (uint64_t)page);
	expect_equal(protect(page, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
	/* An overlay is not executable even where VTL1 denies nothing. */
	expect(catch_fault(&fault, (void (*)(void *))(uintptr_t)page, NULL));
	expect_equal(fault.vector, VECTOR_GP);
	take_away((void *)&kinds[KINDS - 1]);
}

#define MOVING_CALLS 200u
#define LONGEST_MS   1000u /* far above the time of an overlay change, also on a busy host */

static volatile uint32_t stop_moving;

static void move_on(void *argument)
{
	const uint64_t pages = (uint64_t)argument + 2 * PAGE_SIZE * cpu_current()->vp;
	const uint64_t before = rdmsr(HV_X64_MSR_SIMP);

	for (uint64_t i = 0; !stop_moving; i++)
		wrmsr(HV_X64_MSR_SIMP, (pages + (i & 1) * PAGE_SIZE) | HV_PAGE_MSR_ENABLE);
	wrmsr(HV_X64_MSR_SIMP, before);
}

static void longest_call(void *argument)
{
	uint64_t *longest = argument;
	union hv_register_value value;

	for (uint32_t i = 0; i < MOVING_CALLS; i++) {
		const uint64_t begin = rdtsc();

		expect_equal(register_get(HV_VP_INDEX_SELF, 0, HV_REGISTER_VSM_VP_STATUS, &value),
			     HV_STATUS_SUCCESS);
		if (rdtsc() - begin > *longest)
			*longest = rdtsc() - begin;
	}
}

static void vtl1_waits_for_no_crowd(void)
{
	uint8_t *pages = memory_pages(2ull * smp_count);
	uint64_t longest = 0;

	if (smp_count < 2) {
		tap_skip("the test needs a second VP");
		return;
	}
	stop_moving = 0;
	for (uint32_t vp = 1; vp < smp_count; vp++)
		smp_begin(vp, move_on, pages);
	vtl_run(longest_call, &longest);
	stop_moving = 1;
	for (uint32_t vp = 1; vp < smp_count; vp++)
		smp_end(vp);
	print("# the longest of %u hypercalls of VTL1: %u us\n", MOVING_CALLS,
	      (uint32_t)(longest * 1000 / time_ticks_per_ms()));
	expect(longest < (uint64_t)LONGEST_MS * time_ticks_per_ms());
}

static const struct tap_case cases[] = {
	{"no overlay can be placed over a page that VTL1 restricts, on any VP", nothing_is_placed},
	{"no overlay is placed there by a register that VTL1 sets", registers_place_nothing},
	{"a lock after the overlay shows the RAM, on every VP", later_locks_hide},
	{"a lock after the overlay hides the TSC page as well", a_later_lock_hides_the_tsc_page},
	{"hypercalls work when their page may only be read and executed", hypercalls_go_on},
	{"no code runs in a page that VTL0 writes as an overlay", an_overlay_is_no_code},
	{"overlays that move all the time on other VPs do not delay calls of VTL1",
	 vtl1_waits_for_no_crowd},
};

TAP_TOPIC(topic_overlay, needs_vtl1, cases);
