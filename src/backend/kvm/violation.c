/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accesses that a protection stopped. The event thread knows the page and whether it was a write; the
 * rest is found out here.
 */
#include "core/x64.h"
#include "kvm/kvm_internal.h"

#define MAX_INSTRUCTION 15u

/* A fetch looks like a read: it is one if the CPU needs that page to get at the instruction. */
static void describe(struct vcpu *vcpu, struct backend_run *run, uint64_t gpa, bool write,
		     bool exact)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	bool table = false;
	bool fetch = fetch_needs(vcpu, gpa, &table) && !write;

	run->exit = BACKEND_EXIT_MEMORY;
	run->memory.gpa = gpa;
	run->memory.gva = 0;
	run->memory.gva_valid = false;
	run->memory.exact = exact;
	run->memory.page_walk = table;
	run->memory.access = write   ? GPA_WRITE
			     : fetch ? (sregs->ss.dpl == 3 ? GPA_USER_EXECUTE : GPA_KERNEL_EXECUTE)
				     : GPA_READ;
}

void violation_exit(struct vcpu *vcpu, struct backend_run *run, const struct violation *violation)
{
	const struct kvm_vcpu_events *events = &vcpu->run->s.regs.events;
	bool fault = events->exception.pending || events->exception.injected;

	/*
	 * Page tables that KVM's emulator could not read look to it like page tables that say no: it has
	 * begun a page fault that the guest must not see.
	 */
	if (violation->stuck && fault && events->exception.nr == X64_EXCEPTION_PF) {
		kvm_state_edit(vcpu, VCPU_EVENTS)->events.exception_pending = false;
		kvm_state_edit(vcpu, VCPU_SYSTEM)->cr2 = vcpu->cr2;
	}
	describe(vcpu, run, violation->gpa, violation->write, false);
}

/* Whether the exit before this one was of the same instruction, so that it shows where that begins. */
static bool same_instruction(const struct vcpu *vcpu)
{
	uint64_t passed = vcpu->run->s.regs.regs.rip - vcpu->before.regs.rip;

	return vcpu->before.valid && passed <= MAX_INSTRUCTION;
}

void violation_mmio(struct vcpu *vcpu, struct backend_run *run)
{
	uint64_t gpa = vcpu->run->mmio.phys_addr;
	bool write = vcpu->run->mmio.is_write;
	struct snapshot start;

	snapshot_take(vcpu, &start);
	if (write && same_instruction(vcpu))
		start = vcpu->before;
	else if (write)
		exit_describe_registers(vcpu, VSM_LOG_DEBUG,
					"a denied write was dropped behind its instruction");
	if (answer_undo(vcpu, &start)) {
		run->exit = BACKEND_EXIT_ERROR;
		return;
	}
	describe(vcpu, run, gpa, write, true);
}
