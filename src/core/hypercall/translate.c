/* SPDX-License-Identifier: BSD-2-Clause */
/* HvCallTranslateVirtualAddress and HvCallTranslateVirtualAddressEx (TLFS "Virtual MMU"). */
#include <string.h>

#include "core/memory/gpa.h"
#include "core/hypercall/hypercall.h"
#include "core/vp/vp.h"
#include "core/vtl/vtl.h"

struct translation {
	uint64_t gva;
	uint64_t flags; /* HV_TRANSLATE_GVA_* */
	uint8_t vtl;
	uint8_t caller;
	uint16_t status;

	enum hv_translate_gva_result_code code;
	uint8_t cache;
	bool overlay;
	uint64_t gpa;
	uint8_t intercept_vtl; /* code INTERCEPT: the VTL that would get the intercept */
	uint8_t intercept_access;
	bool intercept_page; /* the page itself is denied, not a page table */
};

static const struct {
	uint64_t flag;
	uint32_t walk;
} walk_flags[] = {
	{HV_TRANSLATE_GVA_PRIVILEGE_EXEMPT, VSM_WALK_EXEMPT},
	{HV_TRANSLATE_GVA_SUPERVISOR_ACCESS, VSM_WALK_SUPERVISOR},
	{HV_TRANSLATE_GVA_USER_ACCESS, VSM_WALK_USER},
	{HV_TRANSLATE_GVA_ENFORCE_SMAP, VSM_WALK_ENFORCE_SMAP},
	{HV_TRANSLATE_GVA_OVERRIDE_SMAP, VSM_WALK_OVERRIDE_SMAP},
};

static uint32_t walk_flags_of(uint64_t flags)
{
	uint32_t walk = 0;

	for (size_t i = 0; i < ARRAY_SIZE(walk_flags); i++)
		if (flags & walk_flags[i].flag)
			walk |= walk_flags[i].walk;
	return walk;
}

static uint32_t walk_access_of(uint64_t flags)
{
	return (flags & HV_TRANSLATE_GVA_VALIDATE_READ ? VSM_WALK_READ : 0u) |
	       (flags & HV_TRANSLATE_GVA_VALIDATE_WRITE ? VSM_WALK_WRITE : 0u) |
	       (flags & HV_TRANSLATE_GVA_VALIDATE_EXECUTE ? VSM_WALK_EXECUTE : 0u);
}

static const uint8_t cache_types[] = {
	[VSM_WALK_CACHE_UC] = 0, [VSM_WALK_CACHE_WC] = 1, [VSM_WALK_CACHE_WT] = 4,
	[VSM_WALK_CACHE_WP] = 5, [VSM_WALK_CACHE_WB] = 6, [VSM_WALK_CACHE_UC_MINUS] = 0,
};

static void memory_refused(struct translation *translation, const struct gva_walk *walk)
{
	const struct gpa_fault *fault = &walk->fault;

	translation->gpa = walk->walk.stop_gpa;
	switch (walk->refused) {
	case GPA_OK:
	case GPA_UNMAPPED:
		translation->code = HV_TRANSLATE_GVA_GPA_UNMAPPED;
		break;
	case GPA_OVERLAY:
		translation->code = HV_TRANSLATE_GVA_GPA_ILLEGAL_OVERLAY_ACCESS;
		break;
	case GPA_DENIED:
		/* A denial by a VTL above the caller is an intercept of that VTL. */
		if (fault->vtl > translation->caller) {
			translation->code = HV_TRANSLATE_GVA_INTERCEPT;
			translation->intercept_vtl = fault->vtl;
			translation->intercept_access = fault->access;
			translation->intercept_page = walk->walk.reason == VSM_WALK_PAGE_REFUSED;
		} else if (fault->access & GPA_WRITE) {
			translation->code = HV_TRANSLATE_GVA_GPA_NO_WRITE_ACCESS;
		} else {
			translation->code = HV_TRANSLATE_GVA_GPA_NO_READ_ACCESS;
		}
		break;
	}
}

static bool is_overlay(struct vsm_partition *partition, uint8_t vtl, uint64_t gpa)
{
	bool found;

	pthread_rwlock_rdlock(&partition->memory.lock);
	found = gpa_view(partition, vtl, gpa / CORE_PAGE_SIZE).overlay != NULL;
	pthread_rwlock_unlock(&partition->memory.lock);
	return found;
}

static void conclude(struct vsm_vp *vp, struct translation *translation,
		     const struct gva_walk *walk)
{
	switch ((enum vsm_walk_reason)walk->walk.reason) {
	case VSM_WALK_OK:
		translation->code = HV_TRANSLATE_GVA_SUCCESS;
		translation->gpa = walk->walk.gpa;
		translation->cache = cache_types[walk->walk.cache];
		translation->overlay =
			is_overlay(vp->partition, translation->vtl, translation->gpa);
		break;
	case VSM_WALK_NOT_PRESENT:
		translation->code = HV_TRANSLATE_GVA_PAGE_NOT_PRESENT;
		break;
	case VSM_WALK_NON_CANONICAL:
	case VSM_WALK_RESERVED_BIT:
		translation->code = HV_TRANSLATE_GVA_INVALID_PAGE_TABLE_FLAGS;
		break;
	case VSM_WALK_USER_DENIED:
	case VSM_WALK_WRITE_DENIED:
	case VSM_WALK_EXECUTE_DENIED:
	case VSM_WALK_SMEP_DENIED:
	case VSM_WALK_SMAP_DENIED:
	case VSM_WALK_KEY_DENIED:
		translation->code = HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION;
		break;
	case VSM_WALK_TABLE_NOT_READABLE:
	case VSM_WALK_TABLE_NOT_WRITABLE:
	case VSM_WALK_PAGE_REFUSED:
		memory_refused(translation, walk);
		break;
	case VSM_WALK_TRY_AGAIN:
		/* The guest keeps changing the tables: repeat the call. */
		translation->status = HYPERCALL_RETRY;
		break;
	case VSM_WALK_UNSUPPORTED:
	case VSM_WALK_INVALID:
		translation->status = HV_STATUS_INVALID_PARAMETER;
		break;
	}
}

static void translate(struct vsm_vp *vp, void *argument)
{
	struct translation *translation = argument;
	const uint64_t flags = translation->flags;
	struct gva_walk walk;

	if (!(atomic_load(&vp->enabled_vtls) & vtl_bit(translation->vtl))) {
		translation->status = HV_STATUS_INVALID_VTL_STATE;
		return;
	}
	/* The caller's VTL drops the lock when it returns on @vp, so it must be enabled there. */
	if (flags & HV_TRANSLATE_GVA_TLB_FLUSH_INHIBIT &&
	    !(atomic_load(&vp->enabled_vtls) & vtl_bit(translation->caller))) {
		translation->status = HV_STATUS_INVALID_VTL_STATE;
		return;
	}
	/* Locked before the walk, so that its result stays valid. A failed walk keeps the lock. */
	if (flags & HV_TRANSLATE_GVA_TLB_FLUSH_INHIBIT)
		vtl_tlb_lock(vp, translation->caller, translation->vtl);
	gva_translate(
		vp, translation->vtl, translation->gva, walk_access_of(flags), walk_flags_of(flags),
		flags & HV_TRANSLATE_GVA_SET_PAGE_TABLE_BITS ? VSM_WALK_AD_SET : VSM_WALK_AD_LEAVE,
		true, &walk);
	if (vp->unread)
		translation->status = HV_STATUS_OPERATION_FAILED;
	else
		conclude(vp, translation, &walk);
}

static uint16_t check_flags(const struct vsm_partition *partition, uint64_t flags)
{
	const uint64_t validate = HV_TRANSLATE_GVA_VALIDATE_READ | HV_TRANSLATE_GVA_VALIDATE_WRITE |
				  HV_TRANSLATE_GVA_VALIDATE_EXECUTE;

	if (flags & HV_TRANSLATE_GVA_RESERVED_MASK)
		return HV_STATUS_INVALID_PARAMETER;
	if ((flags & HV_TRANSLATE_GVA_EXTENDED_MASK) &&
	    !(partition->features_edx & HV_FEATURE(TRANSLATE_GVA_FLAGS)))
		return HV_STATUS_INVALID_PARAMETER;
	/* No VTL has shadow stacks. */
	if (flags & HV_TRANSLATE_GVA_SHADOW_STACK)
		return HV_STATUS_INVALID_PARAMETER;
	return flags & validate ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARAMETER;
}

static uint16_t translate_call(struct hypercall *call, struct translation *translation)
{
	struct hv_translate_virtual_address_input input;
	struct vsm_vp *vp;
	uint16_t status;

	memcpy(&input, call->input, sizeof(input));
	*translation = (struct translation){
		.gva = input.gva_page << HV_PAGE_SHIFT,
		.flags = input.control_flags,
		.caller = call->vtl,
	};
	status = hypercall_target_vtl(
		call, (uint8_t)(input.control_flags >> HV_TRANSLATE_GVA_INPUT_VTL_SHIFT),
		&translation->vtl);
	if (status != HV_STATUS_SUCCESS)
		return status;
	/* The target must be a lower VTL: TLFS "HvCallTranslateVirtualAddress". */
	if (translation->vtl == call->vtl)
		return HV_STATUS_ACCESS_DENIED;
	status = hypercall_find_vp(call, input.partition_id, input.vp_index, &vp);
	if (status != HV_STATUS_SUCCESS)
		return status;
	status = check_flags(call->vp->partition, input.control_flags);
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (input.gva_page >> (64 - HV_PAGE_SHIFT))
		return HV_STATUS_INVALID_PARAMETER;
	if (!vp_query(call->vp, vp, translate, translation))
		return HYPERCALL_RETRY;
	return translation->status;
}

static uint64_t result_word(const struct translation *translation)
{
	return (uint64_t)translation->code |
	       (uint64_t)translation->cache << HV_TRANSLATE_GVA_RESULT_CACHE_TYPE_SHIFT |
	       (translation->overlay ? HV_TRANSLATE_GVA_RESULT_OVERLAY_PAGE : 0);
}

uint16_t hc_translate_virtual_address(struct hypercall *call)
{
	struct hv_translate_virtual_address_output output;
	struct translation translation;
	const uint16_t status = translate_call(call, &translation);

	if (status != HV_STATUS_SUCCESS)
		return status;
	output = (struct hv_translate_virtual_address_output){
		.result = result_word(&translation),
		.gpa_page = translation.gpa >> HV_PAGE_SHIFT,
	};
	memcpy(call->output, &output, sizeof(output));
	return HV_STATUS_SUCCESS;
}

/* enum hv_intercept_access_type of a denied access: a write if it also reads. */
static uint8_t access_type(uint8_t access)
{
	if (access & GPA_WRITE)
		return HV_INTERCEPT_ACCESS_WRITE;
	return access & GPA_READ ? HV_INTERCEPT_ACCESS_READ : HV_INTERCEPT_ACCESS_EXECUTE;
}

uint16_t hc_translate_virtual_address_ex(struct hypercall *call)
{
	struct hv_translate_virtual_address_ex_output output;
	struct translation translation;
	const uint16_t status = translate_call(call, &translation);

	if (status != HV_STATUS_SUCCESS)
		return status;
	output = (struct hv_translate_virtual_address_ex_output){
		.result = result_word(&translation),
		.gpa_page = translation.gpa >> HV_PAGE_SHIFT,
	};
	if (translation.code == HV_TRANSLATE_GVA_INTERCEPT)
		output.event_info = (struct hv_pending_memory_intercept){
			.event = HV_PENDING_EVENT_PENDING | HV_PENDING_EVENT_MEMORY_INTERCEPT
								    << HV_PENDING_EVENT_TYPE_SHIFT,
			.target_vtl = translation.intercept_vtl,
			.access_type = access_type(translation.intercept_access),
			.flags = HV_PENDING_MEMORY_INTERCEPT_GLA_VALID |
				 (translation.intercept_page
					  ? HV_PENDING_MEMORY_INTERCEPT_FINAL_ACCESS
					  : 0),
			.guest_linear_address = translation.gva,
			.guest_physical_address = translation.gpa,
		};
	memcpy(call->output, &output, sizeof(output));
	return HV_STATUS_SUCCESS;
}
