/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How exits end that leave an instruction open (MSR, MMIO, IO).
 *
 * KVM finishes such an instruction at the beginning of the next KVM_RUN, whatever registers are set
 * meanwhile. To take it back, it is finished without running the guest, and then the registers are
 * put back to where the instruction begins.
 */
#include <errno.h>
#include <string.h>

#include "core/x64.h"
#include "kvm/engine/attr.h"

/* Exits that finishing one instruction can give: each fragment of an access is one. */
#define FRAGMENTS_MAX 512u

int answer_finish(struct vcpu *vcpu, bool *goes_on)
{
	unsigned int i = 0;
	int error;

	do {
		error = enter_complete(vcpu);
		if (error)
			return error;
		/* A further access of the same instruction: it is not made either. */
		vcpu->completion = vcpu->exit_waiting;
		*goes_on |= vcpu->exit_waiting;
		vcpu->exit_waiting = false;
	} while (vcpu->completion && ++i < FRAGMENTS_MAX);
	vcpu->refused_waiting = false;
	if (vcpu->completion)
		return vsm_error(vcpu->vp->backend->log, EIO,
				 "kvm: VP%u VTL%u: an instruction has no end", vcpu->vp->index,
				 vcpu->vtl);
	return 0;
}

int answer_undo(struct vcpu *vcpu, const struct snapshot *snapshot)
{
	bool goes_on = false;
	int error = answer_finish(vcpu, &goes_on);

	if (!error)
		snapshot_restore(vcpu, snapshot);
	return error;
}

/* General registers that differ between @set and @before, put on those that KVM has. */
static void keep_set(struct vcpu *vcpu, const struct vcpu_state *set,
		     const struct vcpu_state *before)
{
	struct vcpu_state *state = vcpu->state;

	state->valid |= set->dirty;
	state->dirty |= set->dirty;
	if (!(set->dirty & VCPU_GPR))
		return;
	state->valid &= ~(uint32_t)VCPU_GPR;
	vkvm_state_edit(vcpu, VCPU_GPR);
	for (unsigned int i = 0; i < GPR_COUNT; i++)
		if (set->gpr[i] != before->gpr[i])
			state->gpr[i] = set->gpr[i];
	if (set->rip != before->rip)
		state->rip = set->rip;
	if (set->rflags != before->rflags)
		state->rflags = set->rflags;
}

int answer_undo_but_set(struct vcpu *vcpu, const struct snapshot *snapshot)
{
	struct vcpu_state set = *vcpu->state;
	struct vcpu_state before = set;
	int error;

	vkvm_state_from_snapshot(&before, vcpu->before.valid ? &vcpu->before : snapshot);
	error = answer_undo(vcpu, snapshot);
	if (!error)
		keep_set(vcpu, &set, &before);
	return error;
}

/* ------------------------------------------------------------------ answers */

static void answer_msr(struct vcpu *vcpu, struct backend_run *run, enum backend_answer answer)
{
	struct kvm_run *kvm = vcpu->run;
	bool write = run->exit == BACKEND_EXIT_MSR_WRITE;
	bool fault = answer == BACKEND_FAULT;
	uint64_t value = run->msr.data;

	if (answer == BACKEND_NATIVE)
		fault = kvm->msr.reason != KVM_MSR_EXIT_REASON_FILTER ||
			!vkvm_msr_native(vcpu, run->msr.index, write, &value);
	kvm->msr.error = fault;
	if (!write)
		kvm->msr.data = value;
}

/*
 * The VMM has set registers of a VTL that stands at an instruction which is then done: what it set stays,
 * the rest is what the instruction leaves behind.
 */
static int finish_under_changes(struct vcpu *vcpu)
{
	struct vcpu_state *state = vcpu->state;
	struct vcpu_state set = *state;
	struct vcpu_state before = *state;
	int error;

	vkvm_state_from_snapshot(&before, &vcpu->before);
	error = enter_complete(vcpu);
	if (error)
		return error;
	/* KVM_RUN has made everything stale; what is dirty is ours all the same. */
	state->valid = set.dirty;
	/* It is not done yet if it makes another access: what was set waits with it. */
	if (!vcpu->exit_waiting)
		keep_set(vcpu, &set, &before);
	return 0;
}

int vkvm_vp_answer(void *opaque, struct backend_run *run, enum backend_answer answer)
{
	struct vkvm_vp *vp = opaque;
	struct vcpu *vcpu = &vp->vcpu[run->vtl];
	int error = enter_own(vp);

	if (error)
		return error;
	if (!vcpu->open)
		return vsm_error(vp->backend->log, EINVAL, "kvm: VP%u VTL%u: nothing to answer",
				 vp->index, run->vtl);
	vcpu->open = false;
	if (run->exit == BACKEND_EXIT_CR_WRITE)
		return register_exit_answer(vcpu, run, answer);
	if (answer == BACKEND_RETRY) {
		vcpu->state->valid = 0;
		if (run->exit == BACKEND_EXIT_IO)
			return io_take_back(vcpu, run);
		if (run->exit != BACKEND_EXIT_MMIO)
			vcpu->run->msr.error = 0;
		return answer_undo(vcpu, &vcpu->before);
	}
	if (run->exit == BACKEND_EXIT_MSR_READ || run->exit == BACKEND_EXIT_MSR_WRITE)
		answer_msr(vcpu, run, answer);
	else if (run->exit == BACKEND_EXIT_MMIO && !run->mmio.write)
		memcpy(vcpu->run->mmio.data, run->mmio.data, sizeof(vcpu->run->mmio.data));
	if (vcpu->state->dirty)
		return finish_under_changes(vcpu);
	/* Read before the instruction ended, they are not what it leaves behind. */
	vcpu->state->valid = 0;
	return 0;
}
