/* SPDX-License-Identifier: BSD-2-Clause */
/* Synthetic timers, the APIC timer and the reference time, in VTL0 and in VTL1. */
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

#define VECTOR	     0x72
#define MS	     10000ull /* in units of the reference time */
#define DIRECT	     (HV_STIMER_DIRECT_MODE | (uint64_t)VECTOR << HV_STIMER_APIC_VECTOR_SHIFT)
#define LVT_PERIODIC 0x20000
#define LVT_MASKED   0x10000

static uint64_t now(void)
{
	return rdmsr(HV_X64_MSR_TIME_REF_COUNT);
}

static volatile uint32_t *came(uint8_t vtl)
{
	return &cpu_table[cpu_current()->vp][vtl]->interrupts[VECTOR];
}

static bool came_within(uint8_t vtl, uint32_t wanted)
{
	const uint64_t end = rdtsc() + TIME_LIMIT_MS * time_ticks_per_ms();

	while (*came(vtl) < wanted && (int64_t)(end - rdtsc()) > 0)
		interrupts_window();
	return *came(vtl) >= wanted;
}

static const char *needs_timers(void)
{
	const char *reason = needs_vtl1();

	if (!reason && !(hypercall_privileges() & HV_PRIVILEGE(ACCESS_SYNTHETIC_TIMER_REGS)))
		reason = "synthetic timers are not offered";
	if (!reason && !(hypercall_features() & HV_FEATURE(DIRECT_SYNTHETIC_TIMERS)))
		reason = "direct synthetic timers are not offered";
	return reason;
}

static void reference_time_goes_on(void)
{
	const uint64_t before_begin = rdtsc();
	const uint64_t begin = now();
	const uint64_t after_begin = rdtsc();
	uint64_t last = begin;
	uint64_t before_end, after_end, elapsed, unit;

	for (unsigned int i = 0; i < 1000; i++) {
		const uint64_t next = now();

		expect(next >= last);
		last = next;
	}
	time_delay_ms(50);
	before_end = rdtsc();
	elapsed = now() - begin;
	after_end = rdtsc();
	if (!(hypercall_privileges() & HV_PRIVILEGE(ACCESS_FREQUENCY_REGS)))
		return;
	/* The TSC agrees to 1 in 50; the bounds allow for the duration of each read. */
	unit = rdmsr(HV_X64_MSR_TSC_FREQUENCY) / HV_REFERENCE_TIME_HZ;
	expect(elapsed >= (before_end - after_begin) / unit * 49 / 50);
	expect(elapsed <= (after_end - before_begin) / unit * 51 / 50 + 1);
}

static void reference_page_agrees(void)
{
	const struct hv_reference_tsc_page *page = memory_pages(1);

	wrmsr(HV_X64_MSR_REFERENCE_TSC, (uint64_t)page | HV_PAGE_MSR_ENABLE);
	if (page->tsc_sequence == HV_REFERENCE_TSC_SEQUENCE_INVALID) {
		wrmsr(HV_X64_MSR_REFERENCE_TSC, 0);
		tap_skip("the reference TSC page is not valid here");
		return;
	}
	for (unsigned int i = 0; i < 100; i++) {
		const uint64_t before = now();
		const uint64_t here =
			(uint64_t)(((unsigned __int128)rdtsc() * page->tsc_scale) >> 64) +
			(uint64_t)page->tsc_offset;
		const uint64_t after = now();

		/* The scale of the TSC page is truncated: some units are lost. */
		expect(here + 1000 >= before && here <= after + 1000);
	}
	expect_equal(try_write((uint8_t *)(uintptr_t)page + 8, 0), VECTOR_GP);
	wrmsr(HV_X64_MSR_REFERENCE_TSC, 0);
}

static void time_in_vtl1(void *argument)
{
	*(uint64_t *)argument = now();
}

static void time_is_one(void)
{
	for (unsigned int i = 0; i < 100; i++) {
		uint64_t inside = 0;
		const uint64_t before = now();

		vtl_run(time_in_vtl1, &inside);
		expect(before <= inside && inside <= now());
	}
}

static void one_shot_fires_once(void)
{
	const uint32_t before = *came(0);
	const uint64_t due = now() + 5 * MS;

	wrmsr(HV_X64_MSR_STIMER0_CONFIG, DIRECT | HV_STIMER_AUTO_ENABLE);
	wrmsr(HV_X64_MSR_STIMER0_COUNT, due);
	expect(came_within(0, before + 1));
	expect(now() >= due);
	expect_equal(rdmsr(HV_X64_MSR_STIMER0_CONFIG) & HV_STIMER_ENABLE, 0);
	time_delay_ms(5);
	interrupts_window();
	expect_equal(*came(0), before + 1);
}

static void past_time_fires_at_once(void)
{
	const uint32_t before = *came(0);

	wrmsr(HV_X64_MSR_STIMER0_CONFIG, DIRECT | HV_STIMER_AUTO_ENABLE);
	wrmsr(HV_X64_MSR_STIMER0_COUNT, now() > 1000 ? now() - 1000 : 1);
	expect(came_within(0, before + 1));
}

static void periodic_goes_on(void)
{
	const uint32_t before = *came(0);

	wrmsr(HV_X64_MSR_STIMER1_CONFIG, DIRECT | HV_STIMER_PERIODIC | HV_STIMER_AUTO_ENABLE);
	wrmsr(HV_X64_MSR_STIMER1_COUNT, 2 * MS);
	expect(came_within(0, before + 5));
	wrmsr(HV_X64_MSR_STIMER1_COUNT, 0);
	interrupts_window();
	expect_equal(rdmsr(HV_X64_MSR_STIMER1_CONFIG) & HV_STIMER_ENABLE, 0);
	{
		const uint32_t stopped = *came(0);

		time_delay_ms(10);
		interrupts_window();
		expect_equal(*came(0), stopped);
	}
}

static void message_comes(void)
{
	struct cpu *cpu = cpu_current();
	volatile struct hv_message *slot;
	const struct hv_timer_message_payload *payload;
	const uint32_t before = *came(0);
	const uint64_t due = now() + 2 * MS;

	if (!cpu->messages)
		cpu->messages = memory_pages(1);
	slot = &cpu->messages->slot[4];
	wrmsr(HV_X64_MSR_SIMP, (uint64_t)cpu->messages | HV_PAGE_MSR_ENABLE);
	wrmsr(HV_X64_MSR_SCONTROL, HV_SYNIC_SCONTROL_ENABLE);
	wrmsr(HV_X64_MSR_SINT4, VECTOR);
	wrmsr(HV_X64_MSR_STIMER2_CONFIG, HV_STIMER_AUTO_ENABLE | 4ull << HV_STIMER_SINT_SHIFT);
	wrmsr(HV_X64_MSR_STIMER2_COUNT, due);
	expect(came_within(0, before + 1));
	expect_equal(slot->message_type, HV_MESSAGE_TYPE_TIMER_EXPIRED);
	payload = (const void *)(uintptr_t)slot->payload;
	expect_equal(payload->timer_index, 2);
	expect_equal(payload->expiration_time, due);
	expect(payload->delivery_time >= due);
	slot->message_type = HV_MESSAGE_TYPE_NONE;
	wrmsr(HV_X64_MSR_EOM, 0);
	wrmsr(HV_X64_MSR_SINT4, HV_SYNIC_SINT_RESET);
	wrmsr(HV_X64_MSR_SCONTROL, 0);
	wrmsr(HV_X64_MSR_SIMP, 0);
}

#define FIRST_VECTOR 0xb9 /* vector of SINT2, which has AutoEOI */
#define NEXT_VECTOR  0xb4 /* vector of SINT3 */
#define SPIN_MS	     1000u

/* AutoEOI: the handler sends no EOI. */
static void count_only(struct interrupt_frame *frame)
{
}

static void expire_now(uint32_t config, uint32_t count, uint64_t sint)
{
	wrmsr(config, HV_STIMER_AUTO_ENABLE | sint << HV_STIMER_SINT_SHIFT);
	wrmsr(count, 1);
}

/* P34: the second of two pending interrupts needs an interrupt-window exit. */
static void auto_eoi_does_not_strand_the_next(void)
{
	struct cpu *cpu = cpu_current();
	volatile uint32_t *first = &cpu->interrupts[FIRST_VECTOR];
	volatile uint32_t *next = &cpu->interrupts[NEXT_VECTOR];
	const uint32_t before[2] = {*first, *next};
	uint64_t end;

	if (!cpu->messages)
		cpu->messages = memory_pages(1);
	cpu->handler[FIRST_VECTOR] = count_only;
	wrmsr(HV_X64_MSR_SIMP, (uint64_t)cpu->messages | HV_PAGE_MSR_ENABLE);
	wrmsr(HV_X64_MSR_SCONTROL, HV_SYNIC_SCONTROL_ENABLE);
	wrmsr(HV_X64_MSR_SINT2, FIRST_VECTOR | HV_SYNIC_SINT_AUTO_EOI);
	wrmsr(HV_X64_MSR_SINT3, NEXT_VECTOR);
	expire_now(HV_X64_MSR_STIMER0_CONFIG, HV_X64_MSR_STIMER0_COUNT, 2);
	expire_now(HV_X64_MSR_STIMER1_CONFIG, HV_X64_MSR_STIMER1_COUNT, 3);
	expect_equal(*first, before[0]);
	end = rdtsc() + SPIN_MS * time_ticks_per_ms();
	__asm__ volatile("sti" ::: "memory");
	while (*next == before[1] && (int64_t)(end - rdtsc()) > 0)
		;
	interrupts_off();
	expect_equal(*first, before[0] + 1);
	expect_equal(*next, before[1] + 1);
	for (unsigned int sint = 2; sint <= 3; sint++) {
		cpu->messages->slot[sint].message_type = HV_MESSAGE_TYPE_NONE;
		wrmsr(HV_X64_MSR_SINT0 + sint, HV_SYNIC_SINT_RESET);
	}
	wrmsr(HV_X64_MSR_EOM, 0);
	wrmsr(HV_X64_MSR_SCONTROL, 0);
	wrmsr(HV_X64_MSR_SIMP, 0);
	cpu->handler[FIRST_VECTOR] = NULL;
}

static void start_in_vtl1(void *argument)
{
	wrmsr(HV_X64_MSR_STIMER0_CONFIG, DIRECT | HV_STIMER_PERIODIC | HV_STIMER_AUTO_ENABLE);
	wrmsr(HV_X64_MSR_STIMER0_COUNT, 3 * MS);
}

static void stop_in_vtl1(void *argument)
{
	wrmsr(HV_X64_MSR_STIMER0_COUNT, 0);
}

static void preempt(void *argument)
{
	const uint32_t before = *came(1);
	uint64_t turns = 0;

	interrupts_off();
	vtl_run(start_in_vtl1, NULL);
	/* VTL0 runs without exits: only the timer of VTL1 can preempt it. */
	while (*came(1) < before + 10 && turns < 100000000000ull)
		turns++;
	vtl_run(stop_in_vtl1, NULL);
	expect(*came(1) >= before + 10);
}

static void vtl1_preempts_vtl0(void)
{
	smp_run_all(preempt, NULL);
}

static void apic_timer_in_vtl1(void *argument)
{
	const uint32_t before = *came(1);

	apic_write(APIC_TIMER_DIVIDE, 3);
	apic_write(APIC_LVT_TIMER, VECTOR);
	apic_write(APIC_TIMER_INITIAL, 1000);
	expect(came_within(1, before + 1));
	expect_equal(apic_read(APIC_TIMER_CURRENT), 0);
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
}

static void apic_timers_are_private(void)
{
	const uint32_t before = *came(0);

	vtl_run(apic_timer_in_vtl1, NULL);
	interrupts_window();
	expect_equal(*came(0), before);
	apic_write(APIC_TIMER_DIVIDE, 3);
	apic_write(APIC_LVT_TIMER, VECTOR | LVT_PERIODIC);
	apic_write(APIC_TIMER_INITIAL, 100000);
	expect(came_within(0, before + 3));
	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	interrupts_window();
}

static void cannot_leave(void *argument)
{
	uint32_t *after = argument;
	const uint64_t end = now() + 5 * MS;

	while (now() < end)
		pause();
	interrupts_window();
	*after = *came(0);
}

static void lower_timer_waits(void)
{
	const uint32_t before = *came(0);
	uint32_t after = 0;

	wrmsr(HV_X64_MSR_STIMER0_CONFIG, DIRECT | HV_STIMER_AUTO_ENABLE);
	wrmsr(HV_X64_MSR_STIMER0_COUNT, now() + MS);
	vtl_run(cannot_leave, &after);
	expect_equal(after, before);
	expect(came_within(0, before + 1));
}

static const struct tap_case cases[] = {
	{"the reference time never decreases, and agrees with the TSC", reference_time_goes_on},
	{"the reference TSC page agrees with the MSR, and cannot be written",
	 reference_page_agrees},
	{"both VTLs read the same reference time", time_is_one},
	{"a one-shot timer expires once, not before its time", one_shot_fires_once},
	{"a timer whose time has passed expires at once", past_time_fires_at_once},
	{"a periodic timer expires until it is stopped", periodic_goes_on},
	{"a timer posts a message with its number and times", message_comes},
	{"after an interrupt with AutoEOI the next pending one is delivered (P34)",
	 auto_eoi_does_not_strand_the_next},
	{"VTL1's timer preempts a VTL0 that never exits, on all VPs at once", vtl1_preempts_vtl0},
	{"APIC timers are private", apic_timers_are_private},
	{"VTL0's timer waits while VTL1 runs", lower_timer_waits},
};

TAP_TOPIC(topic_timer, needs_timers, cases);
