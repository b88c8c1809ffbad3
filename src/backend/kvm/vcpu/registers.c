/* SPDX-License-Identifier: BSD-2-Clause */
/* Register files: conversion between the core's and KVM's. */
#include <errno.h>
#include <string.h>

#include "core/same.h"
#include "core/x64.h"
#include "kvm/vcpu/vcpu.h"

/* Groups that the guest cannot change without an exit that KVM counts (exit_count.c). */
#define COUNTED (VCPU_DEBUG | VCPU_XCR0)

/* Groups in kvm_run after every exit */
#define SYNCED (VCPU_GPR | VCPU_SYSTEM | VCPU_EVENTS)

/* X(index in the core's order, name in struct kvm_regs) */
/* clang-format off */
#define GENERAL_REGISTERS(X)                                        \
	X(0, rax)  X(1, rcx)  X(2, rdx)   X(3, rbx)   X(4, rsp)     \
	X(5, rbp)  X(6, rsi)  X(7, rdi)   X(8, r8)    X(9, r9)      \
	X(10, r10) X(11, r11) X(12, r12)  X(13, r13)  X(14, r14)    \
	X(15, r15)
/* clang-format on */

static void load_gpr(struct vcpu_state *state, const struct kvm_regs *regs)
{
#define LOAD(place, name) state->gpr[place] = regs->name;
	GENERAL_REGISTERS(LOAD)
#undef LOAD
	state->rip = regs->rip;
	state->rflags = regs->rflags;
}

static void store_gpr(const struct vcpu_state *state, struct kvm_regs *regs)
{
#define STORE(place, name) regs->name = state->gpr[place];
	GENERAL_REGISTERS(STORE)
#undef STORE
	regs->rip = state->rip;
	regs->rflags = state->rflags | X64_RFLAGS_FIXED;
}

static const size_t segment_offset[SEGMENT_COUNT] = {
	[SEGMENT_ES] = offsetof(struct kvm_sregs, es),
	[SEGMENT_CS] = offsetof(struct kvm_sregs, cs),
	[SEGMENT_SS] = offsetof(struct kvm_sregs, ss),
	[SEGMENT_DS] = offsetof(struct kvm_sregs, ds),
	[SEGMENT_FS] = offsetof(struct kvm_sregs, fs),
	[SEGMENT_GS] = offsetof(struct kvm_sregs, gs),
	[SEGMENT_LDTR] = offsetof(struct kvm_sregs, ldt),
	[SEGMENT_TR] = offsetof(struct kvm_sregs, tr),
};

#define SEGMENT_ACCESSED 1u /* bit of the type of code and data */

static void load_segment(struct hv_x64_segment_register *to, const struct kvm_segment *from)
{
	unsigned int dpl = from->dpl & 3u;

	to->base = from->base;
	to->limit = from->limit;
	to->selector = from->selector;
	to->attributes =
		(uint16_t)((from->type & HV_X64_SEGMENT_TYPE_MASK) |
			   (from->s ? HV_X64_SEGMENT_NON_SYSTEM : 0) |
			   dpl << HV_X64_SEGMENT_DPL_SHIFT |
			   (from->present && !from->unusable ? HV_X64_SEGMENT_PRESENT : 0) |
			   (from->avl ? HV_X64_SEGMENT_AVAILABLE : 0) |
			   (from->l ? HV_X64_SEGMENT_LONG : 0) |
			   (from->db ? HV_X64_SEGMENT_DEFAULT : 0) |
			   (from->g ? HV_X64_SEGMENT_GRANULARITY : 0));
}

/*
 * Adjusts attributes that Intel CPUs check at entry and AMD CPUs ignore (SDM 3C 27.3.1.2), without
 * an effect for the guest.
 */
static void store_segment(const struct hv_x64_segment_register *from, bool real_mode,
			  struct kvm_segment *to)
{
	uint16_t attributes = from->attributes;

	if (attributes & HV_X64_SEGMENT_NON_SYSTEM)
		attributes |= SEGMENT_ACCESSED;
	if (from->limit > 0xfffff)
		attributes |= HV_X64_SEGMENT_GRANULARITY;
	else if ((from->limit & 0xfff) != 0xfff)
		attributes &= (uint16_t)~HV_X64_SEGMENT_GRANULARITY;
	if (real_mode)
		attributes &= (uint16_t)~HV_X64_SEGMENT_DPL_MASK;

	*to = (struct kvm_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.type = attributes & HV_X64_SEGMENT_TYPE_MASK,
		.s = !!(attributes & HV_X64_SEGMENT_NON_SYSTEM),
		.dpl = (attributes & HV_X64_SEGMENT_DPL_MASK) >> HV_X64_SEGMENT_DPL_SHIFT,
		.present = !!(attributes & HV_X64_SEGMENT_PRESENT),
		.unusable = !(attributes & HV_X64_SEGMENT_PRESENT),
		.avl = !!(attributes & HV_X64_SEGMENT_AVAILABLE),
		.l = !!(attributes & HV_X64_SEGMENT_LONG),
		.db = !!(attributes & HV_X64_SEGMENT_DEFAULT),
		.g = !!(attributes & HV_X64_SEGMENT_GRANULARITY),
	};
}

/* Segments and tables seldom change between exits, and comparing is faster than converting. */
static void load_tables(struct vcpu *vcpu, const struct kvm_sregs *sregs)
{
	struct vcpu_state *state = vcpu->state;

	if (vcpu->tables_known && same_words(vcpu->tables, sregs, sizeof(vcpu->tables)))
		return;
	for (unsigned int i = 0; i < SEGMENT_COUNT; i++) {
		const void *from = (const uint8_t *)sregs + segment_offset[i];

		load_segment(&state->segment[i], from);
	}
	state->idtr.base = sregs->idt.base;
	state->idtr.limit = sregs->idt.limit;
	state->gdtr.base = sregs->gdt.base;
	state->gdtr.limit = sregs->gdt.limit;
	memcpy(vcpu->tables, sregs, sizeof(vcpu->tables));
	vcpu->tables_known = true;
}

static void load_system(struct vcpu *vcpu)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	struct vcpu_state *state = vcpu->state;

	state->cr0 = sregs->cr0;
	state->cr2 = sregs->cr2;
	state->cr3 = sregs->cr3;
	state->cr4 = sregs->cr4;
	state->efer = sregs->efer & ~vcpu->efer_forced;
	load_tables(vcpu, sregs);
}

static void store_system(struct vcpu *vcpu)
{
	const struct vcpu_state *state = vcpu->state;
	struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;

	/* store_segment() may change attributes: the core must read the result. */
	vcpu->tables_known = false;
	sregs->cr0 = state->cr0;
	sregs->cr2 = state->cr2;
	sregs->cr3 = state->cr3;
	sregs->cr4 = state->cr4;
	sregs->efer = state->efer | vcpu->efer_forced;
	for (unsigned int i = 0; i < SEGMENT_COUNT; i++) {
		void *to = (uint8_t *)sregs + segment_offset[i];

		store_segment(&state->segment[i], !(state->cr0 & X64_CR0_PE), to);
	}
	sregs->idt.base = state->idtr.base;
	sregs->idt.limit = state->idtr.limit;
	sregs->gdt.base = state->gdtr.base;
	sregs->gdt.limit = state->gdtr.limit;
	/* The interrupt being delivered is in the events; here KVM would queue it again. */
	memset(sregs->interrupt_bitmap, 0, sizeof(sregs->interrupt_bitmap));
}

static int load_debug(struct vcpu *vcpu)
{
	struct vcpu_state *state = vcpu->state;
	struct kvm_debugregs regs;
	int error = vkvm_ioctl(vcpu->fd, KVM_GET_DEBUGREGS, &regs);

	if (error)
		return error;
	memcpy(state->dr, regs.db, sizeof(state->dr));
	state->dr6 = regs.dr6;
	state->dr7 = regs.dr7;
	return 0;
}

static int store_debug(struct vcpu *vcpu)
{
	const struct vcpu_state *state = vcpu->state;
	struct kvm_debugregs regs = {.dr6 = state->dr6, .dr7 = state->dr7};

	memcpy(regs.db, state->dr, sizeof(regs.db));
	return vkvm_ioctl(vcpu->fd, KVM_SET_DEBUGREGS, &regs);
}

/* Not KVM_GET_FPU, which ignores XSTATE_BV: SSE registers may be stale. */
static int load_fpu(struct vcpu *vcpu)
{
	bool large = vcpu->vp->backend->can.xsave_size > sizeof(struct kvm_xsave);

	return vkvm_ioctl(vcpu->fd, large ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, vcpu->state->xsave);
}

static int store_fpu(struct vcpu *vcpu)
{
	return vkvm_ioctl(vcpu->fd, KVM_SET_XSAVE, vcpu->state->xsave);
}

int registers_xcr0(const struct vcpu *vcpu, uint64_t *value)
{
	struct kvm_xcrs xcrs = {0};
	int error = vkvm_ioctl(vcpu->fd, KVM_GET_XCRS, &xcrs);

	*value = xcrs.nr_xcrs ? xcrs.xcrs[0].value : X64_XFEATURE_X87;
	return error;
}

static int load_xcr0(struct vcpu *vcpu)
{
	return registers_xcr0(vcpu, &vcpu->state->xcr0);
}

static int store_xcr0(struct vcpu *vcpu)
{
	struct kvm_xcrs xcrs = {.nr_xcrs = 1};

	if (!vcpu->vp->backend->features.xcr0_supported)
		return 0;
	xcrs.xcrs[0].value = vcpu->state->xcr0;
	return vkvm_ioctl(vcpu->fd, KVM_SET_XCRS, &xcrs);
}

/* Whether the VTL has SMBASE. Guests cannot access it as an MSR (SDM 3C, "SMBASE Relocation"). */
static bool has_smbase(const struct vcpu *vcpu)
{
	return vcpu->vp->backend->smm && vcpu->vtl == 0;
}

static int load_smm(struct vcpu *vcpu)
{
	struct msr_batch one = {.count = 1, .entry[0] = {.index = X64_MSR_SMBASE}};

	if (!has_smbase(vcpu))
		return 0;
	if (vkvm_ioctl(vcpu->fd, KVM_GET_MSRS, &one) != 1)
		return -EIO;
	vcpu->state->smbase = one.entry[0].data;
	return 0;
}

static int store_smm(struct vcpu *vcpu)
{
	struct msr_batch one = {.count = 1,
				.entry[0] = {.index = X64_MSR_SMBASE, .data = vcpu->state->smbase}};

	if (!has_smbase(vcpu))
		return 0;
	return vkvm_ioctl(vcpu->fd, KVM_SET_MSRS, &one) == 1 ? 0 : -EIO;
}

struct register_group {
	uint32_t group;
	int (*load)(struct vcpu *vcpu);
	int (*store)(struct vcpu *vcpu);
	const char *name;
};

/* In the order of stores: XCR0 before the state that it enables. */
static const struct register_group groups_by_ioctl[] = {
	{VCPU_XCR0, load_xcr0, store_xcr0, "XCR0"},
	{VCPU_FPU, load_fpu, store_fpu, "the XSAVE area"},
	{VCPU_DEBUG, load_debug, store_debug, "debug registers"},
	{VCPU_MSR, vkvm_msr_load, vkvm_msr_store, "MSRs"},
	{VCPU_SMM, load_smm, store_smm, "SMBASE"},
};

/* The groups to read from KVM: the guest cannot have changed the others since the last read. */
static uint32_t changed_groups(struct vcpu *vcpu, uint32_t groups)
{
	uint32_t unchanged = COUNTED;

	if (shared_fpu_is_known(vcpu->vp)) {
		vcpu->state->valid |= groups & VCPU_FPU;
		groups &= ~(uint32_t)VCPU_FPU;
	}
	if (!(groups & (COUNTED | VCPU_FPU)))
		return groups;
	if (!exit_count_unchanged(vcpu)) {
		vcpu->fpu_known = false;
		/* Both groups are read, as one count covers both. */
		return groups & COUNTED ? groups | (COUNTED & ~vcpu->state->dirty) : groups;
	}
	if (vcpu->fpu_known && exit_count_fpu_is_closed(vcpu))
		unchanged |= VCPU_FPU;
	vcpu->state->valid |= unchanged;
	return groups & ~unchanged;
}

static int load_by_ioctl(struct vcpu *vcpu, uint32_t groups)
{
	groups = changed_groups(vcpu, groups);
	for (size_t i = 0; i < ARRAY_SIZE(groups_by_ioctl); i++) {
		const struct register_group *group = &groups_by_ioctl[i];
		int error = groups & group->group ? group->load(vcpu) : 0;

		if (error)
			return vsm_error(vcpu->vp->backend->log, -error,
					 "kvm: VP%u VTL%u: reading %s: %s", vcpu->vp->index,
					 vcpu->vtl, group->name, strerror(-error));
	}
	vcpu->state->valid |= groups;
	if ((groups & COUNTED) == COUNTED)
		exit_count_start(vcpu);
	/* A shared area is changed by other VTLs, too, which this VTL's count does not show. */
	if (groups & VCPU_FPU)
		vcpu->fpu_known = vcpu->count_known && !vcpu->vp->backend->features.fpu_shared;
	return 0;
}

static int load(struct vcpu *vcpu, uint32_t groups)
{
	/* Until the core has answered an exit, the registers are those at the instruction. */
	int error = vcpu->open ? 0 : enter_complete(vcpu);

	if (error)
		return error;
	if (groups & VCPU_GPR)
		load_gpr(vcpu->state, &vcpu->run->s.regs.regs);
	if (groups & VCPU_SYSTEM)
		load_system(vcpu);
	if (groups & VCPU_EVENTS)
		events_load(vcpu);
	vcpu->state->valid |= groups & SYNCED;
	return groups & ~SYNCED ? load_by_ioctl(vcpu, groups & ~SYNCED) : 0;
}

int vkvm_vp_load(void *opaque, uint8_t vtl, uint32_t groups)
{
	struct vkvm_vp *vp = opaque;
	int error = enter_own(vp);

	return error ? error : load(&vp->vcpu[vtl], groups);
}

struct vcpu_state *registers_edit(struct vcpu *vcpu, uint32_t groups)
{
	struct vcpu_state *state = vcpu->state;
	uint32_t missing = groups & ~state->valid;

	if (missing && load(vcpu, missing))
		state->valid |= missing;
	state->dirty |= groups;
	return state;
}

bool registers_have_pdptes(const struct kvm_sregs *sregs)
{
	return sregs->cr0 & X64_CR0_PG && sregs->cr4 & X64_CR4_PAE && !(sregs->efer & X64_EFER_LMA);
}

/*
 * Whether system registers cannot wait for the next entry. CR4 is stored before MSRs: KVM checks
 * addresses in MSRs against its current CR4.LA57. If PDPTEs are denied, they must be read again:
 * on Intel CPUs the VTL would run with older ones.
 */
static bool needs_set_sregs(uint32_t dirty, const struct kvm_sregs *sregs)
{
	return dirty & VCPU_SYSTEM && (dirty & VCPU_MSR || registers_have_pdptes(sregs));
}

int registers_store(struct vcpu *vcpu)
{
	struct vcpu_state *state = vcpu->state;
	struct kvm_run *run = vcpu->run;
	uint32_t dirty = state->dirty | (shared_fpu_is_dirty(vcpu->vp) ? VCPU_FPU : 0);

	if (dirty & VCPU_GPR) {
		store_gpr(state, &run->s.regs.regs);
		run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
		/* KVM drops a pending exception when general registers are set. */
		if (run->s.regs.events.exception.pending)
			run->kvm_dirty_regs |= KVM_SYNC_X86_EVENTS;
	}
	if (dirty & VCPU_SYSTEM) {
		store_system(vcpu);
		/* CR0.EM or CR4 may change: exit_count_fpu_is_closed(). */
		vcpu->fpu_known = false;
		run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
	}
	if (dirty & VCPU_EVENTS) {
		events_store(vcpu);
		run->kvm_dirty_regs |= KVM_SYNC_X86_EVENTS;
	}
	if (needs_set_sregs(dirty, &run->s.regs.sregs)) {
		int error = enter_set_sregs(vcpu, &run->s.regs.sregs);

		/* All groups stay dirty if it was refused. */
		if (error || vcpu->refused_waiting)
			return error;
	}
	for (size_t i = 0; dirty & ~SYNCED && i < ARRAY_SIZE(groups_by_ioctl); i++) {
		const struct register_group *group = &groups_by_ioctl[i];
		int error = dirty & group->group ? group->store(vcpu) : 0;

		if (error)
			return vsm_error(vcpu->vp->backend->log, -error,
					 "kvm: VP%u VTL%u: KVM refuses %s: %s", vcpu->vp->index,
					 vcpu->vtl, group->name, strerror(-error));
	}
	state->dirty = 0;
	shared_fpu_stored(vcpu->vp);
	return 0;
}

bool registers_rip_is_set(const struct vcpu *vcpu)
{
	return vcpu->state->dirty & VCPU_GPR && vcpu->state->rip != vcpu->run->s.regs.regs.rip;
}

bool vkvm_vp_can_inject(void *opaque, uint8_t vtl)
{
	struct vkvm_vp *vp = opaque;
	struct vcpu *vcpu = &vp->vcpu[vtl];
	const struct vcpu_state *state = vcpu->state;
	const struct vcpu_events *events = &state->events;
	uint32_t missing = (VCPU_GPR | VCPU_EVENTS) & ~state->valid;

	if (missing && vkvm_vp_load(vp, vtl, missing))
		return false;
	return !vcpu->exit_waiting && !vcpu->refused_waiting && state->rflags & X64_RFLAGS_IF &&
	       !events->interrupt_shadow && !events->exception_pending &&
	       !events->interrupt_injected && !events->nmi_injected;
}

int vkvm_vp_flush_tlb(void *opaque, uint8_t vtl)
{
	struct vkvm_vp *vp = opaque;

	vp->vcpu[vtl].flush = true;
	return 0;
}

void registers_from_snapshot(struct vcpu_state *state, const struct vcpu_snapshot *snapshot)
{
	load_gpr(state, &snapshot->regs);
}

void snapshot_take(const struct vcpu *vcpu, struct vcpu_snapshot *snapshot)
{
	snapshot->regs = vcpu->run->s.regs.regs;
	snapshot->events = vcpu->run->s.regs.events;
	snapshot->counted = false;
	snapshot->complete_first = false;
	snapshot->valid = true;
}

void snapshot_restore(struct vcpu *vcpu, const struct vcpu_snapshot *snapshot)
{
	struct kvm_run *run = vcpu->run;

	run->s.regs.regs = snapshot->regs;
	run->s.regs.events = snapshot->events;
	run->s.regs.events.flags |= KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW |
				    KVM_VCPUEVENT_VALID_PAYLOAD;
	run->kvm_dirty_regs |= KVM_SYNC_X86_REGS | KVM_SYNC_X86_EVENTS;
	/* Registers that were changed but not stored are dropped. */
	if (vcpu->state->dirty & (COUNTED | VCPU_FPU))
		vcpu->count_known = false;
	if (vcpu->state->dirty & VCPU_FPU)
		shared_fpu_invalidate(vcpu->vp);
	vcpu->tables_known = false;
	vcpu->state->valid = 0;
	vcpu->state->dirty = 0;
}
