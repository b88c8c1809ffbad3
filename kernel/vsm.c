// SPDX-License-Identifier: GPL-2.0-only
/* Hooks that several building blocks share: KVM_RUN, end of an emulated instruction, ioctls. */
#include <linux/kvm_host.h>
#include "x86.h"
#include "kvm_emulate.h"

int kvm_vsm_cap(long ext, int r)
{
	switch (ext) {
	case KVM_CAP_ACCESS:
		return kvm_access_cap();
	case KVM_CAP_WRITE_EXITS:
		return kvm_write_exits_cap();
	case KVM_CAP_PENDING_EVENTFD:
	case KVM_CAP_SHARED_FPU:
		return 1;
	default:
		return r;
	}
}

bool kvm_vsm_vcpu_ioctl(struct kvm_vcpu *vcpu, struct file *filp, unsigned int ioctl,
			void __user *argp, int *r)
{
	switch (ioctl) {
	case KVM_SET_WRITE_EXITS:
		*r = kvm_write_exits_ioctl(vcpu, argp);
		return true;
	case KVM_SET_PENDING_EVENTFD:
		*r = kvm_pending_ioctl(vcpu, argp);
		return true;
	case KVM_SET_SPLIT_EXEC:
		*r = kvm_split_exec_ioctl(vcpu, argp);
		return true;
	case KVM_SHARE_FPU:
		*r = kvm_fpu_ioctl(vcpu, filp, argp);
		return true;
	default:
		return false;
	}
}

static u8 emulated_length(struct kvm_vcpu *vcpu)
{
	struct fetch_cache *fetch = &vcpu->arch.emulate_ctxt->fetch;

	return clamp(fetch->ptr - fetch->data, 0, (long)sizeof(fetch->data));
}

/* Adds the emulated instruction to a refusal. */
static void add_instruction(struct kvm_vcpu *vcpu, struct kvm_access_exit *refused)
{
	/* The length of an instruction whose fetch was refused is unknown. */
	if (refused->flags & KVM_ACCESS_EXIT_EXEC)
		return;
	refused->insn_len = emulated_length(vcpu);
	refused->insn_bytes = refused->insn_len;
	memcpy(refused->insn, vcpu->arch.emulate_ctxt->fetch.data, refused->insn_bytes);
}

/* Called before the emulator executes a decoded instruction. True: ends KVM_RUN. */
bool kvm_vsm_before(struct kvm_vcpu *vcpu)
{
	return kvm_write_exit_emulate(vcpu) ||
	       (kvm_access_refuse_string(vcpu) && kvm_vsm_stopped(vcpu, true));
}

/*
 * Whether a refusal or an intercepted write stopped the emulator (@emulating) or
 * an exit handler.  Its effects are then discarded, and KVM_RUN ends.
 */
bool kvm_vsm_stopped(struct kvm_vcpu *vcpu, bool emulating)
{
	struct kvm_vsm_vcpu *vsm = &vcpu->arch.vsm;

	if (likely(!vsm->is_refused && !vsm->is_write))
		return false;
	if (vsm->is_write) {
		vsm->is_write = false;
		kvm_write_exit_now(vcpu, vsm->write.which, vsm->write.value,
				   emulating ? emulated_length(vcpu) : 0);
	} else {
		if (emulating)
			add_instruction(vcpu, &vsm->refused);
		vcpu->run->exit_reason = KVM_EXIT_MEMORY_FAULT;
	}
	/* The emulator has not written its registers back yet. */
	emulator_invalidate_register_cache(vcpu->arch.emulate_ctxt);
	vcpu->arch.emulate_regs_need_sync_to_vcpu = false;
	vcpu->mmio_needed = false;
	vcpu->arch.pio.count = 0;
	vcpu->arch.complete_userspace_io = NULL;
	/* Otherwise the next device read would return the data of this read. */
	vcpu->mmio_read_completed = 0;
	return true;
}
EXPORT_SYMBOL_GPL(kvm_vsm_stopped);

void kvm_vsm_enter(struct kvm_vcpu *vcpu)
{
	kvm_pending_enter(vcpu);
	vcpu->arch.vsm.is_refused = false;
	vcpu->arch.vsm.is_write = false;
}

int kvm_vsm_leave(struct kvm_vcpu *vcpu, int r)
{
	struct kvm_run *run = vcpu->run;

	kvm_pending_leave(vcpu);
	if (likely(!vcpu->arch.vsm.is_refused))
		return r;
	if (r != -EFAULT && (r || run->exit_reason != KVM_EXIT_MEMORY_FAULT))
		return r;
	BUILD_BUG_ON(offsetof(struct kvm_access_exit, gva) != sizeof(run->memory_fault));
	BUILD_BUG_ON(offsetof(struct kvm_run, memory_fault) != offsetof(struct kvm_run, padding));
	BUILD_BUG_ON(sizeof(struct kvm_access_exit) > sizeof(run->padding));
	run->exit_reason = KVM_EXIT_MEMORY_FAULT;
	memcpy(run->padding, &vcpu->arch.vsm.refused, sizeof(vcpu->arch.vsm.refused));
	return -EFAULT;
}

MODULE_VERSION(KVM_VSM_VERSION);
