/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/hypercall/hypercall.h"
#include "core/vp/vp.h"

#define SLICES_PER_SECOND 20000u /* of 50 us: TLFS "Hypercall Continuation" */

void hypercall_begin_slice(struct hypercall *call)
{
	const struct vsm_partition *partition = call->vp->partition;

	call->deadline = vp_tsc(partition) + partition->features.tsc_hz / SLICES_PER_SECOND;
}

bool hypercall_time_is_up(struct hypercall *call)
{
	return call->rep_done > call->rep_start && vp_tsc(call->vp->partition) >= call->deadline;
}

uint16_t hypercall_target_vtl(const struct hypercall *call, uint8_t input_vtl, uint8_t *vtl)
{
	*vtl = call->vtl;
	if (input_vtl & HV_INPUT_VTL_USE_TARGET)
		*vtl = input_vtl & HV_INPUT_VTL_TARGET_MASK;
	if (*vtl > call->vtl)
		return HV_STATUS_ACCESS_DENIED;
	if (input_vtl & HV_INPUT_VTL_RESERVED_MASK)
		return HV_STATUS_INVALID_PARAMETER;
	return HV_STATUS_SUCCESS;
}

uint16_t hypercall_partition(uint64_t id)
{
	if (id == HV_PARTITION_ID_SELF || id == HYPERCALL_PARTITION_ID)
		return HV_STATUS_SUCCESS;
	return HV_STATUS_INVALID_PARTITION_ID;
}

struct vsm_vp *hypercall_vp(const struct hypercall *call, uint32_t index)
{
	if (index == HV_VP_INDEX_SELF)
		return call->vp;
	return index < call->vp->partition->vp_count ? call->vp->partition->vp[index] : NULL;
}

uint16_t hypercall_find_vp(const struct hypercall *call, uint64_t partition_id, uint32_t index,
			   struct vsm_vp **vp)
{
	const uint16_t status = hypercall_partition(partition_id);

	if (status != HV_STATUS_SUCCESS)
		return status;
	*vp = hypercall_vp(call, index);
	return *vp ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_VP_INDEX;
}
