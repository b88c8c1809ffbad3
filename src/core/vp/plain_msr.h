/* SPDX-License-Identifier: BSD-2-Clause */
/* MSRs without an effect: a table of their values and writable bits. */
#ifndef CORE_MSR_PLAIN_H
#define CORE_MSR_PLAIN_H

#include "core/core.h"

/* False: #GP(0). Owner. */
bool msr_plain_read(const struct vsm_vp *vp, uint32_t msr, uint64_t *value);
bool msr_plain_write(struct vsm_vp *vp, uint32_t msr, uint64_t value);
void msr_plain_reset(struct vsm_vp *vp);

uint32_t msr_plain_number(enum plain_msr_slot slot);
uint64_t msr_plain_reset_value(enum plain_msr_slot slot);
bool msr_plain_fits(enum plain_msr_slot slot, uint64_t value);

#endif
