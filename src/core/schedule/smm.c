/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/schedule/smm.h"

#include "core/memory/gpa.h"
#include "core/vp/vp.h"
#include "core/x64.h"

/* While an event waits for the end of the mode. */
#define LOOKS_HZ 1000u

/* SDM 3C 33.3 (SMI), 33.6 and 33.9.2 (INIT, and the SIPI that follows it). */
#define BLOCKED (VSM_LAPIC_EVENT_SMI | VSM_LAPIC_EVENT_INIT | VSM_LAPIC_EVENT_SIPI)

uint32_t smm_blocks(struct vsm_vp *vp, uint8_t vtl)
{
	if (vtl)
		return 0;
	if (!vp_in_smm(vp)) {
		vp->smm_blocks = false;
		return 0;
	}
	vp->smm_blocks = vsm_lapic_events(&vp->vtl[0].lapic) & BLOCKED;
	return BLOCKED;
}

/*
 * The host's kernel saves the state with accesses of its own: a refusal would end the virtual machine
 * instead of the access.
 */
static bool can_save(struct vsm_vp *vp)
{
	const uint64_t first = vcpu_get(vp, 0, VCPU_SMM)->smbase + X64_SMM_SAVE_AREA;
	const uint8_t access = GPA_READ | GPA_WRITE;

	return gpa_check(vp->partition, GPA_IN_SMM, first, access, NULL) == GPA_OK &&
	       gpa_check(vp->partition, GPA_IN_SMM, first + X64_SMM_SAVE_SIZE - 1, access, NULL) ==
		       GPA_OK;
}

void smm_take(struct vsm_vp *vp)
{
	if (!vp->partition->config.smm)
		return;
	if (can_save(vp)) {
		vcpu_edit(vp, 0, VCPU_EVENTS)->events.smi_pending = true;
		return;
	}
	vsm_log(&vp->partition->log, VSM_LOG_WARN,
		"VP%u: SMI: VTL0 may not write to its state save area at %#llx: shutdown",
		vp->index,
		(unsigned long long)vcpu_get(vp, 0, VCPU_SMM)->smbase + X64_SMM_SAVE_AREA);
	vp->vtl[0].triple_fault = true;
}

uint64_t smm_deadline(const struct vsm_vp *vp, uint64_t deadline)
{
	const uint64_t look = vp_tsc(vp->partition) + vp->partition->features.tsc_hz / LOOKS_HZ;

	return look < deadline ? look : deadline;
}
