/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers of the core to exits that leave an instruction open. */
#include <errno.h>
#include <string.h>

#include "core/x64.h"
#include "kvm/exit/exit.h"

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

/* Completes the instruction; registers that the core has set since the exit keep their values. */
static int finish_under_changes(struct vcpu *vcpu)
{
	struct vcpu_state *state = vcpu->state;
	struct vcpu_state set = *state;
	struct vcpu_state before = *state;
	int error;

	registers_from_snapshot(&before, &vcpu->before);
	error = enter_complete(vcpu);
	if (error)
		return error;
	/* KVM_RUN has changed all registers; dirty ones still have the core's values. */
	state->valid = set.dirty;
	/* With another access waiting the instruction is not complete; the registers stay dirty. */
	if (!vcpu->exit_waiting)
		undo_keep_set(vcpu, &set, &before);
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
		return vsm_error(vp->backend->log, EINVAL, "kvm: VP%u VTL%u: no exit to answer",
				 vp->index, run->vtl);
	vcpu->open = false;
	if (run->exit == BACKEND_EXIT_CR_WRITE)
		return register_write_answer(vcpu, run, answer);
	if (answer == BACKEND_RETRY) {
		vcpu->state->valid = 0;
		if (run->exit == BACKEND_EXIT_IO)
			return io_undo(vcpu, run);
		if (run->exit != BACKEND_EXIT_MMIO)
			vcpu->run->msr.error = 0;
		return undo_exit(vcpu, &vcpu->before);
	}
	if (run->exit == BACKEND_EXIT_MSR_READ || run->exit == BACKEND_EXIT_MSR_WRITE)
		answer_msr(vcpu, run, answer);
	else if (run->exit == BACKEND_EXIT_MMIO && !run->mmio.write)
		memcpy(vcpu->run->mmio.data, run->mmio.data, sizeof(vcpu->run->mmio.data));
	if (vcpu->state->dirty)
		return finish_under_changes(vcpu);
	/* The register file has the state before the completion. */
	vcpu->state->valid = 0;
	return 0;
}
