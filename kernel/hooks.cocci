// SPDX-License-Identifier: GPL-2.0-only
// Inserts the calls of the building blocks into KVM. spatch does not report a rule that matches
// nowhere: hooks.N.M.count has the number of calls.

// --- state
@@ @@
#include <asm/kvm_page_track.h>
+#include "kvm_vsm_host.h"

@@ @@
struct kvm_arch {
+	struct kvm_access access;
	...
};

@@ @@
struct kvm_vcpu_arch {
+	struct kvm_vsm_vcpu vsm;
	...
};

@@ @@
struct kvm_x86_ops {
+	bool exec_only;
+	bool split_exec;
+	void (*update_split_exec)(struct kvm_vcpu *vcpu);
+	int write_exits_cap;
+	void (*update_write_exits)(struct kvm_vcpu *vcpu);
	...
};

// --- life cycle, capabilities and ioctls
@@ identifier kvm; @@
kvm_arch_init_vm(struct kvm *kvm, ...)
{
	...
+	kvm_access_init(kvm);
	ret = kvm_mmu_init_vm(kvm);
	...
}

@@ identifier kvm; @@
kvm_arch_destroy_vm(struct kvm *kvm)
{
	...
	kvm_hv_destroy_vm(kvm);
+	kvm_access_destroy(kvm);
	...
}

@@ identifier vcpu; @@
kvm_arch_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	...
	kvmclock_reset(vcpu);
+	kvm_pending_destroy(vcpu);
+	kvm_fpu_destroy(vcpu);
	...
}

@@ @@
	r = kvm_arch_vm_ioctl(...);
+	if (r == -ENOTTY)
+		r = kvm_access_vm_ioctl(kvm, ioctl, argp);

@@ identifier ioctl; @@
kvm_arch_vcpu_ioctl(struct file *filp, unsigned int ioctl, ...)
{
	...
	vcpu_load(vcpu);
+	if (kvm_vsm_vcpu_ioctl(vcpu, filp, ioctl, argp, &r))
+		goto out_nofree;
	...
}

@@ identifier kvm, ext; @@
kvm_vm_ioctl_check_extension(struct kvm *kvm, long ext)
{
	<+...
-	return r;
+	return kvm_vsm_cap(ext, r);
	...+>
}

@@ identifier vcpu; @@
kvm_arch_vcpu_ioctl_run(struct kvm_vcpu *vcpu)
{
	<+...
(
	kvm_load_guest_fpu(vcpu);
+	kvm_vsm_enter(vcpu);
|
	kvm_put_guest_fpu(vcpu);
+	r = kvm_vsm_leave(vcpu, r);
)
	...+>
}

@@ identifier vcpu; @@
kvm_vcpu_wake_up(struct kvm_vcpu *vcpu)
{
+	kvm_pending_wake(vcpu);
	...
}

// --- shared FPU registers
@@ @@
+	if (unlikely(vcpu->arch.vsm.fpu))
+		kvm_fpu_give(vcpu);
	mutex_unlock(&vcpu->mutex);
	kfree(fpu);

@@ identifier vcpu; @@
kvm_vcpu_ioctl(...)
{
	<+...
	if (mutex_lock_killable(&vcpu->mutex)) return -EINTR;
+	if (unlikely(vcpu->arch.vsm.fpu) && kvm_fpu_take(vcpu)) {
+		mutex_unlock(&vcpu->mutex);
+		return -EBUSY;
+	}
	...+>
}

@@ identifier vcpu; @@
kvm_check_cpuid(struct kvm_vcpu *vcpu, ...)
{
	<+...
+	if (vcpu->arch.vsm.fpu)
+		return -EBUSY;
	return fpu_enable_guest_xfd_features(...);
	...+>
}

// --- MMU: level and rights of a mapping, faults
@@ identifier kvm, gfn, max_level; @@
__kvm_mmu_max_mapping_level(struct kvm *kvm, ..., gfn_t gfn, int max_level, ...)
{
	...
	max_level = min(...);
+	max_level = kvm_access_max_level(kvm, gfn, max_level);
	...
}

// The function of newer kernels that limits the level of a mapping.
@@ identifier kvm, fault, gfn; @@
kvm_mmu_max_mapping_level(struct kvm *kvm, struct kvm_page_fault *fault, ..., gfn_t gfn)
{
	...
	max_level = min(...);
+	max_level = kvm_access_max_level(kvm, gfn, max_level);
	...
}

@@ identifier vcpu, acc, gfn, sp, slot; @@
make_spte(struct kvm_vcpu *vcpu, struct kvm_mmu_page *sp, const struct kvm_memory_slot *slot,
	  unsigned int acc, gfn_t gfn, ...)
{
	<+...
	WARN_ON_ONCE((acc | ...) == ...);
+	if (kvm_access_is_used(vcpu->kvm))
+		acc = kvm_access_allowed(vcpu->kvm, gfn, acc, sp->role.guest_mode);
	...+>
}

@@ identifier acc, vcpu, gfn, sp, slot; @@
make_spte(struct kvm_vcpu *vcpu, struct kvm_mmu_page *sp, const struct kvm_memory_slot *slot,
	  unsigned int acc, gfn_t gfn, ...)
{
	<+...
-	spte |= shadow_present_mask;
+	spte |= kvm_access_is_used(vcpu->kvm) ? kvm_access_present(acc) : shadow_present_mask;
	...+>
}

// Linux 6.12 has one execute bit for both modes: the hooks set both bits of EPT, except those that a page's restrictions deny.
@@ identifier vcpu, acc, gfn, sp, slot; @@
make_spte(struct kvm_vcpu *vcpu, struct kvm_mmu_page *sp, const struct kvm_memory_slot *slot,
	  unsigned int acc, gfn_t gfn, ...)
{
	<+...
-	spte |= shadow_x_mask;
+	spte |= kvm_access_is_used(vcpu->kvm) ? kvm_access_exec(vcpu->kvm, gfn, sp->role.guest_mode) : shadow_x_mask;
	...+>
}

@@ @@
-	shadow_x_mask = VMX_EPT_EXECUTABLE_MASK;
+	shadow_x_mask = VMX_EPT_EXECUTABLE_MASK | KVM_ACCESS_EPT_USER_EXEC;

// An entry that is being changed must not be executable.
@@ @@
-#define FROZEN_SPTE (SHADOW_NONPRESENT_VALUE | 0x5a0ULL)
+#define FROZEN_SPTE (SHADOW_NONPRESENT_VALUE | (0x5a0ULL & ~KVM_ACCESS_EPT_USER_EXEC))

@@ identifier faultin =~ "^kvm_.*faultin_pfn$"; identifier vcpu, fault; @@
faultin(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault, ...)
{
	...
+	ret = kvm_access_fault(vcpu, fault);
+	if (ret)
+		return ret;
	if (unlikely(!slot)) return ...;
	...
}

@@ identifier vcpu; @@
kvm_mmu_page_fault(struct kvm_vcpu *vcpu, ..., void *insn, int insn_len)
{
	<+...
-	if (r < 0)
+	if (r < 0) {
+		kvm_access_insn(vcpu, insn, insn_len);
		return r;
+	}
	...+>
}

@@ expression E; @@
handle_ept_violation(struct kvm_vcpu *vcpu)
{
	<+...
-	return __vmx_handle_ept_violation(vcpu, gpa, E);
+	return vmx_access_exit(vcpu, E, __vmx_handle_ept_violation(vcpu, gpa, E));
	...+>
}

// KVM's own walk of the guest's tables; `build` hides the macro FNAME from spatch.
@@ expression gfn, writable; @@
-	host_addr = gfn_to_hva_memslot_prot(slot, gfn, writable);
+	host_addr = kvm_access_walk(vcpu, gfn, gfn_to_hva_memslot_prot(slot, gfn, writable), writable);

// Four entries that KVM reads for a guest in PAE mode.
@@ identifier vcpu, cr3; @@
load_pdptrs(struct kvm_vcpu *vcpu, unsigned long cr3)
{
	...
+	if (kvm_access_refuse_pdptrs(vcpu, real_gpa))
+		return 0;
	ret = kvm_vcpu_read_guest_page(...);
	...
}

// --- emulator: its accesses
@@ identifier memory =~ "^read_write_[eg]"; @@
emulator_read_write_onepage(...)
{
	...
+	if (kvm_access_refuse(vcpu, gpa, addr, write ? KVM_ACCESS_EXIT_WRITE : KVM_ACCESS_EXIT_READ))
+		return X86EMUL_UNHANDLEABLE;
	if (!ret && ops->memory(...)) return X86EMUL_CONTINUE;
	...
}

@@ @@
emulator_read_write(...)
{
	<+...
	now = -addr & ~PAGE_MASK;
+	if (kvm_access_refuse_next(vcpu, addr + now, ops->write))
+		return X86EMUL_UNHANDLEABLE;
	...+>
}

@@ @@
emulator_cmpxchg_emulated(...)
{
	...
	gpa = kvm_mmu_gva_to_gpa_write(...);
+	if (kvm_access_refuse(vcpu, gpa, addr, KVM_ACCESS_EXIT_WRITE))
+		return X86EMUL_UNHANDLEABLE;
	...
}

@@ @@
kvm_fetch_guest_virt(...)
{
	<+...
+	if (kvm_access_refuse(vcpu, gpa, addr, KVM_ACCESS_EXIT_EXEC))
+		return X86EMUL_UNHANDLEABLE;
	ret = kvm_vcpu_read_guest_page(...);
	...+>
}

@@ @@
kvm_read_guest_virt_helper(...)
{
	<+...
+	if (kvm_access_refuse(vcpu, gpa, addr, KVM_ACCESS_EXIT_READ))
+		return X86EMUL_UNHANDLEABLE;
	ret = kvm_vcpu_read_guest_page(...);
	...+>
}

@@ @@
kvm_write_guest_virt_helper(...)
{
	<+...
+	if (kvm_access_refuse(vcpu, gpa, addr, KVM_ACCESS_EXIT_WRITE))
+		return X86EMUL_UNHANDLEABLE;
	ret = kvm_vcpu_write_guest(...);
	...+>
}

// --- emulator: end of an instruction
@@ @@
x86_decode_emulated_instruction(struct kvm_vcpu *vcpu, int emulation_type, ...)
{
	...
+	kvm_access_decode_begin(vcpu);
	r = x86_decode_insn(...);
	...
}

@@ @@
x86_emulate_instruction(struct kvm_vcpu *vcpu, ...)
{
	<+...
	r = x86_decode_emulated_instruction(...);
+	if (kvm_vsm_stopped(vcpu, true))
+		return 0;
	...+>
}

@@ @@
x86_emulate_instruction(struct kvm_vcpu *vcpu, ...)
{
	<+...
+	if (kvm_vsm_before(vcpu))
+		return 0;
	r = x86_emulate_insn(...);
+	if (kvm_vsm_stopped(vcpu, true))
+		return 0;
	...+>
}

@@ @@
kvm_handle_memory_failure(struct kvm_vcpu *vcpu, ...)
{
+	if (kvm_vsm_stopped(vcpu, false))
+		return 0;
	...
}

// --- register writes
@@ identifier vcpu, cr0; @@
kvm_set_cr0(struct kvm_vcpu *vcpu, unsigned long cr0)
{
	<+...
+	if (kvm_write_exit_cr(vcpu, KVM_WRITE_EXIT_CR0, old_cr0, cr0))
+		return 1;
	kvm_x86_call(set_cr0)(vcpu, cr0);
	...+>
}

@@ identifier vcpu, cr4; @@
kvm_set_cr4(struct kvm_vcpu *vcpu, unsigned long cr4)
{
	<+...
+	if (kvm_write_exit_cr(vcpu, KVM_WRITE_EXIT_CR4, old_cr4, cr4))
+		return 1;
	kvm_x86_call(set_cr4)(vcpu, cr4);
	...+>
}

@@ identifier vcpu; @@
kvm_complete_insn_gp(struct kvm_vcpu *vcpu, int err)
{
+	if (err && kvm_vsm_stopped(vcpu, false))
+		return 0;
	...
}

@@ identifier vcpu; @@
kvm_emulate_xsetbv(struct kvm_vcpu *vcpu)
{
+	if (kvm_write_exit_xcr0(vcpu))
+		return 0;
	...
}

// --- register writes on SVM
@@ @@
svm_set_cr0(struct kvm_vcpu *vcpu, ...)
{
	<+...
	svm_clr_intercept(svm, INTERCEPT_CR0_WRITE);
+	svm_update_cr0_exit(vcpu);
	...+>
}

@@ @@
init_vmcb(struct kvm_vcpu *vcpu, ...)
{
	<+...
	enable_gif(svm);
+	svm_update_write_exits(vcpu);
	...+>
}

@@ @@
svm_handle_invalid_exit(struct kvm_vcpu *vcpu, u64 exit_code)
{
+	if (svm_is_write_exit(exit_code))
+		return svm_write_exit(vcpu, exit_code);
	...
}

@@ identifier vcpu, exit_code; @@
svm_invoke_exit_handler(struct kvm_vcpu *vcpu, ...)
{
	<+...
-	if (!svm_exit_handlers[exit_code])
-		goto unexpected_vmexit;
+	if (!svm_exit_handlers[exit_code]) {
+		if (svm_is_write_exit(exit_code))
+			return svm_write_exit(vcpu, exit_code);
+		goto unexpected_vmexit;
+	}
	...+>
}

@@ @@
svm_hardware_setup(void)
{
	<+...
	svm_adjust_mmio_mask();
+	svm_setup_write_exits(&svm_x86_ops);
	...+>
}

@@ @@
task_switch_interception(struct kvm_vcpu *vcpu)
{
	...
	tss_selector = ...;
+	if (kvm_write_exit_task(vcpu, tss_selector))
+		return 1;
	...
}

// --- register writes on VMX
@@ @@
handle_task_switch(struct kvm_vcpu *vcpu)
{
	...
	exit_qualification = vmx_get_exit_qual(vcpu);
+	if (kvm_write_exit_task(vcpu, exit_qualification))
+		return 1;
	...
}

@@ expression E; @@
	E.cr0_guest_owned_bits = vmx_l1_guest_owned_cr0_bits();
+	E.cr0_guest_owned_bits &= ~E.vsm.write_exits.cr0_mask;

@@ @@
handle_desc(struct kvm_vcpu *vcpu)
{
+	if (vcpu->arch.vsm.write_exits.registers)
+		return vmx_descriptor_exit(vcpu);
	...
}

@@ @@
handle_cr(struct kvm_vcpu *vcpu)
{
	<+...
	kvm_lmsw(vcpu, val);
+	if (kvm_vsm_stopped(vcpu, false))
+		return 0;
	...+>
}

@@ expression E; @@
set_cr4_guest_host_mask(struct vcpu_vmx *vmx)
{
	<+...
	vcpu->arch.cr4_guest_owned_bits = E;
+	vcpu->arch.cr4_guest_owned_bits &= ~vcpu->arch.vsm.write_exits.cr4_mask;
	...+>
}

@@ @@
vmx_set_cr4(struct kvm_vcpu *vcpu, ...)
{
	<+...
	secondary_exec_controls_clearbit(vmx, SECONDARY_EXEC_DESC);
+	vmx_update_descriptor_exit(vcpu);
	...+>
}

// --- separate user and kernel execution, on VMX
@@ identifier vcpu, cr0; @@
vmx_set_cr0(struct kvm_vcpu *vcpu, unsigned long cr0)
{
	<+...
	vcpu->arch.cr0 = cr0;
+	vmx_update_split_exec(vcpu);
	...+>
}

@@ identifier vcpu, cr4; @@
vmx_set_cr4(struct kvm_vcpu *vcpu, unsigned long cr4)
{
	<+...
	vcpu->arch.cr4 = cr4;
+	vmx_update_split_exec(vcpu);
	...+>
}

@@ identifier vmx; @@
vmx_secondary_exec_control(struct vcpu_vmx *vmx)
{
	<+...
-	return exec_control;
+	return vmx_split_exec_control(vmx, exec_control);
	...+>
}

@@ @@
vmx_hardware_setup(void)
{
	<+...
	vmx_setup_me_spte_mask();
+	vmx_setup_write_exits(&vt_x86_ops);
	...+>
}
