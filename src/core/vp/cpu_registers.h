/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks of register values, and the contexts that a VTL starts with. */
#ifndef CORE_CPU_REGISTERS_H
#define CORE_CPU_REGISTERS_H

#include "core/core.h"

/* SDM 3A tables 3-1 and 3-2: bits of code and data segments, types of system segments. */
#define SEGMENT_TYPE_WRITABLE	2u /* of data; of code: readable */
#define SEGMENT_TYPE_CONFORMING 4u /* of code; of data: expand-down */
#define SEGMENT_TYPE_CODE	8u
#define SEGMENT_TYPE_LDT	2u
#define SEGMENT_TYPE_TSS16_BUSY 3u
#define SEGMENT_TYPE_TSS_BUSY	11u

/* ------------------------------------------------------------------ vp/legal.c */

/*
 * Canonical for the widest linear addresses of this CPU: the rule of WRMSR, of loads of segment and
 * table registers, and of VM entry.
 */
bool regs_is_canonical_for_cpu(const struct backend_features *features, uint64_t address);
bool regs_pat_is_legal(uint64_t pat);
bool regs_cr0_is_legal(uint64_t cr0);
bool regs_rflags_are_legal(uint64_t rflags, uint64_t efer);
bool regs_xcr0_is_legal(const struct backend_features *features, uint64_t xcr0);
/* Canonical in the paging mode that CR4.LA57 selects: the rule for RIP. */
bool regs_is_canonical_in_mode(uint64_t cr4, uint64_t address);
/* Whether some mode of the CPU allows this value of the segment register. */
bool regs_segment_is_legal(const struct backend_features *features, unsigned int which,
			   const struct hv_x64_segment_register *segment);
/* Whether an exception with this vector can be raised, and whether it pushes an error code. */
bool regs_exception_is_legal(uint64_t vector);
bool regs_exception_has_error(uint64_t vector);
uint64_t regs_derive_lma(uint64_t efer, uint64_t cr0);

/* ------------------------------------------------------------------ vp/check.c */

/*
 * Returns the name of a register that contradicts others, so that VM entry would fail, or NULL.
 * Checks the rules that concern @groups; regs_contradiction_needs(@groups) must be valid.
 */
const char *regs_contradiction(const struct backend_features *features,
			       const struct vcpu_state *cpu, uint32_t groups);
/* The groups that the rules for @groups read. */
uint32_t regs_contradiction_needs(uint32_t groups);

/* ------------------------------------------------------------------ vp/context.c */

/* Returns HV_STATUS_SUCCESS or HV_STATUS_INVALID_REGISTER_VALUE. */
uint16_t regs_check_context(struct vsm_partition *partition, uint8_t vtl,
			    const struct hv_initial_vp_context *context);
void regs_load_context(struct vsm_vp *vp, uint8_t vtl, const struct hv_initial_vp_context *context);
/* Sets the architectural state after RESET (SDM 3A 10.1.1) or, with @init, after INIT. */
void regs_reset(struct vsm_vp *vp, uint8_t vtl, bool init);

#endif
