/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/lock.h"
#include "kit/memory.h"
#include "kit/options.h"
#include "kit/smp.h"
#include "kit/time.h"
#include "kit/vtl.h"
#include "kit/x64.h"
#include "ops.h"

#define READ_EXECUTE (HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE)
#define ROUNDS	     1000
#define RACES	     100
#define SECRET	     0x5ec4e75ec4e75ec4ull

static uint8_t *secret;	 /* a page of VTL1: VTL0 has no access */
static uint8_t *scratch; /* pages of VTL0 that overlays and outputs may overwrite */

#define SCRATCH_PAGES 64u

static void make_secret(void *argument)
{
	for (uint32_t i = 0; i < PAGE_SIZE / 8; i++)
		((uint64_t *)(void *)secret)[i] = SECRET + i;
	expect_equal(vtl_protect((uint64_t)secret, 1, 0), HV_STATUS_SUCCESS);
}

static void check_secret(void *argument)
{
	uint32_t *wrong = argument;

	for (uint32_t i = 0; i < PAGE_SIZE / 8; i++)
		*wrong += ((uint64_t *)(void *)secret)[i] != SECRET + i;
}

static void vtl1_is_well(void)
{
	uint32_t wrong = 0;

	for (uint32_t vp = 0; vp < smp_count; vp++)
		vtl_run_on(vp, 1, check_secret, &wrong);
	expect_equal(wrong, 0);
}

void hostile_prepare(void)
{
	if (secret)
		return;
	secret = memory_pages(1);
	scratch = memory_pages(SCRATCH_PAGES);
	vtl_run(make_secret, NULL);
}

static const char *prepare(void)
{
	const char *reason = needs_vtl1();

	if (!reason)
		hostile_prepare();
	return reason;
}

/* MSRs whose access may end the machine, halt the VP, send an interrupt, or disable or move the hypercall
 * page. */
static bool spared(uint32_t msr)
{
	return msr == HV_X64_MSR_RESET || msr == HV_X64_MSR_CRASH_CTL ||
	       msr == HV_X64_MSR_GUEST_IDLE || msr == HV_X64_MSR_GUEST_OS_ID ||
	       msr == HV_X64_MSR_HYPERCALL || msr == HV_X64_MSR_ICR;
}

static uint64_t some_value(void)
{
	const uint64_t random = tap_random();

	switch (random & 7) {
	case 0:
		return 0;
	case 1:
		return ~0ull;
	case 2:
		return tap_random();
	case 3:
		return 1ull << (random >> 8 & 63);
	default:
		/* A scratch page, at random with the enable bit, to place and remove overlays. */
		return ((uint64_t)scratch + (random >> 8) % SCRATCH_PAGES * PAGE_SIZE) |
		       (random >> 3 & 1);
	}
}

static void msrs(void *argument)
{
	for (unsigned int round = 0; round < 3; round++) {
		for (uint32_t msr = 0x40000000; msr < 0x40000200; msr++) {
			const uint64_t value = some_value();
			const uint64_t pages = HV_PAGE_MSR_GPA_MASK;
			uint64_t old;
			int vector;

			/* An overlay outside of the scratch pages could cover code of this test. */
			if (spared(msr) ||
			    ((value & 1) && value > 1 &&
			     ((value & pages) - (uint64_t)scratch) >= SCRATCH_PAGES * PAGE_SIZE))
				continue;
			vector = try_wrmsr(msr, value);
			expect(vector == -1 || vector == VECTOR_GP);
			vector = try_rdmsr(msr, &old);
			expect(vector == -1 || vector == VECTOR_GP);
		}
	}
	/* No timer may expire later. */
	for (uint32_t timer = 0; timer < 4; timer++)
		try_wrmsr(HV_X64_MSR_STIMER0_COUNT + 2 * timer, 0);
	for (uint32_t sint = 0; sint < 16; sint++)
		try_wrmsr(HV_X64_MSR_SINT0 + sint, HV_SYNIC_SINT_RESET);
	try_wrmsr(HV_X64_MSR_SCONTROL, 0);
	try_wrmsr(HV_X64_MSR_SIMP, 0);
	try_wrmsr(HV_X64_MSR_SIEFP, 0);
	try_wrmsr(HV_X64_MSR_VP_ASSIST_PAGE, 0);
	try_wrmsr(HV_X64_MSR_REFERENCE_TSC, 0);
	try_wrmsr(HV_X64_MSR_TPR, 0);
	try_wrmsr(HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG, 0);
	cpu_current()->messages = NULL;
}

static void every_msr(void)
{
	smp_run_all(msrs, NULL);
	vtl1_is_well();
}

static const uint32_t private_msrs[] = {
	MSR_SYSENTER_CS, MSR_SYSENTER_CS + 1, MSR_SYSENTER_CS + 2, MSR_PAT,
	MSR_STAR,	 MSR_LSTAR,	      MSR_SFMASK,	   MSR_KERNEL_GS_BASE,
	MSR_EFER,	 MSR_GS_BASE,	      MSR_APIC_BASE};

#define PRIVATE_MSRS (sizeof(private_msrs) / sizeof(private_msrs[0]))

static void read_private(void *argument)
{
	for (uint32_t i = 0; i < PRIVATE_MSRS; i++)
		((uint64_t *)argument)[i] = rdmsr(private_msrs[i]);
}

/* MSRs not to write, as VTL0 needs them to continue, or as they change without a write. */
static bool runs_on(uint32_t msr)
{
	return msr == 0x10 || msr == 0x3b || msr == 0x1d9 || msr == MSR_APIC_BASE ||
	       msr == MSR_EFER || (msr >= MSR_GS_BASE - 1 && msr <= MSR_GS_BASE) ||
	       (msr >= 0x800 && msr < 0x900);
}

static void cpu_msrs(void *argument)
{
	static const uint32_t ranges[][2] = {
		{0, 0x500}, {0xc0000000, 0xc0000110}, {0xc0010000, 0xc0010120}};
	uint64_t before[PRIVATE_MSRS], after[PRIVATE_MSRS];

	vtl_run(read_private, before);
	for (uint32_t range = 0; range < sizeof(ranges) / sizeof(ranges[0]); range++) {
		for (uint32_t msr = ranges[range][0]; msr < ranges[range][1]; msr++) {
			uint64_t old;
			int vector = try_rdmsr(msr, &old);

			expect(vector == -1 || vector == VECTOR_GP);
			if (runs_on(msr))
				continue;
			vector = try_wrmsr(msr, tap_random() & 1 ? tap_random() : some_value());
			expect(vector == -1 || vector == VECTOR_GP);
			if (vector == -1)
				try_wrmsr(msr, old);
		}
	}
	vtl_run(read_private, after);
	for (uint32_t i = 0; i < PRIVATE_MSRS; i++)
		expect_equal(after[i], before[i]);
}

static void every_msr_of_the_cpu(void)
{
	smp_run_all(cpu_msrs, NULL);
	vtl1_is_well();
}

/* Without calls that would end this test. */
static uint16_t some_code(void)
{
	uint16_t code;

	do
		code = (uint16_t)(tap_random() & (tap_random() & 7 ? 0xff : 0xffff));
	while (code == HV_CALL_VTL_CALL || code == HV_CALL_VTL_RETURN ||
	       code == HV_CALL_START_VIRTUAL_PROCESSOR || code == HV_CALL_SET_VP_REGISTERS ||
	       code == HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI ||
	       code == HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX ||
	       code == HV_CALL_ASSERT_VIRTUAL_INTERRUPT);
	return code;
}

void hostile_calls(uint64_t rounds)
{
	const struct cpu *cpu = cpu_current();
	uint8_t *mine = scratch + (size_t)cpu->vp * 2 % SCRATCH_PAGES * PAGE_SIZE;

	for (uint64_t i = 0; i < rounds; i++) {
		const uint64_t random = tap_random();
		uint64_t control = some_code();
		uint64_t in = (uint64_t)mine, out = (uint64_t)mine + PAGE_SIZE;

		if (random & 1)
			control |= (tap_random() & 0x1f) << HV_HYPERCALL_REP_COUNT_SHIFT;
		if (!(random & 0x1e))
			control |= tap_random() & ~HV_HYPERCALL_CODE_MASK & ~HV_HYPERCALL_FAST;
		for (uint32_t j = 0; j < 256; j += 8)
			*(uint64_t *)(void *)(mine + j) =
				tap_random() & (tap_random() & 1 ? ~0ull : 0xff);
		if (random & 0x20)
			*(uint64_t *)(void *)mine = HV_PARTITION_ID_SELF;
		if (!(random & 0x3c0))
			in = tap_random();
		if (!(random & 0x3c00))
			out += tap_random() & 0xfff;
		/* Any status is legal; VTL1 may receive an intercept for its secret. */
		hypercall_raw(control, in, out);
	}
}

static void garbage_calls(void *argument)
{
	hostile_calls(option_number("rounds", ROUNDS));
}

static void attack_registers(void *argument)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		static const uint32_t groups[] = {0x20000, 0x30000, 0x40000, 0x50000,
						  0x60000, 0x70000, 0x80000, 0x90000,
						  0xa0000, 0xd0000, 0xe0000, 0x10000};
		const uint32_t name = groups[tap_random() % (sizeof(groups) / sizeof(groups[0]))] +
				      (uint32_t)(tap_random() & 0x1f);
		const union hv_register_value value = {.reg128 = {tap_random(), tap_random()}};

		expect(register_set((uint32_t)(tap_random() % smp_count), input_vtl(1), name,
				    &value) != HV_STATUS_SUCCESS);
	}
}

static void every_call(void)
{
	for (uint32_t vp = 0; vp < smp_count; vp++)
		on_intercept_of(vp, vtl_inject_gp, NULL);
	smp_run_all(garbage_calls, NULL);
	smp_run_all(attack_registers, NULL);
	for (uint32_t vp = 0; vp < smp_count; vp++)
		on_intercept_of(vp, NULL, NULL);
	vtl1_is_well();
}

static uint8_t byte_of_secret;

static void read_secret(void *argument)
{
	byte_of_secret = (uint8_t)op_load8((uint64_t)secret + 3, 0);
}

static void secret_is_out_of_reach(void)
{
	struct fault fault;

	on_intercept(vtl_inject_gp, NULL);
	byte_of_secret = 0;
	expect(catch_fault(&fault, read_secret, NULL));
	expect_equal(fault.vector, VECTOR_GP);
	expect_equal(byte_of_secret, 0);
	expect_equal(try_write(secret, 0), VECTOR_GP);
	on_intercept(NULL, NULL);
	vtl1_is_well();
}

struct race {
	volatile uint64_t *counter;
	volatile uint32_t stop, running;
	uint32_t held;	  /* times that the writer's VP entered VTL1 */
	uint32_t release; /* 1: the writer's VP may return to VTL0 */
};

static void hold(struct vtl_service *service, const struct hv_message *message)
{
	struct race *race = service->intercept_argument;

	__atomic_fetch_add(&race->held, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&race->release, __ATOMIC_ACQUIRE))
		pause();
}

static void write_on(void *argument)
{
	struct race *race = argument;

	race->running = 1;
	while (!race->stop)
		*race->counter += 1;
}

static void race_in_vtl1(void *argument)
{
	struct race *race = argument;
	const uint64_t page = (uint64_t)race->counter;

	for (uint32_t i = 0; i < RACES; i++) {
		const uint32_t flags = i & 1 ? READ_EXECUTE : 0;
		const uint32_t held = __atomic_load_n(&race->held, __ATOMIC_ACQUIRE);
		uint64_t at_return;

		__atomic_store_n(&race->release, 0, __ATOMIC_RELEASE);
		expect_equal(vtl_protect(page, 1, flags), HV_STATUS_SUCCESS);
		at_return = *race->counter;
		for (unsigned int look = 0; look < 1000; look++)
			if (!expect_equal(*race->counter, at_return))
				break;
		expect(wait_for(__atomic_load_n(&race->held, __ATOMIC_ACQUIRE) != held));
		expect_equal(*race->counter, at_return);
		expect_equal(vtl_protect(page, 1, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
		__atomic_store_n(&race->release, 1, __ATOMIC_RELEASE);
		if (!expect(wait_for(*race->counter != at_return)))
			break;
	}
	__atomic_store_n(&race->release, 1, __ATOMIC_RELEASE);
}

static void no_write_lands(void)
{
	struct race race = {.counter = memory_pages(1), .release = 1};

	if (smp_count == 1) {
		tap_skip("one VP");
		return;
	}
	on_intercept_of(1, hold, &race);
	smp_begin(1, write_on, &race);
	expect(wait_for(race.running));
	vtl_run(race_in_vtl1, &race);
	race.stop = 1;
	smp_end(1);
	on_intercept_of(1, NULL, NULL);
	expect(race.held >= RACES);
}

static const struct tap_case cases[] = {
	{"VTL0 can neither read nor write a page of VTL1", secret_is_out_of_reach},
	{"any write of a synthetic MSR succeeds or faults, and VTL1 is intact", every_msr},
	{"every MSR of the CPU accepts any value or faults, and VTL1's values are unchanged",
	 every_msr_of_the_cpu},
	{"random hypercalls from all VPs at the same time leave VTL1 intact", every_call},
	{"no write of another VP succeeds after a protection has returned", no_write_lands},
};

TAP_TOPIC(topic_hostile, prepare, cases);
