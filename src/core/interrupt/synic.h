/* SPDX-License-Identifier: BSD-2-Clause */
/* TLFS "Virtual Interrupt Controller". */
#ifndef CORE_SYNIC_H
#define CORE_SYNIC_H

#include "core/core.h"

void synic_init(struct vsm_vp *vp, uint8_t vtl);
void synic_destroy(struct vsm_vp *vp, uint8_t vtl);
/* Turns the SynIC off and drops its messages. No VP runs. */
void synic_reset(struct vsm_vp *vp, uint8_t vtl);

/* SCONTROL to SINT15. False: #GP. Owner (the target VTL is explicit: P02). */
bool synic_msr_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value);
bool synic_msr_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value);

/*
 * Posts to the SINT's slot, or its queue if the slot is busy. -EAGAIN: SynIC, SIMP or SINT off;
 * -ENOBUFS: queue full, or no memory for it; -EBUSY: slot busy, and @queue is false. Any thread.
 */
int synic_post(struct vsm_vp *vp, uint8_t vtl, uint8_t sint, const struct hv_message *message,
	       bool queue);
/*
 * Queues a message of a saved state. False: the queue is full, or no memory. No VP runs, and the
 * caller holds synic->lock.
 */
bool synic_restore_message(struct vsm_vp *vp, uint8_t vtl, uint8_t sint,
			   const struct hv_message *message);
/* Sets an event flag: 1 newly set, 0 was set, -EAGAIN: SynIC, SIEFP or SINT off. Any thread. */
int synic_signal(struct vsm_vp *vp, uint8_t vtl, uint8_t sint, uint16_t flag);
/* Raises the SINT's vector, without message or flag. -EAGAIN: SynIC or SINT off. Any thread. */
int synic_assert(struct vsm_vp *vp, uint8_t vtl, uint8_t sint);
/*
 * After an EOI or a write of a SynIC MSR: moves a queued message to the slot of each SINT with
 * @vector (-1: of all SINTs) if that is free, also of masked SINTs if @by_eom, and retries messages
 * of timers. Owner.
 */
void synic_rescan(struct vsm_vp *vp, uint8_t vtl, int vector, bool by_eom);
/* Marks SINTs with messages that wait, for synic_retry() before each entry. */
void synic_mark_waiting(struct vsm_vp *vp, uint8_t vtl, uint16_t sints);
/* Retries the marked SINTs of all VTLs. Owner. */
void synic_retry(struct vsm_vp *vp);

#endif
