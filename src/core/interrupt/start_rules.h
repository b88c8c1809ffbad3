/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules for starting a VTL of a VP (TLFS "Virtual Secure Mode", "INIT and SIPI"). */
#ifndef CORE_START_RULES_H
#define CORE_START_RULES_H

#include "core/core.h"

/* Whether @caller (a VTL) may start VPs: no higher VTL has set DenyLowerVtlStartup (P04). */
bool startvp_allowed(const struct vsm_vp *vp, uint8_t caller);
/* Whether INIT and SIPI reach @vtl of @vp. Any thread. */
bool startvp_accepts_init(const struct vsm_vp *vp, uint8_t vtl);
#endif
