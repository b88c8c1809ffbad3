/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Synthetic timers (TLFS "Synthetic Timers") and reference time (TLFS "Partition Reference
 * Counter").
 */
#ifndef CORE_STIMER_H
#define CORE_STIMER_H

#include "core/core.h"

/* Sets scale and start of the reference time; @start: the TSC at reference time 0. */
void reftime_init(struct vsm_partition *partition, uint64_t start);
/*
 * Reference time now, in units of 100 ns since creation; and the TSC value at which a reference
 * time is reached.
 */
uint64_t reftime_now(const struct vsm_partition *partition);
uint64_t reftime_to_tsc(const struct vsm_partition *partition, uint64_t reference);
/*
 * The reference time that a VTL whose TSC is @offset ahead reads from its reference TSC page: equal
 * to reftime_now(), or one unit ahead.
 */
uint64_t reftime_seen(const struct vsm_partition *partition, uint64_t offset);
/*
 * Fills the reference TSC page of a VTL (TLFS "Reference TSC Page"). If the VTL's TSC differs
 * between VPs the page is marked invalid, so that the guest reads the counter. Partition lock held.
 */
void reftime_fill_page(struct vsm_partition *partition, uint8_t vtl, uint8_t *page);
/* reftime_fill_page() without an increment of the partition's sequence number. */
void reftime_refill_page(const struct vsm_partition *partition, uint8_t vtl, uint8_t *page);

void stimer_reset(struct vsm_vp *vp, uint8_t vtl);
/* MSRs STIMER0_CONFIG to STIMER3_COUNT. False: #GP. Owner. */
bool stimer_msr_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value);
bool stimer_msr_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value);
/* Expires timers that are due at reference time @now. Owner. */
void stimer_expire(struct vsm_vp *vp, uint8_t vtl, uint64_t now);
/* Reference time of the next expiry of this VTL's timers, UINT64_MAX: none. Owner. */
uint64_t stimer_next(const struct vsm_vp *vp, uint8_t vtl);
/* Retries messages of expired timers whose slot was busy. True: some still wait. Owner. */
bool stimer_retry(struct vsm_vp *vp, uint8_t vtl, uint8_t sint);

#endif
