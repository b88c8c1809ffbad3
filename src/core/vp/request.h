/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ownership of a VP (vp/own.c), and the requests that VPs make to each other (schedule/request.c).
 */
#ifndef CORE_REQUEST_H
#define CORE_REQUEST_H

#include "core/core.h"

/*
 * The calling thread becomes the owner of @vp. Waits for a thread that only acts for the VP, for
 * the length of a request. -EBUSY: another thread runs it.
 */
int vp_own(struct vsm_vp *vp);
/*
 * The calling thread, which does not run @vp, owns it for one request. False: another thread owns
 * it or waits to own it, or an exit of @vp to the VMM is not answered yet and the caller is not the
 * thread that received it.
 */
bool vp_try_act(struct vsm_vp *vp);
/*
 * Ends ownership. @exit_pending: the VMM has an exit to answer, so that no other thread may touch
 * the registers until the next vsm_vp_run().
 */
void vp_disown(struct vsm_vp *vp, bool exit_pending);
/* Wakes all that wait in vp_call(), vp_query() and vp_own(). Any thread. */
void vp_announce(struct vsm_partition *partition);

/*
 * Serves requests made to @vp before it enters the guest. Those of VTLs below the one that runs, or
 * that is about to be entered, are served at most CORE_REQUESTS_HZ times a second, so that they
 * cannot keep it from running (P32). Owner.
 */
void vp_serve(struct vsm_vp *vp);
/*
 * @vp has nothing to run and is about to sleep: serves one request of any VTL. False: there is
 * none. Owner.
 */
bool vp_serve_idle(struct vsm_vp *vp);

#endif
