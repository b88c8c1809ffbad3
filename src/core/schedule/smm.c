/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/schedule/smm.h"

#include "core/memory/gpa.h"
#include "core/vp/vp.h"
#include "core/x64.h"

/* Rate of checks for the end of System Management Mode while an event waits for it. */
#define LOOKS_HZ 1000u

/* Held until RSM (SDM 3C, "System Management Mode"); a SIPI, as it follows an INIT. */
#define BLOCKED (VSM_LAPIC_EVENT_SMI | VSM_LAPIC_EVENT_INIT | VSM_LAPIC_EVENT_SIPI)

uint32_t smm_blocked_events(struct vsm_vp *vp, uint8_t vtl)
{
	uint32_t events;

	/* Without System Management Mode no event is blocked; do_events() drops an SMI. */
	if (vtl || !vp->partition->config.smm)
		return 0;
	events = vsm_lapic_events(&vp->vtl[0].lapic);
	vp->smi_waits = events & VSM_LAPIC_EVENT_SMI;
	vp->smm_blocks = vp_in_smm(vp) && events & BLOCKED;
	return vp_in_smm(vp) ? BLOCKED : VSM_LAPIC_EVENT_SMI;
}

/* KVM itself writes the state save area, and a denied write would end the virtual machine. */
static bool can_save(struct vsm_vp *vp)
{
	const uint64_t first = vcpu_get(vp, 0, VCPU_SMM)->smbase + X64_SMM_SAVE_AREA;
	const uint8_t access = GPA_READ | GPA_WRITE;

	return gpa_check(vp->partition, GPA_IN_SMM, first, access, NULL) == GPA_OK &&
	       gpa_check(vp->partition, GPA_IN_SMM, first + X64_SMM_SAVE_SIZE - 1, access, NULL) ==
		       GPA_OK;
}

/* Only the first refusal is logged as a warning, as VTL0 can cause any number. */
static void refuse(struct vsm_vp *vp)
{
	vsm_log(&vp->partition->log, vp->smi_refused ? VSM_LOG_DEBUG : VSM_LOG_WARN,
		"VP%u: SMI: VTL0 may not write to its state save area at %#llx: shutdown",
		vp->index,
		(unsigned long long)vcpu_get(vp, 0, VCPU_SMM)->smbase + X64_SMM_SAVE_AREA);
	vp->smi_refused = true;
	vp->vtl[0].triple_fault = true;
}

bool smm_due(struct vsm_vp *vp)
{
	return vp->smi_waits && vp->active_vtl == 0 && !vp_in_smm(vp);
}

bool smm_inject(struct vsm_vp *vp)
{
	if (!smm_due(vp))
		return true;
	if (vp->vtl[0].triple_fault)
		return false;
	vsm_lapic_take_events(&vp->vtl[0].lapic, VSM_LAPIC_EVENT_SMI, NULL);
	vp->smi_waits = false;
	if (!can_save(vp)) {
		refuse(vp);
		return false;
	}
	vcpu_edit(vp, 0, VCPU_EVENTS)->events.smi_pending = true;
	vp->smi_sent = true;
	return true;
}

void smm_after_exit(struct vsm_vp *vp)
{
	vp->smi_sent = false;
	if (!vcpu_get(vp, 0, VCPU_EVENTS)->events.smi_pending)
		return;
	vcpu_edit(vp, 0, VCPU_EVENTS)->events.smi_pending = false;
	vsm_lapic_post_event(&vp->vtl[0].lapic, VSM_LAPIC_EVENT_SMI, 0);
	vp->smi_waits = true;
}

uint64_t smm_deadline(const struct vsm_vp *vp, uint64_t deadline)
{
	const uint64_t look = vp_tsc(vp->partition) + vp->partition->features.tsc_hz / LOOKS_HZ;

	return look < deadline ? look : deadline;
}
