/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Completion of a VP's exits, and its run time.
 */
#include "core/vp/vp.h"

void vp_answer(struct vsm_vp *vp, enum backend_answer answer)
{
	if (vp->partition->ops->vp_answer(vp->backend, &vp->run, answer))
		vp->broken = true;
}

void vp_take_back(struct vsm_vp *vp)
{
	vp_answer(vp, BACKEND_RETRY);
}

bool vp_exit_pending(const struct vsm_vp *vp)
{
	return vp->exit.reason == VSM_EXIT_IO || vp->exit.reason == VSM_EXIT_MMIO;
}

void vp_finish_exit(struct vsm_vp *vp)
{
	if (vp_exit_pending(vp))
		vp_answer(vp, BACKEND_DONE);
	vp->exit = (struct vsm_exit){.reason = VSM_EXIT_INTERRUPTED};
}

/* ------------------------------------------------------------------ run time */

void vp_runtime_start(struct vsm_vp *vp)
{
	vp->runtime_since = vp_tsc(vp->partition);
	vp->runtime_runs = true;
}

void vp_runtime_stop(struct vsm_vp *vp)
{
	vp->runtime = vp_runtime(vp);
	vp->runtime_runs = false;
}
