/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HV_MAP_GPA_FLAGS, and the calls that set and query VTL protections: HvCallModifyVtlProtectionMask
 * (0x0c) and HvCallCheckSparseGpaPageVtlAccess (0xd4).
 *
 * TLFS: Virtual Secure Mode, Memory Access Protections.
 */
#ifndef VSM_HV_PROTECTION_H
#define VSM_HV_PROTECTION_H

#include <vsm/hv/base.h>

/* clang-format off */

/*
 * X(name, bit, name in the TLFS): constant HV_MAP_GPA_BIT_<name>. Bits 15 and up are for calls
 * that map pages, never for VTL protections; ZEROED and NO_ACCESS together mean a page of ones.
 */
#define HV_MAP_GPA_LIST(X) \
	X(READABLE,                    0, Readable) \
	X(WRITABLE,                    1, Writable) \
	X(KERNEL_EXECUTABLE,           2, KernelExecutable) \
	X(USER_EXECUTABLE,             3, UserExecutable) \
	X(SUPERVISOR_SHADOW_STACK,     4, SupervisorShadowStack) \
	X(PAGING_WRITABILITY,          5, PagingWritability) \
	X(VERIFY_PAGING_WRITABILITY,   6, VerifyPagingWritability) \
	X(ADJUSTABLE,                 15, Adjustable) \
	X(NO_ACCESS,                  16, NoAccess) \
	X(ZEROED,                     17, Zeroed) \
	X(NO_OVERLAY,                 20, NoOverlay) \
	X(NOT_CACHED,                 21, NotCached) \
	X(LARGE_PAGE,                 31, LargePage)

#define HV_MAP_GPA_ENUM_(name, bit, tlfs) HV_MAP_GPA_BIT_##name = (bit),
enum hv_map_gpa_bit { HV_MAP_GPA_LIST(HV_MAP_GPA_ENUM_) };
#undef HV_MAP_GPA_ENUM_

/* clang-format on */

/* Rights in a VTL's protection of a page. Legal combinations: none, R, RX, RW, RWX. */
#define HV_MAP_GPA_READABLE	     UINT32_C(0x00000001)
#define HV_MAP_GPA_WRITABLE	     UINT32_C(0x00000002)
#define HV_MAP_GPA_KERNEL_EXECUTABLE UINT32_C(0x00000004)
#define HV_MAP_GPA_USER_EXECUTABLE   UINT32_C(0x00000008)
#define HV_MAP_GPA_EXECUTABLE	     UINT32_C(0x0000000c)
#define HV_MAP_GPA_PERMISSIONS_MASK  UINT32_C(0x0000000f)
#define HV_MAP_GPA_PERMISSIONS_NONE  UINT32_C(0x00000000)

#define HV_MAP_GPA_SUPERVISOR_SHADOW_STACK   UINT32_C(0x00000010)
#define HV_MAP_GPA_PAGING_WRITABILITY	     UINT32_C(0x00000020)
#define HV_MAP_GPA_VERIFY_PAGING_WRITABILITY UINT32_C(0x00000040)
#define HV_MAP_GPA_ADJUSTABLE		     UINT32_C(0x00008000)

/* For calls that map pages. */
#define HV_MAP_GPA_NO_ACCESS  UINT32_C(0x00010000)
#define HV_MAP_GPA_ZEROED     UINT32_C(0x00020000)
#define HV_MAP_GPA_ONES	      UINT32_C(0x00030000)
#define HV_MAP_GPA_NO_OVERLAY UINT32_C(0x00100000)
#define HV_MAP_GPA_NOT_CACHED UINT32_C(0x00200000)
#define HV_MAP_GPA_LARGE_PAGE UINT32_C(0x80000000)

/* ModifyVtlProtectionMask: this, then one uint64_t GPA page number for each rep; no output. */
struct hv_modify_vtl_protection_mask_input {
	uint64_t partition_id;
	uint32_t map_flags;
	uint8_t input_vtl; /* HV_INPUT_VTL */
	uint8_t reserved[3];
};

HV_ASSERT_SIZE(struct hv_modify_vtl_protection_mask_input, 16);
HV_ASSERT_OFFSET(struct hv_modify_vtl_protection_mask_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_modify_vtl_protection_mask_input, map_flags, 8);
HV_ASSERT_OFFSET(struct hv_modify_vtl_protection_mask_input, input_vtl, 12);
HV_ASSERT_OFFSET(struct hv_modify_vtl_protection_mask_input, reserved, 13);

/* CheckSparseGpaPageVtlAccess: this, then one uint64_t GPA page number for each rep. */
struct hv_check_sparse_gpa_page_vtl_access_input {
	uint64_t partition_id;
	uint8_t input_vtl;	/* HV_INPUT_VTL */
	uint8_t desired_access; /* HV_MAP_GPA_READABLE ... HV_MAP_GPA_USER_EXECUTABLE */
	uint16_t reserved0;
	uint32_t reserved1;
};

HV_ASSERT_SIZE(struct hv_check_sparse_gpa_page_vtl_access_input, 16);
HV_ASSERT_OFFSET(struct hv_check_sparse_gpa_page_vtl_access_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_check_sparse_gpa_page_vtl_access_input, input_vtl, 8);
HV_ASSERT_OFFSET(struct hv_check_sparse_gpa_page_vtl_access_input, desired_access, 9);
HV_ASSERT_OFFSET(struct hv_check_sparse_gpa_page_vtl_access_input, reserved0, 10);
HV_ASSERT_OFFSET(struct hv_check_sparse_gpa_page_vtl_access_input, reserved1, 12);

/* Output of CheckSparseGpaPageVtlAccess: one uint64_t for each rep. */
#define HV_CHECK_GPA_PAGE_RESULT_MASK		 UINT64_C(0x00000000000000ff)
#define HV_CHECK_GPA_PAGE_SUCCESS		 0
#define HV_CHECK_GPA_PAGE_MEMORY_INTERCEPT	 1
#define HV_CHECK_GPA_PAGE_DENIED_ACCESS_SHIFT	 8
#define HV_CHECK_GPA_PAGE_DENIED_ACCESS_MASK	 UINT64_C(0x000000000000ff00)
#define HV_CHECK_GPA_PAGE_INTERCEPTING_VTL_SHIFT 16
#define HV_CHECK_GPA_PAGE_INTERCEPTING_VTL_MASK	 UINT64_C(0x00000000000f0000)

#endif
