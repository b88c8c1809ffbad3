// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access restrictions of guest pages: refusing accesses by the CPU and by KVM's emulator. A refused
 * fault makes KVM_RUN return -EFAULT; kvm_vsm_stopped() ends a refused emulation with the same
 * exit.
 */
#include <linux/kvm_host.h>
#include "x86.h"
#include "kvm_emulate.h"
#include "mmu.h"
#include "mmu/mmu_internal.h"
#include "mmu/spte.h"
#include "access.h"

/* The restrictions that deny a fetch in the vCPU's current mode; any one suffices. */
static u8 denies_fetch(struct kvm_vcpu *vcpu)
{
	if (is_guest_mode(vcpu))
		return KVM_ACCESS_NO_EXEC;
	return access_is_split(vcpu) && kvm_x86_call(get_cpl)(vcpu) == 3
		       ? KVM_ACCESS_NO_USER_EXEC
		       : KVM_ACCESS_NO_KERNEL_EXEC;
}

static bool refuse(struct kvm_vcpu *vcpu, gpa_t gpa, u64 flags)
{
	struct kvm_access_exit *refused = &vcpu->arch.vsm.refused;
	gfn_t gfn = gpa_to_gfn(gpa);
	u8 denied, need;

	if (!access_in_use(vcpu->kvm))
		return false;
	denied = access_denied(access_restrictions(vcpu->kvm, gfn));
	if (!denied)
		return false;
	need = flags & KVM_ACCESS_EXIT_EXEC    ? denies_fetch(vcpu)
	       : flags & KVM_ACCESS_EXIT_WRITE ? KVM_ACCESS_NO_WRITE
					       : KVM_ACCESS_NO_READ;
	if (!(denied & need) || !kvm_vcpu_is_visible_gfn(vcpu, gfn))
		return false;

	memset(refused, 0, sizeof(*refused));
	refused->flags = flags;
	refused->gpa = gpa;
	refused->size = PAGE_SIZE - offset_in_page(gpa);
	vcpu->arch.vsm.is_refused = true;
	return true;
}

static noinline int fault_in_use(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	gpa_t gpa = fault->is_tdp ? fault->addr : gfn_to_gpa(fault->gfn);
	u64 flags = fault->exec	   ? KVM_ACCESS_EXIT_EXEC
		    : fault->write ? KVM_ACCESS_EXIT_WRITE
				   : KVM_ACCESS_EXIT_READ;

	if (fault->error_code & PFERR_GUEST_PAGE_MASK)
		flags |= KVM_ACCESS_EXIT_WALK;
	if (!refuse(vcpu, gpa, flags))
		return 0;
	/* A prefetch is not an access of the guest. */
	if (fault->prefetch)
		vcpu->arch.vsm.is_refused = false;
	return -EFAULT;
}

int kvm_access_fault(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	return access_in_use(vcpu->kvm) ? fault_in_use(vcpu, fault) : 0;
}

/* Adds the instruction bytes that the hardware provides to a refused fault. */
void kvm_access_insn(struct kvm_vcpu *vcpu, const void *insn, int insn_len)
{
	struct kvm_access_exit *refused = &vcpu->arch.vsm.refused;

	if (!vcpu->arch.vsm.is_refused || !insn || insn_len <= 0)
		return;
	refused->insn_bytes = min_t(int, insn_len, 15);
	memcpy(refused->insn, insn, refused->insn_bytes);
}

void kvm_access_gva(struct kvm_vcpu *vcpu, u64 gva)
{
	vcpu->arch.vsm.refused.gva = gva;
	vcpu->arch.vsm.refused.flags |= KVM_ACCESS_EXIT_GVA;
}
EXPORT_SYMBOL_GPL(kvm_access_gva);

/*
 * Called before KVM decodes an instruction: discards an earlier refusal. The fetch that follows may
 * be refused even if KVM only skips the instruction, as another vCPU may have changed the code.
 */
void kvm_access_decode_begin(struct kvm_vcpu *vcpu)
{
	vcpu->arch.vsm.is_refused = false;
}

bool kvm_access_refuse(struct kvm_vcpu *vcpu, u64 gpa, u64 gva, u64 flags)
{
	if (!access_in_use(vcpu->kvm) || !refuse(vcpu, gpa, flags))
		return false;
	kvm_access_gva(vcpu, gva);
	return true;
}

/* Without a translation of @gva the access itself faults, or a page table was refused. */
static bool refuse_gva(struct kvm_vcpu *vcpu, gva_t gva, bool write)
{
	u64 access = kvm_x86_call(get_cpl)(vcpu) == 3 ? PFERR_USER_MASK : 0;
	struct x86_exception ignored;
	gpa_t gpa;

	gpa = gva_to_gpa(vcpu, gva, access | (write ? PFERR_WRITE_MASK : 0), &ignored);
	if (gpa == INVALID_GPA)
		return vcpu->arch.vsm.is_refused;
	return kvm_access_refuse(vcpu, gpa, gva,
				 write ? KVM_ACCESS_EXIT_WRITE : KVM_ACCESS_EXIT_READ);
}

/* Checks the second page of a write before the first page is written. */
bool kvm_access_refuse_next(struct kvm_vcpu *vcpu, u64 gva, bool write)
{
	return access_in_use(vcpu->kvm) && write && refuse_gva(vcpu, gva, write);
}

static noinline unsigned long walk_in_use(struct kvm_vcpu *vcpu, u64 gfn, unsigned long hva,
					  bool *writable)
{
	if (writable && (access_denied(access_restrictions(vcpu->kvm, gfn)) & KVM_ACCESS_NO_WRITE))
		*writable = false;
	return refuse(vcpu, gfn_to_gpa(gfn), KVM_ACCESS_EXIT_READ | KVM_ACCESS_EXIT_WALK)
		       ? KVM_HVA_ERR_BAD
		       : hva;
}

/*
 * Checks a page table at @hva before KVM reads it: a bad address if reading is denied. If writing
 * is denied, KVM does not set accessed and dirty bits, as for a table in a read-only memslot.
 */
unsigned long kvm_access_walk(struct kvm_vcpu *vcpu, u64 gfn, unsigned long hva, bool *writable)
{
	return access_in_use(vcpu->kvm) ? walk_in_use(vcpu, gfn, hva, writable) : hva;
}

/* The PDPTEs of PAE paging. A refusal is not recorded: the guest gets #GP. */
bool kvm_access_refuse_pdptrs(struct kvm_vcpu *vcpu, u64 gpa)
{
	return access_in_use(vcpu->kvm) &&
	       (access_restrictions(vcpu->kvm, gpa_to_gfn(gpa)) & KVM_ACCESS_NO_READ);
}

/*
 * MOVS and INS read a device before they write memory. The write is refused first, so that the
 * device is not read again when the guest repeats the instruction.
 */
bool kvm_access_refuse_string(struct kvm_vcpu *vcpu)
{
	struct x86_emulate_ctxt *ctxt = vcpu->arch.emulate_ctxt;
	gva_t gva;

	if (!access_in_use(vcpu->kvm) || ctxt->opcode_len != 1 || ctxt->dst.type != OP_MEM ||
	    !((ctxt->b | 1) == 0xa5 || (ctxt->b | 1) == 0x6d))
		return false;
	/* With REP and a count of 0 the instruction makes no access. */
	if (ctxt->rep_prefix && !(kvm_rcx_read(vcpu) & GENMASK_ULL(8 * ctxt->ad_bytes - 1, 0)))
		return false;

	gva = ctxt->dst.addr.mem.ea;
	if (ctxt->mode != X86EMUL_MODE_PROT64)
		gva = (u32)(gva + ctxt->ops->get_cached_segment_base(ctxt, VCPU_SREG_ES));
	if (refuse_gva(vcpu, gva, true))
		return true;
	return offset_in_page(gva) + ctxt->dst.bytes > PAGE_SIZE &&
	       refuse_gva(vcpu, PAGE_ALIGN(gva), true);
}
