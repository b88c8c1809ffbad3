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

/* The restrictions of a page, and what the host denies with these. */
u8 access_restrictions(struct kvm *kvm, gfn_t gfn);
u8 access_denied(u8 restrictions);

/*
 * Whether user and kernel execution are apart on the vCPU now.  Only with SMEP is
 * a fetch from a user page one of user mode; without paging the CPU takes every
 * page for one.
 */
static inline bool access_is_split(struct kvm_vcpu *vcpu)
{
	return unlikely(vcpu->arch.vsm.split_exec) && is_paging(vcpu) &&
	       kvm_is_cr4_bit_set(vcpu, X86_CR4_SMEP);
}
#endif
