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
#include "kvm/attr.h"

/* Exits that finishing one instruction can give: each fragment of an access is one. */
#define FRAGMENTS_MAX 512u

int answer_undo(struct vcpu *vcpu, const struct snapshot *snapshot)
{
	unsigned int i = 0;
	int error;

	do {
		error = enter_complete(vcpu);
		if (error)
			return error;
		/* A further access of the same instruction: it is not made either. */
		vcpu->completion = vcpu->exit_waiting;
		vcpu->exit_waiting = false;
	} while (vcpu->completion && ++i < FRAGMENTS_MAX);
	if (vcpu->completion)
		return vsm_error(vcpu->vp->backend->log, EIO,
				 "kvm: VP%u VTL%u: an instruction has no end", vcpu->vp->index,
				 vcpu->vtl);
	vcpu->refused_waiting = false;
	snapshot_restore(vcpu, snapshot);
	return 0;
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
	kvm_state_edit(vcpu, VCPU_GPR);
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

	kvm_state_from_snapshot(&before, vcpu->before.valid ? &vcpu->before : snapshot);
	error = answer_undo(vcpu, snapshot);
	if (!error)
		keep_set(vcpu, &set, &before);
	return error;
}

/* ------------------------------------------------------------------ taking back OUTS */

#define MAX_INSTRUCTION 15u
#define RFLAGS_DF	(UINT64_C(1) << 10)

static bool is_prefix(uint8_t byte, bool long_mode)
{
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0x66:
	case 0x67:
	case 0xf2:
	case 0xf3:
		return true;
	default:
		return long_mode && (byte & 0xf0) == 0x40;
	}
}

static bool is_repeat(uint8_t byte)
{
	return byte == 0xf2 || byte == 0xf3;
}

/* The instruction at RIP: 0 unless INS or OUTS, else its opcode; and whether it repeats. */
static uint8_t string_at(const uint8_t *code, size_t size, bool long_mode, bool *repeat)
{
	size_t i = 0;

	*repeat = false;
	while (i < size && is_prefix(code[i], long_mode))
		*repeat |= is_repeat(code[i++]);
	return i < size && code[i] >= 0x6c && code[i] <= 0x6f ? code[i] : 0;
}

static uint64_t sum(uint64_t reg, uint64_t value, unsigned int width)
{
	uint64_t mask = width == 8 ? UINT64_MAX : (UINT64_C(1) << width * 8) - 1;
	uint64_t result = (reg + value) & mask;

	/* A 32-bit result clears the upper half, a 16-bit one leaves it. */
	return width == 2 ? (reg & ~mask) | result : result;
}

/* Width in bytes of what an instruction's addresses are made of. */
static unsigned int address_width(const struct kvm_sregs *sregs, const uint8_t *code, size_t size)
{
	bool long_mode = sregs->efer & X64_EFER_LMA && sregs->cs.l;
	unsigned int width = long_mode ? 8 : sregs->cs.db ? 4 : 2;

	for (size_t i = 0; i < size && is_prefix(code[i], long_mode); i++)
		if (code[i] == 0x67)
			return width == 4 ? 2 : 4;
	return width;
}

/*
 * KVM advances the registers of an OUTS before the exit. RIP is behind the instruction, unless it goes
 * on: then its bytes end at RIP, with the opcode last.
 */
static void rewind_outs(struct vcpu *vcpu, struct snapshot *start, struct backend_run *run)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	bool long_mode = sregs->efer & X64_EFER_LMA && sregs->cs.l;
	uint64_t moved = (uint64_t)run->io.size * run->io.count;
	uint8_t code[MAX_INSTRUCTION];
	bool repeat = false;
	size_t size = fetch_bytes(vcpu, start->regs.rip, code, sizeof(code));
	size_t first = 0;
	unsigned int width;
	uint8_t opcode = string_at(code, size, long_mode, &repeat);

	if ((opcode | 1) != 0x6f || !repeat) {
		size = fetch_bytes(vcpu, start->regs.rip - sizeof(code), code, sizeof(code));
		if (size != sizeof(code) || (code[size - 1] | 1) != 0x6f)
			return;
		first = size - 1;
		while (first > 0 && is_prefix(code[first - 1], long_mode))
			repeat |= is_repeat(code[--first]);
		start->regs.rip -= size - first;
	}
	width = address_width(sregs, code + first, size - first);
	if (repeat)
		start->regs.rcx = sum(start->regs.rcx, run->io.count, width);
	start->regs.rsi = sum(start->regs.rsi,
			      start->regs.rflags & RFLAGS_DF ? moved : (uint64_t)0 - moved, width);
	run->io.string = true;
	run->io.repeat = repeat;
}

static int take_back_io(struct vcpu *vcpu, struct backend_run *run)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	struct snapshot start = vcpu->before;
	uint8_t code[MAX_INSTRUCTION];
	bool long_mode = sregs->efer & X64_EFER_LMA && sregs->cs.l;
	size_t size = fetch_bytes(vcpu, start.regs.rip, code, sizeof(code));
	uint8_t opcode = string_at(code, size, long_mode, &run->io.repeat);
	bool plain = false;

	for (size_t i = 0; i < size; i++) {
		if (is_prefix(code[i], long_mode))
			continue;
		plain = (code[i] & 0xf4) == 0xe4 && (code[i] & 0x02) == 0x02 * !!run->io.write;
		break;
	}
	run->io.string = opcode;
	if (run->io.write && !plain)
		rewind_outs(vcpu, &start, run);
	/* An INS is finished with zeroes, in memory that the VTL may write: it runs again. */
	if (!run->io.write)
		memset(run->io.data, 0, (size_t)run->io.size * run->io.count);
	return answer_undo(vcpu, &start);
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
			!kvm_msr_native(vcpu, run->msr.index, write, &value);
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

	kvm_state_from_snapshot(&before, &vcpu->before);
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

int kvm_vp_answer(void *opaque, struct backend_run *run, enum backend_answer answer)
{
	struct kvm_vp *vp = opaque;
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
			return take_back_io(vcpu, run);
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
