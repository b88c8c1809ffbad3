/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of the access restrictions. */
#ifndef KVM_VSM_ACCESS_H
#define KVM_VSM_ACCESS_H

#include <linux/kvm_host.h>
#include "compat.h"

static inline bool access_in_use(struct kvm *kvm)
{
	return kvm_access_is_used(kvm);
}

/* The restrictions of a page, and the accesses that the host denies with them. */
u8 access_restrictions(struct kvm *kvm, gfn_t gfn);
u8 access_denied(u8 restrictions);

/*
 * Whether the vCPU now has separate user and kernel execution.  The CPU checks
 * by the page's U/S bits, not by CPL.  Only with SMEP do all fetches from user
 * pages come from user mode; without paging every page counts as a user page.
 */
static inline bool access_is_split(struct kvm_vcpu *vcpu)
{
	return unlikely(vcpu->arch.vsm.split_exec) && is_paging(vcpu) &&
	       kvm_is_cr4_bit_set(vcpu, X86_CR4_SMEP);
}
#endif
