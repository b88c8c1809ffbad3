/* SPDX-License-Identifier: BSD-2-Clause */
/* TLFS "Virtual Interrupt Management". */
#ifndef CORE_INTERRUPT_H
#define CORE_INTERRUPT_H

#include <vsm/lapic.h>

#include "core/core.h"

/* Posts to the APIC of @vtl and kicks the VP if needed. Any thread. */
void interrupt_post(struct vsm_vp *vp, uint8_t vtl, uint8_t vector, enum vsm_lapic_trigger trigger);
/*
 * interrupt_post() for each VP of @set (bit 0 of word 0: VP 0) that has @vtl enabled. @self is the
 * sender; its run loop makes all but the first kicks. Owner of @self, in vsm_vp_run().
 */
void interrupt_post_set(struct vsm_vp *self, uint8_t vtl, uint8_t vector,
			const uint64_t set[CORE_VP_MAX / 64]);
/*
 * Makes some of the kicks in vp->kicks_pending, so that a higher VTL need not wait for one system
 * call per VP. Owner.
 */
void interrupt_kick_some(struct vsm_vp *vp);
/* Posts VSM_LAPIC_EVENT_* to the APIC of @vtl and kicks the VP if needed. Any thread. */
void interrupt_post_event(struct vsm_vp *vp, uint8_t vtl, uint32_t event, uint8_t sipi_vector);
/*
 * Routes a message within the APICs of @vtl. @source: the sending VP, or NULL (a device). @self: as
 * for interrupt_post_set(), or NULL: all kicks are made here.
 */
void interrupt_send(struct vsm_partition *partition, uint8_t vtl, const struct vsm_vp *source,
		    struct vsm_vp *self, const struct vsm_lapic_ipi *ipi);
/* Applies the side effects of an APIC register access. Owner of @vp. */
void interrupt_effect(struct vsm_vp *vp, uint8_t vtl, const struct vsm_lapic_effect *effect);

/* Takes one of the EOIs to report to the VMM. Only if vp->eoi_waiting. Owner. */
uint8_t interrupt_take_eoi(struct vsm_vp *vp);

/*
 * The highest VTL above the active one that has an interrupt or NMI to take; -1: none. First
 * expires timers of all VTLs and takes events of the higher ones. Owner.
 */
int interrupt_due(struct vsm_vp *vp);
/* TSC of the next expiry of a timer of any VTL, UINT64_MAX: none. Owner. */
uint64_t interrupt_deadline(struct vsm_vp *vp);

/*
 * Prepares an entry: enters a higher VTL whose interrupt preempts the active one, and fills
 * run->inject, interrupt_window, cr8, apic_enabled, deadline. False: the active VTL cannot run now
 * (halted, waiting). Owner.
 */
bool interrupt_before_entry(struct vsm_vp *vp, struct backend_run *run);
/* After each exit: CR8, EOI assist. Owner. */
void interrupt_after_exit(struct vsm_vp *vp, const struct backend_run *run);

int interrupt_init(struct vsm_partition *partition);
int interrupt_vp_init(struct vsm_vp *vp, uint8_t vtl);
void interrupt_destroy(struct vsm_partition *partition);

#endif
