/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLFS "EOI Assist": a guest may skip the EOI of an edge-triggered interrupt while no other
 * interrupt is pending. "No EOI required" is set only while the guest runs, so that the ISR is
 * exact for all code outside of the guest.
 */
#include "core/interrupt/eoi.h"

#include "core/interrupt/interrupt.h"
#include "core/vp/vp.h"
#include "lapic/fast.h"

static uint32_t *apic_assist(struct vp_vtl *vtl)
{
	return vtl->assist ? (uint32_t *)(void *)vtl->assist : NULL;
}

/*
 * If the guest has cleared the bit, its handler has ended without an EOI, which is done before any
 * other call on the APIC. Without an assist page the guest can only send an EOI.
 */
static void end_skipping(struct vsm_vp *vp, uint8_t vtl)
{
	struct vp_vtl *own = &vp->vtl[vtl];
	uint32_t *assist = apic_assist(own);
	struct vsm_lapic_effect effect = {0};
	bool was_set = true;

	if (assist)
		was_set = __atomic_fetch_and(assist, ~HV_APIC_ASSIST_NO_EOI_REQUIRED,
					     __ATOMIC_ACQ_REL) &
			  HV_APIC_ASSIST_NO_EOI_REQUIRED;
	vsm_lapic_resolve_eoi(&own->lapic, was_set, &effect);
	interrupt_effect(vp, vtl, &effect);
}

void interrupt_resolve_eoi(struct vsm_vp *vp)
{
	if (lapic_fast_is_skipping_eoi(&vp_active(vp)->lapic))
		end_skipping(vp, vp->active_vtl);
}

void interrupt_offer_eoi_assist(struct vsm_vp *vp)
{
	struct vp_vtl *own = vp_active(vp);
	uint32_t *assist = apic_assist(own);

	if (assist && lapic_fast_may_skip_eoi(&own->lapic)) {
		__atomic_fetch_or(assist, HV_APIC_ASSIST_NO_EOI_REQUIRED, __ATOMIC_ACQ_REL);
		vsm_lapic_skip_eoi(&own->lapic);
	}
}
