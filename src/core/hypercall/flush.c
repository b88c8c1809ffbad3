/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HvCallFlushVirtualAddressSpace, HvCallFlushVirtualAddressList and their Ex forms. A flush drops
 * all translations of a VTL, which the TLFS allows: KVM has no narrower flush.
 */
#include <string.h>

#include "core/hypercall/hypercall.h"
#include "core/trace/trace.h"
#include "core/vp/vp.h"
#include "core/hypercall/vp_set.h"

/* Without USE_TARGET_VTL both target bits must be zero, and the caller's VTL is used. */
static uint16_t target_vtls(const struct hypercall *call, uint64_t flags, uint16_t *vtls)
{
	const struct vsm_partition *partition = call->vp->partition;

	*vtls = (uint16_t)((flags & HV_FLUSH_TARGET_VTL0 ? vtl_bit(0) : 0u) |
			   (flags & HV_FLUSH_TARGET_VTL1 ? vtl_bit(1) : 0u));
	if (!(flags & HV_FLUSH_USE_TARGET_VTL)) {
		if (*vtls)
			return HV_STATUS_INVALID_PARAMETER;
		*vtls = vtl_bit(call->vtl);
		return HV_STATUS_SUCCESS;
	}
	if (*vtls & vtls_above(call->vtl))
		return HV_STATUS_ACCESS_DENIED;
	if (!*vtls || !(partition->features_edx & HV_FEATURE(CROSS_VTL_FLUSH)))
		return HV_STATUS_INVALID_PARAMETER;
	return HV_STATUS_SUCCESS;
}

static uint16_t check_flags(const struct hypercall *call, uint64_t flags, uint16_t *vtls)
{
	const bool list = call->info->flags & HYPERCALL_REP;
	const uint16_t status = target_vtls(call, flags, vtls);

	if (status != HV_STATUS_SUCCESS)
		return status;
	if (flags & HV_FLUSH_RESERVED_MASK)
		return HV_STATUS_INVALID_PARAMETER;
	if ((flags & HV_FLUSH_USE_EXTENDED_RANGE_FORMAT) &&
	    (!list || !(call->vp->partition->features_edx & HV_FEATURE(EXTENDED_GVA_RANGES))))
		return HV_STATUS_INVALID_PARAMETER;
	return HV_STATUS_SUCCESS;
}

/*
 * Whether a VTL above the caller has locked one of these TLBs (TLFS
 * "HvRegisterVsmVpSecureConfigVtlX"). A VP never waits for a lock on its own TLB: the VTL
 * that locked the TLB unlocks it when it returns on this VP.
 */
static bool is_locked(const struct hypercall *call, const struct vp_set *set, uint16_t vtls)
{
	const struct vsm_partition *partition = call->vp->partition;

	for (uint32_t i = 0; i < partition->vp_count; i++) {
		struct vsm_vp *vp = partition->vp[i];

		if (vp == call->vp || !vp_set_has(set, i))
			continue;
		for (uint16_t left = vtls; left; left &= (uint16_t)(left - 1)) {
			const unsigned int vtl = (unsigned int)__builtin_ctz(left);

			if (atomic_load(&vp->tlb_locked[vtl]) & vtls_above(call->vtl))
				return true;
		}
	}
	return false;
}

/*
 * Drops the translations of @vtls on every VP of @set. A VP that runs another VTL is not stopped:
 * it drops them before it enters one of @vtls. False: the calling VP has work in its run loop; the
 * guest repeats the call.
 */
static bool flush(struct hypercall *call, const struct vp_set *set, uint16_t vtls)
{
	const struct vsm_partition *partition = call->vp->partition;

	for (uint32_t i = 0; i < partition->vp_count; i++)
		if (vp_set_has(set, i))
			atomic_fetch_or(&partition->vp[i]->flush_wanted, vtls);
	/* Kicks all VPs before the first wait, so that they leave the guest in parallel. */
	for (uint32_t i = 0; i < partition->vp_count; i++) {
		if (!vp_set_has(set, i) || partition->vp[i] == call->vp ||
		    !(atomic_load(&partition->vp[i]->in_guest) & vtls))
			continue;
		if (vp_must_leave_call(call->vp))
			return false;
		vp_kick(partition->vp[i]);
	}
	for (uint32_t i = 0; i < partition->vp_count; i++)
		if (vp_set_has(set, i) && atomic_load(&partition->vp[i]->flush_wanted) & vtls)
			if (!vp_wait_exit(call->vp, partition->vp[i], vtls))
				return false;
	return true;
}

/* @mask: the VPs; NULL: the call has a VP set. */
static uint16_t flush_call(struct hypercall *call, uint64_t space, uint64_t flags,
			   const uint64_t *mask)
{
	struct vsm_vp *vp = call->vp;
	struct vp_vtl *own = &vp->vtl[call->vtl];
	unsigned int count = 0;
	struct vp_set set;
	uint16_t vtls;
	uint16_t status = check_flags(call, flags, &vtls);

	if (status != HV_STATUS_SUCCESS)
		return status;
	/* Windows Server 2012 passes an empty mask for all VPs. */
	if ((flags & HV_FLUSH_ALL_PROCESSORS) || (mask && !*mask))
		vp_set_all(vp->partition, &set);
	else if (mask)
		vp_set_from_mask(vp->partition, *mask, &set);
	else
		status = vp_set_parse(call, &set);
	if (status != HV_STATUS_SUCCESS)
		return status;
	/* Read before the locks are checked, so that a release in between is not missed. */
	own->tlb_unlocks = atomic_load(&vp->partition->tlb_unlocks);
	if (is_locked(call, &set, vtls)) {
		own->activity = VP_TLB_LOCKED;
		return HYPERCALL_RETRY;
	}
	if (!flush(call, &set, vtls))
		return HYPERCALL_RETRY;
	for (unsigned int bank = 0; bank < VP_SET_BANKS; bank++)
		count += (unsigned int)__builtin_popcountll(set.bank[bank]);
	trace(vp, VSM_TRACE_TLB_FLUSH, vtls, space, flags, count);
	call->rep_done = call->rep_count;
	return HV_STATUS_SUCCESS;
}

uint16_t hc_flush_mask(struct hypercall *call)
{
	struct hv_flush_virtual_address_input input;

	memcpy(&input, call->input, sizeof(input));
	return flush_call(call, input.address_space, input.flags, &input.processor_mask);
}

uint16_t hc_flush_set(struct hypercall *call)
{
	struct hv_flush_virtual_address_ex_input input;

	memcpy(&input, call->input, sizeof(input));
	return flush_call(call, input.address_space, input.flags, NULL);
}
