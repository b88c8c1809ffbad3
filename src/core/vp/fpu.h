/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers inside an XSAVE area of the standard format (SDM 1, chapter 13).
 *
 * A component whose XSTATE_BV bit is clear is in its initial state, whatever its bytes are. A
 * writer first writes this state and then sets the bit, so that no other register of the component
 * (MXCSR, FCW) gets a stale value (P08).
 */
#ifndef CORE_FPU_H
#define CORE_FPU_H

#include "core/core.h"

/* XMM @n (0-15), 16 bytes. @state has VCPU_FPU valid. */
void fpu_get_xmm(const struct vcpu_state *state, unsigned int n, void *value);
void fpu_set_xmm(struct vcpu_state *state, unsigned int n, const void *value);
/* Upper half of YMM @n; false: the CPU has no AVX. */
bool fpu_get_ymm_high(const struct vcpu_state *state, unsigned int n, void *value);
bool fpu_set_ymm_high(struct vcpu_state *state, unsigned int n, const void *value);
/* x87 register ST(@n) (0-7): 10 bytes; the other 6 are zero. */
void fpu_get_st(const struct vcpu_state *state, unsigned int n, struct hv_x64_fp_register *value);
void fpu_set_st(struct vcpu_state *state, unsigned int n, const struct hv_x64_fp_register *value);

void fpu_get_control(const struct vcpu_state *state,
		     struct hv_x64_fp_control_status_register *value);
void fpu_set_control(struct vcpu_state *state,
		     const struct hv_x64_fp_control_status_register *value);
void fpu_get_xmm_control(const struct vcpu_state *state,
			 struct hv_x64_xmm_control_status_register *value);
/* Returns false if MXCSR has bits that the CPU lacks. */
bool fpu_set_xmm_control(struct vcpu_state *state,
			 const struct hv_x64_xmm_control_status_register *value);

/*
 * Sets EBX of CPUID leaf 0DH (SDM 2A "CPUID"): the size of an area with @xcr0 in the standard
 * format (sub-leaf 0), or with @xcr0 and @xss in the compacted format (sub-leaf 1).
 */
void fpu_set_area_size(backend_cpuid_fn *cpuid, void *vp, uint64_t xcr0, uint64_t xss,
		       uint32_t subleaf, uint32_t value[4]);

/* The state after RESET (SDM 3A table 10-1: x87 control 0x40, tags 0x5555). */
void fpu_reset(struct vcpu_state *state);

#endif
