/* SPDX-License-Identifier: BSD-2-Clause */
/* The VSM registers (TLFS "Virtual Secure Mode"). */
#include "core/hypercall/hypercall.h"
#include "core/intercept/intercept.h"
#include "core/registers/table.h"
#include "core/trace/trace.h"
#include "core/vp/vp.h"
#include "core/vtl/vtl.h"

/* The VMM counts as the highest possible VTL. */
static uint8_t caller_vtl(const struct regs_target *target)
{
	return target->caller->host ? CORE_VTL_MAX - 1 : target->caller->vtl;
}

uint16_t regs_get_code_page_offsets(const struct regs_target *target,
				    union hv_register_value *value)
{
	value->reg64 = hypercall_page_offsets(target->vp->partition,
					      vp_long_mode(target->vp, target->vtl));
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_vp_status(const struct regs_target *target, union hv_register_value *value)
{
	uint8_t active = target->vp->active_vtl;

	/*
	 * A caller sees its own VTL as active, on its own VP and in place of a higher VTL on
	 * another VP.
	 */
	if (!target->caller->host && (target->caller->same_vp || active > target->caller->vtl))
		active = target->caller->vtl;
	value->reg64 = vtl_vp_status(target->vp, active);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_partition_status(const struct regs_target *target, union hv_register_value *value)
{
	value->reg64 = vtl_partition_status(target->vp->partition);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_capabilities(const struct regs_target *target, union hv_register_value *value)
{
	value->reg64 = vtl_capabilities(target->vp->partition);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_zero(const struct regs_target *target, union hv_register_value *value)
{
	(void)target;
	value->reg64 = 0;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_vina(const struct regs_target *target, union hv_register_value *value)
{
	value->reg64 = target->vp->vtl[target->vtl].vina;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_vina(const struct regs_target *target, const union hv_register_value *value)
{
	if (value->reg64 & HV_VSM_VINA_RESERVED_MASK)
		return HV_STATUS_INVALID_PARAMETER;
	target->vp->vtl[target->vtl].vina = value->reg64;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_partition_config(const struct regs_target *target, union hv_register_value *value)
{
	value->reg64 = atomic_load(&target->vp->partition->vtl[target->vtl].config);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_partition_config(const struct regs_target *target,
				   const union hv_register_value *value)
{
	return vtl_set_config(target->vp->partition, caller_vtl(target), target->vtl, value->reg64);
}

uint16_t regs_get_secure_config(const struct regs_target *target, union hv_register_value *value)
{
	const struct vsm_vp *vp = target->vp;
	const uint32_t lower = target->index;

	value->reg64 =
		vp->vtl[target->vtl].secure_config[lower] & ~HV_VSM_VP_SECURE_CONFIG_TLB_LOCKED;
	/* The lock may have been dropped by a VTL return, or taken by a translation. */
	if (atomic_load(&vp->tlb_locked[lower]) & vtl_bit(target->vtl))
		value->reg64 |= HV_VSM_VP_SECURE_CONFIG_TLB_LOCKED;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_secure_config(const struct regs_target *target,
				const union hv_register_value *value)
{
	struct vsm_vp *vp = target->vp;
	const uint64_t wanted = value->reg64;
	const uint64_t known =
		HV_VSM_VP_SECURE_CONFIG_MBEC_ENABLED | HV_VSM_VP_SECURE_CONFIG_TLB_LOCKED;
	const uint16_t mbec = atomic_load(&vp->partition->mbec_vtls);

	if (wanted & ~known)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	/* Also for the VMM: a VTL that is not enabled never returns, so it would never unlock. */
	if (!(atomic_load(&vp->enabled_vtls) & vtl_bit(target->vtl)))
		return HV_STATUS_INVALID_VTL_STATE;
	if ((wanted & HV_VSM_VP_SECURE_CONFIG_MBEC_ENABLED) && !(mbec & vtl_bit(target->vtl)))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	vp->vtl[target->vtl].secure_config[target->index] = wanted;
	if (wanted & HV_VSM_VP_SECURE_CONFIG_TLB_LOCKED)
		vtl_tlb_lock(vp, target->vtl, (uint8_t)target->index);
	else
		vtl_tlb_unlock_one(vp, target->vtl, (uint8_t)target->index);
	return HV_STATUS_SUCCESS;
}

/* In the order of their names: control, CR0, CR4 and IA32_MISC_ENABLE mask. */
static uint64_t *cr_intercept(const struct regs_target *target)
{
	struct vp_vtl *vtl = &target->vp->vtl[target->vtl];
	uint64_t *const field[] = {&vtl->cr_intercept_control, &vtl->cr0_mask, &vtl->cr4_mask,
				   &vtl->misc_enable_mask};

	return field[target->index];
}

uint16_t regs_get_cr_intercept(const struct regs_target *target, union hv_register_value *value)
{
	value->reg64 = *cr_intercept(target);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_cr_intercept(const struct regs_target *target,
			       const union hv_register_value *value)
{
	uint64_t *field = cr_intercept(target);
	const uint64_t before = *field;

	/* Bits that cannot be enforced are refused (P20). */
	if (target->index == 0 && (value->reg64 & ~intercept_supported(target->vp->partition)))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	*field = value->reg64;
	if (intercept_update(target->vp, target->vtl)) {
		*field = before;
		return HV_STATUS_OPERATION_FAILED;
	}
	return HV_STATUS_SUCCESS;
}
