/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Synthetic timers (TLFS 12.3) and reference time (TLFS 12.1, 12.4).
 */
#ifndef CORE_STIMER_H
#define CORE_STIMER_H

#include "core/core.h"

/* Sets the formula; @start: the TSC at reference time 0. */
void reftime_init(struct vsm_partition *partition, uint64_t start);
/* Reference time now, 100 ns since creation; and the TSC value at which a reference time is reached. */
uint64_t reftime_now(const struct vsm_partition *partition);
uint64_t reftime_to_tsc(const struct vsm_partition *partition, uint64_t reference);
/*
 * The same as reftime_now() for a VTL whose TSC is @offset ahead, by the arithmetic of its page: the two agree to
 * the last unit, and it is never behind reftime_now(), and ahead by one unit at most.
 */
uint64_t reftime_seen(const struct vsm_partition *partition, uint64_t offset);
/*
 * Fills the reference TSC page of a VTL (TLFS 12.4.3). It is invalid, so that the guest reads the counter, where the
 * VTL's TSC is not the same on all VPs. Partition lock held.
 */
void reftime_fill_page(struct vsm_partition *partition, uint8_t vtl, uint8_t *page);
/* The same with the sequence number that the partition has. */
void reftime_refill_page(const struct vsm_partition *partition, uint8_t vtl, uint8_t *page);

void stimer_reset(struct vsm_vp *vp, uint8_t vtl);
/* MSRs STIMER0_CONFIG to STIMER3_COUNT. False: #GP. Owner. */
bool stimer_msr_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value);
bool stimer_msr_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value);
/* Fires what is due. Owner. */
void stimer_expire(struct vsm_vp *vp, uint8_t vtl, uint64_t now);
/* Reference time of the next expiry of this VTL's timers, UINT64_MAX: none. Owner. */
uint64_t stimer_next(const struct vsm_vp *vp, uint8_t vtl);
/* Tries again to deliver expirations whose message found its slot busy. True: some still wait. Owner. */
bool stimer_retry(struct vsm_vp *vp, uint8_t vtl, uint8_t sint);

#endif
