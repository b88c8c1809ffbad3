// SPDX-License-Identifier: GPL-2.0-only
/* Exits on register writes, on SVM. */
#include <linux/kvm_host.h>
#include "x86.h"
#include "../compat.h"
#include "smm.h"
#include "svm.h"

static const struct {
	u32 which;
	u32 intercept;
	u64 exit_code;
} descriptors[] = {
	{KVM_WRITE_EXIT_GDTR, INTERCEPT_LOAD_GDTR, SVM_EXIT_GDTR_WRITE},
	{KVM_WRITE_EXIT_IDTR, INTERCEPT_LOAD_IDTR, SVM_EXIT_IDTR_WRITE},
	{KVM_WRITE_EXIT_LDTR, INTERCEPT_LOAD_LDTR, SVM_EXIT_LDTR_WRITE},
	{KVM_WRITE_EXIT_TR, INTERCEPT_LOAD_TR, SVM_EXIT_TR_WRITE},
};

/* CR4 and XCR0 are always intercepted, as is CR0 except TS and MP. */
void svm_update_cr0_exit(struct kvm_vcpu *vcpu)
{
	if (unlikely(vcpu->arch.vsm.write_exits.cr0_mask & (X86_CR0_TS | X86_CR0_MP)))
		svm_set_intercept(to_svm(vcpu), INTERCEPT_CR0_WRITE);
}

void svm_update_write_exits(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	int i;

	for (i = 0; i < ARRAY_SIZE(descriptors); i++) {
		if (vcpu->arch.vsm.write_exits.registers & descriptors[i].which)
			svm_set_intercept(svm, descriptors[i].intercept);
		else
			svm_clr_intercept(svm, descriptors[i].intercept);
	}
	/* Updates the intercept of CR0. */
	svm_set_cr0(vcpu, kvm_read_cr0(vcpu));
}

void __init svm_setup_write_exits(struct kvm_x86_ops *ops)
{
	ops->write_exits_cap = KVM_WRITE_EXIT_MASK | KVM_WRITE_EXIT_CR0_TS;
	ops->update_write_exits = svm_update_write_exits;
}

/* Whether an exit without a handler in KVM is a watched write. */
bool svm_is_write_exit(u64 exit_code)
{
	return exit_code >= SVM_EXIT_IDTR_WRITE && exit_code <= SVM_EXIT_TR_WRITE;
}

int svm_write_exit(struct kvm_vcpu *vcpu, u64 exit_code)
{
	u64 next_rip = to_svm(vcpu)->vmcb->control.next_rip;
	int i;

	/* A write by a nested guest or in SMM does not exit to user space. */
	if (is_guest_mode(vcpu) || is_smm(vcpu))
		return kvm_emulate_instruction(vcpu, 0);

	for (i = 0; descriptors[i].exit_code != exit_code; i++)
		;
	return kvm_write_exit_now(vcpu, descriptors[i].which, 0,
				  nrips && next_rip ? next_rip - kvm_rip_read(vcpu) : 0);
}

MODULE_VERSION(KVM_VSM_VERSION);
