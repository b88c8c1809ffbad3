/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ownership of a VP: see request.c.
 */
#ifndef CORE_REQUEST_H
#define CORE_REQUEST_H

#include "core/core.h"

/*
 * The caller's thread owns @vp from now on. -EBUSY: another does. One that only acts for the VP, for
 * the length of a request, is waited for.
 */
int vp_own(struct vsm_vp *vp);
/*
 * It does no longer. @exit_pending: the VMM was given an exit that it has to answer, so that until the
 * next vsm_vp_run() nobody else may touch the registers.
 */
void vp_disown(struct vsm_vp *vp, bool exit_pending);
/* Tells those who wait in vp_call() that something changed. Any thread. */
void vp_announce(struct vsm_partition *partition);

#endif
