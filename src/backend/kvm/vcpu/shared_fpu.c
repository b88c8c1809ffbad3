/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One set of FPU registers for all VTLs of a VP, which the optional kernel part (kernel/) can have vCPUs
 * share: nothing of it moves when the active VTL changes.
 *
 * There is one XSAVE area for the register files of all VTLs, and one for their vCPUs. Of which VTL it was
 * loaded or changed does not matter: it is given to KVM before any of them runs, and known no more when one
 * of them has run.
 */
#include <stdint.h>

#include "core/x64.h"
#include "kvm/vcpu/vcpu.h"
#include "kvm_vsm.h"

void shared_fpu_find(struct vkvm_backend *backend)
{
	int can = vkvm_ioctl(backend->kvm, KVM_CHECK_EXTENSION,
			     (void *)(uintptr_t)KVM_CAP_SHARED_FPU);

	/* The kernel does not share what grows, which AMX does. */
	backend->features.fpu_shared =
		can > 0 && !(backend->features.xcr0_supported & X64_XFEATURE_TILE_DATA);
}

int shared_fpu_join(struct vcpu *vcpu)
{
	const struct vkvm_backend *backend = vcpu->vp->backend;
	int32_t first = vcpu->vp->vcpu[0].fd;
	int error;

	error = vkvm_ioctl(vcpu->fd, KVM_SHARE_FPU, &first);
	return error ? vsm_error(backend->log, -error, "kvm: VP%u VTL%u: sharing FPU registers",
				 vcpu->vp->index, vcpu->vtl)
		     : 0;
}

/* Register files that share an area: none where each VTL has its own. */
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

void shared_fpu_forget(struct vkvm_vp *vp)
{
	for (uint8_t vtl = 0; vtl < files(vp); vtl++)
		vp->state[vtl].valid &= ~(uint32_t)VCPU_FPU;
}
