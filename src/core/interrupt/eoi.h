/* SPDX-License-Identifier: BSD-2-Clause */
/* EOI assist. */
#ifndef CORE_INTERRUPT_EOI_H
#define CORE_INTERRUPT_EOI_H

#include "core/core.h"

/*
 * Allows the active VTL to skip the EOI of the interrupt in service, if no other interrupt is in
 * service or pending. Called directly before each entry; a later post makes the VP exit. Owner.
 */
void interrupt_offer_eoi_assist(struct vsm_vp *vp);
/*
 * Ends that permission, and does an EOI that the active VTL has skipped. Called directly after each
 * exit, and before each entry, since a restored APIC may have a permission. Owner.
 */
void interrupt_resolve_eoi(struct vsm_vp *vp);

#endif
