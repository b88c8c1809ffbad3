/* SPDX-License-Identifier: BSD-2-Clause */
/* TLFS "HvCallStartVirtualProcessor", SDM 3A 9.4. */
#include "core/vp/cpu_registers.h"
#include "core/interrupt/start_rules.h"
#include "core/vtl/start_vp.h"
#include "core/trace/trace.h"
#include "core/vp/vp.h"
#include "core/vtl/vtl.h"

static void init_reset(struct vsm_vp *vp, uint8_t vtl)
{
	struct vp_vtl *own = &vp->vtl[vtl];

	regs_reset(vp, vtl, true);
	vsm_lapic_init_reset(&own->lapic);
	if (vtl > 0)
		vsm_lapic_software_enable(&own->lapic);
	vsm_lapic_router_update(vp->partition->router[vtl], vp->index);
	vp->deadline_stale = true;
	own->triple_fault = false;
}

void startvp_init(struct vsm_vp *vp, uint8_t vtl)
{
	struct vp_vtl *own = &vp->vtl[vtl];

	/* Checked again: a higher VTL may have been enabled since the message was sent. */
	if (!startvp_accepts_init(vp, vtl))
		return;
	init_reset(vp, vtl);
	own->activity = vp->index == 0 ? VP_RUNNING : VP_WAIT_FOR_SIPI;
	trace(vp, VSM_TRACE_START, vtl, VSM_LAPIC_INIT, 0, 0);
}

void startvp_sipi(struct vsm_vp *vp, uint8_t vtl, uint8_t vector)
{
	struct vp_vtl *own = &vp->vtl[vtl];
	struct vcpu_state *cpu;

	if (own->activity != VP_WAIT_FOR_SIPI || !startvp_accepts_init(vp, vtl))
		return;
	cpu = vcpu_edit(vp, vtl, VCPU_GPR | VCPU_SYSTEM);
	cpu->segment[SEGMENT_CS].selector = (uint16_t)(vector << 8);
	cpu->segment[SEGMENT_CS].base = (uint64_t)vector << 12;
	cpu->rip = 0;
	own->activity = VP_RUNNING;
	trace(vp, VSM_TRACE_START, vtl, VSM_LAPIC_SIPI, (uint64_t)vector << 12, 0);
}

void startvp_start(struct vsm_vp *vp, uint8_t vtl, const struct hv_initial_vp_context *context)
{
	uint16_t enabled = atomic_load(&vp->enabled_vtls);
	uint8_t highest = vtls_highest(enabled);
	bool first = vp->vtl[highest].activity == VP_WAIT_FOR_SIPI;

	init_reset(vp, vtl);
	regs_load_context(vp, vtl, context);
	vp->vtl[vtl].activity = VP_RUNNING;
	trace(vp, VSM_TRACE_START, vtl, 0xff, context->rip, 0);
	if (!first)
		return;
	/*
	 * A VP that waits for its start begins in its highest VTL, with that VTL's initial context.
	 * That VTL reaches the started one by VTL return.
	 */
	for (uint16_t above = enabled & vtls_above(vtl); above; above &= (uint16_t)(above - 1))
		vp->vtl[__builtin_ctz(above)].activity = VP_RUNNING;
	if (highest != vp->active_vtl) {
		vtl_copy_shared(vp, highest);
		vp_set_active(vp, highest);
	}
	vp->vtl[highest].entered = true;
}
