/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypercall input value (control word) and result value.
 *
 * TLFS: Hypercall Interface. The 6.0b document prints the variable header as bits 25:17 and
 * IsNested as bit 26; every implementation, and this header, has them at 26:17 and 31.
 */
#ifndef VSM_HV_HYPERCALL_WORD_H
#define VSM_HV_HYPERCALL_WORD_H

#include <vsm/hv/base.h>

#define HV_HYPERCALL_CODE_MASK	     UINT64_C(0x000000000000ffff)
#define HV_HYPERCALL_FAST	     HV_BIT64(16)
#define HV_HYPERCALL_VARHEAD_SHIFT   17 /* in units of 8 bytes */
#define HV_HYPERCALL_VARHEAD_MASK    UINT64_C(0x0000000007fe0000)
#define HV_HYPERCALL_NESTED	     HV_BIT64(31)
#define HV_HYPERCALL_REP_COUNT_SHIFT 32
#define HV_HYPERCALL_REP_COUNT_MASK  UINT64_C(0x00000fff00000000)
#define HV_HYPERCALL_REP_START_SHIFT 48
#define HV_HYPERCALL_REP_START_MASK  UINT64_C(0x0fff000000000000)
#define HV_HYPERCALL_RESERVED_MASK   UINT64_C(0xf000f00078000000)
#define HV_HYPERCALL_REP_MAX	     0xfff
#define HV_HYPERCALL_VARHEAD_MAX     0x3ff

#define HV_HYPERCALL_RESULT_STATUS_MASK	  UINT64_C(0x000000000000ffff)
#define HV_HYPERCALL_RESULT_REPS_SHIFT	  32
#define HV_HYPERCALL_RESULT_REPS_MASK	  UINT64_C(0x00000fff00000000)
#define HV_HYPERCALL_RESULT_RESERVED_MASK UINT64_C(0xfffff000ffff0000)

/* Limits for parameters in registers: RDX and R8, or these and XMM0-XMM5. */
#define HV_HYPERCALL_FAST_BYTES	    16
#define HV_HYPERCALL_FAST_XMM_BYTES 112

/* VTL return's control input (RAX, or ECX of a 32-bit caller); VTL call's is all zero. */
#define HV_VTL_RETURN_FAST	    HV_BIT64(0)
#define HV_VTL_RETURN_RESERVED_MASK UINT64_C(0xfffffffffffffffe)

static inline uint16_t hv_hypercall_code(uint64_t input)
{
	return (uint16_t)(input & HV_HYPERCALL_CODE_MASK);
}

/* In units of 8 bytes, 0..1023. */
static inline uint16_t hv_hypercall_varhead(uint64_t input)
{
	return (uint16_t)((input & HV_HYPERCALL_VARHEAD_MASK) >> HV_HYPERCALL_VARHEAD_SHIFT);
}

/* 0..4095 */
static inline uint16_t hv_hypercall_rep_count(uint64_t input)
{
	return (uint16_t)((input & HV_HYPERCALL_REP_COUNT_MASK) >> HV_HYPERCALL_REP_COUNT_SHIFT);
}

/* 0..4095 */
static inline uint16_t hv_hypercall_rep_start(uint64_t input)
{
	return (uint16_t)((input & HV_HYPERCALL_REP_START_MASK) >> HV_HYPERCALL_REP_START_SHIFT);
}

/*
 * A result value. @reps counts from the start of the list, including the rep start index; 0 for a
 * simple call. Bits beyond a field's width are ignored.
 */
static inline uint64_t hv_hypercall_result(uint16_t status, uint16_t reps)
{
	return (uint64_t)status |
	       (((uint64_t)reps << HV_HYPERCALL_RESULT_REPS_SHIFT) & HV_HYPERCALL_RESULT_REPS_MASK);
}

static inline uint16_t hv_hypercall_result_status(uint64_t result)
{
	return (uint16_t)(result & HV_HYPERCALL_RESULT_STATUS_MASK);
}

static inline uint16_t hv_hypercall_result_reps(uint64_t result)
{
	return (uint16_t)((result & HV_HYPERCALL_RESULT_REPS_MASK) >>
			  HV_HYPERCALL_RESULT_REPS_SHIFT);
}

#endif
