/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Common definitions of the Hyper-V ABI headers.
 *
 * All values are little endian. Structures have their natural alignment and explicit padding, and
 * no bit fields. A structure describes bytes that a guest may change at any time: copy it before
 * reading it.
 */
#ifndef VSM_HV_BASE_H
#define VSM_HV_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define HV_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define HV_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

#define HV_ASSERT_SIZE(type, bytes) \
	HV_STATIC_ASSERT(sizeof(type) == (bytes), "size of " #type " is not " #bytes)
#define HV_ASSERT_OFFSET(type, field, bytes)               \
	HV_STATIC_ASSERT(offsetof(type, field) == (bytes), \
			 "offset of " #field " in " #type " is not " #bytes)

#define HV_BIT32(n) (UINT32_C(1) << (n))
#define HV_BIT64(n) (UINT64_C(1) << (n))

#define HV_PAGE_SIZE  4096
#define HV_PAGE_SHIFT 12

#define HV_PARTITION_ID_INVALID UINT64_C(0)
#define HV_PARTITION_ID_SELF	UINT64_C(0xffffffffffffffff)

#define HV_VP_INDEX_SELF UINT32_C(0xfffffffe)
#define HV_VP_INDEX_ANY	 UINT32_C(0xffffffff)

/* HV_VTL: a plain number. */
#define HV_VTL_MAX     15
#define HV_VTL_ALL     0x0f
#define HV_VTL_INVALID 0xff

/*
 * HV_INPUT_VTL: if UseTargetVtl is 0, TargetVtl is ignored and the caller's VTL is used. Reserved
 * bits must be zero.
 *
 * EnablePartitionVtl, EnableVpVtl, StartVirtualProcessor, GetVpIndexFromApicId,
 * AssertVirtualInterrupt, SignalEventDirect and PostMessageDirect take a plain HV_VTL instead.
 */
#define HV_INPUT_VTL_TARGET_MASK   0x0f
#define HV_INPUT_VTL_USE_TARGET	   0x10
#define HV_INPUT_VTL_RESERVED_MASK 0xe0

/* An enable bit and a guest page number in one register, as in the SIMP MSR. */
#define HV_PAGE_MSR_ENABLE	  HV_BIT64(0)
#define HV_PAGE_MSR_RESERVED_MASK UINT64_C(0x0000000000000ffe)
#define HV_PAGE_MSR_GPA_MASK	  UINT64_C(0xfffffffffffff000)

#endif
