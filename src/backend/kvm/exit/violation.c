/* SPDX-License-Identifier: BSD-2-Clause */
/* The kind of an access that engine uffd stops: the event thread records only page and write. */
#include "kvm/exit/exit.h"

/* userfaultfd reports fetches as reads. A read of a page that the fetch needs counts as a fetch. */
static void describe(struct vcpu *vcpu, struct backend_run *run, uint64_t gpa, bool write,
		     bool exact)
{
	bool table = false;
	bool fetch = fetch_needs(vcpu, gpa, &table) && !write;

	run->exit = BACKEND_EXIT_MEMORY;
	run->memory.gpa = gpa;
	run->memory.gva = 0;
	run->memory.gva_valid = false;
	run->memory.exact = exact;
	run->memory.page_walk = table;
	run->memory.other_operand = false;
	run->memory.access = write ? GPA_WRITE : fetch ? fetch_right(vcpu) : GPA_READ;
}

void violation_exit(struct vcpu *vcpu, struct backend_run *run, const struct violation *violation)
{
	if (violation->stuck)
		events_drop_spurious(vcpu);
	if (registers_rip_is_set(vcpu)) {
		run->exit = BACKEND_EXIT_INTERRUPTED;
		return;
	}
	describe(vcpu, run, violation->gpa, violation->write, false);
}

/*
 * Whether the last open exit belongs to the same instruction: the CPU has not run since. Without
 * KVM's count of exits, complete_first says that this access is part of its completion.
 */
static bool same_instruction(const struct vcpu *vcpu)
{
	uint64_t now;

	if (!vcpu->before.valid || vcpu->before.events.smi.smm != vcpu->run->s.regs.events.smi.smm)
		return false;
	if (vcpu->before.counted)
		return exit_count_now(vcpu, &now) && now == vcpu->before.count;
	return vcpu->before.complete_first;
}

void violation_mmio(struct vcpu *vcpu, struct backend_run *run)
{
	uint64_t gpa = vcpu->run->mmio.phys_addr;
	bool write = vcpu->run->mmio.is_write;
	struct vcpu_snapshot start;

	vcpu->before.valid = same_instruction(vcpu);
	snapshot_take(vcpu, &start);
	if (write && vcpu->before.valid)
		start = vcpu->before;
	else if (write)
		exit_describe_registers(
			vcpu, VSM_LOG_DEBUG,
			"a denied write was dropped, with RIP after its instruction");
	if (undo_exit_but_keep_set(vcpu, &start)) {
		run->exit = BACKEND_EXIT_ERROR;
		return;
	}
	if (registers_rip_is_set(vcpu)) {
		run->exit = BACKEND_EXIT_INTERRUPTED;
		return;
	}
	describe(vcpu, run, gpa, write, true);
}
