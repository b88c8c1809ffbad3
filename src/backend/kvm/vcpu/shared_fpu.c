/* SPDX-License-Identifier: BSD-2-Clause */
/* FPU registers that all VTLs of a VP share, with the kernel part: docs/backend-kvm.md. */
#include <stdint.h>

#include <string.h>

#include "core/x64.h"
#include "kvm/vcpu/vcpu.h"
#include "kvm_vsm.h"

void shared_fpu_find(struct vkvm_backend *backend)
{
	int can = vkvm_ioctl(backend->kvm, KVM_CHECK_EXTENSION,
			     (void *)(uintptr_t)KVM_CAP_SHARED_FPU);

	/* The kernel does not share areas of variable size, as with AMX. */
	backend->features.fpu_shared =
		can > 0 && !(backend->features.xcr0_supported & X64_XFEATURE_TILE_DATA);
}

int shared_fpu_join(struct vcpu *vcpu)
{
	const struct vkvm_backend *backend = vcpu->vp->backend;
	int32_t first = vcpu->vp->vcpu[0].fd;
	int error;

	error = vkvm_ioctl(vcpu->fd, KVM_SHARE_FPU, &first);
	return error ? vsm_error(backend->log, -error, "kvm: VP%u VTL%u: sharing FPU registers: %s",
				 vcpu->vp->index, vcpu->vtl, strerror(-error))
		     : 0;
}

/* The number of register files that share an area; 0: each has its own. */
static uint8_t files(const struct vkvm_vp *vp)
{
	return vp->backend->features.fpu_shared ? vp->backend->vtl_count : 0;
}

bool shared_fpu_is_known(const struct vkvm_vp *vp)
{
	for (uint8_t vtl = 0; vtl < files(vp); vtl++)
		if ((vp->state[vtl].valid | vp->state[vtl].dirty) & VCPU_FPU)
			return true;
	return false;
}

bool shared_fpu_is_dirty(const struct vkvm_vp *vp)
{
	for (uint8_t vtl = 0; vtl < files(vp); vtl++)
		if (vp->state[vtl].dirty & VCPU_FPU)
			return true;
	return false;
}

void shared_fpu_stored(struct vkvm_vp *vp)
{
	for (uint8_t vtl = 0; vtl < files(vp); vtl++)
		vp->state[vtl].dirty &= ~(uint32_t)VCPU_FPU;
}

void shared_fpu_invalidate(struct vkvm_vp *vp)
{
	for (uint8_t vtl = 0; vtl < files(vp); vtl++)
		vp->state[vtl].valid &= ~(uint32_t)VCPU_FPU;
}
