/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the supported kernels in the functions of KVM that the
 * blocks call.  Newer kernels give reads a bit of their own (ACC_READ_MASK), and
 * map ACC_USER_MASK to user execution where they use EPT.
 */
#ifndef KVM_VSM_COMPAT_H
#define KVM_VSM_COMPAT_H

#include <linux/kvm_host.h>
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

/* NPT has a bit that denies execution, EPT two that allow it. */
static inline unsigned int acc_exec_mask(void)
{
	return shadow_nx_mask ? ACC_EXEC_MASK : ACC_EXEC_MASK | ACC_USER_EXEC_MASK;
}

static inline gpa_t gva_to_gpa(struct kvm_vcpu *vcpu, gva_t gva, u64 access,
			       struct x86_exception *exception)
{
	struct kvm_pagewalk *walk = &vcpu->arch.gva_walk;

	return walk->gva_to_gpa(vcpu, walk, gva, access, exception);
}

#else

/* ACC_USER_MASK is EPT's R bit, and U/S of NPT. */
static inline unsigned int acc_read_mask(void)
{
	return ACC_USER_MASK;
}

static inline unsigned int acc_exec_mask(void)
{
	return ACC_EXEC_MASK;
}

static inline gpa_t gva_to_gpa(struct kvm_vcpu *vcpu, gva_t gva, u64 access,
			       struct x86_exception *exception)
{
	struct kvm_mmu *mmu = vcpu->arch.walk_mmu;

	return mmu->gva_to_gpa(vcpu, mmu, gva, access, exception);
}

#endif
#endif
