/* SPDX-License-Identifier: BSD-2-Clause */
/* Events: conversion between the core's form and KVM's. */
#include "core/x64.h"
#include "kvm/vcpu/vcpu.h"

void events_from_kvm(const struct kvm_sync_regs *regs, struct vcpu_events *to)
{
	const struct kvm_vcpu_events *from = &regs->events;

	*to = (struct vcpu_events){
		.exception_pending = from->exception.pending || from->exception.injected,
		.exception_has_error_code = from->exception.has_error_code,
		.exception_vector = from->exception.nr,
		.exception_error_code = from->exception.error_code,
		.exception_parameter = from->exception_has_payload ? from->exception_payload : 0,
		.interrupt_injected = from->interrupt.injected,
		.interrupt_soft = from->interrupt.soft,
		.interrupt_vector = from->interrupt.nr,
		.nmi_pending = from->nmi.pending,
		.nmi_injected = from->nmi.injected,
		/* On AMD CPUs KVM reports NMIs as masked while it delivers one. */
		.nmi_masked = from->nmi.masked && !from->nmi.injected,
		.interrupt_shadow = from->interrupt.shadow,
		.smi_pending = from->smi.pending,
		.smm = from->smi.smm,
		.smm_in_nmi = from->smi.smm && from->smi.smm_inside_nmi,
	};
	/* Without a payload, KVM has already written the address to CR2. */
	if (to->exception_pending && !from->exception_has_payload &&
	    to->exception_vector == X64_EXCEPTION_PF)
		to->exception_parameter = regs->sregs.cr2;
}

static bool exception_changed(const struct vcpu_events *a, const struct vcpu_events *b)
{
	return a->exception_pending != b->exception_pending ||
	       a->exception_vector != b->exception_vector ||
	       a->exception_has_error_code != b->exception_has_error_code ||
	       a->exception_error_code != b->exception_error_code ||
	       a->exception_parameter != b->exception_parameter;
}

static void store_exception(const struct vcpu_events *from, struct kvm_vcpu_events *to)
{
	bool payload = from->exception_vector == X64_EXCEPTION_PF ||
		       from->exception_vector == X64_EXCEPTION_DB;

	to->exception.injected = 0;
	to->exception.pending = from->exception_pending;
	to->exception.nr = from->exception_vector;
	to->exception.has_error_code = from->exception_has_error_code;
	to->exception.error_code = from->exception_error_code;
	to->exception_has_payload = from->exception_pending && payload;
	to->exception_payload = payload ? from->exception_parameter : 0;
}

/*
 * A shadow that the core sets is that of MOV SS, which is legal with and without IF. With TF it is
 * dropped, as VM entry would fail (SDM 3C 27.3.1.5).
 */
static void store_shadow(const struct vcpu_events *from, const struct vcpu_events *old,
			 uint64_t rflags, struct kvm_vcpu_events *to)
{
	if (from->interrupt_shadow != old->interrupt_shadow)
		to->interrupt.shadow = from->interrupt_shadow && !(rflags & X64_RFLAGS_TF)
					       ? KVM_X86_SHADOW_INT_MOV_SS
					       : 0;
	else if (!(rflags & X64_RFLAGS_IF) && to->interrupt.shadow == KVM_X86_SHADOW_INT_STI)
		to->interrupt.shadow = KVM_X86_SHADOW_INT_MOV_SS;
}

/*
 * VMX refuses an entry with an NMI to inject while NMIs are masked or in an interrupt shadow (SDM
 * 3C 27.3.1.5): such an NMI is made pending.
 */
static void store_nmi(const struct vcpu_events *from, const struct vcpu_events *old,
		      struct kvm_vcpu_events *to)
{
	bool held = from->nmi_injected && (from->nmi_masked || to->interrupt.shadow);
	uint8_t pending = to->nmi.pending;

	/* KVM counts up to two pending NMIs. */
	if (from->nmi_pending != old->nmi_pending)
		pending = from->nmi_pending;
	pending = (uint8_t)(pending + held);
	if (pending > 1 && from->nmi_masked)
		pending = 1;
	to->nmi.pending = pending > 2 ? 2 : pending;
	to->nmi.injected = from->nmi_injected && !held;
	to->nmi.masked = from->nmi_masked;
}

/* A kernel without CONFIG_KVM_SMM has these fields, and accepts zeroes. */
static void store_smm(const struct vcpu_events *from, struct kvm_vcpu_events *to)
{
	to->smi.smm = from->smm;
	to->smi.pending = from->smi_pending;
	to->smi.smm_inside_nmi = from->smm_in_nmi;
	to->flags |= KVM_VCPUEVENT_VALID_SMM;
}

void events_to_kvm(const struct vcpu_events *from, const struct vcpu_events *old, uint64_t rflags,
		   struct kvm_vcpu_events *to)
{
	if (exception_changed(from, old))
		store_exception(from, to);
	to->interrupt.injected = from->interrupt_injected;
	to->interrupt.soft = from->interrupt_soft;
	to->interrupt.nr = from->interrupt_vector;
	store_shadow(from, old, rflags, to);
	store_nmi(from, old, to);
	store_smm(from, to);
	to->flags |= KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW |
		     KVM_VCPUEVENT_VALID_PAYLOAD;
}

void events_load(struct vcpu *vcpu)
{
	events_from_kvm(&vcpu->run->s.regs, &vcpu->state->events);
	vcpu->events = vcpu->state->events;
}

void events_store(struct vcpu *vcpu)
{
	struct kvm_sync_regs *regs = &vcpu->run->s.regs;

	events_to_kvm(&vcpu->state->events, &vcpu->events, regs->regs.rflags, &regs->events);
	/* store_nmi() may have made an injected NMI a pending one. */
	vcpu->state->events.nmi_injected = regs->events.nmi.injected;
	vcpu->state->events.nmi_pending = regs->events.nmi.pending;
	vcpu->events = vcpu->state->events;
}

/*
 * If KVM's emulator cannot read memory, it raises #PF (for a page table), #UD (for an instruction)
 * or #GP (for the PDPTEs, at a write of CR0, CR3 or CR4). The guest must not get this exception.
 */
static bool is_spurious(const struct kvm_vcpu_events *events)
{
	uint8_t vector = events->exception.nr;

	if (vector == X64_EXCEPTION_PF)
		return events->exception.pending || events->exception.injected;
	return events->exception.pending &&
	       (vector == X64_EXCEPTION_UD || vector == X64_EXCEPTION_GP);
}

void events_drop_spurious(struct vcpu *vcpu)
{
	struct kvm_sync_regs *regs = &vcpu->run->s.regs;

	/* An exception of the entry that is not delivered yet is the VTL's own. */
	if (!is_spurious(&regs->events) || enter_still_delivers(vcpu))
		return;
	if (regs->events.exception.nr == X64_EXCEPTION_PF) {
		regs->sregs.cr2 = vcpu->cr2;
		vcpu->cr2_stale = true;
	}
	regs->events.exception.pending = 0;
	regs->events.exception.injected = 0;
	regs->events.exception_has_payload = 0;
	vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_EVENTS;
}
