/* SPDX-License-Identifier: BSD-2-Clause */
/* x87, SSE and AVX registers by their HvRegister names; vp/fpu.c accesses the XSAVE area. */
#include <string.h>

#include "core/vp/fpu.h"
#include "core/registers/table.h"

static const struct vcpu_state *state(const struct regs_target *target)
{
	return vcpu_get(target->vp, target->vtl, VCPU_FPU);
}

static struct vcpu_state *edit(const struct regs_target *target)
{
	return vcpu_edit(target->vp, target->vtl, VCPU_FPU);
}

uint16_t regs_get_xmm(const struct regs_target *target, union hv_register_value *value)
{
	fpu_get_xmm(state(target), target->index, value->bytes);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_xmm(const struct regs_target *target, const union hv_register_value *value)
{
	fpu_set_xmm(edit(target), target->index, value->bytes);
	return HV_STATUS_SUCCESS;
}

/* INVALID_PARAMETER: the CPU has no AVX. */
uint16_t regs_get_ymm_high(const struct regs_target *target, union hv_register_value *value)
{
	if (!fpu_get_ymm_high(state(target), target->index, value->bytes))
		return HV_STATUS_INVALID_PARAMETER;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_ymm_high(const struct regs_target *target, const union hv_register_value *value)
{
	if (!fpu_set_ymm_high(edit(target), target->index, value->bytes))
		return HV_STATUS_INVALID_PARAMETER;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_st(const struct regs_target *target, union hv_register_value *value)
{
	fpu_get_st(state(target), target->index, &value->fp);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_st(const struct regs_target *target, const union hv_register_value *value)
{
	fpu_set_st(edit(target), target->index, &value->fp);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_fp_control(const struct regs_target *target, union hv_register_value *value)
{
	fpu_get_control(state(target), &value->fp_control_status);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_fp_control(const struct regs_target *target, const union hv_register_value *value)
{
	fpu_set_control(edit(target), &value->fp_control_status);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_xmm_control(const struct regs_target *target, union hv_register_value *value)
{
	fpu_get_xmm_control(state(target), &value->xmm_control_status);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_xmm_control(const struct regs_target *target,
			      const union hv_register_value *value)
{
	if (!fpu_set_xmm_control(edit(target), &value->xmm_control_status))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	return HV_STATUS_SUCCESS;
}
