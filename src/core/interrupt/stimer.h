/* SPDX-License-Identifier: BSD-2-Clause */
/* TLFS "Synthetic Timers", "Partition Reference Counter". */
#ifndef CORE_STIMER_H
#define CORE_STIMER_H

#include "core/core.h"

/* @start: the TSC at reference time 0. */
void reftime_init(struct vsm_partition *partition, uint64_t start);
/* Reference time, in units of 100 ns. */
uint64_t reftime_now(const struct vsm_partition *partition);
uint64_t reftime_to_tsc(const struct vsm_partition *partition, uint64_t reference);
/*
 * What a VTL whose TSC is @offset ahead reads from its reference TSC page: reftime_now(), or one
 * unit more.
 */
uint64_t reftime_seen(const struct vsm_partition *partition, uint64_t offset);
/*
 * Fills a reference TSC page (TLFS "Reference TSC Page"), or marks it invalid if the VTL's TSC
 * differs between VPs or could wrap. Partition lock held, or no VP runs.
 */
void reftime_fill_page(struct vsm_partition *partition, uint8_t vtl, uint8_t *page);
/* reftime_fill_page() without an increment of the partition's sequence number. */
void reftime_refill_page(const struct vsm_partition *partition, uint8_t vtl, uint8_t *page);

void stimer_reset(struct vsm_vp *vp, uint8_t vtl);
/* MSRs STIMER0_CONFIG to STIMER3_COUNT. False: #GP. Owner. */
bool stimer_msr_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value);
bool stimer_msr_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value);
/* @now: reference time. Owner. */
void stimer_expire(struct vsm_vp *vp, uint8_t vtl, uint64_t now);
/* Reference time of the next expiry of this VTL's timers, UINT64_MAX: none. Owner. */
uint64_t stimer_next(const struct vsm_vp *vp, uint8_t vtl);
/* Retries undelivered messages of expired timers of @sint. True: some still wait. Owner. */
bool stimer_retry(struct vsm_vp *vp, uint8_t vtl, uint8_t sint);

#endif
