/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC (SDM volume 3A, chapter 11), on any PC, with or without a hypervisor. */
#include "tests.h"

#include "kit/apic.h"
#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/time.h"
#include "kit/x64.h"

#define LOW	      0x41
#define HIGH	      0x81
#define TIMER	      0x62
#define NMI	      2
#define X2APIC_MSR    0x800
#define SHORT_SELF    0x40000
#define SHORT_ALL     0x80000
#define SHORT_OTHERS  0xc0000
#define LOGICAL	      0x800
#define LVT_PERIODIC  0x20000
#define LVT_MASKED    0x10000
#define APIC_PPR      0x0a
#define APIC_LDR      0x0d
#define APIC_DFR      0x0e
#define APIC_LVT_LINT 0x35
#define APIC_GVA      ((volatile uint32_t *)0xfee00000ull)

static uint32_t came(uint32_t vp, uint8_t vector)
{
	return ((volatile struct cpu *)cpu_table[vp][0])->interrupts[vector];
}

static bool bit_of(uint32_t row, uint8_t vector)
{
	return apic_read(row + vector / 32) >> vector % 32 & 1;
}

static bool have_x2apic(void)
{
	return cpuid(1, 0).ecx & 1u << 21;
}

/* Skips the case on QEMU's software CPU, whose APIC deviates from the SDM. */
static bool is_lenient(void)
{
	if (cpuid(0x40000000, 0).ebx != 0x54474354) /* "TCGT" */
		return false;
	tap_skip("QEMU's software CPU does not do this");
	return true;
}

static void to_x2apic(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
}

/* 11.12.5: there is no direct transition from x2APIC to xAPIC mode. */
static void to_xapic(void)
{
	const uint64_t base = rdmsr(MSR_APIC_BASE) & ~(APIC_BASE_X2APIC | APIC_BASE_ENABLED);

	wrmsr(MSR_APIC_BASE, base);
	wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLED);
	apic_enable();
}

static void starts_as_xapic(void)
{
	const uint64_t base = rdmsr(MSR_APIC_BASE);

	expect_equal(base & ~0xfffull, 0xfee00000);
	expect(base & APIC_BASE_ENABLED);
	expect(base & APIC_BASE_BOOT);
	expect_equal(base & APIC_BASE_X2APIC, 0);
	expect_equal(apic_id(), cpuid(1, 0).ebx >> 24);
	expect(apic_read(APIC_VERSION) >= 0x10 && (apic_read(APIC_VERSION) & 0xff) <= 0x15);
	expect((apic_read(APIC_VERSION) >> 16 & 0xff) >= 3);
}

static void invalid_modes_fault(void)
{
	const uint64_t base = rdmsr(MSR_APIC_BASE);

	expect_equal(try_wrmsr(MSR_APIC_BASE, base | 1), VECTOR_GP);
	expect_equal(try_wrmsr(MSR_APIC_BASE, base | 1ull << 60), VECTOR_GP);
	expect_equal(try_wrmsr(MSR_APIC_BASE, (base & ~APIC_BASE_ENABLED) | APIC_BASE_X2APIC),
		     VECTOR_GP);
	expect_equal(rdmsr(MSR_APIC_BASE), base);
	if (!have_x2apic()) {
		expect_equal(try_wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC), VECTOR_GP);
		return;
	}
	to_x2apic();
	expect_equal(try_wrmsr(MSR_APIC_BASE, base), VECTOR_GP); /* back to xAPIC */
	wrmsr(MSR_APIC_BASE, base & ~APIC_BASE_ENABLED);
	expect_equal(try_wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC),
		     VECTOR_GP); /* from disabled */
	wrmsr(MSR_APIC_BASE, base);
	apic_enable();
}

/* 11.4.3: a disabled APIC is not reported by CPUID, and has no register page. */
static void disabled_apic_is_gone(void)
{
	const uint64_t base = rdmsr(MSR_APIC_BASE);
	uint32_t edx, version;

	if (is_lenient())
		return;
	expect(cpuid(1, 0).edx & 1u << 9);
	wrmsr(MSR_APIC_BASE, base & ~APIC_BASE_ENABLED);
	edx = cpuid(1, 0).edx;
	version = APIC_GVA[4 * APIC_VERSION];
	wrmsr(MSR_APIC_BASE, base);
	apic_enable();
	expect_equal(edx & 1u << 9, 0);
	expect_equal(version, 0xffffffff);
	expect(cpuid(1, 0).edx & 1u << 9);
	expect(apic_read(APIC_VERSION) != 0xffffffff);
}

static void x2apic_registers(void)
{
	const uint32_t id = apic_id(), before = came(0, LOW);
	uint64_t value;

	if (is_lenient())
		return;
	if (!have_x2apic()) {
		tap_skip("no x2APIC");
		return;
	}
	expect_equal(try_rdmsr(X2APIC_MSR + APIC_ID, &value), VECTOR_GP); /* in xAPIC mode */
	to_x2apic();
	expect_equal(apic_id(), id);
	expect_equal(apic_read(APIC_LDR), id / 16 << 16 | 1u << id % 16);
	expect_equal(try_wrmsr(X2APIC_MSR + APIC_ID, 0), VECTOR_GP);
	expect_equal(try_wrmsr(X2APIC_MSR + APIC_LDR, 0), VECTOR_GP);
	expect_equal(try_rdmsr(X2APIC_MSR + APIC_DFR, &value), VECTOR_GP);
	expect_equal(try_rdmsr(X2APIC_MSR + APIC_ICR + 1, &value), VECTOR_GP);
	expect_equal(try_rdmsr(X2APIC_MSR + APIC_EOI, &value), VECTOR_GP);
	expect_equal(try_wrmsr(X2APIC_MSR + APIC_EOI, 1), VECTOR_GP);
	expect_equal(try_wrmsr(X2APIC_MSR + APIC_TPR, 0x100), VECTOR_GP);
	expect_equal(try_rdmsr(X2APIC_MSR + APIC_SELF_IPI, &value), VECTOR_GP);
	expect_equal(APIC_GVA[4 * APIC_VERSION], 0xffffffff);
	apic_write(APIC_SELF_IPI, LOW);
	interrupts_window();
	expect_equal(came(0, LOW), before + 1);
	wrmsr(X2APIC_MSR + APIC_ICR, SHORT_SELF | LOW);
	interrupts_window();
	expect_equal(came(0, LOW), before + 2);
	to_xapic();
	expect_equal(apic_id(), id);
}

static void shorthands(void)
{
	uint32_t before[CPU_MAX] = {0};
	static const uint32_t shorts[] = {SHORT_SELF, SHORT_ALL, SHORT_OTHERS};

	for (unsigned int i = 0; i < 3; i++) {
		for (uint32_t vp = 0; vp < smp_count; vp++)
			before[vp] = came(vp, LOW);
		apic_send(0, shorts[i] | APIC_FIXED | LOW);
		interrupts_window();
		for (uint32_t vp = 0; vp < smp_count; vp++) {
			const uint32_t wanted = vp == 0 ? i != 2 : i != 0;

			expect(wait_for(came(vp, LOW) == before[vp] + wanted));
		}
	}
	time_delay_ms(2);
	interrupts_window();
	expect_equal(came(0, LOW), before[0]);
	for (uint32_t vp = 1; vp < smp_count; vp++)
		expect_equal(came(vp, LOW), before[vp] + 1);
	/* The physical broadcast (11.6.2.1). */
	apic_send(0xff, APIC_FIXED | LOW);
	interrupts_window();
	for (uint32_t vp = 0; vp < smp_count; vp++)
		expect(wait_for(came(vp, LOW) == before[vp] + 1 + !!vp));
}

static void set_ldr(void *argument)
{
	apic_write(APIC_DFR, ~0u);
	apic_write(APIC_LDR, 1u << (24 + cpu_current()->vp % 8));
}

static void logical_destinations(void)
{
	uint32_t before[CPU_MAX] = {0};

	if (smp_count > 8) {
		tap_skip("flat logical mode has 8 bits");
		return;
	}
	smp_run_all(set_ldr, NULL);
	for (uint32_t mask = 1; mask < 1u << smp_count; mask++) {
		for (uint32_t vp = 0; vp < smp_count; vp++)
			before[vp] = came(vp, LOW);
		apic_send(mask, LOGICAL | APIC_FIXED | LOW);
		interrupts_window();
		for (uint32_t vp = 0; vp < smp_count; vp++)
			expect(wait_for(came(vp, LOW) == before[vp] + (mask >> vp & 1)));
	}
}

/* 11.8.3: a vector whose class is not above that of TPR stays pending. */
static void task_priority_masks(void)
{
	const uint32_t before = came(0, LOW);

	write_cr8(LOW >> 4);
	expect_equal(apic_read(APIC_TPR), LOW & 0xf0);
	apic_send(0, SHORT_SELF | APIC_FIXED | LOW);
	interrupts_window();
	expect_equal(came(0, LOW), before);
	expect(bit_of(APIC_IRR, LOW));
	apic_write(APIC_TPR, (LOW & 0xf0) - 0x10);
	expect_equal(read_cr8(), (LOW >> 4) - 1);
	interrupts_window();
	expect_equal(came(0, LOW), before + 1);
	expect(!bit_of(APIC_IRR, LOW));
	write_cr8(0);
}

static struct {
	uint32_t ppr_low, ppr_high;
	bool high_in_low, low_after_high, low_waits;
	uint32_t nested, low;
} seen;

static void high_handler(struct interrupt_frame *frame)
{
	seen.nested++;
	seen.ppr_high = apic_read(APIC_PPR);
	seen.high_in_low = bit_of(APIC_ISR, LOW) && bit_of(APIC_ISR, HIGH);
	apic_eoi(); /* ends the interrupt of this handler */
	seen.low_after_high = bit_of(APIC_ISR, LOW) && !bit_of(APIC_ISR, HIGH);
}

static void low_handler(struct interrupt_frame *frame)
{
	if (seen.low++) {
		apic_eoi();
		return;
	}
	seen.ppr_low = apic_read(APIC_PPR);
	apic_send(0, SHORT_SELF | APIC_FIXED | LOW); /* the same class does not interrupt */
	interrupts_window();
	seen.low_waits = seen.low == 1 && bit_of(APIC_IRR, LOW);
	apic_send(0, SHORT_SELF | APIC_FIXED | HIGH);
	interrupts_window();
	apic_eoi();
}

/* 11.8.3.1, 11.8.4 */
static void interrupts_nest_by_class(void)
{
	const uint32_t before = came(0, LOW);

	memset(&seen, 0, sizeof(seen));
	cpu_current()->handler[LOW] = low_handler;
	cpu_current()->handler[HIGH] = high_handler;
	apic_send(0, SHORT_SELF | APIC_FIXED | LOW);
	interrupts_window();
	interrupts_window();
	expect(seen.low_waits);
	expect_equal(came(0, LOW), before + 2);
	expect_equal(seen.nested, 1);
	expect_equal(seen.ppr_low, LOW & 0xf0);
	expect_equal(seen.ppr_high, HIGH & 0xf0);
	expect(seen.high_in_low && seen.low_after_high);
	expect(!bit_of(APIC_IRR, LOW) && !bit_of(APIC_ISR, LOW));
	cpu_current()->handler[LOW] = NULL;
	cpu_current()->handler[HIGH] = NULL;
}

static void arm(uint32_t lvt, uint32_t count)
{
	apic_write(APIC_TIMER_DIVIDE, 0xb); /* divide by 1 */
	apic_write(APIC_LVT_TIMER, lvt);
	apic_write(APIC_TIMER_INITIAL, count);
}

static volatile uint32_t nmis;
static volatile bool send_more, stay, sleep;
static uint32_t woke_by_timer;

static void nmi_handler(struct interrupt_frame *frame)
{
	__atomic_fetch_add(&nmis, 1, __ATOMIC_RELAXED);
	if (send_more) {
		send_more = false;
		for (unsigned int i = 0; i < 3; i++)
			apic_send(apic_id(), APIC_NMI);
		time_delay_ms(1);
	}
	if (sleep) {
		const uint32_t before = came(0, TIMER);

		sleep = false;
		if (smp_count == 1)
			apic_send(apic_id(), APIC_NMI);
		arm(TIMER, 4000000);
		interrupts_wait();
		woke_by_timer = came(0, TIMER) - before;
	}
	while (stay)
		pause();
}

static void send_nmi_to_sleeper(void *argument)
{
	while (sleep)
		pause();
	time_delay_ms(2);
	apic_send(smp_apic_id[0], APIC_NMI);
}

/* An NMI pending in an NMI handler does not end HLT. An interrupt does; its IRET unblocks NMIs. */
static void pending_nmi_ends_no_hlt(void)
{
	cpu_current()->handler[NMI] = nmi_handler;
	nmis = 0;
	woke_by_timer = 0;
	sleep = true;
	interrupts_off();
	if (smp_count > 1)
		smp_begin(1, send_nmi_to_sleeper, NULL);
	apic_send(apic_id(), APIC_NMI);
	expect(wait_for(nmis == 2));
	if (smp_count > 1)
		smp_end(1);
	expect_equal(woke_by_timer, 1);
	apic_write(APIC_TIMER_INITIAL, 0);
	cpu_current()->handler[NMI] = NULL;
}

static void nmi_interrupts(void)
{
	cpu_current()->handler[NMI] = nmi_handler;
	nmis = 0;
	interrupts_off();
	apic_send(apic_id(), APIC_NMI);
	expect(wait_for(nmis == 1)); /* IF does not block NMIs */
	/* SDM 3A, 6.7.1: one of the NMIs that arrive during the handler is kept. */
	send_more = true;
	apic_send(apic_id(), APIC_NMI);
	expect(wait_for(nmis == 3));
	time_delay_ms(2);
	expect_equal(nmis, 3);
	cpu_current()->handler[NMI] = NULL;
}

static void take_nmis(void *argument)
{
	volatile uint32_t *ready = argument;

	cpu_current()->handler[NMI] = nmi_handler;
	*ready = 1;
	interrupts_off();
	while (nmis == 0)
		__asm__ volatile("hlt");
	*ready = 2;
	cpu_current()->handler[NMI] = NULL;
}

static void nmi_ends_hlt(void)
{
	volatile uint32_t ready = 0;

	if (smp_count == 1) {
		tap_skip("one VP");
		return;
	}
	nmis = 0;
	smp_begin(1, take_nmis, (void *)(uintptr_t)&ready);
	expect(wait_for(ready == 1));
	time_delay_ms(2);
	expect_equal(nmis, 0);
	apic_send(smp_apic_id[1], APIC_NMI);
	expect(wait_for(ready == 2));
	smp_end(1);
	expect_equal(nmis, 1);
}

static void timer_counts_down(void)
{
	const uint32_t count = 0xffffffff;
	uint32_t last, next;

	arm(LVT_MASKED | TIMER, count);
	last = apic_read(APIC_TIMER_CURRENT);
	for (unsigned int i = 0; i < 200; i++) {
		next = apic_read(APIC_TIMER_CURRENT);
		expect(next <= last);
		last = next;
	}
	expect(last < count);
	expect_equal(apic_read(APIC_TIMER_INITIAL), count);
	apic_write(APIC_TIMER_INITIAL, 0);
	expect_equal(apic_read(APIC_TIMER_CURRENT), 0);
}

static void timer_fires_once(void)
{
	const uint32_t before = came(0, TIMER);

	arm(TIMER, 1000000);
	expect(wait_for_ms((interrupts_window(), came(0, TIMER) == before + 1), TIME_LIMIT_MS));
	expect_equal(apic_read(APIC_TIMER_CURRENT), 0);
	time_delay_ms(5);
	interrupts_window();
	expect_equal(came(0, TIMER), before + 1);
}

static void timer_fires_again_and_again(void)
{
	const uint32_t before = came(0, TIMER);

	arm(LVT_PERIODIC | TIMER, 1000000);
	expect(wait_for_ms((interrupts_window(), came(0, TIMER) >= before + 4), TIME_LIMIT_MS));
	expect(apic_read(APIC_TIMER_CURRENT) <= 1000000);
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | LVT_MASKED | TIMER);
	interrupts_window();
	{
		const uint32_t stopped = came(0, TIMER);

		time_delay_ms(5);
		interrupts_window();
		expect_equal(came(0, TIMER), stopped);
	}
	apic_write(APIC_TIMER_INITIAL, 0);
}

/* Counts of the timer, and bounds of their duration in TSC ticks, since reads take time. */
struct measured {
	uint64_t ticks, shortest, longest;
};

static void measure(uint32_t divide, struct measured *out)
{
	uint64_t before_begin, after_begin, before_end;
	uint32_t first, last;

	apic_write(APIC_LVT_TIMER, LVT_MASKED | TIMER);
	apic_write(APIC_TIMER_DIVIDE, divide);
	apic_write(APIC_TIMER_INITIAL, 0xffffffff);
	before_begin = rdtsc();
	first = apic_read(APIC_TIMER_CURRENT);
	after_begin = rdtsc();
	time_delay_ms(20);
	before_end = rdtsc();
	last = apic_read(APIC_TIMER_CURRENT);
	out->longest = rdtsc() - before_begin;
	out->shortest = before_end - after_begin;
	out->ticks = first - last;
}

/* Tolerance 1 in 20. */
static void timer_keeps_its_frequency(void)
{
	struct measured by_1, by_16;

	measure(0xb, &by_1);
	measure(3, &by_16);
	apic_write(APIC_TIMER_INITIAL, 0);
	expect(by_1.ticks > 0 && by_16.ticks > 0);
	expect(by_16.ticks * 16 * by_1.longest * 21 / 20 > by_1.ticks * by_16.shortest);
	expect(by_16.ticks * 16 * by_1.shortest < by_1.ticks * by_16.longest * 21 / 20);
	if (hypercall_offered() && (hypercall_privileges() & HV_PRIVILEGE(ACCESS_FREQUENCY_REGS))) {
		const uint64_t apic_khz = rdmsr(HV_X64_MSR_APIC_FREQUENCY) / 1000;
		const uint64_t tsc_khz = rdmsr(HV_X64_MSR_TSC_FREQUENCY) / 1000;

		expect(by_1.ticks * tsc_khz * 21 / 20 > apic_khz * by_1.shortest);
		expect(by_1.ticks * tsc_khz < apic_khz * by_1.longest * 21 / 20);
	}
}

static void lvt_is_masked_when_off(void)
{
	const uint32_t lint0 = apic_read(APIC_LVT_LINT), lint1 = apic_read(APIC_LVT_LINT + 1);

	if (is_lenient())
		return;
	apic_write(APIC_LVT_LINT, 0x700);     /* ExtINT */
	apic_write(APIC_LVT_LINT + 1, 0x400); /* NMI */
	expect_equal(apic_read(APIC_LVT_LINT), 0x700);
	expect_equal(apic_read(APIC_LVT_LINT + 1), 0x400);
	/* 11.4.7.2: software disable masks every entry; enabling leaves them masked. */
	apic_write(APIC_SPURIOUS, 0xff);
	expect_equal(apic_read(APIC_LVT_LINT), 0x700 | LVT_MASKED);
	expect_equal(apic_read(APIC_LVT_LINT + 1), 0x400 | LVT_MASKED);
	apic_write(APIC_LVT_LINT, 0x700);
	expect_equal(apic_read(APIC_LVT_LINT), 0x700 | LVT_MASKED);
	apic_enable();
	expect_equal(apic_read(APIC_LVT_LINT), 0x700 | LVT_MASKED);
	apic_write(APIC_LVT_LINT, lint0);
	apic_write(APIC_LVT_LINT + 1, lint1);
}

/* 11.5.3, 11.8.5: an EOI without an interrupt in service, and vectors below 16. */
static void mistakes_do_no_harm(void)
{
	const uint32_t before = came(0, LOW);

	if (is_lenient())
		return;
	apic_eoi();
	apic_write(0x28, 0); /* ESR */
	apic_send(0, SHORT_SELF | APIC_FIXED | 8);
	interrupts_window();
	apic_write(0x28, 0);
	expect(apic_read(0x28) & (1u << 5 | 1u << 6)); /* send or receive illegal vector */
	apic_write(0x28, 0);
	apic_send(0, SHORT_SELF | APIC_FIXED | LOW);
	interrupts_window();
	expect_equal(came(0, LOW), before + 1);
}

static const struct tap_case cases[] = {
	{"the local APIC starts in xAPIC mode, with the ID that CPUID reports", starts_as_xapic},
	{"an invalid mode of the local APIC raises #GP", invalid_modes_fault},
	{"a disabled local APIC is absent from CPUID and from memory", disabled_apic_is_gone},
	{"x2APIC mode has its registers and faults, and no register page", x2apic_registers},
	{"IPIs by shorthand and broadcast reach exactly their destinations", shorthands},
	{"IPIs to logical destinations reach exactly these processors", logical_destinations},
	{"TPR and CR8 have one value, which masks interrupts of its class and below",
	 task_priority_masks},
	{"interrupts nest by class, and EOI ends the highest", interrupts_nest_by_class},
	{"an NMI is delivered with interrupts off, and a second is held while one is handled",
	 nmi_interrupts},
	{"an NMI ends HLT", nmi_ends_hlt},
	{"an NMI that is pending while one is handled ends no HLT", pending_nmi_ends_no_hlt},
	{"the timer counts down and stops at 0", timer_counts_down},
	{"a one-shot timer fires once", timer_fires_once},
	{"a periodic timer fires until it is masked", timer_fires_again_and_again},
	{"the timer keeps its frequency, divided", timer_keeps_its_frequency},
	{"software disable masks the local vectors", lvt_is_masked_when_off},
	{"an EOI without an interrupt in service, and illegal vectors, cause no interrupt",
	 mistakes_do_no_harm},
};

TAP_TOPIC(topic_apic, NULL, cases);
