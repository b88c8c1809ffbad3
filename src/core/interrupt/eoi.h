/* SPDX-License-Identifier: BSD-2-Clause */
/* EOI assist. */
#ifndef CORE_INTERRUPT_EOI_H
#define CORE_INTERRUPT_EOI_H

#include "core/core.h"

/*
 * Does an EOI that the active VTL has skipped. Called before each entry, after each exit, and
 * before another VTL becomes active. Owner.
 */
void interrupt_resolve_eoi(struct vsm_vp *vp);
/*
 * Allows the guest to skip the EOI of the interrupt just injected, if no other is pending. Owner.
 */
void interrupt_offer_eoi_assist(struct vp_vtl *own);

#endif
