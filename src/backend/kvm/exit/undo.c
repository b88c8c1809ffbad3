/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Undoing an open instruction. KVM would complete it at the next KVM_RUN even if registers were set
 * since: it is completed without running the guest, then the registers are restored.
 */
#include "kvm/exit/exit.h"

int undo_exit(struct vcpu *vcpu, const struct vcpu_snapshot *snapshot)
{
	bool more = false;
	int error = enter_finish(vcpu, &more);

	if (!error)
		snapshot_restore(vcpu, snapshot);
	return error;
}

void undo_keep_set(struct vcpu *vcpu, const struct vcpu_state *set, const struct vcpu_state *before)
{
	struct vcpu_state *state = vcpu->state;

	state->valid |= set->dirty;
	state->dirty |= set->dirty;
	if (!(set->dirty & VCPU_GPR))
		return;
	state->valid &= ~(uint32_t)VCPU_GPR;
	registers_edit(vcpu, VCPU_GPR);
	for (unsigned int i = 0; i < GPR_COUNT; i++)
		if (set->gpr[i] != before->gpr[i])
			state->gpr[i] = set->gpr[i];
	if (set->rip != before->rip)
		state->rip = set->rip;
	if (set->rflags != before->rflags)
		state->rflags = set->rflags;
}

int undo_exit_but_keep_set(struct vcpu *vcpu, const struct vcpu_snapshot *snapshot)
{
	struct vcpu_state set = *vcpu->state;
	struct vcpu_state before = set;
	int error;

	registers_from_snapshot(&before, vcpu->before.valid ? &vcpu->before : snapshot);
	error = undo_exit(vcpu, snapshot);
	if (!error)
		undo_keep_set(vcpu, &set, &before);
	return error;
}
