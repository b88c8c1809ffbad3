/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/registers/regs.h"

#include <string.h>

#include "core/msr/cpuid.h"
#include "core/registers/table.h"

/* TLFS "HvCallGetVpRegisters", "HvCallSetVpRegisters", "Virtual Secure Mode". */
static uint16_t check_rule(const struct regs_target *target, uint8_t vtl)
{
	const struct regs_caller *caller = target->caller;
	const struct vsm_partition *partition = target->vp->partition;

	if (vtl > caller->vtl && !caller->host)
		return HV_STATUS_ACCESS_DENIED;
	if (target->row->rule >= REGS_VSM && !caller->host &&
	    !partition_has(partition, HV_PRIVILEGE(ACCESS_VSM)))
		return HV_STATUS_ACCESS_DENIED;

	switch ((enum regs_rule)target->row->rule) {
	case REGS_LOWER:
		if (vtl == caller->vtl && !caller->host)
			return HV_STATUS_ACCESS_DENIED;
		break;
	case REGS_EVENT:
		if (vtl == caller->vtl && !caller->host)
			return HV_STATUS_INVALID_PARAMETER;
		break;
	case REGS_VSM_HIGHER:
		if (vtl == 0)
			return HV_STATUS_INVALID_PARAMETER;
		break;
	case REGS_INTERCEPTING:
		if (vtl == 0)
			return HV_STATUS_ACCESS_DENIED;
		break;
	case REGS_SECURE:
		if (vtl <= target->index)
			return HV_STATUS_ACCESS_DENIED;
		break;
	case REGS_OWN:
	case REGS_VSM:
		break;
	}
	return HV_STATUS_SUCCESS;
}

static bool is_shared(const struct regs_target *target)
{
	const uint8_t flags = target->row->flags;

	return flags & REGS_SHARED ||
	       (flags & REGS_DR6 && target->vp->partition->features.dr6_shared);
}

static uint16_t find_target(struct vsm_vp *vp, uint8_t vtl, uint32_t name,
			    const struct regs_caller *caller, struct regs_target *target)
{
	uint16_t status;

	*target = (struct regs_target){.vp = vp, .vtl = vtl, .caller = caller};
	target->row = regs_find(name);
	if (!target->row)
		return HV_STATUS_INVALID_PARAMETER;
	target->index = name - target->row->first;
	status = check_rule(target, vtl);
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (vtl >= vp->partition->vtl_count)
		return HV_STATUS_INVALID_VTL_STATE;
	if (!caller->host && !(target->row->flags & REGS_PARTITION) &&
	    !(atomic_load(&vp->enabled_vtls) & vtl_bit(vtl)))
		return HV_STATUS_INVALID_VTL_STATE;
	if (!is_shared(target))
		return HV_STATUS_SUCCESS;
	/* While a VTL above the caller is active, the shared registers have its values. */
	if (!caller->host && vp->active_vtl > caller->vtl)
		return HV_STATUS_INVALID_VP_STATE;
	target->vtl = vp->active_vtl;
	return HV_STATUS_SUCCESS;
}

/*
 * HV_REGISTER_VALUE is a union of 128 bits. For a register of up to 64 bits only its member Reg64
 * is used, as in Hyper-V: Linux (mshv_vtl) leaves the rest uninitialized. Bits of the member that
 * the register lacks must be zero.
 */
static bool fits(const union hv_register_value *value, unsigned int bits)
{
	const size_t counts = bits <= 64 ? sizeof(value->reg64) : sizeof(value->bytes);

	for (size_t i = bits / 8; i < counts; i++)
		if (value->bytes[i])
			return false;
	return true;
}

uint16_t regs_get(struct vsm_vp *vp, uint8_t vtl, uint32_t name, const struct regs_caller *caller,
		  union hv_register_value *value)
{
	struct regs_target target;
	uint16_t status;

	memset(value, 0, sizeof(*value));
	status = find_target(vp, vtl, name, caller, &target);
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (!target.row->get)
		return HV_STATUS_INVALID_PARAMETER;
	return target.row->get(&target, value);
}

uint16_t regs_set(struct vsm_vp *vp, uint8_t vtl, uint32_t name, const struct regs_caller *caller,
		  const union hv_register_value *value)
{
	struct regs_target target;
	uint16_t status;

	status = find_target(vp, vtl, name, caller, &target);
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (!target.row->set)
		return HV_STATUS_INVALID_PARAMETER;
	if (!fits(value, target.row->bits))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	/* The run loop checks whether a VM entry is possible with all registers together. */
	vp->unchecked |= vtl_bit(target.vtl);
	return target.row->set(&target, value);
}
