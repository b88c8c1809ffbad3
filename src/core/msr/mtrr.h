/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MTRRs (SDM 3A 12.11): kept and checked, one set for all VTLs of a VP (TLFS "Shared State"). They
 * have no effect on caching: RAM of a partition is write-back.
 */
#ifndef CORE_MTRR_H
#define CORE_MTRR_H

#include "core/core.h"

bool mtrr_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value);
bool mtrr_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value);

/* @index: 0 to CORE_MTRR_FIXED - 1, by ascending address. */
uint32_t mtrr_fixed_msr(uint32_t index);

#endif
