// SPDX-License-Identifier: GPL-2.0-only
/* VMX: exits on register writes, mode-based execute control, the address of a refused access. */
#include <linux/kvm_host.h>
#include "x86.h"
#include "../access.h"
#include "smm.h"
#include "vmx.h"
#include "x86_ops.h"

/* The register that an instruction writes: SDM 3C, tables 28-10 and 28-11. */
#define INSTRUCTION_IDENTITY(info) (((info) >> 28) & 3)

static const u32 gdtr_idtr[] = {0, 0, KVM_WRITE_EXIT_GDTR, KVM_WRITE_EXIT_IDTR};
static const u32 ldtr_tr[] = {0, 0, KVM_WRITE_EXIT_LDTR, KVM_WRITE_EXIT_TR};

static bool has_descriptor_exits(void)
{
	return vmcs_config.cpu_based_2nd_exec_ctrl & SECONDARY_EXEC_DESC;
}

void vmx_update_descriptor_exit(struct kvm_vcpu *vcpu)
{
	if (unlikely(vcpu->arch.vsm.write_exits.registers & KVM_WRITE_EXIT_DESCRIPTORS))
		secondary_exec_controls_setbit(to_vmx(vcpu), SECONDARY_EXEC_DESC);
}

void vmx_update_write_exits(struct kvm_vcpu *vcpu)
{
	/* Read before the masks change: guest-owned bits are in the VMCS. */
	unsigned long cr0 = kvm_read_cr0(vcpu);
	unsigned long cr4 = kvm_read_cr4(vcpu);

	/* With EPT, CR0.WP is guest-owned. */
	vcpu->arch.cr0_guest_owned_bits =
		vmx_l1_guest_owned_cr0_bits() & ~vcpu->arch.vsm.write_exits.cr0_mask;
	vmcs_writel(CR0_GUEST_HOST_MASK, ~vcpu->arch.cr0_guest_owned_bits);
	vmx_set_cr0(vcpu, cr0);
	set_cr4_guest_host_mask(to_vmx(vcpu));
	if (has_descriptor_exits())
		secondary_exec_controls_clearbit(to_vmx(vcpu), SECONDARY_EXEC_DESC);
	vmx_update_descriptor_exit(vcpu);
	vmx_set_cr4(vcpu, cr4);
}

static bool has_split_exec __ro_after_init;

/* KVM calls it for the secondary controls of a new VMCS, and after a change of CPUID. */
u32 vmx_split_exec_control(struct vcpu_vmx *vmx, u32 control)
{
	if (!has_split_exec)
		return control;
	return access_is_split(&vmx->vcpu) ? control | SECONDARY_EXEC_MODE_BASED_EPT_EXEC
					   : control & ~SECONDARY_EXEC_MODE_BASED_EPT_EXEC;
}

/* Called after a change of CR0, CR4 or the setting; flushes translations of the old mode. */
void vmx_update_split_exec(struct kvm_vcpu *vcpu)
{
	u32 old, new;

	if (!has_split_exec || is_guest_mode(vcpu))
		return;
	old = secondary_exec_controls_get(to_vmx(vcpu));
	new = vmx_split_exec_control(to_vmx(vcpu), old);
	if (likely(old == new))
		return;
	secondary_exec_controls_set(to_vmx(vcpu), new);
	kvm_make_request(KVM_REQ_TLB_FLUSH, vcpu);
}

static bool __init can_split_exec(void)
{
	u32 low, high;

	rdmsr(MSR_IA32_VMX_PROCBASED_CTLS2, low, high);
	return enable_ept && enable_unrestricted_guest && !kvm_is_using_evmcs() &&
	       (high & SECONDARY_EXEC_MODE_BASED_EPT_EXEC);
}

/* CR0.TS stays guest-owned, since KVM has no handler for exits on CLTS. */
void __init vmx_setup_write_exits(struct kvm_x86_ops *ops)
{
	ops->exec_only = vmx_capability.ept & VMX_EPT_EXECUTE_ONLY_BIT;
	has_split_exec = can_split_exec();
	ops->split_exec = has_split_exec;
	ops->update_split_exec = vmx_update_split_exec;
	ops->write_exits_cap = KVM_WRITE_EXIT_CR0 | KVM_WRITE_EXIT_CR4 | KVM_WRITE_EXIT_XCR0;
	if (has_descriptor_exits())
		ops->write_exits_cap |= KVM_WRITE_EXIT_DESCRIPTORS;
	ops->update_write_exits = vmx_update_write_exits;
}

/* Replaces handle_desc() while writes of any register exit. */
int vmx_descriptor_exit(struct kvm_vcpu *vcpu)
{
	u32 identity = INSTRUCTION_IDENTITY(vmcs_read32(VMX_INSTRUCTION_INFO));
	u16 reason = vmcs_read32(VM_EXIT_REASON);
	u32 which = reason == EXIT_REASON_GDTR_IDTR ? gdtr_idtr[identity] : ldtr_tr[identity];

	if (!(which & vcpu->arch.vsm.write_exits.registers) || is_guest_mode(vcpu) || is_smm(vcpu))
		return kvm_emulate_instruction(vcpu, 0);
	return kvm_write_exit_now(vcpu, which, 0, vmcs_read32(VM_EXIT_INSTRUCTION_LEN));
}

/* Adds the guest's address to an EPT violation that ends KVM_RUN. */
int vmx_access_exit(struct kvm_vcpu *vcpu, unsigned long qualification, int r)
{
	if (unlikely(r == -EFAULT) && (qualification & EPT_VIOLATION_GVA_IS_VALID))
		kvm_access_gva(vcpu, vmcs_readl(GUEST_LINEAR_ADDRESS));
	return r;
}

MODULE_VERSION(KVM_VSM_VERSION);
