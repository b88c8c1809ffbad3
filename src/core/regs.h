/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VP registers by their HvRegister names (TLFS 7.8, 7.9): one table of name, group, rules.
 */
#ifndef CORE_REGS_H
#define CORE_REGS_H

#include "core/core.h"

/* On whose behalf. */
struct regs_caller {
	bool host;    /* the VMM: every rule about VTLs is waived */
	uint8_t vtl;  /* of the calling VTL */
	bool same_vp; /* the caller runs on the VP concerned */
};

/*
 * Reads or writes one register of @vtl of @vp. Returns an HV_STATUS: ACCESS_DENIED, INVALID_PARAMETER
 * (unknown, read-only, wrong VTL), INVALID_REGISTER_VALUE, INVALID_VTL_STATE. Owner of @vp.
 */
uint16_t regs_get(struct vsm_vp *vp, uint8_t vtl, uint32_t name, const struct regs_caller *caller,
		  union hv_register_value *value);
uint16_t regs_set(struct vsm_vp *vp, uint8_t vtl, uint32_t name, const struct regs_caller *caller,
		  const union hv_register_value *value);

/*
 * The name of what contradicts the rest of a VTL's registers, so that no CPU could run with them: NULL if
 * nothing does. Rules are looked at that concern one of @groups; all groups that these depend on must be
 * valid: regs_check.c says which.
 */
const char *regs_contradiction(const struct backend_features *features,
			       const struct vcpu_state *cpu, uint32_t groups);
/* The groups that have to be valid for that. */
uint32_t regs_contradiction_needs(uint32_t groups);

/* Checks and loads an initial VP context (TLFS HV_INITIAL_VP_CONTEXT). INVALID_REGISTER_VALUE. */
uint16_t regs_check_context(const struct vsm_partition *partition, uint8_t vtl,
			    const struct hv_initial_vp_context *context);
void regs_load_context(struct vsm_vp *vp, uint8_t vtl, const struct hv_initial_vp_context *context);
/* The architectural state after RESET (SDM 3A 10.1.1) or, with @init, after INIT. */
void regs_reset(struct vsm_vp *vp, uint8_t vtl, bool init);

#endif
