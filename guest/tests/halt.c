/* SPDX-License-Identifier: BSD-2-Clause */
/* VPs that halt in VTL0 or VTL1, and the events that wake them (P13). */
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

#define VECTOR	     0x74
#define TIMER_VECTOR 0x75
#define MS	     10000ull

static void start_timer(void *argument)
{
	const uint64_t in_ms = (uint64_t)argument;

	wrmsr(HV_X64_MSR_STIMER0_CONFIG,
	      HV_STIMER_DIRECT_MODE | HV_STIMER_AUTO_ENABLE |
		      (uint64_t)TIMER_VECTOR << HV_STIMER_APIC_VECTOR_SHIFT);
	wrmsr(HV_X64_MSR_STIMER0_COUNT, rdmsr(HV_X64_MSR_TIME_REF_COUNT) + in_ms * MS);
}

static const char *needs_timers(void)
{
	const char *reason = needs_vtl1();

	if (!reason && !(hypercall_features() & HV_FEATURE(DIRECT_SYNTHETIC_TIMERS)))
		reason = "direct synthetic timers are not offered";
	return reason;
}

static void own_timer_wakes(void)
{
	volatile uint32_t *count = &cpu_current()->interrupts[TIMER_VECTOR];
	const uint32_t before = *count;

	start_timer((void *)3ull);
	while (*count == before)
		interrupts_wait();
	expect_equal(*count, before + 1);
}

static void vtl1_timer_enters_halted_vp(void)
{
	const uint32_t vp = cpu_current()->vp;
	volatile uint32_t *lower = &cpu_table[vp][0]->interrupts[TIMER_VECTOR];
	volatile uint32_t *upper = &cpu_table[vp][1]->interrupts[TIMER_VECTOR];
	const uint32_t before[2] = {*lower, *upper};
	uint32_t turns = 0;

	vtl_run(start_timer, (void *)2ull);
	start_timer((void *)30ull);
	while (*lower == before[0]) {
		interrupts_wait();
		turns++;
	}
	expect_equal(*upper, before[1] + 1);
	/* The TLFS does not define whether VTL1's interrupt ends VTL0's HLT: two turns are legal. */
	expect(turns <= 2);
}

static void entered_with_interrupts_off(void *argument)
{
	const uint32_t vp = cpu_current()->vp;
	volatile uint32_t *upper = &cpu_table[vp][1]->interrupts[TIMER_VECTOR];
	const uint32_t before = *upper;
	volatile uint32_t *lower = &cpu_table[vp][0]->interrupts[TIMER_VECTOR];
	const uint32_t before_lower = *lower;

	vtl_run(start_timer, (void *)2ull);
	start_timer((void *)20ull);
	while (*lower == before_lower)
		interrupts_wait();
	expect_equal(*upper, before + 1);
}

static void on_all_vps(void)
{
	smp_run_all(entered_with_interrupts_off, NULL);
}

static void sleep_in_vtl1(void *argument)
{
	volatile uint32_t *count = &cpu_current()->interrupts[TIMER_VECTOR];
	const uint32_t before = *count;

	start_timer((void *)3ull);
	while (*count == before)
		interrupts_wait();
	expect_equal(*count, before + 1);
}

static void vtl1_sleeps_too(void)
{
	vtl_run(sleep_in_vtl1, NULL);
}

struct sleeper {
	volatile uint32_t asleep, awake;
};

static void sleep_for_ipi(void *argument)
{
	struct sleeper *sleeper = argument;
	volatile uint32_t *count = &cpu_current()->interrupts[VECTOR];
	const uint32_t before = *count;

	sleeper->asleep = 1;
	while (*count == before)
		interrupts_wait();
	sleeper->awake = 1;
}

static void sleep_in_vtl1_for_ipi(void *argument)
{
	vtl_run(sleep_for_ipi, argument);
}

static void send(void *argument)
{
	apic_send(smp_apic_id[1], APIC_FIXED | VECTOR);
}

static void ipi_wakes_other_vp(void)
{
	struct sleeper sleeper = {0, 0};

	if (smp_count == 1) {
		tap_skip("one VP");
		return;
	}
	smp_begin(1, sleep_for_ipi, &sleeper);
	expect(wait_for(sleeper.asleep));
	time_delay_ms(3);
	expect_equal(sleeper.awake, 0);
	send(NULL);
	expect(wait_for(sleeper.awake));
	smp_end(1);
	sleeper = (struct sleeper){0, 0};
	smp_begin(1, sleep_in_vtl1_for_ipi, &sleeper);
	expect(wait_for(sleeper.asleep));
	time_delay_ms(3);
	send(NULL);
	time_delay_ms(3);
	expect_equal(sleeper.awake, 0);
	vtl_run(send, NULL);
	expect(wait_for(sleeper.awake));
	smp_end(1);
}

static void idle_msr_sleeps(void)
{
	volatile uint32_t *count = &cpu_current()->interrupts[TIMER_VECTOR];
	const uint32_t before = *count;
	uint64_t value;

	if (!(hypercall_privileges() & HV_PRIVILEGE(ACCESS_GUEST_IDLE_REG))) {
		tap_skip("GUEST_IDLE is not offered");
		return;
	}
	/* The RDMSR ends at the interrupt although IF is 0; the interrupt stays pending. */
	start_timer((void *)3ull);
	expect_equal(try_rdmsr(HV_X64_MSR_GUEST_IDLE, &value), -1);
	expect_equal(*count, before);
	interrupts_window();
	expect_equal(*count, before + 1);
}

static const struct tap_case cases[] = {
	{"a VP that halts in VTL0 is woken by its timer", own_timer_wakes},
	{"VTL1's timer enters VTL1 of a VP that halts in VTL0 (P13)", vtl1_timer_enters_halted_vp},
	{"VTL1's timers enter VTL1 on all VPs that halt in VTL0, also at the same time (P13)",
	 on_all_vps},
	{"a VP that halts in VTL1 is woken by VTL1's timer (P13)", vtl1_sleeps_too},
	{"an IPI wakes a VP that halts in its target VTL, but not one that halts in a higher VTL "
	 "(P13)",
	 ipi_wakes_other_vp},
	{"a VP that idles by GUEST_IDLE is woken with interrupts off", idle_msr_sleeps},
};

TAP_TOPIC(topic_halt, needs_timers, cases);
