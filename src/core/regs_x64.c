/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers that lie in a VTL's register file: general, control, debug, segment and table registers,
 * and the MSRs that are private to a VTL. Only the state changes, nothing happens: no exception is
 * raised (TLFS HvCallSetVpRegisters), but translations that the new state forbids are forgotten.
 */
#include <string.h>

#include "core/regs_table.h"
#include "core/vp.h"
#include "core/x64.h"

/* SDM 3A 2.3, without the bits that are always 0; bit 1 is always 1. */
#define RFLAGS_LEGAL UINT64_C(0x3f7fd7)

/* SDM 3A 19.2.3, 19.2.4: what of DR6 and DR7 is not fixed. */
#define DR6_WRITABLE UINT64_C(0xe00f)
#define DR7_FIXED_0  UINT64_C(0xd000)

/* SDM 3A 2.5 */
#define CR0_DEFINED                                                                    \
	(X64_CR0_PE | X64_CR0_MP | X64_CR0_EM | X64_CR0_TS | X64_CR0_ET | X64_CR0_NE | \
	 X64_CR0_WP | X64_CR0_AM | X64_CR0_NW | X64_CR0_CD | X64_CR0_PG)

#define SELECTOR_IS_LOCAL 4u /* TI: in the LDT */

/* XCR0 (SDM 1, 13.3): which components need or accompany which. */
#define XCR0_X87    UINT64_C(0x1)
#define XCR0_SSE    UINT64_C(0x2)
#define XCR0_AVX    UINT64_C(0x4)
#define XCR0_MPX    UINT64_C(0x18)
#define XCR0_AVX512 UINT64_C(0xe0)
#define XCR0_TILE   UINT64_C(0x60000)

/* ------------------------------------------------------------------ what is legal */

static bool is_canonical(unsigned int bits, uint64_t address)
{
	const int64_t extended = (int64_t)(address << (64 - bits)) >> (64 - bits);

	return (uint64_t)extended == address;
}

bool regs_fits_cpu(const struct backend_features *features, uint64_t address)
{
	return is_canonical(features->cr4_valid & X64_CR4_LA57 ? 57 : 48, address);
}

bool regs_fits_mode(uint64_t cr4, uint64_t address)
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
	/* SDM 3A 21.1: there is no virtual-8086 mode in long mode. */
	return !(rflags & X64_RFLAGS_VM) || !(efer & X64_EFER_LMA);
}

/* SDM 3C 27.3.1.2: a limit is of bytes or of pages. */
static bool limit_is_legal(uint32_t limit)
{
	return limit <= 0xfffff || (limit & 0xfff) == 0xfff;
}

/* Code or data that is there; CS may be data where it was loaded in real mode. */
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

	if (wide ? !regs_fits_cpu(features, segment->base) : segment->base >> 32)
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

bool regs_check_canonical(const struct regs_target *target, uint64_t *value)
{
	return regs_fits_cpu(&target->vp->partition->features, *value);
}

bool regs_check_rip(const struct regs_target *target, uint64_t *value)
{
	const struct vcpu_state *cpu = vcpu_get(target->vp, target->vtl, VCPU_SYSTEM);

	if (!(cpu->efer & X64_EFER_LMA))
		return !(*value >> 32);
	return regs_fits_cpu(&target->vp->partition->features, *value);
}

bool regs_check_rflags(const struct regs_target *target, uint64_t *value)
{
	const struct vcpu_state *cpu = vcpu_get(target->vp, target->vtl, VCPU_SYSTEM);

	*value |= X64_RFLAGS_FIXED;
	return regs_rflags_are_legal(*value, cpu->efer);
}

bool regs_check_cr0(const struct regs_target *target, uint64_t *value)
{
	if (!regs_cr0_is_legal(*value))
		return false;
	/* Undefined bits of the lower half are dropped, as MOV to CR0 ignores them. */
	*value &= CR0_DEFINED & target->vp->partition->features.cr0_valid;
	*value |= X64_CR0_ET;
	return true;
}

bool regs_check_cr3(const struct regs_target *target, uint64_t *value)
{
	return !(*value >> target->vp->partition->features.gpa_bits);
}

bool regs_check_cr4(const struct regs_target *target, uint64_t *value)
{
	return !(*value & ~target->vp->partition->features.cr4_valid);
}

bool regs_check_efer(const struct regs_target *target, uint64_t *value)
{
	return !(*value & ~(target->vp->partition->features.efer_valid | X64_EFER_LMA));
}

/* All of @set or nothing of it. */
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

bool regs_check_xcr0(const struct regs_target *target, uint64_t *value)
{
	return regs_xcr0_is_legal(&target->vp->partition->features, *value);
}

bool regs_check_dr7(const struct regs_target *target, uint64_t *value)
{
	(void)target;
	*value = (*value & ~DR7_FIXED_0) | X64_DR7_RESET;
	return !(*value >> 32);
}

bool regs_check_pat(const struct regs_target *target, uint64_t *value)
{
	(void)target;
	return regs_pat_is_legal(*value);
}

/* ------------------------------------------------------------------ plain registers */

uint16_t regs_get_state(const struct regs_target *target, union hv_register_value *value)
{
	const struct regs_row *row = target->row;
	const struct vcpu_state *cpu = vcpu_get(target->vp, target->vtl, row->group);

	memcpy(&value->reg64, (const uint8_t *)cpu + row->at + target->index * sizeof(uint64_t),
	       sizeof(uint64_t));
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_state(const struct regs_target *target, const union hv_register_value *value)
{
	const struct regs_row *row = target->row;
	uint64_t wanted = value->reg64;
	struct vcpu_state *cpu;

	if (row->check && !row->check(target, &wanted))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	cpu = vcpu_edit(target->vp, target->vtl, row->group);
	memcpy((uint8_t *)cpu + row->at + target->index * sizeof(uint64_t), &wanted,
	       sizeof(uint64_t));
	return HV_STATUS_SUCCESS;
}

/* CR0, CR3, CR4, EFER: they decide about translation. */
uint16_t regs_set_paging(const struct regs_target *target, const union hv_register_value *value)
{
	const uint16_t status = regs_set_state(target, value);
	struct vcpu_state *cpu;

	if (status != HV_STATUS_SUCCESS)
		return status;
	cpu = vcpu_edit(target->vp, target->vtl, VCPU_SYSTEM);
	cpu->efer = regs_derive_lma(cpu->efer, cpu->cr0);
	atomic_fetch_or(&target->vp->flush_wanted, vtl_bit(target->vtl));
	return HV_STATUS_SUCCESS;
}

/* ------------------------------------------------------------------ registers with a form */

uint16_t regs_get_segment(const struct regs_target *target, union hv_register_value *value)
{
	value->segment = vcpu_get(target->vp, target->vtl, VCPU_SYSTEM)->segment[target->index];
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_segment(const struct regs_target *target, const union hv_register_value *value)
{
	struct hv_x64_segment_register segment = value->segment;

	if (!regs_segment_is_legal(&target->vp->partition->features, target->index, &segment))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	/* Attributes taken straight from a descriptor have bits 19:16 of its limit there. */
	segment.attributes &= (uint16_t)~HV_X64_SEGMENT_RESERVED_MASK;
	vcpu_edit(target->vp, target->vtl, VCPU_SYSTEM)->segment[target->index] = segment;
	return HV_STATUS_SUCCESS;
}

/* HvX64RegisterIdtr, then HvX64RegisterGdtr. */
uint16_t regs_get_table(const struct regs_target *target, union hv_register_value *value)
{
	const struct vcpu_state *cpu = vcpu_get(target->vp, target->vtl, VCPU_SYSTEM);

	value->table = target->index == 0 ? cpu->idtr : cpu->gdtr;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_table(const struct regs_target *target, const union hv_register_value *value)
{
	struct hv_x64_table_register table = {.limit = value->table.limit,
					      .base = value->table.base};
	struct vcpu_state *cpu;

	if (!regs_fits_cpu(&target->vp->partition->features, table.base))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	cpu = vcpu_edit(target->vp, target->vtl, VCPU_SYSTEM);
	if (target->index == 0)
		cpu->idtr = table;
	else
		cpu->gdtr = table;
	return HV_STATUS_SUCCESS;
}

/* Shared or private as VsmCapabilities.Dr6Shared says. */
static uint8_t dr6_vtl(const struct regs_target *target)
{
	return target->vp->partition->features.dr6_shared ? target->vp->active_vtl : target->vtl;
}

uint16_t regs_get_dr6(const struct regs_target *target, union hv_register_value *value)
{
	value->reg64 = vcpu_get(target->vp, dr6_vtl(target), VCPU_DEBUG)->dr6;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_dr6(const struct regs_target *target, const union hv_register_value *value)
{
	if (value->reg64 >> 32)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	vcpu_edit(target->vp, dr6_vtl(target), VCPU_DEBUG)->dr6 =
		(value->reg64 & DR6_WRITABLE) | X64_DR6_RESET;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_cr8(const struct regs_target *target, union hv_register_value *value)
{
	value->reg64 = vsm_lapic_cr8(&target->vp->vtl[target->vtl].lapic);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_cr8(const struct regs_target *target, const union hv_register_value *value)
{
	if (value->reg64 > 15)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	vsm_lapic_set_cr8(&target->vp->vtl[target->vtl].lapic, (uint8_t)value->reg64);
	return HV_STATUS_SUCCESS;
}
