/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_RUN_DEBUG_H
#define CORE_RUN_DEBUG_H

#include "core/vp/debug.h"

/* Fills vp->exit with @cause and the active VTL's debug_due. Owner. */
void debug_exit(struct vsm_vp *vp, uint32_t cause, uint64_t dr6);

#endif
