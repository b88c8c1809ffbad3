/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Secure register intercepts: the bits of CrInterceptControl (VP register 0x000e0000).
 *
 * The masks CrInterceptCr0Mask, CrInterceptCr4Mask and CrInterceptIa32MiscEnableMask have the
 * layout of the register that they mask.
 *
 * TLFS: Virtual Secure Mode, Secure Register Intercepts. Bits 25 and up are from Microsoft's public
 * headers (OpenVMM's hvdef, Linux' include/hyperv).
 */
#ifndef VSM_HV_CR_INTERCEPT_H
#define VSM_HV_CR_INTERCEPT_H

#include <vsm/hv/base.h>

/* clang-format off */

/* X(name, bit, name in the TLFS): constant HV_CR_INTERCEPT_BIT_<name>. */
#define HV_CR_INTERCEPT_LIST(X) \
	X(CR0_WRITE,                            0, Cr0Write) \
	X(CR4_WRITE,                            1, Cr4Write) \
	X(XCR0_WRITE,                           2, XCr0Write) \
	X(IA32_MISC_ENABLE_READ,                3, IA32MiscEnableRead) \
	X(IA32_MISC_ENABLE_WRITE,               4, IA32MiscEnableWrite) \
	X(MSR_LSTAR_READ,                       5, MsrLstarRead) \
	X(MSR_LSTAR_WRITE,                      6, MsrLstarWrite) \
	X(MSR_STAR_READ,                        7, MsrStarRead) \
	X(MSR_STAR_WRITE,                       8, MsrStarWrite) \
	X(MSR_CSTAR_READ,                       9, MsrCstarRead) \
	X(MSR_CSTAR_WRITE,                     10, MsrCstarWrite) \
	X(APIC_BASE_MSR_READ,                  11, ApicBaseMsrRead) \
	X(APIC_BASE_MSR_WRITE,                 12, ApicBaseMsrWrite) \
	X(MSR_EFER_READ,                       13, MsrEferRead) \
	X(MSR_EFER_WRITE,                      14, MsrEferWrite) \
	X(GDTR_WRITE,                          15, GdtrWrite) \
	X(IDTR_WRITE,                          16, IdtrWrite) \
	X(LDTR_WRITE,                          17, LdtrWrite) \
	X(TR_WRITE,                            18, TrWrite) \
	X(MSR_SYSENTER_CS_WRITE,               19, MsrSysenterCsWrite) \
	X(MSR_SYSENTER_EIP_WRITE,              20, MsrSysenterEipWrite) \
	X(MSR_SYSENTER_ESP_WRITE,              21, MsrSysenterEspWrite) \
	X(MSR_SFMASK_WRITE,                    22, MsrSfmaskWrite) \
	X(MSR_TSC_AUX_WRITE,                   23, MsrTscAuxWrite) \
	X(MSR_SGX_LAUNCH_CONTROL_WRITE,        24, MsrSgxLaunchControlWrite) \
	X(MSR_XSS_WRITE,                       25, MsrXssWrite) \
	X(MSR_SCET_WRITE,                      26, MsrScetWrite) \
	X(MSR_PLS_SSP_WRITE,                   27, MsrPlsSspWrite) \
	X(MSR_INTERRUPT_SSP_TABLE_ADDR_WRITE,  28, MsrInterruptSspTableAddrWrite)

#define HV_CR_INTERCEPT_ENUM_(name, bit, tlfs) HV_CR_INTERCEPT_BIT_##name = (bit),
enum hv_cr_intercept_bit { HV_CR_INTERCEPT_LIST(HV_CR_INTERCEPT_ENUM_) };
#undef HV_CR_INTERCEPT_ENUM_

/* clang-format on */

#define HV_CR_INTERCEPT(name) HV_BIT64(HV_CR_INTERCEPT_BIT_##name)

#define HV_CR_INTERCEPT_RESERVED_MASK UINT64_C(0xffffffffe0000000)

#endif
