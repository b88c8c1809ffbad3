/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory slots of a VTL's virtual machine. */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "kvm/backend.h"

static int set(struct vkvm_backend *backend, uint8_t vtl, uint32_t slot, uint64_t gpa,
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

static bool has_smm(const struct vkvm_backend *backend, uint8_t vtl)
{
	return vtl == 0 && backend->smm;
}

int vkvm_slot_set_smm(struct vkvm_backend *backend, uint32_t slot, uint64_t gpa, uint64_t size,
		      const void *host, uint32_t flags)
{
	return set(backend, 0, VKVM_SMM_SLOT(slot), gpa, size, host, flags);
}

int vkvm_slot_set(struct vkvm_backend *backend, uint8_t vtl, uint32_t slot, uint64_t gpa,
		  uint64_t size, const void *host, uint32_t flags)
{
	int error = set(backend, vtl, slot, gpa, size, host, flags);

	if (error || !has_smm(backend, vtl))
		return error;
	error = vkvm_slot_set_smm(backend, slot, gpa, size, host, flags);
	if (error && size)
		(void)vkvm_slot_remove(backend, vtl, slot);
	return error;
}

/* KVM refuses to remove a slot that does not exist, with EINVAL. */
static int remove_slot(const struct vkvm_backend *backend, uint8_t vtl, uint32_t slot)
{
	struct kvm_userspace_memory_region region = {.slot = slot};
	int error = vkvm_ioctl(backend->vm[vtl].fd, KVM_SET_USER_MEMORY_REGION, &region);

	return error == -EINVAL ? 0 : error;
}

int vkvm_slot_remove(struct vkvm_backend *backend, uint8_t vtl, uint32_t slot)
{
	int error = remove_slot(backend, vtl, slot);
	int smm_error = has_smm(backend, vtl) ? remove_slot(backend, vtl, VKVM_SMM_SLOT(slot)) : 0;

	return error ? error : smm_error;
}
