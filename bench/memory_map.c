/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of the memory map of a partition with two VTLs and 4 GiB of RAM, as by a chipset. A
 * change by a PAM register or a BAR may take a millisecond: a million instructions under --icount
 * of the rig.
 */
#include <sys/mman.h>
#include <unistd.h>

#include <vsm/vsm.h>

#include "bench.h"

#define RAM	 (4ull << 30)
#define BELOW_4G (3ull << 30)
#define MILLI	 1e6
#define CHANGES	 64u

struct machine {
	struct vsm_partition *partition;
	int ram;
	int rom;
};

static int make_file(uint64_t size)
{
	const int fd = memfd_create("memory", MFD_CLOEXEC);

	bench_require(fd >= 0 && ftruncate(fd, (off_t)size) == 0, "a file for memory");
	return fd;
}

static void update(struct machine *machine, uint64_t gpa, uint64_t size, int fd, uint64_t offset,
		   uint32_t flags)
{
	const struct vsm_memory_change change = {
		.gpa = gpa, .size = size, .fd = fd, .offset = offset, .flags = flags};

	bench_require(vsm_memory_update(machine->partition, &change, 1) == 0, "a change");
}

/* Makes a segment of the BIOS area RAM or ROM, as the PAM registers of a chipset do. */
static void shadow(struct machine *machine, unsigned int i)
{
	if (i & 1)
		update(machine, 0xf0000, 0x10000, machine->ram, 0xf0000, 0);
	else
		update(machine, 0xf0000, 0x10000, machine->rom, 0, VSM_MEMORY_READONLY);
}

/* Moves the 16 MiB of a display adapter, as a write to its BAR does. */
static void move_bar(struct machine *machine, unsigned int i)
{
	const uint64_t gpa[2] = {0xd0000000, 0xe0000000};
	const struct vsm_memory_change changes[2] = {
		{.gpa = gpa[i & 1], .size = 16u << 20, .fd = -1},
		{.gpa = gpa[~i & 1], .size = 16u << 20, .fd = machine->rom},
	};

	bench_require(vsm_memory_update(machine->partition, changes, 2) == 0, "a move");
}

static void set_log(struct machine *machine, unsigned int i)
{
	update(machine, 0x100000, BELOW_4G - 0x100000, machine->ram, 0x100000,
	       i & 1 ? 0 : VSM_MEMORY_LOG);
}

static double time_of(struct machine *machine, void (*change)(struct machine *, unsigned int))
{
	double best = 1e18;

	for (unsigned int i = 0; i < CHANGES; i++) {
		const double begin = bench_now();

		change(machine, i);
		if (bench_now() - begin < best)
			best = bench_now() - begin;
	}
	return best;
}

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);
	struct machine machine = {.ram = make_file(RAM), .rom = make_file(16u << 20)};
	struct vsm_config config;
	double begin;

	vsm_config_init(&config);
	config.vp_count = 1;
	config.max_vtl = 1;
	bench_require(vsm_partition_create(&config, &machine.partition) == 0, "a partition");
	update(&machine, 0, BELOW_4G, machine.ram, 0, 0);
	update(&machine, 4ull << 30, RAM - BELOW_4G, machine.ram, BELOW_4G, 0);
	update(&machine, 0xd0000000, 16u << 20, machine.rom, 0, 0);
	/*
	 * Only this first change splits the RAM below 4 GiB into three regions, so its time is
	 * separate.
	 */
	begin = bench_now();
	shadow(&machine, 0);
	bench_figure(&bench, "memory_map.cut", bench_now() - begin, "ns", 0, 0);
	bench_at_most(&bench, "memory_map.pam", time_of(&machine, shadow), "ns", MILLI);
	bench_at_most(&bench, "memory_map.bar", time_of(&machine, move_bar), "ns", MILLI);
	bench_figure(&bench, "memory_map.log", time_of(&machine, set_log), "ns", 0, 0);
	vsm_partition_destroy(machine.partition);
	return bench_end(&bench);
}
