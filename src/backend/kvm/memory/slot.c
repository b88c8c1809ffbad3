/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory slots of a VTL's virtual machine.
 */
#include <linux/kvm.h>
#include <string.h>

#include "kvm/backend.h"

int vkvm_slot_set(struct vkvm_backend *backend, uint8_t vtl, uint32_t slot, uint64_t gpa,
		  uint64_t size, const void *host, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)host,
	};
	int error = vkvm_ioctl(backend->vm[vtl].fd, KVM_SET_USER_MEMORY_REGION, &region);

	return error ? vsm_error(backend->log, -error,
				 "kvm: VTL%u: memory slot %u at %#llx, %llu bytes: %s", vtl, slot,
				 (unsigned long long)gpa, (unsigned long long)size,
				 strerror(-error))
		     : 0;
}

void vkvm_slot_remove(struct vkvm_backend *backend, uint8_t vtl, uint32_t slot)
{
	struct kvm_userspace_memory_region region = {.slot = slot};

	(void)vkvm_ioctl(backend->vm[vtl].fd, KVM_SET_USER_MEMORY_REGION, &region);
}
