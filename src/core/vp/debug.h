/* SPDX-License-Identifier: BSD-2-Clause */
/* Events of a VTL that are reported to a debugger of the VMM (vsm/debug.h). */
#ifndef CORE_VP_DEBUG_H
#define CORE_VP_DEBUG_H

#include <vsm/debug.h>

#include "core/core.h"

/* Records @cause, to be reported before the VTL next runs, if the debugger requested it. Owner. */
static inline void debug_due(struct vsm_vp *vp, uint8_t vtl, uint32_t cause)
{
	struct vp_vtl *own = &vp->vtl[vtl];

	own->debug_due |= own->debug & cause;
}

#endif
