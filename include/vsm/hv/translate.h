/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HvCallTranslateVirtualAddress (0x52) and HvCallTranslateVirtualAddressEx (0xac).
 *
 * TLFS: Virtual MMU. The output of the Ex call is that of x64 hypervisors, which differs from
 * the TLFS's table: the GPA page number is at 48.
 */
#ifndef VSM_HV_TRANSLATE_H
#define VSM_HV_TRANSLATE_H

#include <vsm/hv/pending_event.h>

struct hv_translate_virtual_address_input {
	uint64_t partition_id;
	uint32_t vp_index;
	uint32_t reserved;
	uint64_t control_flags;
	uint64_t gva_page;
};

HV_ASSERT_SIZE(struct hv_translate_virtual_address_input, 32);
HV_ASSERT_OFFSET(struct hv_translate_virtual_address_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_translate_virtual_address_input, vp_index, 8);
HV_ASSERT_OFFSET(struct hv_translate_virtual_address_input, reserved, 12);
HV_ASSERT_OFFSET(struct hv_translate_virtual_address_input, control_flags, 16);
HV_ASSERT_OFFSET(struct hv_translate_virtual_address_input, gva_page, 24);

#define HV_TRANSLATE_GVA_VALIDATE_READ	     HV_BIT64(0)
#define HV_TRANSLATE_GVA_VALIDATE_WRITE	     HV_BIT64(1)
#define HV_TRANSLATE_GVA_VALIDATE_EXECUTE    HV_BIT64(2)
#define HV_TRANSLATE_GVA_PRIVILEGE_EXEMPT    HV_BIT64(3)
#define HV_TRANSLATE_GVA_SET_PAGE_TABLE_BITS HV_BIT64(4)
#define HV_TRANSLATE_GVA_TLB_FLUSH_INHIBIT   HV_BIT64(5)
#define HV_TRANSLATE_GVA_SUPERVISOR_ACCESS   HV_BIT64(6)
#define HV_TRANSLATE_GVA_USER_ACCESS	     HV_BIT64(7)
#define HV_TRANSLATE_GVA_ENFORCE_SMAP	     HV_BIT64(8)
#define HV_TRANSLATE_GVA_OVERRIDE_SMAP	     HV_BIT64(9)
#define HV_TRANSLATE_GVA_SHADOW_STACK	     HV_BIT64(10)
#define HV_TRANSLATE_GVA_INPUT_VTL_SHIFT     56
#define HV_TRANSLATE_GVA_INPUT_VTL_MASK	     UINT64_C(0xff00000000000000)
#define HV_TRANSLATE_GVA_RESERVED_MASK	     UINT64_C(0x00fffffffffff800)

/* Bits that need the feature TranslateGvaFlags. */
#define HV_TRANSLATE_GVA_EXTENDED_MASK UINT64_C(0x00000000000007c0)

/* 31:0 an enum hv_translate_gva_result_code, 39:32 an enum hv_cache_type. */
#define HV_TRANSLATE_GVA_RESULT_CODE_MASK	 UINT64_C(0x00000000ffffffff)
#define HV_TRANSLATE_GVA_RESULT_CACHE_TYPE_SHIFT 32
#define HV_TRANSLATE_GVA_RESULT_CACHE_TYPE_MASK	 UINT64_C(0x000000ff00000000)
#define HV_TRANSLATE_GVA_RESULT_OVERLAY_PAGE	 HV_BIT64(40)

/* clang-format off */

/* X(name, number, name in the TLFS): constant HV_TRANSLATE_GVA_<name>. */
#define HV_TRANSLATE_GVA_RESULT_LIST(X) \
	X(SUCCESS,                    0, HvTranslateGvaSuccess) \
	X(PAGE_NOT_PRESENT,           1, HvTranslateGvaPageNotPresent) \
	X(PRIVILEGE_VIOLATION,        2, HvTranslateGvaPrivilegeViolation) \
	X(INVALID_PAGE_TABLE_FLAGS,   3, HvTranslateGvaInvalidPageTableFlags) \
	X(GPA_UNMAPPED,               4, HvTranslateGvaGpaUnmapped) \
	X(GPA_NO_READ_ACCESS,         5, HvTranslateGvaGpaNoReadAccess) \
	X(GPA_NO_WRITE_ACCESS,        6, HvTranslateGvaGpaNoWriteAccess) \
	X(GPA_ILLEGAL_OVERLAY_ACCESS, 7, HvTranslateGvaGpaIllegalOverlayAccess) \
	X(INTERCEPT,                  8, HvTranslateGvaIntercept) \
	X(GPA_UNACCEPTED,             9, HvTranslateGvaGpaUnaccepted)

#define HV_TRANSLATE_GVA_ENUM_(name, number, tlfs) HV_TRANSLATE_GVA_##name = (number),
enum hv_translate_gva_result_code { HV_TRANSLATE_GVA_RESULT_LIST(HV_TRANSLATE_GVA_ENUM_) };
#undef HV_TRANSLATE_GVA_ENUM_

/* clang-format on */

struct hv_translate_virtual_address_output {
	uint64_t result;
	uint64_t gpa_page;
};

HV_ASSERT_SIZE(struct hv_translate_virtual_address_output, 16);
HV_ASSERT_OFFSET(struct hv_translate_virtual_address_output, result, 0);
HV_ASSERT_OFFSET(struct hv_translate_virtual_address_output, gpa_page, 8);

struct hv_translate_virtual_address_ex_output {
	uint64_t result;
	uint64_t reserved0;
	struct hv_pending_memory_intercept event_info; /* what an access would raise */
	uint64_t gpa_page;
	uint64_t reserved1;
};

HV_ASSERT_SIZE(struct hv_translate_virtual_address_ex_output, 64);
HV_ASSERT_OFFSET(struct hv_translate_virtual_address_ex_output, result, 0);
HV_ASSERT_OFFSET(struct hv_translate_virtual_address_ex_output, reserved0, 8);
HV_ASSERT_OFFSET(struct hv_translate_virtual_address_ex_output, event_info, 16);
HV_ASSERT_OFFSET(struct hv_translate_virtual_address_ex_output, gpa_page, 48);
HV_ASSERT_OFFSET(struct hv_translate_virtual_address_ex_output, reserved1, 56);

#endif
