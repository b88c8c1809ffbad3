/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits reflected to L1, converted in kvm_run to the exits of the optional kernel part. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <vsm/hv/hv.h>

#include "core/vp/fpu.h"
#include "core/x64.h"
#include "kvm/engine/attr.h"
#include "kvm/engine/nested.h"

#define MAX_INSTRUCTION 15u
#define XSETBV_LENGTH	3u
#define CPUID_LENGTH	2u
#define CPUID_XSAVE	0xdu
#define CPUID_POWER	0x80000007u

#define DR6_SINGLE_STEP	    0x4000u
#define CPUID_OSXSAVE	    (1u << 27) /* leaf 1 ECX */
#define CPUID_APIC	    (1u << 9)  /* leaf 1 EDX */
#define CPUID_OSPKE	    (1u << 4)  /* leaf 7 ECX */
#define CPUID_TSC_INVARIANT (1u << 8)  /* leaf 0x80000007 EDX */

/* Result of a handler: the guest continues without an exit; the core checks for interrupts. */
#define GO_ON (-EAGAIN)

static void raise(struct vcpu *vcpu, uint8_t vector)
{
	struct kvm_vcpu_events *events = &vcpu->run->s.regs.events;

	memset(&events->exception, 0, sizeof(events->exception));
	events->exception.pending = 1;
	events->exception.nr = vector;
	events->exception_has_payload = vector == X64_EXCEPTION_DB;
	events->exception_payload = vector == X64_EXCEPTION_DB ? DR6_SINGLE_STEP : 0;
	events->flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
	vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_EVENTS;
}

void nested_end_instruction(struct vcpu *vcpu, uint8_t length)
{
	struct kvm_regs *regs = &vcpu->run->s.regs.regs;

	regs->rip += length;
	regs->rflags &= ~(uint64_t)X64_RFLAGS_RF;
	vcpu->run->s.regs.events.interrupt.shadow = 0;
	vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_EVENTS;
	if (regs->rflags & X64_RFLAGS_TF)
		raise(vcpu, X64_EXCEPTION_DB);
}

size_t nested_fetch(struct vcpu *vcpu, uint8_t *code, size_t size)
{
	return read_linear(vcpu, fetch_address(vcpu, vcpu->run->s.regs.regs.rip), fetch_right(vcpu),
			   code, size);
}

static int exit_npf(struct vcpu *vcpu, const struct vmcb *vmcb)
{
	const uint64_t info = vmcb->exit_info1;
	struct kvm_access_exit exit = {
		.gpa = vmcb->exit_info2,
		.size = VKVM_PAGE_SIZE - vmcb->exit_info2 % VKVM_PAGE_SIZE,
		.flags = info & VMCB_NPF_FETCH	 ? KVM_ACCESS_EXIT_EXEC
			 : info & VMCB_NPF_WRITE ? KVM_ACCESS_EXIT_WRITE
						 : KVM_ACCESS_EXIT_READ,
	};

	if (info & VMCB_NPF_WALK)
		exit.flags |= KVM_ACCESS_EXIT_WALK;
	vcpu->run->exit_reason = KVM_EXIT_MEMORY_FAULT;
	memcpy(vcpu->run->padding, &exit, sizeof(exit));
	vcpu->nested.other_operand = false;
	if (attr_refused(vcpu)) {
		vcpu->nested.allowed_rip = ~vmcb->rip;
		return 0;
	}
	/* Allowed by now: the guest repeats the access, except during a completion. */
	if (!vcpu->completion &&
	    (vcpu->nested.allowed_rip != vmcb->rip || vcpu->nested.allowed_gpa != exit.gpa)) {
		vcpu->nested.allowed_rip = vmcb->rip;
		vcpu->nested.allowed_gpa = exit.gpa;
		return GO_ON;
	}
	/* KVM before 7.x reports an emulated instruction's first operand for its second. */
	vcpu->nested.other_operand = true;
	return 0;
}

/* A general register by its number in an instruction */
static uint64_t gpr(const struct kvm_regs *regs, unsigned int number)
{
	const uint64_t value[16] = {regs->rax, regs->rcx, regs->rdx, regs->rbx,
				    regs->rsp, regs->rbp, regs->rsi, regs->rdi,
				    regs->r8,  regs->r9,  regs->r10, regs->r11,
				    regs->r12, regs->r13, regs->r14, regs->r15};

	return value[number & 15];
}

/* The value that MOV CR, CLTS or LMSW writes. False: another instruction, or a memory operand. */
static bool decode_write(const struct vcpu *vcpu, const uint8_t *code, size_t size, uint64_t old,
			 uint64_t *value, uint8_t *length)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	const struct kvm_regs *regs = &vcpu->run->s.regs.regs;
	const bool wide = sregs->efer & X64_EFER_LMA && sregs->cs.l;
	unsigned int rex = 0;
	size_t at = 0;

	/* These prefixes do not affect the instructions; REX does. */
	while (at < size && (code[at] == 0x66 || code[at] == 0xf2 || code[at] == 0xf3 ||
			     code[at] == 0x2e || code[at] == 0x36 || code[at] == 0x3e ||
			     code[at] == 0x26 || code[at] == 0x64 || code[at] == 0x65))
		at++;
	if (at < size && wide && (code[at] & 0xf0) == 0x40)
		rex = code[at++];
	if (size - at < 2 || code[at] != 0x0f)
		return false;
	*length = (uint8_t)(at + 2);
	if (code[at + 1] == 0x06) {
		*value = old & ~(uint64_t)X64_CR0_TS;
		return true;
	}
	if (size - at < 3)
		return false;
	*length = (uint8_t)(at + 3);
	*value = gpr(regs, (code[at + 2] & 7u) | (rex & 1u) << 3);
	if (code[at + 1] == 0x22) {
		*value = wide ? *value : (uint32_t)*value;
		return true;
	}
	/* LMSW loads PE, MP, EM and TS, and never clears PE. */
	*value = (old & ~UINT64_C(0xe)) | (*value & 0xf) | (old & X64_CR0_PE);
	return code[at + 1] == 0x01 && code[at + 2] >> 6 == 3;
}

/* The exit precedes the checks of the CPU (APM 2, 15.8), which refuse an illegal value later. */
static bool is_legal(const struct vcpu *vcpu, uint32_t which, uint64_t value)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	const struct backend_features *features = &vcpu->vp->backend->features;
	const bool long_mode = sregs->efer & X64_EFER_LMA;

	if (which == KVM_WRITE_EXIT_CR4) {
		if (value & ~features->cr4_valid || (long_mode && !(value & X64_CR4_PAE)))
			return false;
		if ((value ^ sregs->cr4) & value & X64_CR4_PCIDE)
			return long_mode && !(sregs->cr3 & 0xfff);
		return !long_mode || !((value ^ sregs->cr4) & X64_CR4_LA57);
	}
	if (value >> 32 || ((value & X64_CR0_PG) && !(value & X64_CR0_PE)) ||
	    ((value & X64_CR0_NW) && !(value & X64_CR0_CD)))
		return false;
	if (!(value & X64_CR0_PG))
		return !(sregs->cs.l && long_mode) && !(sregs->cr4 & X64_CR4_PCIDE);
	return sregs->cr0 & X64_CR0_PG || !(sregs->efer & X64_EFER_LME) || sregs->cr4 & X64_CR4_PAE;
}

static int reflected(struct vcpu *vcpu);

static int debug(const struct vcpu *vcpu, uint32_t control)
{
	struct kvm_guest_debug debug = {.control = control};

	return vkvm_ioctl(vcpu->fd, KVM_SET_GUEST_DEBUG, &debug);
}

/* KVM_RUN. A thread that changes the mode of the VTL waits until `entered` is cleared. */
static int enter(struct vcpu *vcpu)
{
	const int error = ioctl(vcpu->fd, KVM_RUN, 0) < 0 ? -errno : 0;

	atomic_store(&vcpu->vp->entered, 0);
	return error;
}

/* Undoes the step if it wrote another value: another VP may have changed the instruction. */
static void check_step(struct vcpu *vcpu, uint32_t which, uint64_t cr0, uint64_t cr4)
{
	struct kvm_sync_regs *regs = &vcpu->run->s.regs;
	const bool is_cr0 = which == KVM_WRITE_EXIT_CR0;
	const uint64_t mask =
		is_cr0 ? vcpu->watched.cr0_mask & ~(uint64_t)X64_CR0_ET : vcpu->watched.cr4_mask;
	const uint64_t now = is_cr0 ? regs->sregs.cr0 : regs->sregs.cr4;

	if (!vcpu->nested.step_checked || !(is_cr0 || which == KVM_WRITE_EXIT_CR4))
		return;
	/* The expected value was written, or none (#GP). */
	if (!((now ^ vcpu->nested.step_value) & mask) || !((now ^ (is_cr0 ? cr0 : cr4)) & mask))
		return;
	regs->sregs.cr0 = cr0;
	regs->sregs.cr4 = cr4;
	regs->regs.rip = vcpu->nested.step_rip;
	vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
}

/* Executes one instruction without watching the register. */
static int step(struct vcpu *vcpu, uint32_t which)
{
	const uint32_t watched = vcpu->nested.watched;
	struct kvm_run *run = vcpu->run;
	const uint64_t cr0 = run->s.regs.sregs.cr0;
	const uint64_t cr4 = run->s.regs.sregs.cr4;
	int error;

	vcpu->nested.watched &= ~which;
	error = nested_reload(vcpu);
	if (!error)
		error = debug(vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP |
					    KVM_GUESTDBG_BLOCKIRQ);
	if (!error) {
		run->exit_reason = KVM_EXIT_UNKNOWN;
		error = enter(vcpu);
	}
	vcpu->nested.watched = watched;
	debug(vcpu, 0);
	vcpu->debug_stale |= vcpu->debug.flags != 0;
	if (error && error != -EINTR)
		return error;
	if (!(run->flags & KVM_RUN_X86_GUEST_MODE))
		return reflected(vcpu);
	vcpu->nested.reload = true;
	if (!error && run->exit_reason == KVM_EXIT_DEBUG) {
		check_step(vcpu, which, cr0, cr4);
		return debug_is_stepping(vcpu) ? 0 : GO_ON;
	}
	return error;
}

/* Whether the vCPU next executes the instruction at step_rip, without an event before it. */
static bool is_next(const struct vcpu *vcpu)
{
	const struct kvm_sync_regs *regs = &vcpu->run->s.regs;

	return regs->regs.rip == vcpu->nested.step_rip && !vcpu->delivers &&
	       !regs->events.nmi.pending;
}

static int report_write(struct vcpu *vcpu, uint32_t which, uint64_t value, uint8_t length)
{
	const struct kvm_write_exit exit = {.which = which, .value = value, .insn_len = length};

	vcpu->run->exit_reason = KVM_EXIT_REGISTER_WRITE;
	memcpy(vcpu->run->padding, &exit, sizeof(exit));
	return 0;
}

/*
 * A write of a legal value exits if a bit of the mask changes. One that cannot be decoded is
 * reported as a change of all of these bits.
 */
static int exit_control(struct vcpu *vcpu, uint32_t which)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	const bool cr0 = which == KVM_WRITE_EXIT_CR0;
	const uint64_t old = cr0 ? sregs->cr0 : sregs->cr4;
	const uint64_t mask = cr0 ? vcpu->watched.cr0_mask : vcpu->watched.cr4_mask;
	uint8_t code[MAX_INSTRUCTION] = {0};
	const size_t size = nested_fetch(vcpu, code, sizeof(code));
	uint64_t value = 0;
	uint8_t length = 0;

	if (!decode_write(vcpu, code, size, old, &value, &length))
		return report_write(vcpu, which, old ^ mask, 0);
	if ((value ^ old) & mask && is_legal(vcpu, which, value))
		return report_write(vcpu, which, value, length);
	vcpu->nested.step = which;
	vcpu->nested.step_rip = vcpu->run->s.regs.regs.rip;
	vcpu->nested.step_value = old;
	vcpu->nested.step_checked = true;
	return GO_ON;
}

/* The core decodes the length of a table load, which depends on the memory operand. */
static int exit_table(struct vcpu *vcpu, uint32_t which)
{
	return report_write(vcpu, which, 0, 0);
}

static int exit_xsetbv(struct vcpu *vcpu)
{
	const struct kvm_regs *regs = &vcpu->run->s.regs.regs;

	return report_write(vcpu, KVM_WRITE_EXIT_XCR0, (uint32_t)regs->rax | regs->rdx << 32,
			    XSETBV_LENGTH);
}

/* The sizes of the XSAVE area depend on XCR0 and IA32_XSS. */
static void follow_xsave(struct vcpu *vcpu, uint32_t subleaf, uint32_t value[4])
{
	uint64_t xcr0;
	uint64_t xss = 0;

	if (subleaf == 1)
		(void)vkvm_msr_native(vcpu, X64_MSR_XSS, false, &xss);
	if (!registers_xcr0(vcpu, &xcr0))
		fpu_set_area_size(vkvm_vp_cpuid, vcpu->vp, xcr0, xss, subleaf, value);
}

static void set_bit(uint32_t *value, uint32_t bit, bool set)
{
	*value = (*value & ~bit) | (set ? bit : 0);
}

/* Fields that depend on registers of the VP or the partition. KVM sets them for a plain vCPU. */
static void follow_registers(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t value[4])
{
	const struct vkvm_backend *backend = vcpu->vp->backend;
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	uint32_t privileges[4] = {0};

	switch (leaf) {
	case 1:
		set_bit(&value[2], CPUID_OSXSAVE, sregs->cr4 & X64_CR4_OSXSAVE);
		set_bit(&value[3], CPUID_APIC, sregs->apic_base & X64_APIC_BASE_ENABLED);
		break;
	case 7:
		if (!subleaf)
			set_bit(&value[2], CPUID_OSPKE, sregs->cr4 & X64_CR4_PKE);
		break;
	case CPUID_XSAVE:
		if (subleaf < 2)
			follow_xsave(vcpu, subleaf, value);
		break;
	case CPUID_POWER:
		vkvm_vp_cpuid(vcpu->vp, HV_CPUID_FEATURES, 0, privileges);
		if (privileges[0] & HV_PRIVILEGE(ACCESS_TSC_INVARIANT_CONTROLS) &&
		    !atomic_load(&backend->tsc_invariant_shown))
			value[3] &= ~CPUID_TSC_INVARIANT;
		break;
	}
}

/* Executes CPUID with the leaves of the VP: the CPUID of the vCPU has SVM. */
static int exit_cpuid(struct vcpu *vcpu)
{
	struct kvm_regs *regs = &vcpu->run->s.regs.regs;
	const uint32_t leaf = (uint32_t)regs->rax;
	const uint32_t subleaf = (uint32_t)regs->rcx;
	uint32_t value[4];

	vkvm_vp_cpuid(vcpu->vp, leaf, subleaf, value);
	follow_registers(vcpu, leaf, subleaf, value);
	regs->rax = value[0];
	regs->rbx = value[1];
	regs->rcx = value[2];
	regs->rdx = value[3];
	nested_end_instruction(vcpu, CPUID_LENGTH);
	return GO_ON;
}

static int reflected(struct vcpu *vcpu)
{
	const struct vmcb *vmcb;
	int error = nested_return(vcpu, &vmcb);

	if (error)
		return error;
	vcpu->run->flags |= KVM_RUN_X86_GUEST_MODE;
	switch (vmcb->exit_code) {
	case VMCB_EXIT_NPF:
		return exit_npf(vcpu, vmcb);
	case VMCB_EXIT_CR0_WRITE:
		return exit_control(vcpu, KVM_WRITE_EXIT_CR0);
	case VMCB_EXIT_CR4_WRITE:
		return exit_control(vcpu, KVM_WRITE_EXIT_CR4);
	case VMCB_EXIT_XSETBV:
		return exit_xsetbv(vcpu);
	case VMCB_EXIT_GDTR_WRITE:
		return exit_table(vcpu, KVM_WRITE_EXIT_GDTR);
	case VMCB_EXIT_IDTR_WRITE:
		return exit_table(vcpu, KVM_WRITE_EXIT_IDTR);
	case VMCB_EXIT_LDTR_WRITE:
		return exit_table(vcpu, KVM_WRITE_EXIT_LDTR);
	case VMCB_EXIT_TR_WRITE:
		return exit_table(vcpu, KVM_WRITE_EXIT_TR);
	case VMCB_EXIT_CPUID:
		return exit_cpuid(vcpu);
	case VMCB_EXIT_VMMCALL:
		vcpu->run->exit_reason = NESTED_EXIT_HYPERCALL;
		return 0;
	case VMCB_EXIT_SHUTDOWN:
		vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
		return 0;
	default:
		break;
	}
	if (vmcb->exit_code == VMCB_EXIT_INVLPGA ||
	    (vmcb->exit_code >= VMCB_EXIT_VMRUN && vmcb->exit_code <= VMCB_EXIT_SKINIT)) {
		raise(vcpu, X64_EXCEPTION_UD);
		return GO_ON;
	}
	return vsm_error(vcpu->vp->backend->log, EIO,
			 "engine nested: VP%u VTL%u: unexpected exit %#x of L2", vcpu->vp->index,
			 vcpu->vtl, vmcb->exit_code);
}

int nested_enter(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	const uint32_t which = vcpu->nested.step;
	int error;

	if (vcpu->nested.on && which && !run->immediate_exit) {
		vcpu->nested.step = 0;
		if (is_next(vcpu)) {
			error = step(vcpu, which);
			if (error == -EINTR)
				vcpu->nested.step = which;
			return error;
		}
	}
	error = enter(vcpu);
	if (!vcpu->nested.on || run->flags & KVM_RUN_X86_GUEST_MODE)
		return error;
	/*
	 * L1 executes only its OUT. After any other exit, except by a signal, the vCPU is no longer
	 * in guest mode, and no right is denied.
	 */
	if (error == -EINTR)
		return reflected(vcpu);
	if (!error && run->exit_reason == KVM_EXIT_IO && run->io.port == VKVM_HYPERCALL_PORT) {
		/* KVM counts L1's OUT as an exit, too. */
		vcpu->returns++;
		return reflected(vcpu);
	}
	return vsm_error(vcpu->vp->backend->log, EIO,
			 "engine nested: VP%u VTL%u: left guest mode: exit %u, error %d",
			 vcpu->vp->index, vcpu->vtl, run->exit_reason, -error);
}
