/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules for starting a VTL of a VP (TLFS "Virtual Secure Mode", "INIT and SIPI"). */
#ifndef CORE_START_RULES_H
#define CORE_START_RULES_H

#include "core/core.h"

/*
 * Whether @caller (a VTL) may start VPs at all: no VTL above it has set DenyLowerVtlStartup (P04).
 */
bool startvp_allowed(const struct vsm_vp *vp, uint8_t caller);
/*
 * Whether INIT and SIPI reach @vtl of @vp: it is VTL0 or the boot VTL, no higher VTL is enabled on
 * @vp, and none has set DenyLowerVtlStartup. Any thread.
 */
bool startvp_accepts_init(const struct vsm_vp *vp, uint8_t vtl);
#endif
