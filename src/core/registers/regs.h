/* SPDX-License-Identifier: BSD-2-Clause */
/* VP registers by their HvRegister names (TLFS "Virtual processor registers"). */
#ifndef CORE_REGS_H
#define CORE_REGS_H

#include "core/core.h"

struct regs_caller {
	bool host;    /* the VMM: no rule about the calling VTL applies */
	uint8_t vtl;  /* the calling VTL */
	bool same_vp; /* the caller runs on the VP concerned */
};

/*
 * Reads or writes one register of @vtl of @vp. Returns an HV_STATUS: ACCESS_DENIED,
 * INVALID_PARAMETER (unknown, read-only, wrong VTL), INVALID_REGISTER_VALUE, INVALID_VTL_STATE,
 * INVALID_VP_STATE (a shared register while a VTL above the caller is active); for intercepts and
 * protections also OPERATION_DENIED, OPERATION_FAILED, INSUFFICIENT_MEMORY. Owner of @vp.
 */
uint16_t regs_get(struct vsm_vp *vp, uint8_t vtl, uint32_t name, const struct regs_caller *caller,
		  union hv_register_value *value);
uint16_t regs_set(struct vsm_vp *vp, uint8_t vtl, uint32_t name, const struct regs_caller *caller,
		  const union hv_register_value *value);

#endif
