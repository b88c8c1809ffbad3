/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual trust levels: enabling, entry, exit. */
#ifndef CORE_VTL_H
#define CORE_VTL_H

#include "core/core.h"

uint16_t vtl_enable_partition(struct vsm_partition *partition, uint8_t caller, uint8_t target,
			      uint8_t flags);
/*
 * The rules of TLFS "HvCallEnableVpVtl" for @caller (a VTL) on @caller_vp. INVALID_PARAMETER,
 * INVALID_VTL_STATE, ACCESS_DENIED, VTL_ALREADY_ENABLED. Any thread.
 */
uint16_t vtl_may_enable_vp(const struct vsm_vp *caller_vp, uint8_t caller, const struct vsm_vp *vp,
			   uint8_t target);
/* Checks the rules of vtl_may_enable_vp(), then enables @target. Owner of @vp. */
uint16_t vtl_enable_vp(const struct vsm_vp *caller_vp, uint8_t caller, struct vsm_vp *vp,
		       uint8_t target, const struct hv_initial_vp_context *context);

/*
 * Execute a VTL call or return; the caller has checked mode and CPL. RIP is at the instruction,
 * @length bytes long. False: the guest gets #UD.
 */
bool vtl_call(struct vsm_vp *vp, uint64_t control, uint64_t input, uint8_t length);
bool vtl_return(struct vsm_vp *vp, uint64_t control, uint64_t input, uint8_t length);

/* RIP of the lower VTL is already set. Owner of @vp. */
void vtl_enter(struct vsm_vp *vp, uint8_t vtl, enum hv_vtl_entry_reason reason);

/* Copies shared state of the active VTL to the register file of @to (vp/shared.c). */
void vtl_copy_shared(struct vsm_vp *vp, uint8_t to);

/* The next higher or lower VTL enabled on @vp, or -1. */
static inline int vtl_above(const struct vsm_vp *vp, uint8_t vtl)
{
	uint16_t above = atomic_load(&vp->enabled_vtls) & vtls_above(vtl);

	return above ? __builtin_ctz(above) : -1;
}

static inline int vtl_below(const struct vsm_vp *vp, uint8_t vtl)
{
	uint16_t below = atomic_load(&vp->enabled_vtls) & (uint16_t)(vtl_bit(vtl) - 1u);

	return below ? vtls_highest(below) : -1;
}

/* HvRegisterVsmPartitionConfig of a VTL that has just been enabled (TLFS "VTL Configuration"). */
static inline uint64_t vtl_config_at_reset(void)
{
	return HV_VSM_PARTITION_CONFIG_ZERO_MEMORY_ON_RESET |
	       (uint64_t)GPA_ALL << HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_SHIFT;
}

uint16_t vtl_set_config(struct vsm_partition *partition, uint8_t caller, uint8_t vtl,
			uint64_t value);
/* @vtl is reported as the active one. */
uint64_t vtl_vp_status(const struct vsm_vp *vp, uint8_t vtl);
uint64_t vtl_partition_status(const struct vsm_partition *partition);
uint64_t vtl_capabilities(const struct vsm_partition *partition);

/* TLB locks that VTL @owner holds on @vp (TLFS "HvRegisterVsmVpSecureConfigVtlX"). */
void vtl_tlb_lock(struct vsm_vp *vp, uint8_t owner, uint8_t locked);
void vtl_tlb_unlock(struct vsm_vp *vp, uint8_t owner);
void vtl_tlb_unlock_one(struct vsm_vp *vp, uint8_t owner, uint8_t locked);

#endif
