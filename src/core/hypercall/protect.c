/* SPDX-License-Identifier: BSD-2-Clause */
/* HvCallModifyVtlProtectionMask (0x0c) and HvCallCheckSparseGpaPageVtlAccess (0xd4). */
#include <string.h>

#include "core/memory/gpa.h"
#include "core/hypercall/hypercall.h"
#include "core/memory/turn.h"
#include "core/memory/protect.h"
#include "core/trace/trace.h"
#include "core/vp/vp.h"

/* Pages between two checks whether the call's 50 us have passed (P27). */
#define SLICE 32u

static bool any_bit(const uint8_t *reserved, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (reserved[i])
			return true;
	}
	return false;
}

/* One event for each run of pages. */
static void trace_pages(struct vsm_vp *vp, uint8_t owner, const uint64_t *gpn, size_t count,
			uint32_t access)
{
	size_t first = 0;

	for (size_t i = 1; i <= count; i++) {
		if (i < count && gpn[i] == gpn[i - 1] + 1)
			continue;
		trace_about(vp, owner, VSM_TRACE_PROTECT, UINT64_MAX, gpn[first], i - first,
			    access);
		first = i;
	}
}

/*
 * The VTL whose mask the call changes; the mask restricts all lower VTLs. Only the change of a
 * VTL's own mask needs EnableVtlProtection.
 */
static uint16_t find_owner(const struct hypercall *call, uint8_t input_vtl, uint8_t *owner)
{
	struct vsm_partition *partition = call->vp->partition;
	uint16_t status = hypercall_target_vtl(call, input_vtl, owner);

	if (status != HV_STATUS_SUCCESS)
		return status;
	if (*owner == 0)
		return HV_STATUS_INVALID_PARAMETER;
	if (*owner == call->vtl && !(atomic_load(&partition->vtl[*owner].config) &
				     HV_VSM_PARTITION_CONFIG_ENABLE_VTL_PROTECTION))
		return HV_STATUS_ACCESS_DENIED;
	if (!(atomic_load(&partition->enabled_vtls) & vtl_bit(*owner)))
		return HV_STATUS_INVALID_VTL_STATE;
	return HV_STATUS_SUCCESS;
}

uint16_t hc_modify_vtl_protection_mask(struct hypercall *call)
{
	struct hv_modify_vtl_protection_mask_input input;
	struct memory_turn turn;
	uint8_t owner;
	uint16_t status;

	memcpy(&input, call->input, sizeof(input));
	status = hypercall_partition(input.partition_id);
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (any_bit(input.reserved, sizeof(input.reserved)))
		return HV_STATUS_INVALID_PARAMETER;
	status = find_owner(call, input.input_vtl, &owner);
	if (status != HV_STATUS_SUCCESS)
		return status;
	status = protect_check_flags(call->vp->partition, owner, input.map_flags);
	if (status != HV_STATUS_SUCCESS)
		return status;
	while (call->rep_done < call->rep_count) {
		uint64_t gpn[SLICE];
		size_t count = call->rep_count - call->rep_done;
		size_t done = 0;

		count = count < SLICE ? count : SLICE;
		memcpy(gpn, call->element + call->rep_done * sizeof(gpn[0]),
		       count * sizeof(gpn[0]));
		if (!memory_turn_begin(call->vp->partition, call->vtl, &turn)) {
			vp_retry(call->vp, turn.retry_at);
			return HYPERCALL_CONTINUE;
		}
		status = protect_set(call->vp->partition, owner, -1, gpn, count,
				     (uint8_t)input.map_flags, &done);
		memory_turn_end(call->vp->partition, &turn);
		trace_pages(call->vp, owner, gpn, done, input.map_flags);
		call->rep_done += (uint16_t)done;
		if (status != HV_STATUS_SUCCESS)
			return status;
		if (call->rep_done < call->rep_count && hypercall_time_is_up(call))
			return HYPERCALL_CONTINUE;
	}
	return HV_STATUS_SUCCESS;
}

/*
 * VTL0 has no access to memory with VSM_MEMORY_SMM, even while a VP is in System Management Mode:
 * VTL1, which asks on behalf of VTL0, must not access this memory for it. The intercepting VTL is 0
 * in this case.
 */
static uint64_t check_page(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn,
			   uint8_t access)
{
	uint8_t denied = 0;
	uint8_t by = 0;

	pthread_rwlock_rdlock(&partition->memory.lock);
	if (memory_find(partition, gpn) && !memory_rights(memory_find(partition, gpn), vtl)) {
		denied = access;
	} else if (memory_find(partition, gpn)) {
		by = protect_denier(partition, vtl, gpn, access);
		denied = access & (uint8_t)~protect_effective(partition, vtl, gpn);
	}
	pthread_rwlock_unlock(&partition->memory.lock);
	if (!denied)
		return HV_CHECK_GPA_PAGE_SUCCESS;
	return HV_CHECK_GPA_PAGE_MEMORY_INTERCEPT |
	       (uint64_t)denied << HV_CHECK_GPA_PAGE_DENIED_ACCESS_SHIFT |
	       (uint64_t)by << HV_CHECK_GPA_PAGE_INTERCEPTING_VTL_SHIFT;
}

uint16_t hc_check_sparse_gpa_page_vtl_access(struct hypercall *call)
{
	struct hv_check_sparse_gpa_page_vtl_access_input input;
	uint8_t target;
	uint16_t status;

	memcpy(&input, call->input, sizeof(input));
	status = hypercall_partition(input.partition_id);
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (input.reserved0 || input.reserved1 ||
	    input.desired_access & ~HV_MAP_GPA_PERMISSIONS_MASK)
		return HV_STATUS_INVALID_PARAMETER;
	status = hypercall_target_vtl(call, input.input_vtl, &target);
	if (status != HV_STATUS_SUCCESS)
		return status;
	while (call->rep_done < call->rep_count) {
		uint64_t result;
		uint64_t gpn;

		memcpy(&gpn, call->element + call->rep_done * sizeof(gpn), sizeof(gpn));
		result = check_page(call->vp->partition, target, gpn, input.desired_access);
		memcpy(call->output + call->rep_done * sizeof(result), &result, sizeof(result));
		call->rep_done++;
		if (call->rep_done < call->rep_count && call->rep_done % SLICE == 0 &&
		    hypercall_time_is_up(call))
			return HYPERCALL_CONTINUE;
	}
	return HV_STATUS_SUCCESS;
}
