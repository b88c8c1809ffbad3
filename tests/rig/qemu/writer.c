/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest without an operating system for tests of migration: every VP writes pages without a pause in VTL0
 * and VTL1, and compares pages with the data that it wrote last. VTL0 attacks the pages of VTL1. Prints a
 * line each tick: TICK number key=K denied=D bad=B. `bad` counts all errors. Options: int3=1: each tick
 * executes INT3; smi=1: each tick has an SMI, and VTL1 and SMM write pages of SMRAM.
 */
#include <stdbool.h>
#include <stdint.h>

#include <vsm/hv/hv.h>

#include "kit/console.h"
#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/kit.h"
#include "kit/memory.h"
#include "kit/options.h"
#include "kit/smp.h"
#include "kit/time.h"
#include "kit/vtl.h"
#include "kit/x64.h"
#include "vtl0.h"

#define WORDS	     (PAGE_SIZE / 8)
#define PAGES	     256u /* pages of an area */
#define SHARED	     32u
#define TICK_MS	     100u
#define VPS	     4u
#define READ_EXECUTE (HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE)

struct area {
	uint64_t *page;
	uint64_t *seed;
	uint32_t pages;
};

struct writer {
	struct area open;    /* pages of VTL0 */
	struct area private; /* pages of VTL1, denied to VTL0 */
	struct area shared;  /* denied to VTL0 while VTL1 fills them */
	uint64_t random;
	uint32_t bad;
};

static struct writer writers[VPS];
static uint64_t *key;	 /* a page with no rights for VTL0 */
static uint64_t *locked; /* a page that is read-only and executable for VTL0 */
static uint64_t digest;	 /* digest of the key, computed by VTL1 */

static uint64_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state;
}

static uint64_t *page_of(const struct area *area, uint32_t page)
{
	return area->page + (uint64_t)page * WORDS;
}

static void fill(struct area *area, uint32_t page, uint64_t seed)
{
	area->seed[page] = seed;
	for (uint32_t i = 0; i < WORDS; i++)
		page_of(area, page)[i] = next(&seed);
}

static bool is_filled(const struct area *area, uint32_t page)
{
	uint64_t seed = area->seed[page];

	for (uint32_t i = 0; i < WORDS; i++)
		if (page_of(area, page)[i] != next(&seed))
			return false;
	return true;
}

static uint32_t pick(struct writer *writer, const struct area *area)
{
	return (uint32_t)(next(&writer->random) >> 33) % area->pages;
}

static void step(struct writer *writer, struct area *area)
{
	fill(area, pick(writer, area), next(&writer->random));
	writer->bad += !is_filled(area, pick(writer, area));
}

static void make_area(struct area *area, uint32_t pages)
{
	area->page = memory_pages(pages);
	area->seed = memory_pages(1);
	area->pages = pages;
	for (uint32_t i = 0; i < pages; i++)
		fill(area, i, i);
}

static void protect(struct writer *writer, const void *page, uint32_t pages, uint32_t flags)
{
	writer->bad += vtl_protect((uint64_t)page, pages, flags) != HV_STATUS_SUCCESS;
}

static void make_private(void *argument)
{
	const uint64_t config = HV_VSM_PARTITION_CONFIG_ENABLE_VTL_PROTECTION |
				HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_MASK;

	(void)argument;
	writers[0].bad += register_set_u64(HV_VP_INDEX_SELF, 0, HV_REGISTER_VSM_PARTITION_CONFIG,
					   config) != HV_STATUS_SUCCESS;
	for (uint32_t i = 0; i < WORDS; i++) {
		key[i] = rdtsc() * 0x9e3779b97f4a7c15ull;
		locked[i] = i;
	}
	protect(&writers[0], key, 1, 0);
	protect(&writers[0], locked, 1, READ_EXECUTE);
	for (uint32_t i = 0; i < smp_count; i++) {
		protect(&writers[i], writers[i].private.page, PAGES, 0);
		protect(&writers[i], writers[i].private.seed, 1, 0);
	}
}

static void step_private(void *argument)
{
	struct writer *writer = argument;
	struct area *shared = &writer->shared;
	const uint32_t page = pick(writer, shared);

	step(writer, &writer->private);
	protect(writer, page_of(shared, page), 1, 0);
	fill(shared, page, next(&writer->random));
	protect(writer, page_of(shared, page), 1, VTL_PROTECT_ALL);
}

static void check_private(void *argument)
{
	struct writer *writer = argument;

	digest = 0;
	for (uint32_t i = 0; i < WORDS; i++) {
		digest = (digest << 7 | digest >> 57) ^ key[i];
		writer->bad += locked[i] != i + locked[0];
	}
	for (uint32_t i = 0; i < PAGES; i++)
		writer->bad += !is_filled(&writer->private, i);
	/* VTL0 may read the page, and checks that the change is migrated. */
	for (uint32_t i = 0; i < WORDS; i++)
		locked[i]++;
}

static void attack(struct writer *writer)
{
	const uint64_t seen = try_load(locked);

	writer->bad += try_load(key) != UNTOUCHED;
	writer->bad += try_load(writer->private.page) != UNTOUCHED;
	try_store(key);
	try_store(locked);
	write_by_device(key);
	write_by_device(locked);
	write_by_device(writer->private.page);
	writer->bad += try_load(locked) != seen;
}

static void work(void *argument)
{
	struct writer *writer = argument;

	for (uint32_t i = 0; i < 16; i++)
		step(writer, &writer->open);
	writer->bad += !is_filled(&writer->shared, pick(writer, &writer->shared));
	vtl_run(step_private, writer);
}

static void work_forever(void *argument)
{
	for (;;)
		work(argument);
}

#define BREAKPOINT 3

static void ignore_breakpoint(struct interrupt_frame *frame)
{
	(void)frame;
}

/* INT3 without and with a prefix, whose #BP the guest must get also while GDB has breakpoints. */
static uint32_t make_breakpoints(void)
{
	const uint32_t before = cpu_current()->interrupts[BREAKPOINT];

	cpu_current()->handler[BREAKPOINT] = ignore_breakpoint;
	__asm__ volatile("int3; .byte 0x66; int3");
	return cpu_current()->interrupts[BREAKPOINT] != before + 2;
}

#define APM_CONTROL 0xb2       /* a write is an SMI */
#define SMRAM_FREE  0xa9000ull /* SeaBIOS does not use this page */
#define SAVED_RIP   0xaff78ull /* of the state save area at SMBASE 0xa0000 */

/* For the display QEMU also fetches the dirty log of the GPAs of VGA RAM, which must not lose that of
 * SMRAM. */
static void map_vga(void)
{
	static const struct {
		uint16_t port;
		uint8_t index;
		uint8_t value;
	} registers[] = {
		{0x3c4, 2, 0x0f}, /* write all planes */
		{0x3c4, 4, 0x0e}, /* chain 4 */
		{0x3ce, 6, 0x05}, /* 64 KiB at 0xa0000 */
	};

	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		outb(registers[i].port, registers[i].index);
		outb(registers[i].port + 1, registers[i].value);
	}
}

struct smi {
	uint64_t count;
	uint32_t bad;
};

/* Runs in VTL1, which can access SMRAM at its GPA also outside of SMM. */
static void before_smi(void *argument)
{
	struct smi *smi = argument;
	volatile uint64_t *free = (volatile uint64_t *)SMRAM_FREE;

	smi->bad += smi->count && *free != smi->count;
	*free = ++smi->count;
	*(volatile uint64_t *)SAVED_RIP = 0;
}

static void after_smi(void *argument)
{
	struct smi *smi = argument;

	smi->bad += !*(volatile uint64_t *)SAVED_RIP;
}

static void make_smi(struct smi *smi)
{
	vtl_run(before_smi, smi);
	outb(APM_CONTROL, 0);
	vtl_run(after_smi, smi);
	/* Outside of SMM, VTL0 accesses memory of the VGA at this GPA. */
	*(volatile uint64_t *)SMRAM_FREE = UNTOUCHED;
	smi->bad += *(volatile uint64_t *)SMRAM_FREE != UNTOUCHED;
}

uint8_t kit_main(void)
{
	const bool smi_wanted = option_number("smi", 0);
	const bool int3_wanted = option_number("int3", 0);
	struct smi smi = {0};

	hypercall_enable();
	if (smp_count > VPS || vtl_enable_all(1) != HV_STATUS_SUCCESS)
		return EXIT_STATUS_FAIL;
	key = memory_pages(1);
	locked = memory_pages(1);
	for (uint32_t i = 0; i < smp_count; i++) {
		writers[i].random = i;
		make_area(&writers[i].open, PAGES);
		make_area(&writers[i].private, PAGES);
		make_area(&writers[i].shared, SHARED);
	}
	if (smi_wanted)
		map_vga();
	vtl_run(make_private, NULL);
	vtl_service_of[0][1]->on_intercept = vtl_skip;
	for (uint32_t i = 1; i < smp_count; i++)
		smp_begin(i, work_forever, &writers[i]);
	for (uint32_t tick = 0;; tick++) {
		const uint64_t end = rdtsc() + TICK_MS * time_ticks_per_ms();
		uint32_t bad;

		while ((int64_t)(end - rdtsc()) > 0)
			work(&writers[0]);
		attack(&writers[0]);
		if (int3_wanted)
			writers[0].bad += make_breakpoints();
		vtl_run(check_private, &writers[0]);
		if (smi_wanted)
			make_smi(&smi);
		bad = smi.bad;
		for (uint32_t i = 0; i < smp_count; i++)
			bad += writers[i].bad;
		print("TICK %u key=%lx denied=%u bad=%u\n", tick, digest,
		      vtl_service_of[0][1]->intercepts, bad);
	}
}
