/* SPDX-License-Identifier: BSD-2-Clause */
/* The I/O APIC (82093AA data sheet). The test device sets its inputs by port 0x2000 + input, as QEMU's
 * pc-testdev does. */
#include "tests.h"

#include "kit/apic.h"
#include "kit/cpu.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/time.h"
#include "kit/x64.h"

#define SELECT	   (*(volatile uint32_t *)0xfec00000ull)
#define WINDOW	   (*(volatile uint32_t *)0xfec00010ull)
#define LINES	   0x2000
#define LINE	   11
#define OTHER	   12
#define VECTOR	   0x78
#define SECOND	   0x88
#define LEVEL	   (1u << 15)
#define REMOTE_IRR (1u << 14)
#define MASKED	   (1u << 16)
#define LOGICAL	   (1u << 11)
#define NMI_MODE   (4u << 8)

static volatile uint32_t served;
static bool lower_when_served, keep_service;

static uint32_t io_read(uint32_t index)
{
	SELECT = index;
	return WINDOW;
}

static void io_write(uint32_t index, uint32_t value)
{
	SELECT = index;
	WINDOW = value;
}

static void route(uint32_t line, uint32_t low, uint32_t vp)
{
	io_write(0x10 + 2 * line, MASKED);
	io_write(0x11 + 2 * line, smp_apic_id[vp] << 24);
	io_write(0x10 + 2 * line, low);
}

static void line(uint32_t number, uint8_t level)
{
	outb((uint16_t)(LINES + number), level);
}

static void pulse(uint32_t number)
{
	line(number, 1);
	line(number, 0);
}

static bool remote_irr(uint32_t number)
{
	return io_read(0x10 + 2 * number) & REMOTE_IRR;
}

static void handler(struct interrupt_frame *frame)
{
	served++;
	if (lower_when_served)
		line(LINE, 0);
	if (!keep_service)
		apic_eoi();
}

static const char *prepare(void)
{
	static const char *reason;
	static bool looked;

	if (looked)
		return reason;
	looked = true;
	cpu_current()->handler[VECTOR] = handler;
	if (io_read(1) == 0xffffffff) {
		reason = "no I/O APIC at 0xfec00000";
		return reason;
	}
	route(LINE, VECTOR, 0);
	served = 0;
	pulse(LINE);
	interrupts_window();
	if (!wait_for_ms((interrupts_window(), served), 100))
		reason = "no device at port 0x2000 moves interrupt lines";
	return reason;
}

static void registers_are_there(void)
{
	const uint32_t version = io_read(1);

	expect_equal(version >> 16 & 0xff, 23);
	expect((version & 0xff) == 0x11 || (version & 0xff) == 0x20);
	io_write(0, 0x05000000);
	expect_equal(io_read(0) & 0x0f000000, 0x05000000);
	io_write(0, 0);
	for (uint32_t i = 0; i < 24; i++) {
		if (i == 2 || i == 0)
			continue;
		io_write(0x11 + 2 * i, 0xab000000);
		io_write(0x10 + 2 * i, MASKED | LEVEL | LOGICAL | 0x99);
		expect_equal(io_read(0x11 + 2 * i), 0xab000000);
		expect_equal(io_read(0x10 + 2 * i), MASKED | LEVEL | LOGICAL | 0x99);
		/* Delivery status and remote IRR cannot be written. */
		io_write(0x10 + 2 * i, MASKED | REMOTE_IRR | 1u << 12 | 0x99);
		expect_equal(io_read(0x10 + 2 * i), MASKED | 0x99);
	}
}

static void edge_fires_once(void)
{
	if (cpuid(0x40000000, 0).ebx == 0x54474354) { /* "TCGT" */
		tap_skip("QEMU's software CPU delivers it twice");
		return;
	}
	served = 0;
	route(LINE, VECTOR, 0);
	line(LINE, 1);
	interrupts_window();
	expect_equal(served, 1);
	interrupts_window();
	line(LINE, 1); /* already high: no edge */
	interrupts_window();
	expect_equal(served, 1);
	expect(!remote_irr(LINE));
	line(LINE, 0);
	interrupts_window();
	expect_equal(served, 1);
	pulse(LINE);
	interrupts_window();
	expect_equal(served, 2);
}

/* Edges merge while the first is pending in the IRR; one more is kept while it is in service. */
static void edges_are_collected(void)
{
	served = 0;
	route(LINE, VECTOR, 0);
	pulse(LINE);
	pulse(LINE);
	pulse(LINE);
	interrupts_window();
	interrupts_window();
	expect_equal(served, 1);
	keep_service = true;
	pulse(LINE);
	interrupts_window();
	expect_equal(served, 2);
	pulse(LINE);
	interrupts_window();
	expect_equal(served, 2);
	keep_service = false;
	apic_eoi();
	interrupts_window();
	expect_equal(served, 3);
}

static void level_fires_until_it_is_low(void)
{
	served = 0;
	keep_service = true;
	route(LINE, VECTOR | LEVEL, 0);
	line(LINE, 1);
	interrupts_window();
	expect_equal(served, 1);
	expect(remote_irr(LINE));
	interrupts_window();
	expect_equal(served, 1);
	apic_eoi();
	expect(remote_irr(LINE));
	interrupts_window();
	expect_equal(served, 2);
	line(LINE, 0);
	expect(remote_irr(LINE));
	apic_eoi();
	expect(!remote_irr(LINE));
	interrupts_window();
	expect_equal(served, 2);
	keep_service = false;
	lower_when_served = true;
	line(LINE, 1);
	interrupts_window();
	interrupts_window();
	expect_equal(served, 3);
	expect(!remote_irr(LINE));
	lower_when_served = false;
}

static void masked_line_waits(void)
{
	served = 0;
	route(LINE, VECTOR | LEVEL | MASKED, 0);
	line(LINE, 1);
	interrupts_window();
	expect_equal(served, 0);
	expect(!remote_irr(LINE));
	lower_when_served = true;
	io_write(0x10 + 2 * LINE, VECTOR | LEVEL);
	interrupts_window();
	expect_equal(served, 1);
	lower_when_served = false;
	io_write(0x10 + 2 * LINE, VECTOR | LEVEL | MASKED);
	line(LINE, 1);
	line(LINE, 0);
	io_write(0x10 + 2 * LINE, VECTOR | LEVEL);
	interrupts_window();
	expect_equal(served, 1);
	io_write(0x10 + 2 * LINE, MASKED);
}

static void two_lines_at_once(void)
{
	const uint32_t before = cpu_current()->interrupts[SECOND];

	served = 0;
	route(LINE, VECTOR | LEVEL, 0);
	route(OTHER, SECOND, 0);
	lower_when_served = true;
	line(LINE, 1);
	pulse(OTHER);
	interrupts_window();
	interrupts_window();
	expect_equal(served, 1);
	expect_equal(cpu_current()->interrupts[SECOND], before + 1);
	expect(!remote_irr(LINE));
	lower_when_served = false;
	io_write(0x10 + 2 * OTHER, MASKED);
	io_write(0x10 + 2 * LINE, MASKED);
}

static void lower_other(struct interrupt_frame *frame)
{
	line(OTHER, 0);
	apic_eoi();
}

static void eoi_is_for_its_vector(void)
{
	const uint32_t before = cpu_current()->interrupts[SECOND];

	served = 0;
	keep_service = true;
	route(LINE, VECTOR | LEVEL, 0);
	line(LINE, 1);
	interrupts_window();
	expect_equal(served, 1);
	line(LINE, 0);
	cpu_current()->handler[SECOND] = lower_other;
	route(OTHER, SECOND | LEVEL, 0);
	line(OTHER, 1);
	interrupts_window();
	expect_equal(cpu_current()->interrupts[SECOND], before + 1);
	expect(!remote_irr(OTHER));
	expect(remote_irr(LINE));
	keep_service = false;
	apic_eoi();
	expect(!remote_irr(LINE));
	cpu_current()->handler[SECOND] = NULL;
	io_write(0x10 + 2 * OTHER, MASKED);
	io_write(0x10 + 2 * LINE, MASKED);
}

static void every_processor_is_reached(void)
{
	for (uint32_t vp = 0; vp < smp_count; vp++) {
		volatile uint32_t *count = &cpu_table[vp][0]->interrupts[SECOND];
		const uint32_t before = *count;

		route(OTHER, SECOND, vp);
		pulse(OTHER);
		interrupts_window();
		expect(wait_for(*count == before + 1));
		/* The handler on that processor lowers the line and sends the EOI. */
		cpu_table[vp][0]->handler[SECOND] = lower_other;
		route(OTHER, SECOND | LEVEL, vp);
		line(OTHER, 1);
		interrupts_window();
		expect(wait_for(*count == before + 2));
		expect(wait_for(!remote_irr(OTHER)));
		cpu_table[vp][0]->handler[SECOND] = NULL;
		io_write(0x10 + 2 * OTHER, MASKED);
	}
}

static volatile uint32_t nmis;

static void count_nmi(struct interrupt_frame *frame)
{
	nmis++;
}

static void a_line_can_be_an_nmi(void)
{
	nmis = 0;
	cpu_current()->handler[2] = count_nmi;
	route(OTHER, NMI_MODE, 0);
	pulse(OTHER);
	expect(wait_for(nmis == 1));
	io_write(0x10 + 2 * OTHER, MASKED);
	cpu_current()->handler[2] = NULL;
}

static void x2apic_ends_level(void)
{
	if (!(cpuid(1, 0).ecx & 1u << 21)) {
		tap_skip("no x2APIC");
		return;
	}
	served = 0;
	lower_when_served = true;
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
	route(LINE, VECTOR | LEVEL, 0);
	line(LINE, 1);
	interrupts_window();
	interrupts_window();
	expect_equal(served, 1);
	expect(!remote_irr(LINE));
	lower_when_served = false;
	io_write(0x10 + 2 * LINE, MASKED);
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~APIC_BASE_X2APIC & ~APIC_BASE_ENABLED);
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLED);
	apic_enable();
}

static const struct tap_case cases[] = {
	{"24 entries read as they were written", registers_are_there},
	{"an edge fires once", edge_fires_once},
	{"edges merge while one is pending", edges_are_collected},
	{"a level fires until the line is low, and EOI clears remote IRR",
	 level_fires_until_it_is_low},
	{"a masked level is delivered when unmasked, if the line is still high", masked_line_waits},
	{"two lines at once are served by class, and both end", two_lines_at_once},
	{"an EOI ends only the level of its own vector", eoi_is_for_its_vector},
	{"edge and level reach every processor", every_processor_is_reached},
	{"a line can deliver an NMI", a_line_can_be_an_nmi},
	{"an EOI in x2APIC mode ends a level, too", x2apic_ends_level},
};

TAP_TOPIC(topic_ioapic, prepare, cases);
