/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A write raises no exception (TLFS "HvCallSetVpRegisters"); one that affects translation flushes
 * the VTL's TLB.
 */
#include <string.h>

#include "core/registers/table.h"
#include "core/vp/vp.h"
#include "core/x64.h"

/* SDM 3B 18.2.3, 18.2.4: writable bits of DR6, and bits of DR7 that are always 0. */
#define DR6_WRITABLE UINT64_C(0xe00f)
#define DR7_FIXED_0  UINT64_C(0xd000)

/* SDM 3A 2.5 */
#define CR0_DEFINED                                                                    \
	(X64_CR0_PE | X64_CR0_MP | X64_CR0_EM | X64_CR0_TS | X64_CR0_ET | X64_CR0_NE | \
	 X64_CR0_WP | X64_CR0_AM | X64_CR0_NW | X64_CR0_CD | X64_CR0_PG)

bool regs_check_canonical(const struct regs_target *target, uint64_t *value)
{
	return regs_is_canonical_for_cpu(&target->vp->partition->features, *value);
}

bool regs_check_rip(const struct regs_target *target, uint64_t *value)
{
	const struct vcpu_state *cpu = vcpu_get(target->vp, target->vtl, VCPU_SYSTEM);

	if (!(cpu->efer & X64_EFER_LMA))
		return !(*value >> 32);
	return regs_is_canonical_for_cpu(&target->vp->partition->features, *value);
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

/* CR0, CR3, CR4, EFER and PAT affect translation. */
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
	/* Attributes copied from a descriptor have bits 19:16 of the limit in these bits. */
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

	if (!regs_is_canonical_for_cpu(&target->vp->partition->features, table.base))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	cpu = vcpu_edit(target->vp, target->vtl, VCPU_SYSTEM);
	if (target->index == 0)
		cpu->idtr = table;
	else
		cpu->gdtr = table;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_dr6(const struct regs_target *target, union hv_register_value *value)
{
	value->reg64 = vcpu_get(target->vp, target->vtl, VCPU_DEBUG)->dr6;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_dr6(const struct regs_target *target, const union hv_register_value *value)
{
	if (value->reg64 >> 32)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	vcpu_edit(target->vp, target->vtl, VCPU_DEBUG)->dr6 =
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
