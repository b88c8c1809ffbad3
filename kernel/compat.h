/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences between the supported kernels in functions of KVM that the hooks call. */
#ifndef KVM_VSM_COMPAT_H
#define KVM_VSM_COMPAT_H

#include <linux/kvm_host.h>
#include "x86.h"
#include "mmu.h"
#include "mmu/spte.h"
#if __has_include("kvm_cache_regs.h")
#include "kvm_cache_regs.h"
#else
#include "regs.h"
#endif

#ifdef ACC_READ_MASK

#define kvm_mmu_invalidate_begin kvm_mmu_invalidate_start

static inline unsigned int acc_read_mask(void)
{
	return ACC_READ_MASK;
}

/* The ACC_* bits that @denied clears.  NPT has one bit for execution, EPT two. */
static inline unsigned int acc_exec_mask(u8 denied)
{
	unsigned int mask = denied & KVM_ACCESS_NO_KERNEL_EXEC ? ACC_EXEC_MASK : 0;

	if (!shadow_nx_mask && (denied & KVM_ACCESS_NO_USER_EXEC))
		mask |= ACC_USER_EXEC_MASK;
	return mask;
}

static inline gpa_t gva_to_gpa(struct kvm_vcpu *vcpu, gva_t gva, u64 access,
			       struct x86_exception *exception)
{
	struct kvm_pagewalk *walk = &vcpu->arch.gva_walk;

	return walk->gva_to_gpa(vcpu, walk, gva, access, exception);
}

#else

/* ACC_USER_MASK is R of EPT, and U/S of NPT. */
static inline unsigned int acc_read_mask(void)
{
	return ACC_USER_MASK;
}

/* One bit for both execute rights; kvm_access_exec() separates them. */
static inline unsigned int acc_exec_mask(u8 denied)
{
	return (denied & KVM_ACCESS_NO_EXEC) == KVM_ACCESS_NO_EXEC ? ACC_EXEC_MASK : 0;
}

static inline gpa_t gva_to_gpa(struct kvm_vcpu *vcpu, gva_t gva, u64 access,
			       struct x86_exception *exception)
{
	struct kvm_mmu *mmu = vcpu->arch.walk_mmu;

	return mmu->gva_to_gpa(vcpu, mmu, gva, access, exception);
}

#endif
#endif
