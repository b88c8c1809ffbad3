/* SPDX-License-Identifier: BSD-2-Clause */
/* The two vCPUs of engine nested: a plain one, and one with SVM that stays in guest mode. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/x64.h"
#include "kvm/engine/nested.h"

/* L1's registers: long mode, with page tables in hidden memory, interrupts off. */
#define L1_CR0	(X64_CR0_PE | X64_CR0_ET | X64_CR0_NE | X64_CR0_WP | X64_CR0_PG)
#define L1_EFER (X64_EFER_SCE | X64_EFER_LME | X64_EFER_LMA | X64_EFER_NXE | X64_EFER_SVME)

/*
 * L1 has L2's values of these bits: if one differed, KVM would rebuild CPUID or permission tables
 * at each switch between L1 and L2.
 */
#define CR4_OF_L2 (X64_CR4_OSXSAVE | X64_CR4_PKE | X64_CR4_SMEP | X64_CR4_SMAP)

#define SVM_LEAF	  0x8000000au
#define EXTENDED_FEATURES 0x80000001u
#define FEATURE_SVM	  (1u << 2)
#define NESTED_PAGING	  1u /* NestedCtl */
/* Limit of exits that the completion of one instruction can cause */
#define DRAIN_MAX 512u

struct nested_state {
	struct kvm_nested_state head;
	struct vmcb vmcb;
};

static struct nested_vm *vm_of(const struct vcpu *vcpu)
{
	return &vcpu->vp->backend->vm[vcpu->vtl].nested;
}

static uint32_t vmcb_page(const struct vcpu *vcpu)
{
	return vm_of(vcpu)->first_vmcb + vcpu->vp->index;
}

static struct vmcb *vmcb_of(const struct vcpu *vcpu)
{
	return (struct vmcb *)(void *)(vm_of(vcpu)->base +
				       (size_t)vmcb_page(vcpu) * VKVM_PAGE_SIZE);
}

static void set_intercepts(const struct vcpu *vcpu, struct vmcb *vmcb)
{
	static const struct {
		uint32_t which;
		uint32_t cr;
		uint32_t misc1;
		uint32_t misc2;
	} watch[] = {
		{KVM_WRITE_EXIT_CR0, VMCB_INTERCEPT_CR0_WRITE, 0, 0},
		{KVM_WRITE_EXIT_CR4, VMCB_INTERCEPT_CR4_WRITE, 0, 0},
		{KVM_WRITE_EXIT_XCR0, 0, 0, VMCB_INTERCEPT_XSETBV},
		{KVM_WRITE_EXIT_GDTR, 0, VMCB_INTERCEPT_GDTR_WRITE, 0},
		{KVM_WRITE_EXIT_IDTR, 0, VMCB_INTERCEPT_IDTR_WRITE, 0},
		{KVM_WRITE_EXIT_LDTR, 0, VMCB_INTERCEPT_LDTR_WRITE, 0},
		{KVM_WRITE_EXIT_TR, 0, VMCB_INTERCEPT_TR_WRITE, 0},
	};

	/*
	 * Without these intercepts CPUID would show SVM, KVM would execute or refuse SVM's
	 * instructions and VMMCALL itself, and reset the vCPU at a triple fault.
	 */
	vmcb->intercept_cr = 0;
	vmcb->intercept_misc1 =
		VMCB_INTERCEPT_CPUID | VMCB_INTERCEPT_INVLPGA | VMCB_INTERCEPT_SHUTDOWN;
	vmcb->intercept_misc2 = VMCB_INTERCEPT_SVM;
	for (size_t i = 0; i < ARRAY_SIZE(watch); i++) {
		if (!(vcpu->nested.watched & watch[i].which))
			continue;
		vmcb->intercept_cr |= watch[i].cr;
		vmcb->intercept_misc1 |= watch[i].misc1;
		vmcb->intercept_misc2 |= watch[i].misc2;
	}
}

/*
 * The constant part of KVM_SET_NESTED_STATE's argument: VMCB12's control area, and L1's registers
 * in place of its state save area. KVM takes L2's registers from the vCPU.
 */
static struct nested_state *make_state(const struct vcpu *vcpu)
{
	const struct nested_vm *vm = vm_of(vcpu);
	struct nested_state *state = calloc(1, sizeof(*state));
	struct vmcb *vmcb;

	if (!state)
		return NULL;
	state->head.flags = KVM_STATE_NESTED_GUEST_MODE | KVM_STATE_NESTED_GIF_SET;
	state->head.format = KVM_STATE_NESTED_FORMAT_SVM;
	state->head.size = sizeof(*state);
	state->head.hdr.svm.vmcb_pa = vm->gpa + (uint64_t)vmcb_page(vcpu) * VKVM_PAGE_SIZE;
	vmcb = &state->vmcb;
	vmcb->asid = 1;
	vmcb->nested_control = NESTED_PAGING;
	vmcb->nested_cr3 = vm->gpa + NESTED_ROOT * VKVM_PAGE_SIZE;
	vmcb->efer = L1_EFER;
	vmcb->cr0 = L1_CR0;
	vmcb->cr3 = vm->gpa + NESTED_L1_PML4 * VKVM_PAGE_SIZE;
	vmcb->rflags = X64_RFLAGS_FIXED;
	vmcb->dr6 = X64_DR6_RESET;
	vmcb->dr7 = X64_DR7_RESET;
	vmcb->rip = NESTED_SHIM * VKVM_PAGE_SIZE;
	vmcb->cs = (struct vmcb_segment){.selector = 8, .attributes = 0xa9b, .limit = UINT32_MAX};
	vmcb->ss = (struct vmcb_segment){.selector = 16, .attributes = 0xc93, .limit = UINT32_MAX};
	vmcb->ds = vmcb->ss;
	vmcb->es = vmcb->ss;
	return state;
}

/* Puts the vCPU into guest mode; its registers are L2's from then on. */
static int enter_guest_mode(struct vcpu *vcpu, uint32_t int_state)
{
	struct nested_state *state = vcpu->nested.state;
	int error;

	state->vmcb.int_state = int_state;
	state->vmcb.cr4 = X64_CR4_PAE | (vcpu->run->s.regs.sregs.cr4 & CR4_OF_L2);
	set_intercepts(vcpu, &state->vmcb);
	error = vkvm_ioctl(vcpu->fd, KVM_SET_NESTED_STATE, state);
	return error ? vsm_error(vcpu->vp->backend->log, -error,
				 "engine nested: VP%u VTL%u: entering guest mode: %s",
				 vcpu->vp->index, vcpu->vtl, strerror(-error))
		     : 0;
}

int nested_reload(struct vcpu *vcpu)
{
	struct nested_state now = {.head.size = sizeof(now)};
	int error = vkvm_ioctl(vcpu->fd, KVM_GET_NESTED_STATE, &now);

	vcpu->nested.reload = false;
	/* Stores L2's registers again, as after a reflected exit. */
	vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
	return error ? vsm_error(vcpu->vp->backend->log, -error,
				 "engine nested: VP%u VTL%u: changing intercepts: %s",
				 vcpu->vp->index, vcpu->vtl, strerror(-error))
		     : enter_guest_mode(vcpu, now.vmcb.int_state);
}

static void load_segment(struct kvm_segment *to, const struct vmcb_segment *from)
{
	const unsigned int attributes = from->attributes;

	*to = (struct kvm_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.type = attributes & 15,
		.s = attributes >> 4 & 1,
		.dpl = attributes >> 5 & 3,
		.present = attributes >> 7 & 1,
		.avl = attributes >> 8 & 1,
		.l = attributes >> 9 & 1,
		.db = attributes >> 10 & 1,
		.g = attributes >> 11 & 1,
		.unusable = !(attributes >> 7 & 1),
	};
}

/* The registers that a #VMEXIT writes to VMCB12; FS, GS, TR, LDTR and others stay in the vCPU. */
static void load_registers(struct kvm_sync_regs *regs, const struct vmcb *vmcb)
{
	struct kvm_sregs *sregs = &regs->sregs;

	load_segment(&sregs->es, &vmcb->es);
	load_segment(&sregs->cs, &vmcb->cs);
	load_segment(&sregs->ss, &vmcb->ss);
	load_segment(&sregs->ds, &vmcb->ds);
	sregs->ss.dpl = vmcb->cpl;
	sregs->gdt.base = vmcb->gdtr.base;
	sregs->gdt.limit = (uint16_t)vmcb->gdtr.limit;
	sregs->idt.base = vmcb->idtr.base;
	sregs->idt.limit = (uint16_t)vmcb->idtr.limit;
	sregs->efer = vmcb->efer;
	sregs->cr0 = vmcb->cr0;
	sregs->cr2 = vmcb->cr2;
	sregs->cr3 = vmcb->cr3;
	sregs->cr4 = vmcb->cr4;
	memset(sregs->interrupt_bitmap, 0, sizeof(sregs->interrupt_bitmap));
	regs->regs.rflags = vmcb->rflags;
	regs->regs.rip = vmcb->rip;
	regs->regs.rsp = vmcb->rsp;
	regs->regs.rax = vmcb->rax;
}

/* Injects an interrupted event again, except INT n, INT3 and INTO: the guest repeats those. */
static void load_events(struct kvm_vcpu_events *events, const struct vmcb *vmcb)
{
	const uint32_t event = vmcb->exit_int_info;
	const uint8_t vector = (uint8_t)event;

	memset(&events->exception, 0, sizeof(events->exception));
	events->exception_has_payload = 0;
	events->interrupt.injected = 0;
	events->nmi.injected = 0;
	events->interrupt.shadow = vmcb->int_state & 1 ? KVM_X86_SHADOW_INT_MOV_SS : 0;
	events->flags |= KVM_VCPUEVENT_VALID_SHADOW;
	if (!(event & VMCB_EVENT_VALID))
		return;
	switch (VMCB_EVENT_TYPE(event)) {
	case VMCB_EVENT_INTERRUPT:
		events->interrupt.injected = 1;
		events->interrupt.nr = vector;
		events->interrupt.soft = 0;
		break;
	case VMCB_EVENT_NMI:
		events->nmi.injected = 1;
		break;
	case VMCB_EVENT_EXCEPTION:
		/* INT3 and INTO have this type, too. */
		if (vector == 3 || vector == 4)
			break;
		events->exception.injected = 1;
		events->exception.nr = vector;
		events->exception.has_error_code = !!(event & VMCB_EVENT_HAS_ERROR);
		events->exception.error_code = vmcb->exit_int_error;
		break;
	}
}

static int load_debug(struct vcpu *vcpu, const struct vmcb *vmcb)
{
	struct kvm_debugregs regs;
	int error;

	if (vmcb->dr7 == X64_DR7_RESET && vmcb->dr6 == X64_DR6_RESET)
		return 0;
	error = vkvm_ioctl(vcpu->fd, KVM_GET_DEBUGREGS, &regs);
	regs.dr6 = vmcb->dr6;
	regs.dr7 = vmcb->dr7;
	return error ? error : vkvm_ioctl(vcpu->fd, KVM_SET_DEBUGREGS, &regs);
}

int nested_return(struct vcpu *vcpu, const struct vmcb **reflected)
{
	const struct vmcb *vmcb = vmcb_of(vcpu);
	struct kvm_run *run = vcpu->run;
	int error;

	*reflected = vmcb;
	load_registers(&run->s.regs, vmcb);
	load_events(&run->s.regs.events, vmcb);
	error = enter_guest_mode(vcpu, vmcb->int_state);
	if (!error)
		error = load_debug(vcpu, vmcb);
	run->kvm_dirty_regs |= KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	/* Events are stored only to inject one again: KVM has all others. */
	if (vmcb->exit_int_info & VMCB_EVENT_VALID)
		run->kvm_dirty_regs |= KVM_SYNC_X86_EVENTS;
	return error;
}

/* Adds SVM to the vCPU's CPUID, which KVM requires. L2 does not see it: CPUID is intercepted. */
static int set_cpuid(const struct vcpu *vcpu, int fd)
{
	const struct kvm_cpuid2 *from = vcpu->vp->cpuid;
	const struct kvm_cpuid_entry2 svm = {.function = SVM_LEAF, .eax = 1, .ebx = 8, .edx = 1};
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + (from->nent + 2) * sizeof(cpuid->entries[0]));
	int error;

	if (!cpuid)
		return -ENOMEM;
	/* EXTENDED_FEATURES comes first: KVM searches for it linearly at each check of EFER. */
	cpuid->nent = 1;
	for (uint32_t i = 0; i < from->nent; i++) {
		struct kvm_cpuid_entry2 entry = from->entries[i];

		if (entry.function == SVM_LEAF)
			continue;
		if (entry.function == 0x80000000 && entry.eax < SVM_LEAF)
			entry.eax = SVM_LEAF;
		if (entry.function == EXTENDED_FEATURES) {
			entry.ecx |= FEATURE_SVM;
			cpuid->entries[0] = entry;
		} else {
			cpuid->entries[cpuid->nent++] = entry;
		}
	}
	cpuid->entries[cpuid->nent++] = svm;
	error = vkvm_ioctl(fd, KVM_SET_CPUID2, cpuid);
	free(cpuid);
	return error;
}

static void swap(struct vcpu *vcpu)
{
	const int fd = vcpu->fd;
	const int count_fd = vcpu->count_fd;
	struct kvm_run *run = vcpu->run;

	vcpu->fd = vcpu->nested.other_fd;
	vcpu->run = vcpu->nested.other_run;
	vcpu->nested.other_fd = fd;
	vcpu->nested.other_run = run;
	vcpu->count_fd = vcpu->nested.other_count_fd;
	vcpu->nested.other_count_fd = count_fd;
	/* The vCPU that ran until now has the current registers. */
	vcpu->run->s.regs = run->s.regs;
	vcpu->run->kvm_valid_regs = run->kvm_valid_regs;
	vcpu->run->kvm_dirty_regs = 0;
	/* The TLB and all other state of this vCPU in KVM are as of its last run. */
	vcpu->flush = true;
	vcpu->debug_stale = true;
	vcpu->tables_known = false;
	vcpu->count_known = false;
	vcpu->fpu_known = false;
}

static void free_other(struct vcpu *vcpu)
{
	free(vcpu->nested.state);
	vcpu->nested.state = NULL;
	if (vcpu->nested.other_run)
		munmap(vcpu->nested.other_run, vcpu->vp->backend->run_size);
	vcpu->nested.other_run = NULL;
	if (vcpu->nested.other_fd >= 0)
		close(vcpu->nested.other_fd);
	vcpu->nested.other_fd = -1;
}

/* Creates a vCPU with EFER.SVME, not yet in guest mode. On an error the caller frees it. */
static int make_other(struct vcpu *vcpu)
{
	struct vkvm_backend *backend = vcpu->vp->backend;
	const uint32_t id = backend->vp_count + vcpu->vp->index;
	struct kvm_sregs sregs;
	int fd = vkvm_ioctl(backend->vm[vcpu->vtl].fd, KVM_CREATE_VCPU, (void *)(uintptr_t)id);
	void *run;
	int error;

	if (fd < 0)
		return fd;
	vcpu->nested.other_fd = fd;
	run = mmap(NULL, backend->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (run == MAP_FAILED)
		return -errno;
	vcpu->nested.other_run = run;
	vcpu->nested.state = make_state(vcpu);
	error = vcpu->nested.state ? vp_refuse_paravirtual(fd) : -ENOMEM;
	if (!error)
		error = set_cpuid(vcpu, fd);
	if (!error)
		error = vkvm_ioctl(fd, KVM_GET_SREGS, &sregs);
	if (error)
		return error;
	sregs.efer |= X64_EFER_SVME;
	return vkvm_ioctl(fd, KVM_SET_SREGS, &sregs);
}

/* Loads all of the VTL's registers into the register file, to be stored in the next vCPU. */
static int load_for_other_vcpu(struct vcpu *vcpu)
{
	int error = vkvm_vp_load(vcpu->vp, vcpu->vtl, VCPU_ALL & ~vcpu->state->valid);

	vcpu->state->dirty = VCPU_ALL;
	return error;
}

static int use_nested_vcpu(struct vcpu *vcpu)
{
	const bool first = vcpu->nested.other_fd < 0;
	int error = load_for_other_vcpu(vcpu);

	if (!error && first) {
		error = make_other(vcpu);
		/* The next attempt must not use an incomplete vCPU. */
		if (error)
			free_other(vcpu);
	}
	if (error)
		return error;
	swap(vcpu);
	if (first)
		exit_count_init(vcpu);
	vcpu->efer_forced = X64_EFER_SVME;
	vcpu->nested.on = true;
	/* The TSC may have been set while the other vCPU ran. */
	error = tsc_set_vcpu(vcpu);
	/* A nested vCPU stays in guest mode after its first use, unless KVM left it in drain(). */
	if (error || (!first && !vcpu->nested.drained))
		return error;
	vcpu->nested.drained = false;
	return enter_guest_mode(vcpu, 0);
}

static int use_plain_vcpu(struct vcpu *vcpu)
{
	int error = load_for_other_vcpu(vcpu);

	if (error)
		return error;
	swap(vcpu);
	vcpu->efer_forced = 0;
	vcpu->nested.on = false;
	return tsc_set_vcpu(vcpu);
}

static bool is_prefix(uint8_t byte, bool wide)
{
	return byte == 0x66 || byte == 0x67 || byte == 0xf2 || byte == 0xf3 || byte == 0x2e ||
	       byte == 0x36 || byte == 0x3e || byte == 0x26 || byte == 0x64 || byte == 0x65 ||
	       (wide && (byte & 0xf0) == 0x40);
}

/* Length of an IN or OUT without memory operand, RDMSR or WRMSR at RIP; else 0. */
static uint8_t simple_length(struct vcpu *vcpu)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	uint8_t code[15];
	const size_t size = nested_fetch(vcpu, code, sizeof(code));
	uint8_t at = 0;

	while (at < size && is_prefix(code[at], sregs->efer & X64_EFER_LMA && sregs->cs.l))
		at++;
	if (at + 1u < size && code[at] == 0x0f && (code[at + 1] == 0x30 || code[at + 1] == 0x32))
		return (uint8_t)(at + 2);
	if (at < size && code[at] >= 0xe4 && code[at] <= 0xe7)
		return (uint8_t)(at + 2);
	return at < size && code[at] >= 0xec && code[at] <= 0xef ? (uint8_t)(at + 1) : 0;
}

static void finish_io(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	struct kvm_regs *regs = &vcpu->run->s.regs.regs;
	const uint8_t length = simple_length(vcpu);
	const uint8_t *data = (const uint8_t *)run + run->io.data_offset;
	uint64_t value = 0;

	if (!length)
		return;
	nested_end_instruction(vcpu, length);
	if (run->io.direction != KVM_EXIT_IO_IN)
		return;
	memcpy(&value, data, run->io.size <= 4 ? run->io.size : 4);
	switch (run->io.size) {
	case 1:
		regs->rax = (regs->rax & ~UINT64_C(0xff)) | value;
		break;
	case 2:
		regs->rax = (regs->rax & ~UINT64_C(0xffff)) | value;
		break;
	default:
		regs->rax = value;
	}
}

static void finish_msr(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	struct kvm_regs *regs = &vcpu->run->s.regs.regs;
	struct kvm_vcpu_events *events = &vcpu->run->s.regs.events;
	const uint8_t length = simple_length(vcpu);

	if (!length)
		return;
	if (run->msr.error) {
		events->exception.pending = 1;
		events->exception.nr = X64_EXCEPTION_GP;
		events->exception.has_error_code = 1;
		events->exception.error_code = 0;
		return;
	}
	nested_end_instruction(vcpu, length);
	if (run->exit_reason == KVM_EXIT_X86_RDMSR) {
		regs->rax = (uint32_t)run->msr.data;
		regs->rdx = run->msr.data >> 32;
	}
}

/* Completes the instruction with page tables at an address without memory: docs/glossary.md. */
static int drain(struct vcpu *vcpu)
{
	const struct kvm_vcpu_events events = {.flags = KVM_VCPUEVENT_VALID_NMI_PENDING};
	struct kvm_run *run = vcpu->run;
	struct kvm_sync_regs saved = run->s.regs;
	struct kvm_sregs sregs = saved.sregs;
	int error;

	memset(sregs.interrupt_bitmap, 0, sizeof(sregs.interrupt_bitmap));
	sregs.cr0 = L1_CR0;
	sregs.cr3 = vm_of(vcpu)->gpa + (UINT64_C(1) << 30);
	sregs.cr4 = X64_CR4_PAE;
	sregs.efer = (L1_EFER & ~X64_EFER_SVME) | vcpu->efer_forced;
	error = vkvm_ioctl(vcpu->fd, KVM_SET_SREGS, &sregs);
	run->immediate_exit = 1;
	run->kvm_dirty_regs = 0;
	for (unsigned int i = 0; i < DRAIN_MAX && !error; i++)
		error = ioctl(vcpu->fd, KVM_RUN, 0) < 0 ? -errno : 0;
	if (error == -EINTR)
		error = vkvm_ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, (void *)&events);
	else if (!error)
		error = -EIO;
	run->s.regs = saved;
	/* An access by these tables is a nested page fault, at which KVM leaves guest mode. */
	vcpu->nested.drained |= vcpu->nested.on;
	return error ? vsm_error(vcpu->vp->backend->log, -error,
				 "engine nested: VP%u VTL%u: abandoning an instruction: %s",
				 vcpu->vp->index, vcpu->vtl, strerror(-error))
		     : 0;
}

int nested_abandon(struct vcpu *vcpu)
{
	const uint32_t reason = vcpu->run->exit_reason;

	vcpu->completion = false;
	vcpu->open = false;
	vcpu->exit_waiting = false;
	if (vcpu->before.valid) {
		vcpu->run->s.regs.regs = vcpu->before.regs;
		vcpu->run->s.regs.events = vcpu->before.events;
	}
	if (reason == KVM_EXIT_IO)
		finish_io(vcpu);
	else if (reason == KVM_EXIT_X86_RDMSR || reason == KVM_EXIT_X86_WRMSR)
		finish_msr(vcpu);
	return drain(vcpu);
}

/* Completing an MMIO store accesses no memory: only exits for its next parts are left. */
static bool is_harmless(const struct vcpu *vcpu)
{
	return vcpu->run->exit_reason == KVM_EXIT_MMIO && vcpu->run->mmio.is_write;
}

bool nested_is_stale(const struct vcpu *vcpu, bool complete)
{
	const int mode = atomic_load(&vm_of(vcpu)->mode);

	return mode != (vcpu->nested.on ? NESTED_ACTIVE : NESTED_PLAIN) &&
	       !(complete && is_harmless(vcpu));
}

/* Waits for the thread that changes the mode, which holds the engine lock. */
static void wait_for_mode(struct vcpu *vcpu)
{
	pthread_mutex_t *lock = &vcpu->vp->backend->engine.lock;

	if (atomic_load(&vm_of(vcpu)->mode) != NESTED_CHANGING)
		return;
	pthread_mutex_lock(lock);
	pthread_mutex_unlock(lock);
}

int nested_before_run(struct vcpu *vcpu)
{
	int error;

	wait_for_mode(vcpu);
	if (nested_is_stale(vcpu, false)) {
		/* First completes the open instruction, which may cause another exit. */
		error = vcpu->exit_waiting ? 0 : enter_complete(vcpu);
		if (error || vcpu->exit_waiting)
			return error;
		error = vcpu->nested.on ? use_plain_vcpu(vcpu) : use_nested_vcpu(vcpu);
		if (error)
			return vsm_error(vcpu->vp->backend->log, -error,
					 "engine nested: VP%u VTL%u: changing vCPUs: %s",
					 vcpu->vp->index, vcpu->vtl, strerror(-error));
	}
	return vcpu->nested.on && vcpu->nested.reload ? nested_reload(vcpu) : 0;
}

void nested_vcpu_destroy(struct vcpu *vcpu)
{
	free_other(vcpu);
	if (vcpu->nested.other_count_fd >= 0)
		close(vcpu->nested.other_count_fd);
}
