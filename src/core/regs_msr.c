/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers that are something else under another name: MSRs of the target VTL (SynIC, timers, assist
 * page, ...), CPUID leaves, APIC registers, MTRRs.
 */
#include "core/cpuid.h"
#include "core/interrupt.h"
#include "core/msr.h"
#include "core/regs_table.h"
#include "core/vp.h"

uint16_t regs_get_msr(const struct regs_target *target, union hv_register_value *value)
{
	if (!msr_read(target->vp, target->vtl, target->row->at + target->index, &value->reg64))
		return HV_STATUS_INVALID_PARAMETER;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_msr(const struct regs_target *target, const union hv_register_value *value)
{
	if (!msr_write(target->vp, target->vtl, target->row->at + target->index, value->reg64))
		return HV_STATUS_INVALID_PARAMETER;
	return HV_STATUS_SUCCESS;
}

/* The one that answers a bad value as one. */
uint16_t regs_set_assist_page(const struct regs_target *target,
			      const union hv_register_value *value)
{
	if (!msr_write(target->vp, target->vtl, target->row->at, value->reg64))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_cpuid(const struct regs_target *target, union hv_register_value *value)
{
	uint32_t leaf[4];

	cpuid_get(target->vp, target->row->at + target->index, 0, leaf);
	value->cpuid = (struct hv_cpuid_result){leaf[0], leaf[1], leaf[2], leaf[3]};
	return HV_STATUS_SUCCESS;
}

/* ------------------------------------------------------------------ the APIC and time */

uint16_t regs_get_apic(const struct regs_target *target, union hv_register_value *value)
{
	struct vsm_lapic *lapic = &target->vp->vtl[target->vtl].lapic;

	if (!vsm_lapic_get_register(lapic, vp_tsc(target->vp->partition),
				    target->row->at + target->index, &value->reg64))
		return HV_STATUS_INVALID_PARAMETER;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_apic(const struct regs_target *target, const union hv_register_value *value)
{
	struct vsm_lapic *lapic = &target->vp->vtl[target->vtl].lapic;
	struct vsm_lapic_effect effect = {0};

	if (!vsm_lapic_set_register(lapic, vp_tsc(target->vp->partition),
				    target->row->at + target->index, value->reg64, &effect))
		return HV_STATUS_INVALID_PARAMETER;
	interrupt_effect(target->vp, target->vtl, &effect);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_apic_id(const struct regs_target *target, union hv_register_value *value)
{
	value->reg64 = target->vp->apic_id;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_tsc(const struct regs_target *target, union hv_register_value *value)
{
	value->reg64 = vp_tsc(target->vp->partition);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_tsc_sequence(const struct regs_target *target, union hv_register_value *value)
{
	struct vsm_partition *partition = target->vp->partition;

	pthread_mutex_lock(&partition->lock);
	value->reg64 = partition->tsc_sequence;
	pthread_mutex_unlock(&partition->lock);
	return HV_STATUS_SUCCESS;
}

/* ------------------------------------------------------------------ MTRRs (SDM 3A 12.11) */

#define MTRR_CAP_FIXED (UINT64_C(1) << 8)
#define MTRR_CAP_WC    (UINT64_C(1) << 10)

#define MTRR_DEF_TYPE_FIXED  (UINT64_C(1) << 10)
#define MTRR_DEF_TYPE_ENABLE (UINT64_C(1) << 11)
#define MTRR_MASK_VALID	     (UINT64_C(1) << 11)
#define MTRR_TYPE	     UINT64_C(0xff)

static bool mtrr_type_is_legal(uint64_t type)
{
	/* UC, WC, WT, WP, WB */
	return type == 0 || type == 1 || (type >= 4 && type <= 6);
}

/* Bits 12 and up of an address. */
static uint64_t address_bits(const struct regs_target *target)
{
	const uint64_t all = (UINT64_C(1) << target->vp->partition->features.gpa_bits) - 1;

	return all & ~(uint64_t)(CORE_PAGE_SIZE - 1);
}

uint16_t regs_get_mtrr_cap(const struct regs_target *target, union hv_register_value *value)
{
	(void)target;
	value->reg64 = CORE_MTRR_VARIABLE | MTRR_CAP_FIXED | MTRR_CAP_WC;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_mtrr_def_type(const struct regs_target *target, union hv_register_value *value)
{
	value->reg64 = target->vp->mtrr.def_type;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_mtrr_def_type(const struct regs_target *target,
				const union hv_register_value *value)
{
	const uint64_t legal = MTRR_TYPE | MTRR_DEF_TYPE_FIXED | MTRR_DEF_TYPE_ENABLE;

	if ((value->reg64 & ~legal) || !mtrr_type_is_legal(value->reg64 & MTRR_TYPE))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	target->vp->mtrr.def_type = value->reg64;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_mtrr_base(const struct regs_target *target, union hv_register_value *value)
{
	value->reg64 = target->vp->mtrr.base[target->index];
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_mtrr_base(const struct regs_target *target, const union hv_register_value *value)
{
	if ((value->reg64 & ~(address_bits(target) | MTRR_TYPE)) ||
	    !mtrr_type_is_legal(value->reg64 & MTRR_TYPE))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	target->vp->mtrr.base[target->index] = value->reg64;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_mtrr_mask(const struct regs_target *target, union hv_register_value *value)
{
	value->reg64 = target->vp->mtrr.mask[target->index];
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_mtrr_mask(const struct regs_target *target, const union hv_register_value *value)
{
	if (value->reg64 & ~(address_bits(target) | MTRR_MASK_VALID))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	target->vp->mtrr.mask[target->index] = value->reg64;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_mtrr_fixed(const struct regs_target *target, union hv_register_value *value)
{
	value->reg64 = target->vp->mtrr.fixed[target->index];
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_mtrr_fixed(const struct regs_target *target, const union hv_register_value *value)
{
	for (unsigned int i = 0; i < 64; i += 8)
		if (!mtrr_type_is_legal(value->reg64 >> i & MTRR_TYPE))
			return HV_STATUS_INVALID_REGISTER_VALUE;
	target->vp->mtrr.fixed[target->index] = value->reg64;
	return HV_STATUS_SUCCESS;
}

/* ------------------------------------------------------------------ IA32_MISC_ENABLE (SDM 4) */

/* Fast strings, TCC, perf. monitoring, BTS and PEBS unavailable, EIST, MONITOR, xTPR. */
#define MISC_ENABLE_LEGAL UINT64_C(0x00851889)

uint16_t regs_get_misc_enable(const struct regs_target *target, union hv_register_value *value)
{
	value->reg64 = target->vp->vtl[target->vtl].misc_enable;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_misc_enable(const struct regs_target *target,
			      const union hv_register_value *value)
{
	if (value->reg64 & ~MISC_ENABLE_LEGAL)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	target->vp->vtl[target->vtl].misc_enable = value->reg64;
	return HV_STATUS_SUCCESS;
}
