// SPDX-License-Identifier: GPL-2.0-only
/* Exits on register writes: common to SVM and VMX. */
#include <linux/kvm_host.h>
#include "x86.h"
#include "compat.h"
#include "kvm_emulate.h"
#include "smm.h"

int kvm_write_exits_cap(void)
{
	return kvm_x86_ops.write_exits_cap;
}

int kvm_write_exits_ioctl(struct kvm_vcpu *vcpu, void __user *argp)
{
	struct kvm_write_exits set;
	u32 cap = kvm_write_exits_cap();

	if (copy_from_user(&set, argp, sizeof(set)))
		return -EFAULT;
	if (set.reserved || set.registers & ~(cap & KVM_WRITE_EXIT_MASK) ||
	    (set.cr0_mask && !(set.registers & KVM_WRITE_EXIT_CR0)) ||
	    (set.cr4_mask && !(set.registers & KVM_WRITE_EXIT_CR4)) ||
	    (set.cr0_mask & X86_CR0_TS && !(cap & KVM_WRITE_EXIT_CR0_TS)) ||
	    vcpu->arch.guest_state_protected)
		return -EINVAL;
	/* The guest-owned bits of a nested guest are in another VMCS. */
	if (is_guest_mode(vcpu))
		return -EBUSY;
	vcpu->arch.vsm.write_exits = set;
	kvm_x86_ops.update_write_exits(vcpu);
	return 0;
}

static bool is_caught(struct kvm_vcpu *vcpu, u32 which)
{
	return unlikely(vcpu->arch.vsm.write_exits.registers & which) && !is_guest_mode(vcpu) &&
	       !is_smm(vcpu);
}

/* Fills in the exit.  Returns 0, which makes an exit handler return to user space. */
int kvm_write_exit_now(struct kvm_vcpu *vcpu, u32 which, u64 value, u8 insn_len)
{
	struct kvm_write_exit *exit = (struct kvm_write_exit *)vcpu->run->padding;

	vcpu->run->exit_reason = KVM_EXIT_REGISTER_WRITE;
	exit->which = which;
	exit->insn_len = insn_len;
	exit->value = value;
	return 0;
}
EXPORT_SYMBOL_GPL(kvm_write_exit_now);

/*
 * Called in kvm_set_cr0() and kvm_set_cr4(), which cannot exit themselves: true makes them fail,
 * and kvm_vsm_stopped() in their callers turns the failure into an exit.
 */
bool kvm_write_exit_cr(struct kvm_vcpu *vcpu, u32 which, u64 old, u64 new)
{
	struct kvm_write_exits *exits = &vcpu->arch.vsm.write_exits;

	if (!is_caught(vcpu, which) ||
	    !((old ^ new) & (which == KVM_WRITE_EXIT_CR0 ? exits->cr0_mask : exits->cr4_mask)))
		return false;
	vcpu->arch.vsm.write = (struct kvm_write_exit){.which = which, .value = new};
	vcpu->arch.vsm.is_write = true;
	return true;
}

bool kvm_write_exit_xcr0(struct kvm_vcpu *vcpu)
{
	if (!is_caught(vcpu, KVM_WRITE_EXIT_XCR0) || kvm_rcx_read(vcpu) ||
	    kvm_x86_call(get_cpl)(vcpu) != 0)
		return false;
	kvm_write_exit_now(vcpu, KVM_WRITE_EXIT_XCR0, kvm_read_edx_eax(vcpu), 0);
	return true;
}

/* A task switch loads TR, LDTR and others in one step: it raises #GP while one is watched. */
bool kvm_write_exit_task(struct kvm_vcpu *vcpu, u16 selector)
{
	if (!is_caught(vcpu, KVM_WRITE_EXIT_TR | KVM_WRITE_EXIT_LDTR))
		return false;
	/* The #GP replaces an event that was to be delivered by the task switch. */
	kvm_clear_interrupt_queue(vcpu);
	vcpu->arch.nmi_injected = false;
	kvm_queue_exception_e(vcpu, GP_VECTOR, selector & 0xfffc);
	return true;
}
EXPORT_SYMBOL_GPL(kvm_write_exit_task);

/*
 * Called before the emulator executes.  A guest can make KVM emulate any
 * instruction, by replacing one whose access is being emulated.
 */
bool kvm_write_exit_emulate(struct kvm_vcpu *vcpu)
{
	struct x86_emulate_ctxt *ctxt = vcpu->arch.emulate_ctxt;
	u32 which;

	if (likely(!vcpu->arch.vsm.write_exits.registers))
		return false;
	switch (ctxt->intercept) {
	case x86_intercept_xsetbv:
		return kvm_write_exit_xcr0(vcpu);
	case x86_intercept_lgdt:
		which = KVM_WRITE_EXIT_GDTR;
		break;
	case x86_intercept_lidt:
		which = KVM_WRITE_EXIT_IDTR;
		break;
	case x86_intercept_lldt:
		which = KVM_WRITE_EXIT_LDTR;
		break;
	case x86_intercept_ltr:
		which = KVM_WRITE_EXIT_TR;
		break;
	default:
		return false;
	}
	if (!is_caught(vcpu, which) || kvm_x86_call(get_cpl)(vcpu) != 0)
		return false;
	kvm_write_exit_now(vcpu, which, 0, ctxt->fetch.ptr - ctxt->fetch.data);
	return true;
}
