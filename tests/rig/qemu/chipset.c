/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest without an operating system, in which VTL0 attacks memory of VTL1 by the chipset: ISA DMA, PAM,
 * ROM, SMRAM and TSEG. The first page of its floppy disk is PATTERN, all others are zero. Option guard=0: DMA
 * is not guarded, and must succeed. Option smm=1: TSEG hides RAM from VTL0 outside of System Management Mode.
 * Option spinlocks=N: the value of hv-spinlocks of QEMU.
 */
#include <stdbool.h>
#include <stdint.h>

#include <vsm/hv/hv.h>

#include "floppy.h"
#include "kit/console.h"
#include "kit/hypercall.h"
#include "kit/kit.h"
#include "kit/memory.h"
#include "kit/options.h"
#include "kit/tap.h"
#include "kit/vtl.h"
#include "kit/x64.h"
#include "vtl0.h"

#define WORDS	     (PAGE_SIZE / 8)
#define PATTERN	     0xaca1d344aca1d344ull
#define SECRET	     0x5ec2e75ec2e75ec2ull
#define READ_EXECUTE (HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE)
#define ISA_LIMIT    0x1000000ull
#define SMRAM	     0xa0000ull
#define ROM	     0xfffff000ull

/* A page, and the first word that VTL1 reads from it. */
struct seen {
	const volatile uint64_t *page;
	uint64_t word;
};

static volatile uint64_t *locked;  /* VTL0 may not write it */
static volatile uint64_t *private; /* VTL0 may not access it */
static volatile uint64_t *buffer;

static uint16_t protect(uint64_t gpa, uint32_t flags)
{
	return vtl_protect_by(1, gpa, 1, flags);
}

static void prepare_in_vtl1(void *argument)
{
	const uint64_t config = HV_VSM_PARTITION_CONFIG_ENABLE_VTL_PROTECTION |
				HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_MASK;

	(void)argument;
	expect_equal(
		register_set_u64(HV_VP_INDEX_SELF, 0, HV_REGISTER_VSM_PARTITION_CONFIG, config),
		HV_STATUS_SUCCESS);
	for (uint32_t i = 0; i < WORDS; i++) {
		locked[i] = SECRET + i;
		private[i] = SECRET - i;
	}
}

static void look_in_vtl1(void *argument)
{
	struct seen *seen = argument;

	seen->word = *seen->page;
}

static uint64_t in_vtl1(const volatile uint64_t *page)
{
	struct seen seen = {.page = page};

	vtl_run(look_in_vtl1, &seen);
	return seen.word;
}

static void check_private(void *argument)
{
	bool *same = argument;

	*same = true;
	for (uint32_t i = 0; i < WORDS; i++)
		*same &= private[i] == SECRET - i;
}

static bool private_is_same(void)
{
	bool same;

	vtl_run(check_private, &same);
	return same;
}

static bool guarded(void)
{
	return option_number("guard", 1);
}

static bool locked_is_same(void)
{
	for (uint32_t i = 0; i < WORDS; i++)
		if (try_load(&locked[i]) != SECRET + i)
			return false;
	return true;
}

static void floppy_works(void)
{
	expect((uint64_t)locked < ISA_LIMIT && (uint64_t) private < ISA_LIMIT &&
	       (uint64_t)buffer < ISA_LIMIT);
	expect(floppy_transfer(false, 0, (uint64_t)buffer));
	for (uint32_t i = 0; i < WORDS; i++)
		if (!expect_equal(buffer[i], PATTERN))
			return;
}

static void floppy_to_locked(void)
{
	expect(floppy_transfer(false, 0, (uint64_t)locked));
	if (guarded()) {
		expect(locked_is_same());
		expect_equal(in_vtl1(locked), SECRET);
	} else {
		expect_equal(try_load(locked), PATTERN);
		expect_equal(in_vtl1(locked), PATTERN);
	}
}

static void floppy_to_private(void)
{
	expect(floppy_transfer(false, 0, (uint64_t) private));
	expect(private_is_same() == guarded());
}

static void floppy_from_private(void)
{
	vtl_run(prepare_in_vtl1, NULL);
	expect(floppy_transfer(true, 1, (uint64_t) private));
	buffer[0] = UNTOUCHED;
	expect(floppy_transfer(false, 1, (uint64_t)buffer));
	for (uint32_t i = 0; i < WORDS; i++)
		if (!expect((buffer[i] == SECRET - i) != guarded()))
			return;
}

static const struct tap_case isa_dma[] = {
	{"a floppy disk is read by DMA", floppy_works},
	{"a floppy disk is read into locked memory only without the guard", floppy_to_locked},
	{"a floppy disk is read into VTL1's memory only without the guard", floppy_to_private},
	{"VTL1's memory is written to a floppy disk only without the guard", floppy_from_private},
};
static TAP_TOPIC(topic_isa_dma, NULL, isa_dma);

/* A TSEG register follows the SMRAM register if `tseg`. */
static const struct chipset {
	uint32_t id;
	uint8_t pam;
	uint8_t smram;
	bool tseg;
} chipsets[] = {
	{0x12378086, 0x59, 0x72, false}, /* 440FX, PMC */
	{0x29c08086, 0x90, 0x9d, true},	 /* Q35, MCH */
};

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define PAM_REGISTERS  7u
#define PAM_RAM	       0x33u /* both halves of the range: reads and writes go to RAM */
#define SMRAM_OPEN     0x4au /* D_OPEN, G_SMRAME, segment A */
#define SMRAM_CLOSED   0x0au
#define G_SMRAME       0x08u
#define H_SMRAME       0x80u /* bit of ESMRAMC */
#define HIGH_SMRAM     0xfeda0000u
#define TSEG_8M	       0x05u /* T_EN */

static uint16_t config_port(uint8_t offset)
{
	outl(CONFIG_ADDRESS, 0x80000000u | (offset & ~3u));
	return (uint16_t)(CONFIG_DATA + (offset & 3));
}

static const struct chipset *chipset(void)
{
	const uint32_t id = inl(config_port(0));

	for (size_t i = 0; i < sizeof(chipsets) / sizeof(chipsets[0]); i++)
		if (chipsets[i].id == id)
			return &chipsets[i];
	return NULL;
}

static void set_config(uint8_t offset, uint8_t value)
{
	outb(config_port(offset), value);
}

/* When PAM registers change, QEMU removes memory from its map and adds it again. */
static void check_protections(void)
{
	const uint32_t intercepts = vtl_service_of[0][1]->intercepts;

	expect(locked_is_same());
	try_store(locked);
	write_by_device(locked);
	expect(locked_is_same());
	expect_equal(in_vtl1(locked), SECRET);
	expect_equal(try_load(private), UNTOUCHED);
	try_store(private);
	write_by_device(private);
	expect(private_is_same());
	expect_equal(vtl_service_of[0][1]->intercepts, intercepts + 3);
}

static void rewrite_pam(void)
{
	const struct chipset *what = chipset();

	vtl_run(prepare_in_vtl1, NULL);
	for (uint32_t i = 0; what && i < PAM_REGISTERS; i++) {
		const uint8_t offset = (uint8_t)(what->pam + i);
		const uint8_t old = inb(config_port(offset));

		set_config(offset, old ^ PAM_RAM);
		expect_equal(inb(config_port(offset)), old ^ PAM_RAM);
		check_protections();
		set_config(offset, old);
		check_protections();
	}
	expect(what);
}

static const struct tap_case pam[] = {
	{"locked memory is unchanged while VTL0 rewrites the PAM registers", rewrite_pam},
};
static TAP_TOPIC(topic_pam, NULL, pam);

static void write_rom(void)
{
	volatile uint64_t *rom = (volatile uint64_t *)ROM;
	const uint64_t before = *rom;

	expect_equal(in_vtl1(rom), before);
	try_store(rom);
	expect_equal(try_load(rom), before);
	expect_equal(in_vtl1(rom), before);
	write_by_device(rom);
	expect_equal(try_load(rom), before);
	expect_equal(in_vtl1(rom), before);
}

static void deny_rom(void)
{
	volatile uint64_t *rom = (volatile uint64_t *)ROM;
	const uint64_t before = *rom;

	expect_equal(protect(ROM, 0), HV_STATUS_SUCCESS);
	expect_equal(try_load(rom), UNTOUCHED);
	try_store(rom);
	expect_equal(in_vtl1(rom), before);
	expect_equal(protect(ROM, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
	expect_equal(try_load(rom), before);
}

static const struct tap_case rom[] = {
	{"writes to the ROM below 4 GiB change nothing for VTL0 and VTL1", write_rom},
	{"VTL1 denies VTL0 the ROM", deny_rom},
};
static TAP_TOPIC(topic_rom, NULL, rom);

static void open_smram(void)
{
	const struct chipset *what = chipset();
	volatile uint64_t *page = (volatile uint64_t *)SMRAM;
	uint32_t intercepts;

	if (!expect(what))
		return;
	set_config(what->smram, SMRAM_OPEN);
	expect_equal(protect(SMRAM, 0), HV_STATUS_SUCCESS);
	set_config(what->smram, SMRAM_CLOSED);
	set_config(what->smram, SMRAM_OPEN);
	intercepts = vtl_service_of[0][1]->intercepts;
	expect_equal(try_load(page), UNTOUCHED);
	try_store(page);
	expect_equal(vtl_service_of[0][1]->intercepts, intercepts + 2);
	expect_equal(protect(SMRAM, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
	set_config(what->smram, SMRAM_CLOSED);
}

/* TSEG is at the end of RAM. */
static void move_tseg(void)
{
	const struct chipset *what = chipset();
	volatile uint64_t *page = (volatile uint64_t *)(options_memory_end - 0x100000);
	uint32_t intercepts;

	if (!expect(what && what->tseg))
		return;
	*page = SECRET;
	expect_equal(protect((uint64_t)page, READ_EXECUTE), HV_STATUS_SUCCESS);
	set_config((uint8_t)(what->smram + 1), TSEG_8M);
	set_config(what->smram, SMRAM_CLOSED);
	expect_equal(try_load(page), option_number("smm", 0) ? UINT64_MAX : SECRET);
	expect_equal(in_vtl1(page), SECRET);
	try_store(page);
	write_by_device(page);
	expect_equal(in_vtl1(page), SECRET);
	set_config((uint8_t)(what->smram + 1), 0);
	intercepts = vtl_service_of[0][1]->intercepts;
	try_store(page);
	expect_equal(vtl_service_of[0][1]->intercepts, intercepts + 1);
	write_by_device(page);
	expect_equal(try_load(page), SECRET);
	expect_equal(in_vtl1(page), SECRET);
}

/* Outside of SMM, low SMRAM is at its high GPA only if D_OPEN is set. */
static void open_high_smram(void)
{
	const struct chipset *what = chipset();
	volatile uint64_t *page = (volatile uint64_t *)HIGH_SMRAM;
	const bool smm = option_number("smm", 0);

	if (!expect(what && what->tseg))
		return;
	set_config((uint8_t)(what->smram + 1), H_SMRAME);
	set_config(what->smram, SMRAM_OPEN);
	if (smm)
		*page = SECRET;
	expect_equal(try_load(page), smm ? SECRET : UINT64_MAX);
	set_config(what->smram, SMRAM_CLOSED);
	expect_equal(try_load(page), UINT64_MAX);
	set_config(what->smram, SMRAM_OPEN);
	expect_equal(try_load(page), smm ? SECRET : UINT64_MAX);
	/* Without G_SMRAME there is no high SMRAM, also if D_OPEN was set. */
	set_config(what->smram, SMRAM_OPEN & ~G_SMRAME);
	set_config(what->smram, SMRAM_CLOSED & ~G_SMRAME);
	expect_equal(try_load(page), UINT64_MAX);
	set_config((uint8_t)(what->smram + 1), 0);
	set_config(what->smram, SMRAM_CLOSED);
}

static const struct tap_case smram[] = {
	{"memory that VTL1 denies behind SMRAM stays denied when VTL0 opens SMRAM", open_smram},
};
static TAP_TOPIC(topic_smram, NULL, smram);

static const struct tap_case tseg[] = {
	{"locked memory is unchanged when VTL0 moves TSEG over it", move_tseg},
	{"high SMRAM is closed when VTL0 clears D_OPEN or G_SMRAME", open_high_smram},
};
static TAP_TOPIC(topic_tseg, NULL, tseg);

static void has_spinlocks(void)
{
	expect_equal(cpuid(HV_CPUID_ENLIGHTENMENT_INFO, 0).ebx, option_number("spinlocks", 0));
}

static const struct tap_case spinlocks[] = {
	{"CPUID has the retries of spinlocks of hv-spinlocks", has_spinlocks},
};
static TAP_TOPIC(topic_spinlocks, NULL, spinlocks);

uint8_t kit_main(void)
{
	static const struct tap_topic *const topics[] = {&topic_isa_dma, &topic_pam,
							 &topic_rom,	 &topic_smram,
							 &topic_tseg,	 &topic_spinlocks};

	hypercall_enable();
	if (vtl_enable_all(1) != HV_STATUS_SUCCESS)
		return EXIT_STATUS_FAIL;
	locked = memory_pages(1);
	private = memory_pages(1);
	buffer = memory_pages(1);
	vtl_run(prepare_in_vtl1, NULL);
	vtl_service_of[0][1]->on_intercept = vtl_skip;
	if (protect((uint64_t)locked, READ_EXECUTE) != HV_STATUS_SUCCESS ||
	    protect((uint64_t) private, 0) != HV_STATUS_SUCCESS)
		return EXIT_STATUS_FAIL;
	return tap_run(topics, sizeof(topics) / sizeof(topics[0])) ? EXIT_STATUS_PASS
								   : EXIT_STATUS_FAIL;
}
