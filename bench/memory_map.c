/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of the memory map, with two VTLs and 4 GiB of RAM. A change by a PAM register or a BAR
 * may take a millisecond: a million instructions under --icount of the rig.
 */
#include <sys/mman.h>
#include <unistd.h>

#include <vsm/vsm.h>

#include "bench.h"

#define RAM	 (4ull << 30)
#define BELOW_4G (3ull << 30)
#define MILLI	 1e6
#define CHANGES	 64u
/* First words of the segment in each file. */
#define IN_RAM UINT64_C(0x4d4152)
#define IN_ROM UINT64_C(0x4d4f52)

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

static uint64_t word_at(const struct machine *machine, uint64_t gpa)
{
	uint64_t word = 0;

	(void)vsm_dma_read(machine->partition, gpa, &word, sizeof(word));
	return word;
}

/* RAM in odd rounds, ROM in even ones, as by PAM registers of a chipset. */
static void shadow(struct machine *machine, unsigned int i)
{
	if (i & 1)
		update(machine, 0xf0000, 0x10000, machine->ram, 0xf0000, 0);
	else
		update(machine, 0xf0000, 0x10000, machine->rom, 0, VSM_MEMORY_READONLY);
}

static bool is_shadowed(const struct machine *machine, unsigned int i)
{
	return word_at(machine, 0xf0000) == (i & 1 ? IN_RAM : IN_ROM);
}

static uint64_t bar(unsigned int i)
{
	return i & 1 ? 0xe0000000 : 0xd0000000;
}

/* As a write to the BAR of a display adapter. */
static void move_bar(struct machine *machine, unsigned int i)
{
	const struct vsm_memory_change changes[2] = {
		{.gpa = bar(i), .size = 16u << 20, .fd = -1},
		{.gpa = bar(i + 1), .size = 16u << 20, .fd = machine->rom},
	};

	bench_require(vsm_memory_update(machine->partition, changes, 2) == 0, "a move");
}

static bool has_moved(const struct machine *machine, unsigned int i)
{
	return word_at(machine, bar(i + 1)) == IN_ROM && !word_at(machine, bar(i));
}

static void set_log(struct machine *machine, unsigned int i)
{
	update(machine, 0x100000, BELOW_4G - 0x100000, machine->ram, 0x100000,
	       i & 1 ? 0 : VSM_MEMORY_LOG);
}

/* Without VSM_MEMORY_LOG there is no record of writes. */
static bool is_logged(const struct machine *machine, unsigned int i)
{
	const uint64_t word = i;
	uint64_t dirty = 0;

	bench_require(!vsm_dma_write(machine->partition, 0x100000, &word, sizeof(word)) &&
			      !vsm_memory_dirty(machine->partition, 0x100000, 0x1000, &dirty),
		      "the record of writes");
	return dirty == !(i & 1);
}

struct kind {
	const char *name;
	void (*change)(struct machine *machine, unsigned int i);
	bool (*is_done)(const struct machine *machine, unsigned int i);
	double maximum;
};

static double time_of(struct machine *machine, const struct kind *kind)
{
	double best = 1e18;

	for (unsigned int i = 0; i < CHANGES; i++) {
		double took;

		bench_require(!kind->is_done(machine, i),
			      "a round: its change is in effect before");
		took = bench_now();
		kind->change(machine, i);
		took = bench_now() - took;
		bench_require(kind->is_done(machine, i), "a round: its change has no effect");
		best = took < best ? took : best;
	}
	return best;
}

static const struct kind kinds[] = {
	{"memory_map.pam", shadow, is_shadowed, MILLI},
	{"memory_map.bar", move_bar, has_moved, MILLI},
	{"memory_map.log", set_log, is_logged, 0},
};

static void write_word(int fd, off_t offset, uint64_t word)
{
	bench_require(pwrite(fd, &word, sizeof(word), offset) == sizeof(word), "a file");
}

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);
	struct machine machine = {.ram = make_file(RAM), .rom = make_file(16u << 20)};
	struct vsm_config config;
	double begin;

	write_word(machine.ram, 0xf0000, IN_RAM);
	write_word(machine.rom, 0, IN_ROM);
	vsm_config_init(&config);
	config.vp_count = 1;
	config.max_vtl = 1;
	bench_require(vsm_partition_create(&config, &machine.partition) == 0, "a partition");
	update(&machine, 0, BELOW_4G, machine.ram, 0, 0);
	update(&machine, 4ull << 30, RAM - BELOW_4G, machine.ram, BELOW_4G, 0);
	update(&machine, 0xd0000000, 16u << 20, machine.rom, 0, 0);
	/* Only the first change splits the RAM below 4 GiB into three regions. */
	begin = bench_now();
	shadow(&machine, 0);
	bench_figure(&bench, "memory_map.cut", bench_now() - begin, "ns", 0, 0);
	shadow(&machine, 1);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const double ns = time_of(&machine, &kinds[i]);

		if (kinds[i].maximum > 0)
			bench_at_most(&bench, kinds[i].name, ns, "ns", kinds[i].maximum);
		else
			bench_figure(&bench, kinds[i].name, ns, "ns", 0, 0);
	}
	vsm_partition_destroy(machine.partition);
	return bench_end(&bench);
}
