/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting VPs (TLFS 15.14): INIT, SIPI, HvCallStartVirtualProcessor.
 */
#ifndef CORE_STARTVP_H
#define CORE_STARTVP_H

#include "core/core.h"

/* Whether a VTL below @vtl may be started or reset on @vp by @caller (DenyLowerVtlStartup, P04). */
bool startvp_allowed(const struct vsm_vp *vp, uint8_t caller, uint8_t vtl);
/* INIT and SIPI that reached the APIC of @vtl. Owner. */
void startvp_init(struct vsm_vp *vp, uint8_t vtl);
void startvp_sipi(struct vsm_vp *vp, uint8_t vtl, uint8_t vector);
/* HvCallStartVirtualProcessor, on the owner's thread, checks done. */
void startvp_start(struct vsm_vp *vp, uint8_t vtl, const struct hv_initial_vp_context *context);

#endif
