/* SPDX-License-Identifier: BSD-2-Clause */
/* Legal values of single registers. */
#include "core/vp/cpu_registers.h"

#include "core/x64.h"

/* All bits except those that are always 0 (SDM 3A 2.3). */
#define RFLAGS_LEGAL UINT64_C(0x3f7fd7)

/*
 * Exceptions that a higher VTL may raise, and those that push an error code (SDM 3A 6.15). 21 needs
 * CET, which is not offered.
 */
#define EXCEPTIONS_LEGAL      UINT32_C(0x000f7dfb) /* not 2, 9, 15, nor 20 and up */
#define EXCEPTIONS_WITH_ERROR UINT32_C(0x00027d00) /* 8, 10-14, 17 */

#define SELECTOR_IS_LOCAL 4u /* TI: in the LDT */

/* Components of XCR0 with dependencies (SDM 1, 13.3). */
#define XCR0_X87    UINT64_C(0x1)
#define XCR0_SSE    UINT64_C(0x2)
#define XCR0_AVX    UINT64_C(0x4)
#define XCR0_MPX    UINT64_C(0x18)
#define XCR0_AVX512 UINT64_C(0xe0)
#define XCR0_TILE   UINT64_C(0x60000)

static bool is_canonical(unsigned int bits, uint64_t address)
{
	const int64_t extended = (int64_t)(address << (64 - bits)) >> (64 - bits);

	return (uint64_t)extended == address;
}

bool regs_is_canonical_for_cpu(const struct backend_features *features, uint64_t address)
{
	return is_canonical(features->cr4_valid & X64_CR4_LA57 ? 57 : 48, address);
}

bool regs_is_canonical_in_mode(uint64_t cr4, uint64_t address)
{
	return is_canonical(cr4 & X64_CR4_LA57 ? 57 : 48, address);
}

bool regs_pat_is_legal(uint64_t pat)
{
	for (unsigned int i = 0; i < 64; i += 8) {
		const uint8_t type = (uint8_t)(pat >> i);

		/* SDM 3A table 12-10: UC, WC, WT, WP, WB, UC-. */
		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

bool regs_cr0_is_legal(uint64_t cr0)
{
	if (cr0 >> 32)
		return false;
	if ((cr0 & X64_CR0_PG) && !(cr0 & X64_CR0_PE))
		return false;
	return !(cr0 & X64_CR0_NW) || (cr0 & X64_CR0_CD);
}

bool regs_rflags_are_legal(uint64_t rflags, uint64_t efer)
{
	if (rflags & ~(RFLAGS_LEGAL | X64_RFLAGS_FIXED))
		return false;
	/* SDM 3C 27.3.1.4: there is no virtual-8086 mode in long mode. */
	return !(rflags & X64_RFLAGS_VM) || !(efer & X64_EFER_LMA);
}

/* SDM 3C 27.3.1.2: a limit counts bytes or pages. */
static bool limit_is_legal(uint32_t limit)
{
	return limit <= 0xfffff || (limit & 0xfff) == 0xfff;
}

/* For a present segment that is not LDTR or TR. In real mode CS may be a data segment. */
static bool type_is_legal(unsigned int which, uint16_t attributes)
{
	const unsigned int type = attributes & HV_X64_SEGMENT_TYPE_MASK;

	if (!(attributes & HV_X64_SEGMENT_NON_SYSTEM))
		return false;
	if (which == SEGMENT_SS)
		return (type & SEGMENT_TYPE_WRITABLE) && !(type & SEGMENT_TYPE_CODE);
	if (which == SEGMENT_CS)
		return (type & SEGMENT_TYPE_CODE) || (type | 1) == 3;
	return !(type & SEGMENT_TYPE_CODE) || (type & SEGMENT_TYPE_WRITABLE);
}

/* LDTR and TR. */
static bool system_is_legal(unsigned int which, const struct hv_x64_segment_register *segment)
{
	const unsigned int type = segment->attributes & HV_X64_SEGMENT_TYPE_MASK;

	if ((segment->attributes & HV_X64_SEGMENT_NON_SYSTEM) ||
	    (segment->selector & SELECTOR_IS_LOCAL))
		return false;
	if (which == SEGMENT_LDTR)
		return type == SEGMENT_TYPE_LDT;
	return type == SEGMENT_TYPE_TSS_BUSY || type == SEGMENT_TYPE_TSS16_BUSY;
}

bool regs_segment_is_legal(const struct backend_features *features, unsigned int which,
			   const struct hv_x64_segment_register *segment)
{
	const uint16_t mode = HV_X64_SEGMENT_LONG | HV_X64_SEGMENT_DEFAULT;
	const bool system = which == SEGMENT_LDTR || which == SEGMENT_TR;
	const bool wide = system || which == SEGMENT_FS || which == SEGMENT_GS;

	if (wide ? !regs_is_canonical_for_cpu(features, segment->base) : segment->base >> 32)
		return false;
	/* SDM 3A 5.2.1: the combination is reserved. */
	if (which == SEGMENT_CS && (segment->attributes & mode) == mode)
		return false;
	if (!(segment->attributes & HV_X64_SEGMENT_PRESENT))
		return true;
	return limit_is_legal(segment->limit) &&
	       (system ? system_is_legal(which, segment)
		       : type_is_legal(which, segment->attributes));
}

uint64_t regs_derive_lma(uint64_t efer, uint64_t cr0)
{
	if ((efer & X64_EFER_LME) && (cr0 & X64_CR0_PG))
		return efer | X64_EFER_LMA;
	return efer & ~X64_EFER_LMA;
}

static bool all_or_none(uint64_t value, uint64_t set)
{
	return (value & set) == 0 || (value & set) == set;
}

bool regs_xcr0_is_legal(const struct backend_features *features, uint64_t xcr0)
{
	if (xcr0 & ~(features->xcr0_supported | XCR0_X87))
		return false;
	if (!(xcr0 & XCR0_X87))
		return false;
	if ((xcr0 & XCR0_AVX) && !(xcr0 & XCR0_SSE))
		return false;
	if ((xcr0 & XCR0_AVX512) && !(xcr0 & XCR0_AVX))
		return false;
	return all_or_none(xcr0, XCR0_MPX) && all_or_none(xcr0, XCR0_AVX512) &&
	       all_or_none(xcr0, XCR0_TILE);
}

static bool in_set(uint32_t set, uint64_t vector)
{
	return vector < 32 && (set >> vector & 1);
}

bool regs_exception_is_legal(uint64_t vector)
{
	return in_set(EXCEPTIONS_LEGAL, vector);
}

bool regs_exception_has_error(uint64_t vector)
{
	return in_set(EXCEPTIONS_WITH_ERROR, vector);
}
