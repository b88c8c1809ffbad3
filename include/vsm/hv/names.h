/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names for the numbers of the Hyper-V ABI.
 *
 * Functions may be called at any time, from any thread and in a signal handler: they allocate
 * nothing and have no state. The result of a name function is a static string, "?" for a number
 * without a name.
 */
#ifndef VSM_HV_NAMES_H
#define VSM_HV_NAMES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "HV_STATUS_SUCCESS" for 0 (status.h) */
const char *hv_status_name(uint16_t status);

/* "HvCallGetVpRegisters" for 0x50 (hypercall.h) */
const char *hv_hypercall_name(uint16_t code);

/* "HvX64RegisterRip" for 0x00020010 (registers.h) */
const char *hv_register_name(uint32_t name);

/* "HV_X64_MSR_GUEST_OS_ID" for 0x40000000 (msr.h); architectural MSRs have no name here */
const char *hv_msr_name(uint32_t msr);

/* "HvMessageTypeGpaIntercept" for 0x80000001 (message.h) */
const char *hv_message_type_name(uint32_t type);

/* "HvInterceptTypeX64IoPort" for 0 (install_intercept.h) */
const char *hv_intercept_type_name(uint32_t type);

/* "HvTranslateGvaSuccess" for 0 (translate.h) */
const char *hv_translate_gva_result_name(uint32_t code);

/* "HvVtlEntryVtlCall" for 1 (assist_page.h) */
const char *hv_vtl_entry_reason_name(uint32_t reason);

/* "HV_CPUID_INTERFACE" for 0x40000001 (cpuid.h) */
const char *hv_cpuid_leaf_name(uint32_t leaf);

/*
 * Names of bits; @bit counts from 0. "AccessVsm" for 48 of the privileges, "Npiep" for 12 of the
 * features (EDX of leaf 0x40000003), "UseMsrForReset" for 4 of the recommendations (EAX of leaf
 * 0x40000004; all three in cpuid_features.h), "Cr0Write" for 0 of CrInterceptControl
 * (cr_intercept.h), "Writable" for 1 of the map flags (protection.h).
 */
const char *hv_privilege_name(unsigned int bit);
const char *hv_feature_name(unsigned int bit);
const char *hv_recommendation_name(unsigned int bit);
const char *hv_cr_intercept_name(unsigned int bit);
const char *hv_map_gpa_flag_name(unsigned int bit);

/*
 * Writes the names of all set bits, lowest first: "AccessVsm|AccessVpRegisters". A bit without a
 * name is "bit" and its number; no bits are "0".
 *
 * Like snprintf: writes at most @size bytes, the last of them a NUL (@text may be NULL if @size is
 * 0), and returns the length of the whole text.
 */
size_t hv_privileges_text(char *text, size_t size, uint64_t privileges);
size_t hv_features_text(char *text, size_t size, uint32_t features);
size_t hv_recommendations_text(char *text, size_t size, uint32_t recommendations);
size_t hv_cr_intercepts_text(char *text, size_t size, uint64_t intercepts);
size_t hv_map_gpa_flags_text(char *text, size_t size, uint32_t flags);

/*
 * Writes the rights of map flags as three letters and a NUL: "rwx", with '-' for an absent right, and
 * 'u' or 'k' in place of 'x' where only user or only kernel mode executes. Other flags are ignored.
 */
void hv_map_gpa_rights_text(char text[4], uint32_t flags);

#ifdef __cplusplus
}
#endif

#endif
