/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of registers, for access.c. */
#ifndef LAPIC_REGISTERS_H
#define LAPIC_REGISTERS_H

#include <vsm/lapic.h>

#define LAPIC_REGISTERS 0x40u

/* One access to a register. */
struct lapic_access {
	struct vsm_lapic *apic;
	uint64_t now;
	uint64_t value; /* to write, with reserved bits 0; or the result of a read */
	struct vsm_lapic_effect *effect;
	uint32_t reg;
	bool wide; /* in the format of x2APIC: ID in the low bits, ICR of 64 bits */
};

/* The kinds of access that a register supports. */
enum {
	LAPIC_PAGE_READ = 1 << 0, /* the xAPIC page */
	LAPIC_PAGE_WRITE = 1 << 1,
	LAPIC_MSR_READ = 1 << 2, /* in the format of x2APIC: MSRs and hypercalls */
	LAPIC_MSR_WRITE = 1 << 3,
};

/* Values of `bits` for bits that depend on features or mode; no register has these as a mask. */
enum {
	LAPIC_BITS_SVR = 1,
	LAPIC_BITS_LVT = 2,
	LAPIC_BITS_ICR = 3
};

struct lapic_register {
	const char *name;
	void (*read)(struct lapic_access *access);
	void (*write)(struct lapic_access *access);
	uint32_t bits;	/* writable ones, or a LAPIC_BITS_* */
	uint8_t access; /* LAPIC_PAGE_*, LAPIC_MSR_* */
};

/* NULL for a reserved number, or a register that this APIC does not have. */
const struct lapic_register *lapic_register(const struct vsm_lapic *apic, uint32_t reg);

uint64_t lapic_writable_bits(const struct lapic_access *access, const struct lapic_register *r);
/* Status bits, which are not reserved: a write ignores them. */
uint64_t lapic_read_only_bits(const struct lapic_access *access, const struct lapic_register *r);

#endif
