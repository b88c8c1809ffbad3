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
 * Reads or writes one register of @vtl of @vp. Returns SUCCESS, ACCESS_DENIED, INVALID_PARAMETER
 * (unknown, no such access, wrong VTL, value refused by an MSR, APIC or VINA), INVALID_VTL_STATE,
 * INVALID_REGISTER_VALUE, INVALID_VP_STATE (shared, while a VTL above the caller is active), or for
 * intercepts and protections OPERATION_DENIED, OPERATION_FAILED, INSUFFICIENT_MEMORY. Owner of @vp.
 */
uint16_t regs_get(struct vsm_vp *vp, uint8_t vtl, uint32_t name, const struct regs_caller *caller,
		  union hv_register_value *value);
uint16_t regs_set(struct vsm_vp *vp, uint8_t vtl, uint32_t name, const struct regs_caller *caller,
		  const union hv_register_value *value);

#endif
