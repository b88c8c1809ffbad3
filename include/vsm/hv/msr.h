/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Synthetic MSRs: numbers, and the bits of those that no other header describes (synic.h has the
 * SynIC and the timers, assist_page.h the VP assist page, tsc_page.h the reference TSC page).
 *
 * TLFS: Feature Discovery and the chapters on each; 6.0b appendix C.
 */
#ifndef VSM_HV_MSR_H
#define VSM_HV_MSR_H

#include <vsm/hv/base.h>

/* clang-format off */

/* X(name, number): constant HV_X64_MSR_<name>. */
#define HV_MSR_LIST(X) \
	HV_MSR_LIST_BASE(X) \
	HV_MSR_LIST_SYNIC(X) \
	HV_MSR_LIST_OTHER(X) \
	HV_MSR_LIST_NESTED(X)

#define HV_MSR_LIST_BASE(X) \
	X(GUEST_OS_ID,      0x40000000) \
	X(HYPERCALL,        0x40000001) \
	X(VP_INDEX,         0x40000002) \
	X(RESET,            0x40000003) \
	X(CPU_MGMT_VERSION, 0x40000004) \
	X(VP_RUNTIME,       0x40000010) \
	X(TIME_REF_COUNT,   0x40000020) \
	X(REFERENCE_TSC,    0x40000021) \
	X(TSC_FREQUENCY,    0x40000022) \
	X(APIC_FREQUENCY,   0x40000023) \
	X(NPIEP_CONFIG,     0x40000040) \
	X(EOI,              0x40000070) \
	X(ICR,              0x40000071) \
	X(TPR,              0x40000072) \
	X(VP_ASSIST_PAGE,   0x40000073)

#define HV_MSR_LIST_SYNIC(X) \
	X(SCONTROL,       0x40000080) \
	X(SVERSION,       0x40000081) \
	X(SIEFP,          0x40000082) \
	X(SIMP,           0x40000083) \
	X(EOM,            0x40000084) \
	X(SIRBP,          0x40000085) \
	X(SINT0,          0x40000090) \
	X(SINT1,          0x40000091) \
	X(SINT2,          0x40000092) \
	X(SINT3,          0x40000093) \
	X(SINT4,          0x40000094) \
	X(SINT5,          0x40000095) \
	X(SINT6,          0x40000096) \
	X(SINT7,          0x40000097) \
	X(SINT8,          0x40000098) \
	X(SINT9,          0x40000099) \
	X(SINT10,         0x4000009a) \
	X(SINT11,         0x4000009b) \
	X(SINT12,         0x4000009c) \
	X(SINT13,         0x4000009d) \
	X(SINT14,         0x4000009e) \
	X(SINT15,         0x4000009f) \
	X(STIMER0_CONFIG, 0x400000b0) \
	X(STIMER0_COUNT,  0x400000b1) \
	X(STIMER1_CONFIG, 0x400000b2) \
	X(STIMER1_COUNT,  0x400000b3) \
	X(STIMER2_CONFIG, 0x400000b4) \
	X(STIMER2_COUNT,  0x400000b5) \
	X(STIMER3_CONFIG, 0x400000b6) \
	X(STIMER3_COUNT,  0x400000b7)

#define HV_MSR_LIST_OTHER(X) \
	X(PERF_FEEDBACK_TRIGGER,       0x400000c1) \
	X(GUEST_SCHEDULER_EVENT,       0x400000c2) \
	X(GUEST_IDLE,                  0x400000f0) \
	X(SYNDBG_CONTROL,              0x400000f1) \
	X(SYNDBG_STATUS,               0x400000f2) \
	X(SYNDBG_SEND_BUFFER,          0x400000f3) \
	X(SYNDBG_RECV_BUFFER,          0x400000f4) \
	X(SYNDBG_PENDING_BUFFER,       0x400000f5) \
	X(DEBUG_DEVICE_OPTIONS,        0x400000ff) \
	X(CRASH_P0,                    0x40000100) \
	X(CRASH_P1,                    0x40000101) \
	X(CRASH_P2,                    0x40000102) \
	X(CRASH_P3,                    0x40000103) \
	X(CRASH_P4,                    0x40000104) \
	X(CRASH_CTL,                   0x40000105) \
	X(REENLIGHTENMENT_CONTROL,     0x40000106) \
	X(TSC_EMULATION_CONTROL,       0x40000107) \
	X(TSC_EMULATION_STATUS,        0x40000108) \
	X(SWATCHDOG_CONFIG,            0x40000110) \
	X(SWATCHDOG_COUNT,             0x40000111) \
	X(SWATCHDOG_STATUS,            0x40000112) \
	X(STIME_UNHALTED_TIMER_CONFIG, 0x40000114) \
	X(STIME_UNHALTED_TIMER_COUNT,  0x40000115) \
	X(MEMORY_ZEROING_CONTROL,      0x40000116) \
	X(TSC_INVARIANT_CONTROL,       0x40000118) \
	X(BELOW_1MB_PAGE,              0x40000200)

/* MSRs of the SynIC of the hypervisor below a nested one: the number of the MSR plus 0x1000. */
#define HV_MSR_LIST_NESTED(X) \
	X(NESTED_VP_INDEX, 0x40001002) \
	X(NESTED_SCONTROL, 0x40001080) \
	X(NESTED_SVERSION, 0x40001081) \
	X(NESTED_SIEFP,    0x40001082) \
	X(NESTED_SIMP,     0x40001083) \
	X(NESTED_EOM,      0x40001084) \
	X(NESTED_SIRBP,    0x40001085) \
	X(NESTED_SINT0,    0x40001090) \
	X(NESTED_SINT1,    0x40001091) \
	X(NESTED_SINT2,    0x40001092) \
	X(NESTED_SINT3,    0x40001093) \
	X(NESTED_SINT4,    0x40001094) \
	X(NESTED_SINT5,    0x40001095) \
	X(NESTED_SINT6,    0x40001096) \
	X(NESTED_SINT7,    0x40001097) \
	X(NESTED_SINT8,    0x40001098) \
	X(NESTED_SINT9,    0x40001099) \
	X(NESTED_SINT10,   0x4000109a) \
	X(NESTED_SINT11,   0x4000109b) \
	X(NESTED_SINT12,   0x4000109c) \
	X(NESTED_SINT13,   0x4000109d) \
	X(NESTED_SINT14,   0x4000109e) \
	X(NESTED_SINT15,   0x4000109f)

#define HV_MSR_ENUM_(name, number) HV_X64_MSR_##name = (number),
enum hv_msr { HV_MSR_LIST(HV_MSR_ENUM_) };
#undef HV_MSR_ENUM_

/* clang-format on */

/* GUEST_OS_ID */
#define HV_GUEST_OS_ID_OPEN_SOURCE	 HV_BIT64(63)
#define HV_GUEST_OS_ID_OS_TYPE_SHIFT	 56 /* open source: 62:56, enum hv_guest_os_type */
#define HV_GUEST_OS_ID_VENDOR_DATA_SHIFT 48 /* open source: 55:48 */
#define HV_GUEST_OS_ID_KERNEL_SHIFT	 16 /* open source: 47:16, the kernel's version */
#define HV_GUEST_OS_ID_VENDOR_SHIFT	 48 /* otherwise: 62:48; 1 Microsoft */
#define HV_GUEST_OS_ID_OS_SHIFT		 40 /* otherwise: 47:40; 4 Windows NT */
#define HV_GUEST_OS_ID_MAJOR_SHIFT	 32 /* otherwise: 39:32 */
#define HV_GUEST_OS_ID_MINOR_SHIFT	 24 /* otherwise: 31:24 */
#define HV_GUEST_OS_ID_SERVICE_SHIFT	 16 /* otherwise: 23:16 */
#define HV_GUEST_OS_ID_BUILD_MASK	 UINT64_C(0xffff) /* 15:0, in both formats */

/* GUEST_OS_ID of an open source system, 62:56 */
enum hv_guest_os_type {
	HV_GUEST_OS_TYPE_LINUX = 1,
	HV_GUEST_OS_TYPE_FREEBSD = 2,
	HV_GUEST_OS_TYPE_XEN = 3,
	HV_GUEST_OS_TYPE_ILLUMOS = 4,
};

/* HYPERCALL; GPA as in HV_PAGE_MSR_GPA_MASK */
#define HV_X64_MSR_HYPERCALL_ENABLE	   HV_BIT64(0)
#define HV_X64_MSR_HYPERCALL_LOCKED	   HV_BIT64(1)
#define HV_X64_MSR_HYPERCALL_RESERVED_MASK UINT64_C(0x0000000000000ffc)

/* RESET */
#define HV_X64_MSR_RESET_INITIATE HV_BIT64(0)

/* NPIEP_CONFIG: instructions that fault outside of ring 0 */
#define HV_NPIEP_PREVENT_SGDT HV_BIT64(0)
#define HV_NPIEP_PREVENT_SIDT HV_BIT64(1)
#define HV_NPIEP_PREVENT_SLDT HV_BIT64(2)
#define HV_NPIEP_PREVENT_STR  HV_BIT64(3)

/* CRASH_CTL */
#define HV_CRASH_CTL_NOTIFY	     HV_BIT64(63)
#define HV_CRASH_CTL_MESSAGE	     HV_BIT64(62) /* P3: GPA of a text, P4: its length */
#define HV_CRASH_MESSAGE_MAX	     4096	  /* bytes of the text */
#define HV_CRASH_CTL_NO_DUMP	     HV_BIT64(61)
#define HV_CRASH_CTL_PRE_OS_ID_SHIFT 58
#define HV_CRASH_CTL_PRE_OS_ID_MASK  UINT64_C(0x1c00000000000000)

/* REENLIGHTENMENT_CONTROL, TSC_EMULATION_CONTROL, TSC_EMULATION_STATUS, TSC_INVARIANT_CONTROL */
#define HV_REENLIGHTENMENT_VECTOR_MASK	   UINT64_C(0xff)
#define HV_REENLIGHTENMENT_ENABLED	   HV_BIT64(16)
#define HV_REENLIGHTENMENT_TARGET_VP_SHIFT 32
#define HV_TSC_EMULATION_ENABLED	   HV_BIT64(0)
#define HV_TSC_EMULATION_IN_PROGRESS	   HV_BIT64(0)
#define HV_TSC_INVARIANT_EXPOSE		   HV_BIT64(0)

/* STIME_UNHALTED_TIMER_CONFIG */
#define HV_STIME_UNHALTED_VECTOR_MASK UINT64_C(0xff) /* 2: an NMI */
#define HV_STIME_UNHALTED_ENABLED     HV_BIT64(8)

#endif
