// SPDX-License-Identifier: GPL-2.0-only
/*
 * FPU registers shared by several vCPUs (README.md, "Shared FPU registers"). An ioctl that accesses
 * them holds its vCPU's mutex, so the vCPU whose ioctl runs owns the shared registers.
 */
#include <linux/file.h>
#include <linux/kvm_host.h>
#include <asm/fpu/xstate.h>
#include "x86.h"

struct kvm_fpu_shared {
	refcount_t users;
	struct kvm_vcpu *owner; /* the vCPU whose ioctl runs, or NULL */
	u32 pkru;		/* a copy, as KVM has it per vCPU; valid while there is no owner */
};

/* Called at the start of an ioctl, with @vcpu's mutex held. */
int kvm_fpu_take(struct kvm_vcpu *vcpu)
{
	struct kvm_fpu_shared *shared = vcpu->arch.vsm.fpu;

	if (cmpxchg_acquire(&shared->owner, NULL, vcpu))
		return -EBUSY;
	vcpu->arch.pkru = shared->pkru;
	return 0;
}

/* Called at the end of an ioctl. KVM_SHARE_FPU itself did not take ownership. */
void kvm_fpu_give(struct kvm_vcpu *vcpu)
{
	struct kvm_fpu_shared *shared = vcpu->arch.vsm.fpu;

	if (READ_ONCE(shared->owner) != vcpu)
		return;
	shared->pkru = vcpu->arch.pkru;
	smp_store_release(&shared->owner, NULL);
}

static bool can_share(struct kvm_vcpu *vcpu)
{
	struct fpu_guest *fpu = &vcpu->arch.guest_fpu;

	return vcpu->kvm->arch.vm_type == KVM_X86_DEFAULT_VM && !vcpu->arch.guest_state_protected &&
	       !fpstate_is_confidential(fpu) && !(fpu->xfeatures & XFEATURE_MASK_USER_DYNAMIC);
}

/* Called with both mutexes held, so that neither fpstate is in use. */
static int share(struct kvm_vcpu *vcpu, struct kvm_vcpu *other)
{
	struct kvm_fpu_shared *shared = other->arch.vsm.fpu;

	if (vcpu->arch.vsm.fpu)
		return -EBUSY;
	if (!can_share(vcpu) || !can_share(other))
		return -EOPNOTSUPP;
	if (!shared) {
		shared = kzalloc(sizeof(*shared), GFP_KERNEL_ACCOUNT);
		if (!shared)
			return -ENOMEM;
		refcount_set(&shared->users, 1);
		shared->pkru = other->arch.pkru;
		other->arch.vsm.fpu = shared;
	}
	refcount_inc(&shared->users);
	fpu_free_guest_fpstate(&vcpu->arch.guest_fpu);
	vcpu->arch.guest_fpu = other->arch.guest_fpu;
	vcpu->arch.vsm.fpu = shared;
	return 0;
}

static int share_with_file(struct kvm_vcpu *vcpu, struct file *filp, struct file *file)
{
	struct kvm_vcpu *other = file->private_data;
	int r;

	if (file->f_op != filp->f_op)
		return -EBADF;
	if (other == vcpu || other->kvm->mm != vcpu->kvm->mm || vcpu->arch.last_vmentry_cpu != -1)
		return -EINVAL;
	/* Avoids a deadlock if two vCPUs call KVM_SHARE_FPU for each other at the same time. */
	if (!mutex_trylock(&other->mutex))
		return -EBUSY;
	r = share(vcpu, other);
	mutex_unlock(&other->mutex);
	return r;
}

int kvm_fpu_ioctl(struct kvm_vcpu *vcpu, struct file *filp, void __user *argp)
{
	struct file *file;
	s32 fd;
	int r;

	if (get_user(fd, (s32 __user *)argp))
		return -EFAULT;
	file = fget(fd);
	if (!file)
		return -EBADF;
	r = share_with_file(vcpu, filp, file);
	fput(file);
	return r;
}

/* The fpstate is freed with the last vCPU. */
void kvm_fpu_destroy(struct kvm_vcpu *vcpu)
{
	struct kvm_fpu_shared *shared = vcpu->arch.vsm.fpu;

	if (!shared)
		return;
	if (refcount_dec_and_test(&shared->users))
		kfree(shared);
	else
		vcpu->arch.guest_fpu.fpstate = NULL;
	vcpu->arch.vsm.fpu = NULL;
}
