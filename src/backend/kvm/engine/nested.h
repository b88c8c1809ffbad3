/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Engine nested (docs/backend-kvm.md): a restricted VTL runs as L2. KVM handles what VMCB12 does
 * not intercept as it does for L1. A refused access is reflected to L1, which only executes an OUT;
 * the vCPU then enters guest mode again, so that the rest of the backend never sees L1.
 */
#ifndef VKVM_NESTED_H
#define VKVM_NESTED_H

#include "kvm/engine/attr.h"
#include "kvm/engine/nested_vmcb.h"
#include "kvm/engine/page_rights.h"

/* Linux 6.11: bit of kvm_run.flags for a vCPU in guest mode */
#ifndef KVM_RUN_X86_GUEST_MODE
#define KVM_RUN_X86_GUEST_MODE (1 << 2)
#endif

/* Memory slots behind those of RAM and overlays. */
#define NESTED_SLOTS		2u
#define NESTED_SLOT_HIDDEN(vm)	((vm)->can.memslots)
#define NESTED_SLOT_BARRIER(vm) ((vm)->can.memslots + 1)

/* Pages of hidden memory, in this order: the pages below, a VMCB for each VP, page tables. */
enum nested_page {
	NESTED_SHIM, /* L1's code */
	NESTED_L1_PML4,
	NESTED_L1_PDPT,
	NESTED_L1_PD,
	NESTED_BARRIER, /* in a separate memory slot, whose flags wait_for_emulator() changes */
	NESTED_ROOT,	/* PML4 of NPT12 */
	NESTED_PDPT,	/* PDPTs of NPT12, one for each 512 GiB of the guest's address space */
};

/* ------------------------------------------------------------------ nested_table.c */

/* Creates hidden memory with tables that allow everything. 0 or -errno, logged. */
int nested_table_create(struct vkvm_backend *backend, uint8_t vtl);
/* Adds hidden memory to the VTL's memory slots, or removes it. The VTL runs no guest code. */
int nested_table_show(struct vkvm_backend *backend, uint8_t vtl, bool shown);
void nested_table_destroy(struct nested_vm *vm);
/* Called for new memory. 0, -EINVAL (the GPAs overlap hidden memory) or -ENOSPC, logged. */
int nested_table_add(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages);
/* Denies the rights @denied (both execute rights or neither); in force after nested_apply(). */
int nested_table_set(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages,
		     uint8_t denied);
/* Puts changes in force on every VP: no denied access succeeds after it returns. */
int nested_apply(struct vkvm_backend *backend, uint8_t vtl);

/* ------------------------------------------------------------------ nested_vcpu.c */

/* Before KVM_RUN: exchanges the plain and the nested vCPU if the VTL's mode has changed. */
int nested_before_run(struct vcpu *vcpu);
/*
 * Whether the vCPU must not enter KVM: it is not the one for its VTL's mode. With @complete, a
 * store to MMIO may still be completed. The mode cannot change while vp->entered is set.
 */
bool nested_is_stale(const struct vcpu *vcpu, bool complete);
/* Loads new intercepts of VMCB12. 0 or -errno, logged. */
int nested_reload(struct vcpu *vcpu);
/* Returns to L2 after a reflected exit. *reflected: VMCB12, valid until the vCPU runs again. */
int nested_return(struct vcpu *vcpu, const struct vmcb **reflected);
void nested_vcpu_destroy(struct vcpu *vcpu);

/* Abandons the open instruction (docs/glossary.md) of a vCPU that its VTL no longer uses. */
int nested_abandon(struct vcpu *vcpu);

/* ------------------------------------------------------------------ nested_exit.c */

/* Reads the bytes at RIP that the VTL may execute. Returns their number. */
size_t nested_fetch(struct vcpu *vcpu, uint8_t *code, size_t size);
/* Completes an instruction that was emulated here: RIP, interrupt shadow, single step. */
void nested_end_instruction(struct vcpu *vcpu, uint8_t length);
/* KVM_RUN, or a single step of an instruction that may write the register nested.step. */
int nested_enter(struct vcpu *vcpu);

/* kvm_run.exit_reason for a reflected VMMCALL */
#define NESTED_EXIT_HYPERCALL 0x56534e

/* ------------------------------------------------------------------ nested.c */

/* Checks all host requirements but the self-test. 0, or -ENOTSUP: see engine_refuse(). */
int nested_is_offered(const struct vkvm_backend *backend, bool quiet);
/* Sets the registers whose writes exit, KVM_WRITE_EXIT_*. 0 or -errno, logged. */
int nested_set_write_exits(struct vcpu *vcpu, uint32_t registers);

/* ------------------------------------------------------------------ nested_selftest.c */

/* Runs the self-test. 0, -ENOTSUP (logged), or an error of the host. */
int nested_selftest(const struct vkvm_backend *backend, bool quiet);

#endif
