/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Register names of MSRs of the target VTL (SynIC, timers, assist page, ...), CPUID leaves, APIC
 * registers, MTRRs.
 */
#include "core/msr/cpuid.h"
#include "core/interrupt/interrupt.h"
#include "core/msr/msr.h"
#include "core/msr/mtrr.h"
#include "core/registers/table.h"
#include "core/interrupt/tsc.h"
#include "core/vp/vp.h"
#include "core/x64.h"

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

/* MSRs for which an illegal value is INVALID_REGISTER_VALUE. */
uint16_t regs_set_strict_msr(const struct regs_target *target, const union hv_register_value *value)
{
	if (!msr_write(target->vp, target->vtl, target->row->at, value->reg64))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	return HV_STATUS_SUCCESS;
}

/* MSRs that not every CPU has: row->at is the enum vcpu_msr. */
uint16_t regs_get_cpu_msr(const struct regs_target *target, union hv_register_value *value)
{
	const uint32_t which = target->row->at;

	if (!target->vp->partition->features.msr_valid[which])
		return HV_STATUS_INVALID_PARAMETER;
	value->reg64 = vcpu_get(target->vp, target->vtl, VCPU_MSR)->msr[which];
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_cpu_msr(const struct regs_target *target, const union hv_register_value *value)
{
	const uint32_t which = target->row->at;
	const uint64_t valid = target->vp->partition->features.msr_valid[which];

	if (!valid)
		return HV_STATUS_INVALID_PARAMETER;
	if (value->reg64 & ~valid || (which == VCPU_MSR_BNDCFGS &&
				      !regs_is_canonical_for_cpu(&target->vp->partition->features,
								 value->reg64 & ~UINT64_C(0xfff))))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	vcpu_edit(target->vp, target->vtl, VCPU_MSR)->msr[which] = value->reg64;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_cpuid(const struct regs_target *target, union hv_register_value *value)
{
	uint32_t leaf[4];

	cpuid_get(target->vp, target->vtl, target->row->at + target->index, 0, leaf);
	value->cpuid = (struct hv_cpuid_result){leaf[0], leaf[1], leaf[2], leaf[3]};
	return HV_STATUS_SUCCESS;
}

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
	value->reg64 = tsc_of_vtl(target->vp, target->vtl);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_tsc(const struct regs_target *target, const union hv_register_value *value)
{
	if (!tsc_msr_write(target->vp, target->vtl, X64_MSR_TSC, value->reg64))
		return HV_STATUS_INVALID_PARAMETER;
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

static uint32_t mtrr_number(const struct regs_target *target)
{
	switch (target->row->first) {
	case HV_X64_REGISTER_MSR_MTRR_FIX64K00000:
		return mtrr_fixed_msr(target->index);
	case HV_X64_REGISTER_MSR_MTRR_PHYS_BASE0:
	case HV_X64_REGISTER_MSR_MTRR_PHYS_MASK0:
		/* Base and mask of one range alternate. */
		return target->row->at + 2 * target->index;
	default:
		return target->row->at;
	}
}

uint16_t regs_get_mtrr(const struct regs_target *target, union hv_register_value *value)
{
	return mtrr_read(target->vp, target->vtl, mtrr_number(target), &value->reg64)
		       ? HV_STATUS_SUCCESS
		       : HV_STATUS_INVALID_PARAMETER;
}

uint16_t regs_set_mtrr(const struct regs_target *target, const union hv_register_value *value)
{
	return mtrr_write(target->vp, target->vtl, mtrr_number(target), value->reg64)
		       ? HV_STATUS_SUCCESS
		       : HV_STATUS_INVALID_REGISTER_VALUE;
}
