/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System Management Mode of VTL0 (SDM 3C 33). The CPU executes it with the rights that VTL0 has at
 * each GPA; the mode only adds memory with VSM_MEMORY_SMM.
 */
#ifndef CORE_SMM_H
#define CORE_SMM_H

#include "core/core.h"

/*
 * Events of the APIC (VSM_LAPIC_EVENT_*) that @vtl must not take now, since it is in that mode. Sets
 * vp->smm_blocks if one of them waits. Owner.
 */
uint32_t smm_blocks(struct vsm_vp *vp, uint8_t vtl);
/* VTL0 takes an SMI at its next entry. Without config.smm it is dropped. Owner. */
void smm_take(struct vsm_vp *vp);
/* The TSC, @deadline at most, at which to check whether the mode has ended: RSM is no exit. Owner. */
uint64_t smm_deadline(const struct vsm_vp *vp, uint64_t deadline);

#endif
