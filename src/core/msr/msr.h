/* SPDX-License-Identifier: BSD-2-Clause */
/* MSRs that the core implements. */
#ifndef CORE_MSR_H
#define CORE_MSR_H

#include "core/core.h"

/* RDMSR / WRMSR by @vtl of @vp. False: #GP(0). Owner. */
bool msr_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value);
bool msr_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value);

/* Whether the CPU implements the MSR (vcpu_msr.h), which exits only if a VTL intercepts it. */
bool msr_is_native(const struct vsm_partition *partition, uint32_t msr, bool write);
/* Whether @value has only valid bits of the MSR. */
bool msr_native_accepts(const struct vsm_partition *partition, uint32_t msr, uint64_t value);

/* Reset the MSRs of msr/page.c; overlay_reset() removes the overlays. */
void msr_reset_vp(struct vsm_vp *vp, uint8_t vtl);
void msr_reset_partition(struct vsm_partition *partition, uint8_t vtl);

#endif
