/* SPDX-License-Identifier: BSD-2-Clause */
/* MSRs that place an overlay page. SIMP and SIEFP are in interrupt/synic_msr.c. */
#ifndef CORE_MSR_PAGE_H
#define CORE_MSR_PAGE_H

#include "core/core.h"

bool msr_page_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value);
bool msr_page_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value);

/* Whether a write to the MSR, which may be any MSR, maps, unmaps or refills an overlay. */
bool msr_page_changes(uint32_t msr);

/* Fills enabled hypercall and reference TSC pages: a saved state must not set their contents. */
void msr_page_refill(struct vsm_partition *partition, uint8_t vtl);

#endif
