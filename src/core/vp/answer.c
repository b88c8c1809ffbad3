/* SPDX-License-Identifier: BSD-2-Clause */
/* Completion of a VP's exits, and its run time. */
#include "core/vp/debug.h"
#include "core/trace/trace.h"
#include "core/vp/vp.h"

void vp_answer(struct vsm_vp *vp, enum backend_answer answer)
{
	if (vp->partition->ops->vp_answer(vp->backend, &vp->run, answer))
		vp->broken = true;
	/* The backend delivers this #GP; it is only recorded here. */
	if (answer == BACKEND_FAULT) {
		vp->vtl[vp->run.vtl].exception = X64_EXCEPTION_GP;
		trace_about(vp, vp->run.vtl, VSM_TRACE_EXCEPTION, vp->run.vtl, X64_EXCEPTION_GP, 0,
			    0);
	}
	/*
	 * The CPU executes a write of a control register at the next entry: the step is not
	 * complete yet.
	 */
	if ((answer == BACKEND_DONE || answer == BACKEND_NATIVE) &&
	    vp->run.exit != BACKEND_EXIT_CR_WRITE)
		debug_due(vp, vp->run.vtl, VSM_DEBUG_STEP);
}

void vp_undo_exit(struct vsm_vp *vp)
{
	vp_answer(vp, BACKEND_RETRY);
}

bool vp_exit_pending(const struct vsm_vp *vp)
{
	return vp->exit.reason == VSM_EXIT_IO || vp->exit.reason == VSM_EXIT_MMIO ||
	       vp->exit.reason == VSM_EXIT_INTA;
}

/* Injects the vector as an event of VTL0's vCPU, so that it survives saving and VTL switches. */
static void finish_inta(struct vsm_vp *vp)
{
	struct vcpu_events *events;

	if (vp->inta_vector < 0 || vp->inta_vector > UINT8_MAX)
		return;
	events = &vcpu_edit(vp, 0, VCPU_EVENTS)->events;
	events->interrupt_injected = true;
	events->interrupt_soft = false;
	events->interrupt_vector = (uint8_t)vp->inta_vector;
	trace(vp, VSM_TRACE_INTERRUPT, 0, events->interrupt_vector, 0, 0);
}

void vp_finish_exit(struct vsm_vp *vp)
{
	if (vp->exit.reason == VSM_EXIT_INTA)
		finish_inta(vp);
	else if (vp_exit_pending(vp))
		vp_answer(vp, BACKEND_DONE);
	if (vp->exit.reason == VSM_EXIT_DEBUG && vp->debug_deliver)
		vp_inject_exception(vp, vp->exit.vtl, X64_EXCEPTION_BP, false, 0, 0);
	vp->debug_deliver = false;
	vp->exit = (struct vsm_exit){.reason = VSM_EXIT_INTERRUPTED};
}

void vp_runtime_start(struct vsm_vp *vp)
{
	vp->runtime_since = vp_tsc(vp->partition);
	vp->runtime_counting = true;
}

void vp_runtime_stop(struct vsm_vp *vp)
{
	vp->runtime = vp_runtime(vp);
	vp->runtime_counting = false;
}
