/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers that VTLs share, and private ones (TLFS "VTL private and shared state"). */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/vtl.h"
#include "kit/x64.h"

struct vectors {
	__attribute__((aligned(32))) uint8_t ymm[16][32];
	uint32_t mxcsr;
	uint16_t fcw;
	uint64_t st0;
};

static bool have_avx(void)
{
	return cpuid(1, 0).ecx & 1u << 28;
}

#define FOR_16(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define LOAD_XMM(n)  __asm__ volatile("movups %0, %%xmm" #n : : "m"(v->ymm[n]) : "memory");
#define STORE_XMM(n) __asm__ volatile("movups %%xmm" #n ", %0" : "=m"(v->ymm[n]) : : "memory");
#define LOAD_YMM(n)  __asm__ volatile("vmovups %0, %%ymm" #n : : "m"(v->ymm[n]) : "memory");
#define STORE_YMM(n) __asm__ volatile("vmovups %%ymm" #n ", %0" : "=m"(v->ymm[n]) : : "memory");

static void load_vectors(void *argument)
{
	const struct vectors *v = argument;

	__asm__ volatile("fninit; fldcw %0; fildll %1" : : "m"(v->fcw), "m"(v->st0));
	__asm__ volatile("ldmxcsr %0" : : "m"(v->mxcsr));
	if (have_avx()) {
		FOR_16(LOAD_YMM)
	} else {
		FOR_16(LOAD_XMM)
	}
}

static void store_vectors(void *argument)
{
	struct vectors *v = argument;

	if (have_avx()) {
		FOR_16(STORE_YMM)
	} else {
		FOR_16(STORE_XMM)
	}
	__asm__ volatile("stmxcsr %0" : "=m"(v->mxcsr));
	__asm__ volatile("fnstcw %0; fistpll %1" : "=m"(v->fcw), "=m"(v->st0));
}

static void randomize(struct vectors *v)
{
	for (size_t i = 0; i < sizeof(v->ymm); i++)
		v->ymm[i / 32][i % 32] = (uint8_t)tap_random();
	if (!have_avx())
		for (size_t i = 0; i < 16; i++)
			memset(v->ymm[i] + 16, 0, 16);
	v->mxcsr = 0x1f80 | (uint32_t)(tap_random() & 3) << 13;
	v->fcw = (uint16_t)(0x037f | (tap_random() & 3) << 10);
	v->st0 = tap_random() >> 2;
}

static void check_vectors(const struct vectors *got, const struct vectors *wanted)
{
	for (size_t i = 0; i < 16; i++)
		expect(!memcmp(got->ymm[i], wanted->ymm[i], 32));
	expect_equal(got->mxcsr, wanted->mxcsr);
	expect_equal(got->fcw, wanted->fcw);
	expect_equal(got->st0, wanted->st0);
}

static void vectors_cross(void)
{
	static struct vectors sent, got;

	for (unsigned int i = 0; i < 20; i++) {
		memset(&got, 0, sizeof(got));
		randomize(&sent);
		load_vectors(&sent);
		vtl_run(store_vectors, &got);
		check_vectors(&got, &sent);
		randomize(&sent);
		vtl_run(load_vectors, &sent);
		memset(&got, 0, sizeof(got));
		store_vectors(&got);
		check_vectors(&got, &sent);
	}
	__asm__ volatile("fninit");
}

static void nothing(void *argument)
{
}

static void initialize(void *argument)
{
	__asm__ volatile("fninit");
}

/* P08: MXCSR and FCW are shared also if all XSAVE components are in their initial state. */
static void controls_survive(void)
{
	const uint32_t mxcsr = 0x1fa0;
	const uint16_t fcw = 0x0f7f;
	uint32_t mxcsr_now = 0;
	uint16_t fcw_now = 0;

	__asm__ volatile("fninit");
	__asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(mxcsr), "m"(fcw));
	vtl_run(nothing, NULL);
	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr_now), "=m"(fcw_now));
	expect_equal(mxcsr_now, mxcsr);
	expect_equal(fcw_now, fcw);
	vtl_run(initialize, NULL);
	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr_now), "=m"(fcw_now));
	expect_equal(mxcsr_now, mxcsr);
	expect_equal(fcw_now, 0x37f);
	mxcsr_now = 0x1f80;
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr_now));
}

static void debug_in_vtl1(void *argument)
{
	uint64_t *value = argument;
	const uint64_t seen[6] = {read_dr0(), read_dr1(), read_dr2(),
				  read_dr3(), read_dr7(), read_cr2()};

	write_dr0(value[0]);
	write_dr1(value[1]);
	write_dr2(value[2]);
	write_dr3(value[3]);
	write_cr2(value[5]);
	memcpy(value, seen, sizeof(seen));
}

static void debug_registers_cross(void)
{
	const uint64_t from_0[6] = {0x111000, 0x222000, 0x333000, 0x444000, 0x455, 0x1234567};
	const uint64_t from_1[6] = {0x555000, 0x666000, 0x777000, 0x888000, 0, 0x7654321};
	uint64_t value[6];

	memcpy(value, from_1, sizeof(value));
	write_dr7(0x400);
	write_dr0(from_0[0]);
	write_dr1(from_0[1]);
	write_dr2(from_0[2]);
	write_dr3(from_0[3]);
	write_cr2(from_0[5]);
	vtl_run(debug_in_vtl1, value);
	for (unsigned int i = 0; i < 4; i++)
		expect_equal(value[i], from_0[i]);
	expect_equal(value[4], 0x400);
	expect_equal(value[5], from_0[5]);
	expect_equal(read_dr0(), from_1[0]);
	expect_equal(read_dr1(), from_1[1]);
	expect_equal(read_dr2(), from_1[2]);
	expect_equal(read_dr3(), from_1[3]);
	expect_equal(read_cr2(), from_1[5]);
}

static void read_dr7_in_vtl1(void *argument)
{
	*(uint64_t *)argument = read_dr7();
}

static void dr7_is_private(void)
{
	uint64_t seen = 0;

	/* The breakpoint is at an address that is never accessed. */
	write_dr0(0x10);
	write_dr7(0x401 | 0x30000);
	vtl_run(read_dr7_in_vtl1, &seen);
	write_dr7(0x400);
	expect_equal(seen, 0x400);
}

struct private_msr {
	uint32_t msr;
	uint64_t value[2]; /* values of VTL0 and VTL1, legal on every CPU */
};

static struct private_msr private_msrs[] = {
	{MSR_STAR, {0x0013000800000000, 0x001b001000000000}},
	{MSR_LSTAR, {0x1000, 0x2000}},
	{MSR_SFMASK, {0x200, 0x700}},
	{MSR_KERNEL_GS_BASE, {0x3000, 0x4000}},
	{MSR_SYSENTER_CS, {0x8, 0x10}},
	{MSR_SYSENTER_CS + 1, {0x5000, 0x6000}},
	{MSR_SYSENTER_CS + 2, {0x7000, 0x8000}},
	{MSR_PAT, {0x0007040600070406, 0x0007010600070106}},
	{HV_X64_MSR_SINT0 + 9, {0x10030, 0x10031}},
	{HV_X64_MSR_GUEST_OS_ID, {KIT_GUEST_OS_ID, KIT_GUEST_OS_ID + 1}},
	{HV_X64_MSR_STIMER3_COUNT, {0, 0x1000}},
};

#define PRIVATE_MSRS (sizeof(private_msrs) / sizeof(private_msrs[0]))

static void msrs_of(uint8_t vtl, uint64_t *before)
{
	for (size_t i = 0; i < PRIVATE_MSRS; i++) {
		before[i] = rdmsr(private_msrs[i].msr);
		wrmsr(private_msrs[i].msr, private_msrs[i].value[vtl]);
	}
}

static void check_msrs(uint8_t vtl, const uint64_t *before)
{
	for (size_t i = 0; i < PRIVATE_MSRS; i++) {
		expect_equal(rdmsr(private_msrs[i].msr), private_msrs[i].value[vtl]);
		wrmsr(private_msrs[i].msr, before[i]);
	}
}

static uint64_t before_1[PRIVATE_MSRS];

static void set_in_vtl1(void *argument)
{
	msrs_of(1, before_1);
}

static void check_in_vtl1(void *argument)
{
	check_msrs(1, before_1);
}

static void msrs_are_private(void)
{
	static uint64_t before_0[PRIVATE_MSRS];

	msrs_of(0, before_0);
	vtl_run(set_in_vtl1, NULL);
	check_msrs(0, before_0);
	vtl_run(check_in_vtl1, NULL);
}

static void control_in_vtl1(void *argument)
{
	uint64_t *value = argument;

	value[0] = read_cr3();
	value[1] = read_cr8();
	value[2] = rdmsr(HV_X64_MSR_VP_INDEX);
	value[3] = rdmsr(MSR_GS_BASE);
	write_cr8(5);
	write_cr8(0);
}

static void control_registers_are_private(void)
{
	uint64_t value[4];
	const uint64_t cr3 = read_cr3();

	write_cr8(3);
	vtl_run(control_in_vtl1, value);
	expect(value[0] != cr3);
	expect_equal(value[1], 0);
	expect_equal(read_cr8(), 3);
	write_cr8(0);
	expect_equal(read_cr3(), cr3);
	expect_equal(value[2], rdmsr(HV_X64_MSR_VP_INDEX));
	expect_equal(value[3], (uint64_t)cpu_table[0][1]);
}

static void xcr0_in_vtl1(void *argument)
{
	uint64_t *value = argument;
	const uint64_t seen = read_xcr0();

	write_xcr0(*value);
	*value = seen;
}

static void xcr0_is_shared(void)
{
	const uint64_t all = read_cr4() & CR4_XSAVE ? read_xcr0() : 0;
	uint64_t value = 1;

	if (all == 0 || all == 1) {
		tap_skip("this CPU has no XSAVE");
		return;
	}
	vtl_run(xcr0_in_vtl1, &value);
	expect_equal(value, all);
	expect_equal(read_xcr0(), 1);
	write_xcr0(all);
}

static const struct tap_case cases[] = {
	{"x87, SSE and AVX registers are shared, with MXCSR and FCW", vectors_cross},
	{"MXCSR and FCW keep their values if all other XSAVE state is initial (P08)",
	 controls_survive},
	{"DR0 to DR3 and CR2 are shared", debug_registers_cross},
	{"DR7 is private", dr7_is_private},
	{"system-call, PAT, SynIC, timer and identity MSRs are private", msrs_are_private},
	{"CR3, CR8 and GS are private, VP_INDEX is shared", control_registers_are_private},
	{"XCR0 is shared", xcr0_is_shared},
};

TAP_TOPIC(topic_shared, needs_vtl1, cases);
