/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LAPIC_TEST_H
#define LAPIC_TEST_H

#include <string.h>
#include <vsm/lapic.h>

#include "unit_test.h"

/* Offsets in the register page: SDM table 11-1. */
enum {
	ID = 0x20,
	VERSION = 0x30,
	TPR = 0x80,
	APR = 0x90,
	PPR = 0xa0,
	EOI = 0xb0,
	RRD = 0xc0,
	LDR = 0xd0,
	DFR = 0xe0,
	SVR = 0xf0,
	ISR = 0x100,
	TMR = 0x180,
	IRR = 0x200,
	ESR = 0x280,
	LVT_CMCI = 0x2f0,
	ICR = 0x300,
	ICR_HIGH = 0x310,
	LVT_TIMER = 0x320,
	LVT_THERMAL = 0x330,
	LVT_PERFORMANCE = 0x340,
	LVT_LINT0 = 0x350,
	LVT_LINT1 = 0x360,
	LVT_ERROR = 0x370,
	INITIAL_COUNT = 0x380,
	CURRENT_COUNT = 0x390,
	DIVIDE = 0x3e0,
	SELF_IPI = 0x3f0,
};

#define BASE_XAPIC    0xfee00800ull
#define BASE_X2APIC   0xfee00c00ull
#define BASE_DISABLED 0xfee00000ull

#define ALL_FEATURES                                                          \
	(VSM_LAPIC_HAS_X2APIC | VSM_LAPIC_HAS_DEADLINE | VSM_LAPIC_HAS_CMCI | \
	 VSM_LAPIC_HAS_DIRECTED_EOI)

/* As after power-up, with a TSC of 2 GHz and a timer of 200 MHz. */
static inline void power_up(struct vsm_lapic *apic, uint32_t id, uint32_t flags)
{
	struct vsm_lapic_config config = {
		.id = id,
		.flags = flags,
		.tsc_khz = 2000000,
		.timer_khz = 200000,
		.max_phys_bits = 40,
	};

	assert_int_equal(vsm_lapic_init(apic, &config), 0);
}

/* As power_up(), and software-enabled. */
static inline struct vsm_lapic ready(void)
{
	struct vsm_lapic apic;

	power_up(&apic, 5, ALL_FEATURES);
	vsm_lapic_software_enable(&apic);
	return apic;
}

static inline struct vsm_lapic_effect wr_at(struct vsm_lapic *apic, uint64_t now, uint32_t at,
					    uint32_t value)
{
	struct vsm_lapic_effect effect;

	assert_true(vsm_lapic_mmio_write(apic, now, at, 4, value, &effect));
	return effect;
}

static inline struct vsm_lapic_effect wr(struct vsm_lapic *apic, uint32_t at, uint32_t value)
{
	return wr_at(apic, 0, at, value);
}

static inline uint32_t rd_at(struct vsm_lapic *apic, uint64_t now, uint32_t at)
{
	struct vsm_lapic_effect effect;
	uint64_t value;

	assert_true(vsm_lapic_mmio_read(apic, now, at, 4, &value, &effect));
	return value;
}

static inline uint32_t rd(struct vsm_lapic *apic, uint32_t at)
{
	return rd_at(apic, 0, at);
}

static inline bool wrmsr(struct vsm_lapic *apic, uint32_t msr, uint64_t value)
{
	struct vsm_lapic_effect effect;

	return vsm_lapic_msr_write(apic, 0, msr, value, &effect);
}

static inline uint64_t rdmsr(struct vsm_lapic *apic, uint32_t msr)
{
	uint64_t value;

	assert_true(vsm_lapic_msr_read(apic, 0, msr, &value));
	return value;
}

static inline bool in_set(struct vsm_lapic *apic, uint32_t at, uint8_t vector)
{
	return rd(apic, at + vector / 32 * 16) >> (vector % 32) & 1;
}

static inline int take(struct vsm_lapic *apic)
{
	struct vsm_lapic_taken taken;

	return vsm_lapic_take(apic, &taken) ? taken.vector : -1;
}

#endif
