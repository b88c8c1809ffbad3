/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TSC of a VTL (TLFS "Virtual Processor State Isolation"): the partition's TSC plus an offset,
 * which IA32_TSC and IA32_TSC_ADJUST change. Timers and reference time follow the partition's TSC.
 */
#ifndef CORE_TSC_H
#define CORE_TSC_H

#include "core/core.h"

/* Owner. */
uint64_t tsc_of_vtl(const struct vsm_vp *vp, uint8_t vtl);
/* IA32_TSC, IA32_TSC_ADJUST, HV_X64_MSR_TSC_INVARIANT_CONTROL. False: #GP(0). Owner. */
bool tsc_msr_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value);
bool tsc_msr_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value);
/* Sets the VTL's TSC to the partition's TSC. partition->lock held, or no VP runs. */
void tsc_reset(struct vsm_vp *vp, uint8_t vtl);
/* Restores a saved state; no VP runs. -ENOTSUP: the backend cannot offset the TSC of a VTL. */
int tsc_restore(struct vsm_vp *vp, uint8_t vtl, uint64_t offset, uint64_t adjust);
/* Whether the guest has enabled the invariant TSC in CPUID, or has no privilege to enable it. */
bool tsc_invariant_is_shown(const struct vsm_partition *partition);
/* Sets HV_X64_MSR_TSC_INVARIANT_CONTROL. Owner of @vp, or no VP runs. */
int tsc_show_invariant(struct vsm_vp *vp, bool shown);

#endif
