/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest of bench/qemu: measures exits, disk reads, changes of PAM and BAR, and VTL switches by
 * its TSC, under any VMM that runs the kit. It prints a line "FIGURE name ticks" for each one that
 * the machine supports.
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

/*
 * Prints the least time of several rounds, since anything else that runs on the CPU only adds to
 * it.
 */
static void measure(const char *name, bool (*work)(uint32_t round), uint32_t count)
{
	uint64_t best = UINT64_MAX;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		const uint64_t begin = rdtsc();
		const bool good = work(round);
		const uint64_t took = rdtsc() - begin;

		if (!good)
			return;
		best = took < best ? took : best;
	}
	print("FIGURE %s %lu\n", name, best / count);
}

static bool read_page(uint32_t round)
{
	return disk_read(round % DISK_PAGES);
}

static bool write_config(uint32_t address, uint16_t port, uint8_t value)
{
	outl(CONFIG_ADDRESS, address);
	outb(port, value);
	return true;
}

/* Makes the firmware's segment RAM in odd rounds, ROM in even ones. */
static bool change_pam(uint32_t round)
{
	return write_config(0x80000000u | PAM0, CONFIG_DATA, round & 1 ? 0x30 : 0);
}

/* Writes to the configuration space of a missing device: the cost of the exit. */
static bool change_nothing(uint32_t round)
{
	return write_config(0x80000000u | 0xffff00, CONFIG_DATA, (uint8_t)round);
}

static bool move_bar(uint32_t round)
{
	return disk_move(round & 1);
}

static void do_nothing(void *argument)
{
	(void)argument;
}

static bool switch_vtls(uint32_t round)
{
	(void)round;
	for (uint32_t i = 0; i < SWITCHES; i++)
		vtl_run(do_nothing, NULL);
	return true;
}

uint8_t kit_main(void)
{
	measure("exit", change_nothing, 1);
	if (disk_find()) {
		measure("read", read_page, 1);
		measure("pam", change_pam, 1);
		measure("bar", move_bar, 1);
	}
	if (hypercall_offered() &&
	    (hypercall_privileges() & HV_PRIVILEGES_FOR_VSM) == HV_PRIVILEGES_FOR_VSM) {
		hypercall_enable();
		if (vtl_enable_all(1) == HV_STATUS_SUCCESS)
			measure("vtl", switch_vtls, SWITCHES);
	}
	print("FIGURE end 0\n");
	return EXIT_STATUS_PASS;
}
