/* SPDX-License-Identifier: BSD-2-Clause */
/* EOI assist. */
#ifndef CORE_INTERRUPT_EOI_H
#define CORE_INTERRUPT_EOI_H

#include "core/core.h"

/* If the active VTL may have skipped an EOI, its APIC takes it as done. After each exit, and when the VTL is left. Owner. */
void interrupt_resolve_eoi(struct vsm_vp *vp);
/* The interrupt that was just given to the VTL may be ended without an EOI, if nothing else waits. Owner. */
void interrupt_offer_eoi_assist(struct vp_vtl *own);

#endif
