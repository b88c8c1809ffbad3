/* SPDX-License-Identifier: BSD-2-Clause */
#include "walk_kvm.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	CPUID_ENTRIES = 200
};

const char *walk_kvm_open(struct walk_kvm *kvm, void *ram, uint64_t size,
			  const struct vsm_walk_context *context)
{
	/* The structure ends in an array of no size. */
	static uint64_t
		room[(sizeof(struct kvm_cpuid2) + CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2)) /
			     8 +
		     1];
	struct kvm_cpuid2 *cpuid = (struct kvm_cpuid2 *)room;
	struct kvm_userspace_memory_region region = {.memory_size = size,
						     .userspace_addr = (uintptr_t)ram};
	struct kvm_sregs sregs;

	cpuid->nent = CPUID_ENTRIES;
	kvm->vm = kvm->vcpu = -1;
	kvm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm->kvm < 0)
		return "/dev/kvm does not open";
	kvm->vm = ioctl(kvm->kvm, KVM_CREATE_VM, 0);
	if (kvm->vm < 0)
		return "KVM creates no VM";
	if (ioctl(kvm->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return "KVM takes no memory";
	kvm->vcpu = ioctl(kvm->vm, KVM_CREATE_VCPU, 0);
	if (kvm->vcpu < 0 || ioctl(kvm->kvm, KVM_GET_SUPPORTED_CPUID, cpuid) < 0 ||
	    ioctl(kvm->vcpu, KVM_SET_CPUID2, cpuid) < 0 ||
	    ioctl(kvm->vcpu, KVM_GET_SREGS, &sregs) < 0)
		return "KVM creates no vCPU";
	sregs.cr0 = context->cr0;
	sregs.cr3 = context->cr3;
	sregs.cr4 = context->cr4;
	sregs.efer = context->efer;
	sregs.cs.db = 0;
	sregs.cs.l = 1;
	if (ioctl(kvm->vcpu, KVM_SET_SREGS, &sregs) < 0)
		return "KVM does not take the registers";
	if (walk_kvm_translate(kvm, 0x1000) != 0x1000)
		return "KVM_TRANSLATE has another answer";
	return NULL;
}

uint64_t walk_kvm_translate(const struct walk_kvm *kvm, uint64_t gva)
{
	struct kvm_translation translation = {.linear_address = gva};

	if (ioctl(kvm->vcpu, KVM_TRANSLATE, &translation) < 0 || !translation.valid)
		return ~UINT64_C(0);
	return translation.physical_address;
}

void walk_kvm_close(const struct walk_kvm *kvm)
{
	const int all[] = {kvm->vcpu, kvm->vm, kvm->kvm};

	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] >= 0)
			close(all[i]);
}
