/* SPDX-License-Identifier: BSD-2-Clause */
/* TLFS "VTL Enablement", "VTL Configuration". */
#include "core/msr/cpuid.h"
#include "core/interrupt/interrupt.h"
#include "core/memory/protect.h"
#include "core/vp/cpu_registers.h"
#include "core/trace/trace.h"
#include "core/interrupt/tsc.h"
#include "core/vp/vp.h"
#include "core/vtl/vtl.h"
#include "core/x64.h"

/* The highest VTL of @set below @vtl, or -1. */
static int highest_below(uint16_t set, uint8_t vtl)
{
	set &= (uint16_t)(vtl_bit(vtl) - 1u);
	return set ? vtls_highest(set) : -1;
}

/*
 * A second owner of MBEC has not enabled it on any VP yet, so kernel execute governs all fetches
 * again (protect_mbec_governs()). The kick makes each VP apply this.
 */
static void add_mbec_owner(struct vsm_partition *partition, uint8_t vtl)
{
	if (!atomic_fetch_or(&partition->mbec_vtls, vtl_bit(vtl)))
		return;
	for (uint32_t i = 0; i < partition->vp_count; i++)
		partition->ops->vp_kick(partition->vp[i]->backend);
}

uint16_t vtl_enable_partition(struct vsm_partition *partition, uint8_t caller, uint8_t target,
			      uint8_t flags)
{
	uint8_t supported = partition->features.mbec ? HV_ENABLE_PARTITION_VTL_MBEC : 0;
	uint16_t status = HV_STATUS_SUCCESS;

	if (target == 0 || target >= partition->vtl_count || (flags & ~supported))
		return HV_STATUS_INVALID_PARAMETER;

	pthread_mutex_lock(&partition->lock);
	uint16_t enabled = atomic_load(&partition->enabled_vtls);

	if (target > caller && highest_below(enabled, target) != caller) {
		status = HV_STATUS_ACCESS_DENIED;
	} else if (enabled & vtl_bit(target)) {
		status = HV_STATUS_INVALID_VTL_STATE;
	} else {
		atomic_store(&partition->vtl[target].config, vtl_config_at_reset());
		if (flags & HV_ENABLE_PARTITION_VTL_MBEC)
			add_mbec_owner(partition, target);
		atomic_fetch_or(&partition->enabled_vtls, vtl_bit(target));
	}
	pthread_mutex_unlock(&partition->lock);
	return status;
}

/* Partition lock held. */
static bool enabled_somewhere(const struct vsm_partition *partition, uint8_t vtl)
{
	for (uint32_t i = 0; i < partition->vp_count; i++)
		if (atomic_load(&partition->vp[i]->enabled_vtls) & vtl_bit(vtl))
			return true;
	return false;
}

/* The rules of TLFS "HvCallEnableVpVtl". Partition lock held. */
static uint16_t enable_rule(const struct vsm_vp *caller_vp, uint8_t caller, const struct vsm_vp *vp,
			    uint8_t target)
{
	const struct vsm_partition *partition = vp->partition;
	uint16_t enabled = atomic_load(&vp->enabled_vtls);

	if (!(atomic_load(&partition->enabled_vtls) & vtl_bit(target)))
		return HV_STATUS_INVALID_VTL_STATE;
	/*
	 * A lower VTL may enable a higher one only on its own VP, before any VP has it, and if it
	 * is the highest VTL of the partition below @target. Otherwise, on a VP without the VTL in
	 * between, it could choose the initial context of @target.
	 */
	if (caller < target &&
	    (vp != caller_vp || enabled_somewhere(partition, target) ||
	     highest_below(atomic_load(&partition->enabled_vtls), target) != caller))
		return HV_STATUS_ACCESS_DENIED;
	return enabled & vtl_bit(target) ? HV_STATUS_VTL_ALREADY_ENABLED : HV_STATUS_SUCCESS;
}

uint16_t vtl_may_enable_vp(const struct vsm_vp *caller_vp, uint8_t caller, const struct vsm_vp *vp,
			   uint8_t target)
{
	struct vsm_partition *partition = vp->partition;
	uint16_t status;

	if (target == 0 || target >= partition->vtl_count)
		return HV_STATUS_INVALID_PARAMETER;
	pthread_mutex_lock(&partition->lock);
	status = enable_rule(caller_vp, caller, vp, target);
	pthread_mutex_unlock(&partition->lock);
	return status;
}

uint16_t vtl_enable_vp(const struct vsm_vp *caller_vp, uint8_t caller, struct vsm_vp *vp,
		       uint8_t target, const struct hv_initial_vp_context *context)
{
	struct vsm_partition *partition = vp->partition;
	struct vp_vtl *own = &vp->vtl[target];
	uint16_t status;

	pthread_mutex_lock(&partition->lock);
	/* Checked again with the lock held: only one of two concurrent first calls may succeed. */
	status = enable_rule(caller_vp, caller, vp, target);
	if (status == HV_STATUS_SUCCESS) {
		regs_reset(vp, target, false);
		regs_load_context(vp, target, context);
		vsm_lapic_reset(&own->lapic);
		/* Some secure kernels send IPIs before they write their SVR (P23). */
		vsm_lapic_software_enable(&own->lapic);
		vsm_lapic_router_update(partition->router[target], vp->index);
		/* A VP that waits for its start runs no VTL: see startvp_start(). */
		own->activity =
			vp_active(vp)->activity == VP_WAIT_FOR_SIPI ? VP_WAIT_FOR_SIPI : VP_RUNNING;
		own->entered = false;
		vp->deadline_stale = true;
		atomic_fetch_or(&vp->enabled_vtls, vtl_bit(target));
		/* A new VTL starts with the partition's TSC, without the offset of a lower VTL. */
		tsc_reset(vp, target);
		trace(vp, VSM_TRACE_VTL_ENABLE, target, vp->index,
		      (atomic_load(&partition->mbec_vtls) >> target) & 1u, 0);
	}
	pthread_mutex_unlock(&partition->lock);
	return status;
}

#define CONFIG_ENABLE HV_VSM_PARTITION_CONFIG_ENABLE_VTL_PROTECTION
#define CONFIG_MASK   HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_MASK
#define CONFIG_SUPPORTED                                                              \
	(CONFIG_ENABLE | CONFIG_MASK | HV_VSM_PARTITION_CONFIG_ZERO_MEMORY_ON_RESET | \
	 HV_VSM_PARTITION_CONFIG_DENY_LOWER_VTL_STARTUP)

static uint16_t check_default_mask(struct vsm_partition *partition, uint8_t vtl, uint8_t access)
{
	uint16_t status;

	if ((access & (GPA_READ | GPA_WRITE)) != (GPA_READ | GPA_WRITE))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	status = protect_check_flags(partition, vtl, access);
	return status == HV_STATUS_INVALID_PARAMETER ? HV_STATUS_INVALID_REGISTER_VALUE : status;
}

/*
 * EnableVtlProtection and the default mask are written once (TLFS "Enable VTL Protections",
 * "Default Protection Mask"): a change is refused, not ignored (P36). Without EnableVtlProtection
 * the mask is stored, but not in force. Partition lock held.
 */
static uint16_t change_config(struct vsm_partition *partition, uint8_t vtl, uint64_t value)
{
	const uint64_t config = atomic_load(&partition->vtl[vtl].config);
	const uint8_t access =
		(value & CONFIG_MASK) >> HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_SHIFT;
	uint16_t status;

	if (value & ~CONFIG_SUPPORTED)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	if ((config & CONFIG_ENABLE) && ((config ^ value) & (CONFIG_ENABLE | CONFIG_MASK)))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	status = check_default_mask(partition, vtl, access);
	if (status == HV_STATUS_SUCCESS && (value & ~config & CONFIG_ENABLE) && access != GPA_ALL) {
		status = protect_set_default(partition, vtl, access);
		if (status == HV_STATUS_SUCCESS)
			trace_about(partition->vp[0], vtl, VSM_TRACE_PROTECT_DEFAULT, vtl, access,
				    0, 0);
	}
	if (status == HV_STATUS_SUCCESS)
		atomic_store(&partition->vtl[vtl].config, value);
	return status;
}

uint16_t vtl_set_config(struct vsm_partition *partition, uint8_t caller, uint8_t vtl,
			uint64_t value)
{
	uint16_t status = HV_STATUS_INVALID_VTL_STATE;

	if (vtl > caller)
		return HV_STATUS_ACCESS_DENIED;
	if (vtl == 0)
		return HV_STATUS_INVALID_PARAMETER;
	pthread_mutex_lock(&partition->lock);
	if (atomic_load(&partition->enabled_vtls) & vtl_bit(vtl))
		status = change_config(partition, vtl, value);
	pthread_mutex_unlock(&partition->lock);
	return status;
}

/*
 * Whether any VTL of the VP has MBEC enabled for a lower VTL: as in OpenVMM, the value does not
 * depend on the VTL that reads it.
 */
static bool mbec_active(const struct vsm_vp *vp, uint16_t enabled)
{
	for (uint16_t left = enabled & vtls_above(0); left; left &= (uint16_t)(left - 1)) {
		const unsigned int owner = (unsigned int)__builtin_ctz(left);

		for (unsigned int lower = 0; lower < owner; lower++)
			if (vp->vtl[owner].secure_config[lower] &
			    HV_VSM_VP_SECURE_CONFIG_MBEC_ENABLED)
				return true;
	}
	return false;
}

uint64_t vtl_vp_status(const struct vsm_vp *vp, uint8_t vtl)
{
	const uint16_t enabled = atomic_load(&vp->enabled_vtls);
	uint64_t status = vtl;

	if (mbec_active(vp, enabled))
		status |= HV_VSM_VP_STATUS_ACTIVE_MBEC_ENABLED;
	return status | (uint64_t)enabled << HV_VSM_VP_STATUS_ENABLED_VTL_SET_SHIFT;
}

/*
 * As in OpenVMM: the VTLs that own MBEC and all VTLs that they restrict. OpenHCL checks that the
 * set contains VTL0.
 */
static uint16_t mbec_set(const struct vsm_partition *partition)
{
	const uint16_t owners = atomic_load(&partition->mbec_vtls);

	if (!owners)
		return 0;
	return atomic_load(&partition->enabled_vtls) & (uint16_t)~vtls_above(vtls_highest(owners));
}

uint64_t vtl_partition_status(const struct vsm_partition *partition)
{
	return (uint64_t)atomic_load(&partition->enabled_vtls) |
	       (uint64_t)(partition->vtl_count - 1u) << HV_VSM_PARTITION_STATUS_MAXIMUM_VTL_SHIFT |
	       (uint64_t)mbec_set(partition) << HV_VSM_PARTITION_STATUS_MBEC_ENABLED_VTL_SET_SHIFT;
}

uint64_t vtl_capabilities(const struct vsm_partition *partition)
{
	uint64_t capabilities = HV_VSM_CAPABILITY_DENY_LOWER_VTL_STARTUP;
	uint64_t mbec = vtl_bit(partition->vtl_count - 1u) - 1u; /* every VTL but the highest */

	if (partition->features.dr6_shared)
		capabilities |= HV_VSM_CAPABILITY_DR6_SHARED;
	if (partition->features.mbec)
		capabilities |= mbec << HV_VSM_CAPABILITY_MBEC_VTL_MASK_SHIFT;
	return capabilities;
}
