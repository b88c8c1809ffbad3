/* SPDX-License-Identifier: BSD-2-Clause */
/* EOI assist. */
#ifndef CORE_INTERRUPT_EOI_H
#define CORE_INTERRUPT_EOI_H

#include "core/core.h"

/*
 * Ends a permission by interrupt_offer_eoi_assist(): if the active VTL has skipped its EOI, it is
 * done now. Called before each entry, after each exit, and before another VTL becomes active.
 * Owner.
 */
void interrupt_resolve_eoi(struct vsm_vp *vp);
/*
 * Allows the guest to skip the EOI of the interrupt just injected, if no other interrupt is
 * pending. Owner.
 */
void interrupt_offer_eoi_assist(struct vp_vtl *own);

#endif
