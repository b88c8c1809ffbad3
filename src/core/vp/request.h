/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ownership of a VP (vp/own.c), and the requests that VPs make to each other (schedule/request.c).
 */
#ifndef CORE_REQUEST_H
#define CORE_REQUEST_H

#include "core/core.h"

/*
 * Makes the calling thread the owner of @vp, after any thread that acts for it. -EBUSY: another
 * thread runs the VP.
 */
int vp_own(struct vsm_vp *vp);
/*
 * Makes the calling thread the owner of @vp for one request. False: another thread owns @vp or
 * waits to own it, or the VMM has not completed an exit of @vp that another thread received.
 */
bool vp_try_act(struct vsm_vp *vp);
/*
 * Ends ownership. @exit_pending: the VMM must complete an exit, so no other thread may access the
 * registers until the next vsm_vp_run().
 */
void vp_disown(struct vsm_vp *vp, bool exit_pending);

/*
 * Serves requests made to @vp before it enters the guest: those of VTLs below the one to be entered
 * at most CORE_REQUESTS_HZ times a second, so that they cannot keep it from running (P32). Owner.
 */
void vp_serve(struct vsm_vp *vp);
/* Serves one request of any VTL, before @vp sleeps. False: there is none. Owner. */
bool vp_serve_idle(struct vsm_vp *vp);

#endif
