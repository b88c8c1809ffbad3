/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures by the TSC, under any VMM that runs the kit. Prints a line "FIGURE name ticks" for each
 * figure that the machine supports.
 */
#include <stdbool.h>
#include <stdint.h>

#include "disk.h"
#include "kit/console.h"
#include "kit/hypercall.h"
#include "kit/kit.h"
#include "kit/vtl.h"
#include "kit/x64.h"

#define ROUNDS	       33u
#define SWITCHES       100u
#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
/* The host bridge of q35. */
#define PAM0 0x90u
/* What PAM0 selects: RAM, or ROM with the firmware. */
#define FIRMWARE 0xf0000u

struct figure {
	const char *name;
	uint32_t count; /* pieces of work in a round */
	bool (*work)(uint32_t round);
	bool (*is_done)(uint32_t round); /* NULL: the work has no effect */
};

/*
 * Disturbances only add time, so the least time counts. A round without an effect would have that
 * time: so the effect must be absent before a round and present after it.
 */
static void measure(const struct figure *figure)
{
	uint64_t best = UINT64_MAX;

	for (uint32_t round = 0; round <= ROUNDS; round++) {
		const bool early = figure->is_done && figure->is_done(round);
		const uint64_t begin = rdtsc();
		const bool good = figure->work(round);
		const uint64_t took = rdtsc() - begin;

		if (!good)
			return;
		if (figure->is_done && !figure->is_done(round)) {
			print("%s: round %u had no effect\n", figure->name, round);
			return;
		}
		/* Round 0 sets the initial state, which may be present already. */
		if (!round)
			continue;
		if (early) {
			print("%s: the effect of round %u was there before\n", figure->name, round);
			return;
		}
		best = took < best ? took : best;
	}
	print("FIGURE %s %lu\n", figure->name, best / figure->count);
}

static bool read_page(uint32_t round)
{
	return disk_read(round % DISK_PAGES);
}

static bool has_page(uint32_t round)
{
	return disk_has(round % DISK_PAGES);
}

static bool write_config(uint32_t address, uint16_t port, uint8_t value)
{
	outl(CONFIG_ADDRESS, address);
	outb(port, value);
	return true;
}

/* RAM in odd rounds, ROM in even ones. */
static bool change_pam(uint32_t round)
{
	return write_config(0x80000000u | PAM0, CONFIG_DATA, round & 1 ? 0x30 : 0);
}

/* RAM keeps what is written, ROM does not. */
static bool has_pam(uint32_t round)
{
	volatile uint32_t *word = (volatile uint32_t *)FIRMWARE;
	const uint32_t old = *word;
	bool is_ram;

	*word = ~old;
	is_ram = *word == ~old;
	*word = old;
	return is_ram == (round & 1);
}

/* A missing device: the cost of the exit. */
static bool change_nothing(uint32_t round)
{
	return write_config(0x80000000u | 0xffff00, CONFIG_DATA, (uint8_t)round);
}

static bool move_bar(uint32_t round)
{
	return disk_move(round & 1);
}

static bool has_moved(uint32_t round)
{
	return disk_is_at(round & 1);
}

static void count_call(void *argument)
{
	++*(volatile uint32_t *)argument;
}

static uint32_t calls;

static bool switch_vtls(uint32_t round)
{
	(void)round;
	for (uint32_t i = 0; i < SWITCHES; i++)
		vtl_run(count_call, &calls);
	return true;
}

static bool has_switched(uint32_t round)
{
	return calls == (round + 1) * SWITCHES;
}

static const struct figure of_port = {"exit", 1, change_nothing, NULL};
static const struct figure of_disk[] = {
	{"read", 1, read_page, has_page},
	{"pam", 1, change_pam, has_pam},
	{"bar", 1, move_bar, has_moved},
};
static const struct figure of_assist = {"read.assist", 1, read_page, has_page};
static const struct figure of_vtls = {"vtl", SWITCHES, switch_vtls, has_switched};

uint8_t kit_main(void)
{
	const bool found = disk_find();

	measure(&of_port);
	if (found)
		for (uint32_t i = 0; i < sizeof(of_disk) / sizeof(of_disk[0]); i++)
			measure(&of_disk[i]);
	if (hypercall_offered() &&
	    (hypercall_privileges() & HV_PRIVILEGES_FOR_VSM) == HV_PRIVILEGES_FOR_VSM) {
		hypercall_enable();
		if (found) {
			disk_use_eoi_assist();
			measure(&of_assist);
		}
		if (vtl_enable_all(1) == HV_STATUS_SUCCESS)
			measure(&of_vtls);
	}
	print("FIGURE end 0\n");
	return EXIT_STATUS_PASS;
}
