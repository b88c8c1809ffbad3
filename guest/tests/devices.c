/* SPDX-License-Identifier: BSD-2-Clause */
/* The devices of docs/vmm.md that test kernels use. A case is skipped if its device is absent. */
#include "tests.h"

#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/options.h"
#include "kit/smp.h"
#include "kit/time.h"
#include "kit/x64.h"

#define SERIAL	      0x3f8
#define CMOS	      0x70
#define FW_SELECT     0x510
#define FW_DATA	      0x511
#define LATCH	      0xe0
#define FLUSH	      0xe4
#define DEBUG_CONSOLE 0xe9

static uint8_t cmos(uint8_t index)
{
	outb(CMOS, index);
	return inb(CMOS + 1);
}

static uint64_t item(uint16_t select, uint32_t size)
{
	uint64_t value = 0;

	outw(FW_SELECT, select);
	for (uint32_t i = 0; i < size; i++)
		value |= (uint64_t)inb(FW_DATA) << 8 * i;
	return value;
}

static bool have_fw_cfg(void)
{
	return item(0, 4) == 0x554d4551; /* "QEMU" */
}

static void fw_cfg_says_what_there_is(void)
{
	uint64_t ram;

	if (!have_fw_cfg()) {
		tap_skip("no fw_cfg at port 0x510");
		return;
	}
	expect(item(1, 4) & 1);
	ram = item(3, 8);
	expect(ram >= options_memory_end && ram % PAGE_SIZE == 0);
	expect_equal(item(5, 2), smp_count);
	expect(item(15, 2) >= smp_count);
	/* Selecting an item starts at its first byte; zeros follow its last one. */
	expect_equal(item(0, 8), 0x554d4551);
	expect_equal(item(0xffff, 4), 0);
}

static void latch_keeps_every_width(void)
{
	outl(LATCH, 0x12345678);
	if (inl(LATCH) != 0x12345678) {
		tap_skip("no latch at port 0xe0");
		return;
	}
	expect_equal(inw(LATCH), 0x5678);
	expect_equal(inb(LATCH), 0x78);
	expect_equal(inw(LATCH + 2), 0x1234);
	expect_equal(inb(LATCH + 1), 0x56);
	expect_equal(inb(LATCH + 3), 0x12);
	outb(LATCH + 2, 0x99);
	expect_equal(inl(LATCH), 0x12995678);
	outb(LATCH, 0xab);
	expect_equal(inb(LATCH), 0xab);
	outw(LATCH, 0xcdef);
	expect_equal(inw(LATCH), 0xcdef);
	outl(LATCH, 0);
	expect_equal(inl(LATCH), 0);
}

/* String instructions must update the registers, and write only the destination. */
static void strings_go_through_ports(void)
{
	uint32_t from[4] = {1, 2, 3, 0xa5b6c7d8}, to[5] = {9, 9, 9, 9, 9};
	const void *source = from;
	void *destination = to;
	uint64_t count = 4;

	outl(LATCH, 0x5a5a5a5a);
	if (inl(LATCH) != 0x5a5a5a5a) {
		tap_skip("no latch at port 0xe0");
		return;
	}
	__asm__ volatile("rep outsl" : "+S"(source), "+c"(count) : "d"(LATCH) : "memory");
	expect_equal(count, 0);
	expect_equal((uint64_t)source, (uint64_t)(from + 4));
	expect_equal(inl(LATCH), from[3]);
	count = 4;
	__asm__ volatile("rep insl" : "+D"(destination), "+c"(count) : "d"(LATCH) : "memory");
	expect_equal(count, 0);
	expect_equal((uint64_t)destination, (uint64_t)(to + 4));
	for (unsigned int i = 0; i < 4; i++)
		expect_equal(to[i], from[3]);
	expect_equal(to[4], 9);
}

/* Port 0xe4 makes the VMM drop its mapping of a page, which must keep its contents. */
static void flushed_page_is_what_it_was(void)
{
	volatile uint64_t *page = memory_pages(1);

	for (uint64_t i = 0; i < 50; i++) {
		*page = i;
		outl(FLUSH, (uint32_t)(uint64_t)page);
		expect_equal(*page, i);
		*page = i + 1000;
		outl(FLUSH, (uint32_t)(uint64_t)page);
		expect_equal(*page, i + 1000);
	}
}

static void debug_console_is_there(void)
{
	if (inb(DEBUG_CONSOLE) != 0xe9)
		tap_skip("no debug console at port 0xe9");
}

static bool is_bcd(uint8_t value, uint8_t most)
{
	return (value & 0xf) < 10 && value >> 4 < 10 && (value >> 4) * 10 + (value & 0xf) <= most;
}

static void clock_ticks(void)
{
	const bool bcd = !(cmos(0x0b) & 4);
	const uint8_t first = cmos(0);

	if (cmos(0x0d) == 0xff) {
		tap_skip("no clock at port 0x70");
		return;
	}
	expect(cmos(0x0d) & 0x80);
	if (bcd) {
		expect(is_bcd(cmos(0), 59) && is_bcd(cmos(2), 59) && is_bcd(cmos(7), 31));
		expect(is_bcd(cmos(8), 12) && cmos(8) > 0 && cmos(7) > 0);
		expect(is_bcd(cmos(4), 23) || !(cmos(0x0b) & 2));
	}
	expect(wait_for(cmos(0) != first));
}

/* Before initialization the transmitter is empty, and the scratch register keeps its value. */
static void serial_port_is_ready(void)
{
	if (inb(SERIAL + 5) == 0xff) {
		tap_skip("no serial port at 0x3f8");
		return;
	}
	expect(wait_for((inb(SERIAL + 5) & 0x60) == 0x60));
	outb(SERIAL + 7, 0x5a);
	expect_equal(inb(SERIAL + 7), 0x5a);
	outb(SERIAL + 7, 0xa5);
	expect_equal(inb(SERIAL + 7), 0xa5);
}

/* The interrupt of an empty transmitter (PC16550D, "interrupt identification"). */
static void serial_port_interrupts(void)
{
	const uint8_t lcr = inb(SERIAL + 3), enabled = inb(SERIAL + 1);

	if (inb(SERIAL + 5) == 0xff) {
		tap_skip("no serial port at 0x3f8");
		return;
	}
	outb(SERIAL + 3, 3);
	outb(SERIAL + 1, 0);
	expect(inb(SERIAL + 2) & 1);
	outb(SERIAL + 1, 2);
	expect_equal(inb(SERIAL + 2) & 0xf, 2);
	expect(inb(SERIAL + 2) & 1); /* reading clears it */
	outb(SERIAL + 1, enabled);
	outb(SERIAL + 3, lcr);
}

static void nothing_answers_with_ones(void)
{
	if (!have_fw_cfg()) {
		tap_skip("an unknown machine, whose ports cannot be predicted");
		return;
	}
	expect_equal(inb(0xaaa0), 0xff);
	expect_equal(inw(0xaaa0), 0xffff);
	expect_equal(inl(0xaaa0), 0xffffffff);
	outl(0xaaa0, 0);
	/* QEMU's software CPU reads zeros there. */
	if (hypercall_offered())
		expect_equal(*(volatile uint32_t *)0xfea00000ull, 0xffffffff);
}

static const struct tap_case cases[] = {
	{"fw_cfg has the sizes of memory and the number of processors", fw_cfg_says_what_there_is},
	{"the latch keeps 1, 2 and 4 bytes", latch_keeps_every_width},
	{"REP INS and REP OUTS transfer RCX elements", strings_go_through_ports},
	{"a page that is flushed by port 0xe4 keeps its contents", flushed_page_is_what_it_was},
	{"the debug console identifies itself", debug_console_is_there},
	{"the CMOS clock advances, and its values are in range", clock_ticks},
	{"the serial port is ready before initialization", serial_port_is_ready},
	{"an empty transmitter of the serial port raises an interrupt", serial_port_interrupts},
	{"ports without a device read all ones", nothing_answers_with_ones},
};

TAP_TOPIC(topic_devices, NULL, cases);
