/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SDM 3C, "System Management Mode", of VTL0. The CPU executes it with the rights that VTL0 has at
 * each GPA; the mode only adds memory with VSM_MEMORY_SMM.
 */
#ifndef CORE_SMM_H
#define CORE_SMM_H

#include "core/core.h"

/*
 * Events of the APIC (VSM_LAPIC_EVENT_*) that VTL0 must not take now: in System Management Mode
 * SMI, INIT and SIPI, otherwise only an SMI, which smm_inject() handles. None for other VTLs, and
 * without config.smm. Sets vp->smm_blocks and vp->smi_waits. Owner.
 */
uint32_t smm_blocked_events(struct vsm_vp *vp, uint8_t vtl);
/* Whether VTL0 is active and takes an SMI at its next entry. Owner. */
bool smm_due(struct vsm_vp *vp);
/*
 * Called right before each entry with vp->smi_waits: if smm_due(), passes the SMI to the backend
 * for this entry. False: VTL0 may not write to its state save area; no entry, a shutdown is due.
 * Owner.
 */
bool smm_inject(struct vsm_vp *vp);
/* After that entry: an SMI that the CPU has not taken waits for the next entry. Owner. */
void smm_after_exit(struct vsm_vp *vp);
/* The TSC, at most @deadline, at which to check for the end of SMM: RSM does not exit. Owner. */
uint64_t smm_deadline(const struct vsm_vp *vp, uint64_t deadline);

#endif
