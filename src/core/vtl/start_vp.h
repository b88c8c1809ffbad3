/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting VPs: INIT, SIPI, HvCallStartVirtualProcessor. */
#ifndef CORE_STARTVP_H
#define CORE_STARTVP_H

#include "core/core.h"

/* Performs an INIT or SIPI that was posted to the APIC of @vtl. Owner. */
void startvp_init(struct vsm_vp *vp, uint8_t vtl);
void startvp_sipi(struct vsm_vp *vp, uint8_t vtl, uint8_t vector);
/* HvCallStartVirtualProcessor, all checks done. Owner. */
void startvp_start(struct vsm_vp *vp, uint8_t vtl, const struct hv_initial_vp_context *context);

#endif
