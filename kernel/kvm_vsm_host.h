/* SPDX-License-Identifier: GPL-2.0-only */
/* Functions that the hooks in KVM call, and their state. */
#ifndef KVM_VSM_HOST_H
#define KVM_VSM_HOST_H

#include <linux/types.h>
#include <linux/xarray.h>
#include "kvm_vsm.h"

/* As in dkms.conf: DKMS replaces a module of the kernel only by one with a version. */
#define KVM_VSM_VERSION "1"

#define KVM_WRITE_EXIT_DESCRIPTORS \
	(KVM_WRITE_EXIT_GDTR | KVM_WRITE_EXIT_IDTR | KVM_WRITE_EXIT_LDTR | KVM_WRITE_EXIT_TR)

/* Bit of an EPT entry: user pages may be executed, if mode-based execute control is on. */
#define KVM_ACCESS_EPT_USER_EXEC (1ull << 10)

struct eventfd_ctx;
struct file;
struct kvm;
struct kvm_fpu_shared;
struct kvm_page_fault;
struct kvm_vcpu;
struct kvm_x86_ops;
struct vcpu_vmx;

/* In struct kvm_arch: written with slots_lock held, read with RCU. */
struct kvm_access {
	struct xarray blocks;
	unsigned long nr_blocks; /* entries that are not NULL */
};

/* False for a VM without restrictions, for which this check is the only cost. */
#define kvm_access_is_used(kvm) unlikely(!xa_empty(&(kvm)->arch.access.blocks))

/* In struct kvm_vcpu_arch, under vcpu->mutex. */
struct kvm_vsm_vcpu {
	struct kvm_access_exit refused;
	bool is_refused;
	bool split_exec; /* KVM_SET_SPLIT_EXEC */

	bool is_write; /* an intercepted write is to be reported */
	struct kvm_write_exits write_exits;
	struct kvm_write_exit write;

	struct eventfd_ctx __rcu *pending_ctx;
	bool pending_armed; /* read by senders of events, without the mutex */

	struct kvm_fpu_shared *fpu; /* NULL: not shared */
};

/* access.c: creation and destruction of a VM, its capability and ioctls */
void kvm_access_init(struct kvm *kvm);
void kvm_access_destroy(struct kvm *kvm);
int kvm_access_cap(void);
int kvm_access_vm_ioctl(struct kvm *kvm, unsigned int ioctl, void __user *argp);
int kvm_split_exec_ioctl(struct kvm_vcpu *vcpu, void __user *argp);

/* the rights and the size of a mapping */
unsigned int kvm_access_allowed(struct kvm *kvm, u64 gfn, unsigned int access, bool nested);
u64 kvm_access_exec(struct kvm *kvm, u64 gfn, bool nested);
u64 kvm_access_present(unsigned int access);
int kvm_access_max_level(struct kvm *kvm, u64 gfn, int max_level);

/* access_refuse.c: faults, and the emulator; true: the access is refused */
void kvm_access_decode_begin(struct kvm_vcpu *vcpu);
bool kvm_access_refuse(struct kvm_vcpu *vcpu, u64 gpa, u64 gva, u64 flags);
bool kvm_access_refuse_next(struct kvm_vcpu *vcpu, u64 gva, bool write);
unsigned long kvm_access_walk(struct kvm_vcpu *vcpu, u64 gfn, unsigned long hva, bool *writable);
bool kvm_access_refuse_string(struct kvm_vcpu *vcpu);
bool kvm_access_refuse_pdptrs(struct kvm_vcpu *vcpu, u64 gpa);
int kvm_access_fault(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault);
void kvm_access_insn(struct kvm_vcpu *vcpu, const void *insn, int insn_len);
void kvm_access_gva(struct kvm_vcpu *vcpu, u64 gva);

/* writes.c */
int kvm_write_exits_cap(void);
int kvm_write_exits_ioctl(struct kvm_vcpu *vcpu, void __user *argp);
bool kvm_write_exit_cr(struct kvm_vcpu *vcpu, u32 which, u64 old, u64 new);
int kvm_write_exit_now(struct kvm_vcpu *vcpu, u32 which, u64 value, u8 insn_len);
bool kvm_write_exit_xcr0(struct kvm_vcpu *vcpu);
bool kvm_write_exit_task(struct kvm_vcpu *vcpu, u16 selector);
bool kvm_write_exit_emulate(struct kvm_vcpu *vcpu);

/* svm/vsm.c, vmx/vsm.c: the intercepts that the vCPU's write_exits need */
void svm_setup_write_exits(struct kvm_x86_ops *ops);
void svm_update_write_exits(struct kvm_vcpu *vcpu);
void svm_update_cr0_exit(struct kvm_vcpu *vcpu);
bool svm_is_write_exit(u64 exit_code);
int svm_write_exit(struct kvm_vcpu *vcpu, u64 exit_code);
void vmx_setup_write_exits(struct kvm_x86_ops *ops);
void vmx_update_write_exits(struct kvm_vcpu *vcpu);
void vmx_update_descriptor_exit(struct kvm_vcpu *vcpu);
int vmx_descriptor_exit(struct kvm_vcpu *vcpu);
void vmx_update_split_exec(struct kvm_vcpu *vcpu);
u32 vmx_split_exec_control(struct vcpu_vmx *vmx, u32 control);
int vmx_access_exit(struct kvm_vcpu *vcpu, unsigned long qualification, int r);

/* pending.c */
int kvm_pending_ioctl(struct kvm_vcpu *vcpu, void __user *argp);
void kvm_pending_enter(struct kvm_vcpu *vcpu);
void kvm_pending_leave(struct kvm_vcpu *vcpu);
void kvm_pending_wake(struct kvm_vcpu *vcpu);
void kvm_pending_destroy(struct kvm_vcpu *vcpu);

/* fpu.c: start and end of an ioctl on a vCPU that shares its FPU; KVM_SHARE_FPU; destruction */
int kvm_fpu_take(struct kvm_vcpu *vcpu);
void kvm_fpu_give(struct kvm_vcpu *vcpu);
int kvm_fpu_ioctl(struct kvm_vcpu *vcpu, struct file *filp, void __user *argp);
void kvm_fpu_destroy(struct kvm_vcpu *vcpu);

/* vsm.c: hooks that several building blocks share */
bool kvm_vsm_before(struct kvm_vcpu *vcpu);
bool kvm_vsm_stopped(struct kvm_vcpu *vcpu, bool emulating);
void kvm_vsm_enter(struct kvm_vcpu *vcpu);
int kvm_vsm_leave(struct kvm_vcpu *vcpu, int r);
int kvm_vsm_cap(long ext, int r);
bool kvm_vsm_vcpu_ioctl(struct kvm_vcpu *vcpu, struct file *filp, unsigned int ioctl,
			void __user *argp, int *r);
#endif
