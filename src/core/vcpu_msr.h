/* SPDX-License-Identifier: BSD-2-Clause */
/* MSRs that the CPU implements: a backend passes no others through (docs/backend-kvm.md). */
#ifndef CORE_VCPU_MSR_H
#define CORE_VCPU_MSR_H

#include "core/x64.h"

/*
 * MSRs with state, which is private to a VTL: X(name, number, value after reset). The order is that
 * of the saved state (state/state.h). Those from SPEC_CTRL on do not exist on every CPU:
 * backend_features.msr_valid.
 */
#define VCPU_MSRS(X)                                 \
	X(KERNEL_GS_BASE, X64_MSR_KERNEL_GS_BASE, 0) \
	X(SYSENTER_CS, X64_MSR_SYSENTER_CS, 0)       \
	X(SYSENTER_EIP, X64_MSR_SYSENTER_EIP, 0)     \
	X(SYSENTER_ESP, X64_MSR_SYSENTER_ESP, 0)     \
	X(STAR, X64_MSR_STAR, 0)                     \
	X(LSTAR, X64_MSR_LSTAR, 0)                   \
	X(CSTAR, X64_MSR_CSTAR, 0)                   \
	X(SFMASK, X64_MSR_SFMASK, 0)                 \
	X(PAT, X64_MSR_PAT, X64_PAT_RESET)           \
	X(TSC_AUX, X64_MSR_TSC_AUX, 0)               \
	X(SPEC_CTRL, X64_MSR_SPEC_CTRL, 0)           \
	X(VIRT_SPEC_CTRL, X64_MSR_VIRT_SPEC_CTRL, 0) \
	X(TSX_CTRL, X64_MSR_TSX_CTRL, 0)             \
	X(XSS, X64_MSR_XSS, 0)                       \
	X(XFD, X64_MSR_XFD, 0)                       \
	X(XFD_ERR, X64_MSR_XFD_ERR, 0)               \
	X(DEBUGCTL, X64_MSR_DEBUGCTL, 0)             \
	X(BNDCFGS, X64_MSR_BNDCFGS, 0)               \
	X(UMWAIT_CONTROL, X64_MSR_UMWAIT_CONTROL, 0) \
	X(MISC_FEATURES_ENABLES, X64_MSR_MISC_FEATURES_ENABLES, 0)

#define VCPU_MSR_NAME(name, number, reset) VCPU_MSR_##name,
enum vcpu_msr {
	VCPU_MSRS(VCPU_MSR_NAME) VCPU_MSR_COUNT,
};
#undef VCPU_MSR_NAME

/* The first that does not exist on every CPU. */
#define VCPU_MSR_OPTIONAL VCPU_MSR_SPEC_CTRL

/*
 * MSRs that are passed to the CPU but not saved by VCPU_MSRS: X(first, last, may be read, may be
 * written).
 */
#define VCPU_MSRS_PASSED(X)                                           \
	X(X64_MSR_EFER, X64_MSR_EFER, 1, 1)                           \
	X(X64_MSR_FS_BASE, X64_MSR_GS_BASE, 1, 1)                     \
	X(X64_MSR_TSC, X64_MSR_TSC, 1, 0)                             \
	X(X64_MSR_PRED_CMD, X64_MSR_PRED_CMD, 0, 1)                   \
	X(X64_MSR_FLUSH_CMD, X64_MSR_FLUSH_CMD, 0, 1)                 \
	X(X64_MSR_UCODE_REV, X64_MSR_UCODE_REV, 1, 1)                 \
	X(X64_MSR_PLATFORM_INFO, X64_MSR_PLATFORM_INFO, 1, 0)         \
	X(X64_MSR_ARCH_CAPABILITIES, X64_MSR_ARCH_CAPABILITIES, 1, 0) \
	X(X64_MSR_OSVW_ID_LENGTH, X64_MSR_OSVW_STATUS, 1, 0)

#endif
