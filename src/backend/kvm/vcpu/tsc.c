/* SPDX-License-Identifier: BSD-2-Clause */
/* The TSC of the partition, and that of each VTL. */
#include <errno.h>
#include <string.h>

#include "kvm/vcpu/vcpu.h"

uint64_t vkvm_tsc(void *opaque)
{
	const struct vkvm_backend *backend = opaque;

	return __builtin_ia32_rdtsc() + (uint64_t)backend->tsc_offset;
}

/*
 * In KVM each virtual machine has a separate TSC: the offset that KVM reports for the first vCPU is
 * set for all others.
 */
int tsc_set_vcpu(struct vcpu *vcpu)
{
	struct vkvm_backend *backend = vcpu->vp->backend;
	int64_t base =
		backend->tsc_offset_known ? backend->tsc_offset : -(int64_t)__builtin_ia32_rdtsc();
	int64_t offset = (int64_t)((uint64_t)base + vcpu->tsc_offset);
	int64_t got = 0;
	struct kvm_device_attr attribute = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)&offset,
	};
	int error = vkvm_ioctl(vcpu->fd, KVM_SET_DEVICE_ATTR, &attribute);

	attribute.addr = (uintptr_t)&got;
	if (!error)
		error = vkvm_ioctl(vcpu->fd, KVM_GET_DEVICE_ATTR, &attribute);
	if (error)
		return vsm_error(backend->log, -error, "kvm: setting the TSC of a vCPU: %s",
				 strerror(-error));
	if (backend->tsc_offset_known && got != offset)
		return vsm_error(backend->log, ENOTSUP, "kvm: vCPUs cannot have the same TSC");
	if (!backend->tsc_offset_known)
		backend->tsc_offset = got;
	backend->tsc_offset_known = true;
	return 0;
}

int vkvm_tsc_set(void *opaque, uint64_t value)
{
	struct vkvm_backend *backend = opaque;
	int error = 0;

	backend->tsc_offset = (int64_t)(value - __builtin_ia32_rdtsc());
	for (uint32_t i = 0; i < backend->vp_count && !error; i++) {
		struct vkvm_vp *vp = atomic_load(&backend->vp[i]);

		for (uint8_t vtl = 0; vp && vtl < backend->vtl_count && !error; vtl++)
			error = tsc_set_vcpu(&vp->vcpu[vtl]);
		/* The timer was set for a deadline in the old TSC: the next entry sets it again. */
		if (vp)
			vp->timer_deadline = 0;
	}
	return error;
}

int vkvm_vp_tsc_offset(void *opaque, uint8_t vtl, uint64_t offset)
{
	struct vkvm_vp *vp = opaque;

	vp->vcpu[vtl].tsc_offset = offset;
	return tsc_set_vcpu(&vp->vcpu[vtl]);
}

/*
 * With AccessTscInvariantControls KVM hides the invariant TSC until the MSR is written, in each
 * virtual machine. Linux before 6.2 does not have the MSR, and hides nothing.
 */
int vkvm_vp_show_invariant_tsc(void *opaque, bool shown)
{
	struct vkvm_vp *vp = opaque;

	atomic_store(&vp->backend->tsc_invariant_shown, shown);
	for (uint8_t vtl = 0; vtl < vp->backend->vtl_count; vtl++) {
		struct msr_batch one = {
			.count = 1,
			.entry[0] = {.index = HV_X64_MSR_TSC_INVARIANT_CONTROL, .data = shown},
		};
		int done = vkvm_ioctl(vp->vcpu[vtl].fd, KVM_SET_MSRS, &one);

		if (done < 0)
			return vsm_error(vp->backend->log, -done,
					 "kvm: HV_X64_MSR_TSC_INVARIANT_CONTROL cannot be set");
	}
	return 0;
}
