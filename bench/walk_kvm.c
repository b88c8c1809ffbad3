/* SPDX-License-Identifier: BSD-2-Clause */
#include "walk_kvm.h"

#include <stddef.h>
#include <sys/ioctl.h>

const char *walk_kvm_open(struct raw_kvm *kvm, void *ram, uint64_t size,
			  const struct vsm_walk_context *context)
{
	const struct raw_vcpu *vcpu;
	struct kvm_sregs sregs;

	if (!raw_kvm_open(kvm))
		return "/dev/kvm does not open";
	raw_kvm_create_vm(kvm);
	raw_kvm_map(kvm, 0, 0, ram, size);
	vcpu = raw_kvm_add_vcpu(kvm, NULL);
	sregs = raw_kvm_sregs(vcpu);
	sregs.cr0 = context->cr0;
	sregs.cr3 = context->cr3;
	sregs.cr4 = context->cr4;
	sregs.efer = context->efer;
	sregs.cs.db = 0;
	sregs.cs.l = 1;
	raw_kvm_set_sregs(vcpu, &sregs);
	if (walk_kvm_translate(kvm, 0x1000) != 0x1000)
		return "KVM_TRANSLATE has another answer";
	return NULL;
}

uint64_t walk_kvm_translate(const struct raw_kvm *kvm, uint64_t gva)
{
	struct kvm_translation translation = {.linear_address = gva};

	if (ioctl(kvm->vcpu[0].fd, KVM_TRANSLATE, &translation) < 0 || !translation.valid)
		return ~UINT64_C(0);
	return translation.physical_address;
}
