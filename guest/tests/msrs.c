/* SPDX-License-Identifier: BSD-2-Clause */
/* MSRs of the CPU (SDM volume 4) keep legal values and refuse reserved bits. Runs on any PC. */
#include "tests.h"

#include "kit/cpu.h"
#include "kit/smp.h"
#include "kit/tap.h"
#include "kit/x64.h"

#define CANONICAL   0xffff876543210000ull
#define MSR_TSC	    0x10
#define MTRRCAP	    0xfe
#define MISC_ENABLE 0x1a0
#define MTRR_BASE7  0x20e
#define MTRR_MASK7  0x20f
#define MTRR_LAST   0x26f
#define MSR_FS_BASE 0xc0000100
#define MSR_CSTAR   0xc0000083

struct kept {
	uint32_t msr;
	uint64_t value;
	uint64_t refused; /* 0: no value to test */
};

/* MSRs that the test does not use itself, such as MTRRs. MISC_ENABLE: all defined bits. */
static const struct kept kept[] = {
	{MSR_SYSENTER_CS, 0x1234, 0},
	{MSR_SYSENTER_CS + 1, CANONICAL, 0},
	{MSR_SYSENTER_CS + 2, CANONICAL, 0},
	{MISC_ENABLE, 0x400c51889, 1ull << 33},
	{MTRR_BASE7, 0x80000006, 0x80000002}, /* memory type 2 is reserved */
	{MTRR_MASK7, 0xff0000000, 0xff0000001},
	{MTRR_LAST, 0x0605040100060504, 0x0706060606060606},
	{MSR_PAT, 0x0007040600070406, 2},
	{MSR_FS_BASE, CANONICAL, 0},
	{MSR_KERNEL_GS_BASE, CANONICAL, 0},
	{MSR_STAR, 0x0023001000000000, 0},
	{MSR_LSTAR, CANONICAL, 0},
	{MSR_CSTAR, CANONICAL, 0},
	{MSR_SFMASK, 0x47700, 0},
};

static const char *prepare(void)
{
	return cpuid(0x40000000, 0).ebx == 0x54474354 /* "TCGT" */
		       ? "QEMU's software CPU accepts every value"
		       : NULL;
}

static void on_this_processor(void *argument)
{
	for (uint32_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		uint64_t before, now;

		/* Some CPUs lack some of these MSRs. */
		if (try_rdmsr(kept[i].msr, &before) != -1)
			continue;
		expect_equal(try_wrmsr(kept[i].msr, kept[i].value), -1);
		expect_equal(try_rdmsr(kept[i].msr, &now), -1);
		expect_equal(now, kept[i].value);
		if (kept[i].refused) {
			expect_equal(try_wrmsr(kept[i].msr, kept[i].refused), VECTOR_GP);
			expect_equal(rdmsr(kept[i].msr), kept[i].value);
		}
		expect_equal(try_wrmsr(kept[i].msr, before), -1);
	}
}

static void values_are_kept(void)
{
	smp_run_all(on_this_processor, NULL);
}

static void efer_has_its_rules(void)
{
	const uint64_t efer = rdmsr(MSR_EFER);

	expect_equal(try_wrmsr(MSR_EFER, efer | 1ull << 40), VECTOR_GP);
	/* LME cannot change while paging is on. */
	expect_equal(try_wrmsr(MSR_EFER, efer & ~EFER_LME), VECTOR_GP);
	expect_equal(rdmsr(MSR_EFER), efer);
	wrmsr(MSR_EFER, efer ^ 1); /* SCE */
	expect_equal(rdmsr(MSR_EFER), efer ^ 1);
	wrmsr(MSR_EFER, efer);
}

static void mtrrcap_is_read_only(void)
{
	uint64_t value, again;

	if (try_rdmsr(MTRRCAP, &value) != -1) {
		tap_skip("there are no MTRRs");
		return;
	}
	expect_equal(try_wrmsr(MTRRCAP, value), VECTOR_GP);
	expect_equal(try_rdmsr(MTRRCAP, &again), -1);
	expect_equal(again, value);
}

static void unknown_msrs_fault(void)
{
	static const uint32_t unknown[] = {0x12345678, 0x4fffffff, 0xdeadbeef, 0xc0ffffff};
	uint64_t value;

	for (uint32_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		expect_equal(try_rdmsr(unknown[i], &value), VECTOR_GP);
		expect_equal(try_wrmsr(unknown[i], 0), VECTOR_GP);
	}
}

static void tsc_is_the_msr(void)
{
	const uint64_t before = rdtsc();
	const uint64_t msr = rdmsr(MSR_TSC);

	expect(before <= msr && msr <= rdtsc());
}

static const struct tap_case cases[] = {
	{"legal values are kept and reserved bits fault, on every processor", values_are_kept},
	{"EFER refuses reserved bits, and a change of LME while paging is on", efer_has_its_rules},
	{"IA32_MTRRCAP cannot be written", mtrrcap_is_read_only},
	{"an unknown MSR faults", unknown_msrs_fault},
	{"IA32_TIME_STAMP_COUNTER and RDTSC agree", tsc_is_the_msr},
};

TAP_TOPIC(topic_msrs, prepare, cases);
