/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine nested: KVM's own nested SVM denies accesses and reports register writes on a stock kernel.
 *
 * While a VTL is restricted its guest runs as a guest of its own virtual machine (L2). User space keeps VMCB12 and
 * nested page tables (NPT12) in memory of that virtual machine (L1) which NPT12 does not map. What VMCB12 does not intercept
 * KVM handles as for L1; a refused access is reflected to L1, whose only instruction is an OUT that returns to user space.
 * The vCPU is put back into guest mode at once, so that the rest of the backend never sees L1.
 */
#ifndef VKVM_NESTED_H
#define VKVM_NESTED_H

#include "kvm/engine/attr.h"
#include "kvm/engine/nested_vmcb.h"
#include "kvm/engine/page_rights.h"

/* Of Linux 6.11: kvm_run.flags tells whether the vCPU is in guest mode. */
#ifndef KVM_RUN_X86_GUEST_MODE
#define KVM_RUN_X86_GUEST_MODE (1 << 2)
#endif

/* Memory slots behind those of RAM and overlays. */
#define NESTED_SLOTS		2u
#define NESTED_SLOT_HIDDEN(vm)	((vm)->can.memslots)
#define NESTED_SLOT_BARRIER(vm) ((vm)->can.memslots + 1)

/* Pages of hidden memory, in this order: fixed ones, a VMCB for each VP, then page tables. */
enum nested_page {
	NESTED_SHIM,
	NESTED_L1_PML4,
	NESTED_L1_PDPT,
	NESTED_L1_PD,
	NESTED_BARRIER, /* a memory slot of its own, whose flags change */
	NESTED_ROOT,
	NESTED_PDPT, /* one for each 512 GiB of the guest's address space */
};

/* ------------------------------------------------------------------ nested_table.c */

/* Makes hidden memory with tables that allow everything. 0 or -errno, logged. */
int nested_table_create(struct vkvm_backend *backend, uint8_t vtl);
/* Hidden memory comes into memory slots of the VTL, or leaves them. Nothing of the VTL is in KVM. 0 or -errno, logged. */
int nested_table_show(struct vkvm_backend *backend, uint8_t vtl, bool shown);
void nested_table_destroy(struct nested_vm *vm);
/* A region of RAM was mapped. 0, -EINVAL (hidden memory is there) or -ENOSPC, logged. */
int nested_table_add(struct vkvm_backend *backend, uint8_t vtl, const struct vkvm_region *region);
/* Denies @denied (enum gpa_access, whole GPA_EXECUTE or none of it) for pages. Nothing is in force before settle(). */
int nested_table_set(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages,
		     uint8_t denied);
/* Brings changes in force on every VP: no access that they deny is made after it has returned. */
int nested_settle(struct vkvm_backend *backend, uint8_t vtl);
/* What is denied at @gpa, enum gpa_access. */
uint8_t nested_denied(const struct vkvm_backend *backend, uint8_t vtl, uint64_t gpa);

/* ------------------------------------------------------------------ nested_vcpu.c */

/* The vCPU becomes L2, or L1 again, if its VTL changed. Owner of the VP, not in KVM. 0 or -errno, logged. */
int nested_before_run(struct vcpu *vcpu);
/*
 * Whether the vCPU must not enter as it is: its VTL has changed since nested_before_run(). @complete: the entry only
 * finishes an instruction. Asked when vp->entered is set.
 */
bool nested_is_stale(const struct vcpu *vcpu, bool complete);
/* VMCB12 takes new intercepts. */
int nested_reload(struct vcpu *vcpu);
/*
 * After a reflected exit: back into L2, with its registers in kvm_run. *@reflected is VMCB12, which KVM writes at a
 * reflected exit alone and nobody else: it holds until the vCPU runs again.
 */
int nested_return(struct vcpu *vcpu, const struct vmcb **reflected);
void nested_vcpu_destroy(struct vcpu *vcpu);

/*
 * Ends an instruction that the other vCPU had begun, without that vCPU: it would access memory past restrictions. Port
 * I/O by register and MSRs are finished here; everything else is executed again.
 */
int nested_abandon(struct vcpu *vcpu);

/* ------------------------------------------------------------------ nested_exit.c */

/* The bytes at RIP that the VTL may execute. Returns how many. */
size_t nested_fetch(struct vcpu *vcpu, uint8_t *code, size_t size);
/* An instruction that was carried out here ends as on a CPU: RIP, the shadow, single step. */
void nested_end_instruction(struct vcpu *vcpu, uint8_t length);
/* KVM_RUN, or for one instruction that may write nested.step. As ioctl(): 0 or -errno. */
int nested_enter(struct vcpu *vcpu);

/* kvm_run.exit_reason of a VMMCALL that was reflected. */
#define NESTED_EXIT_HYPERCALL 0x56534e

/* ------------------------------------------------------------------ nested_engine.c */

/* Whether this host has what the engine needs, but for the self-test. 0, or -ENOTSUP: see engine_refuse(). */
int nested_is_offered(const struct vkvm_backend *backend, bool quiet);
/* The registers of the vCPU whose writes exit, KVM_WRITE_EXIT_*. 0 or -errno, logged. */
int nested_watch(struct vcpu *vcpu, uint32_t registers);

/* ------------------------------------------------------------------ nested_selftest.c */

/* Whether this kernel does what the engine relies on. 0, -ENOTSUP (logged), or what the host says. */
int nested_selftest(const struct vkvm_backend *backend, bool quiet);

#endif
