/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits before writes of control registers and descriptor tables (kernel part, engine nested). */
#include <errno.h>
#include <string.h>

#include "core/x64.h"
#include "kvm/exit/exit.h"
#include "kvm_vsm.h"

struct watched_control {
	uint32_t which;
	uint8_t control;
};

static const struct watched_control table[] = {
	{KVM_WRITE_EXIT_CR0, HV_CR_INTERCEPT_BIT_CR0_WRITE},
	{KVM_WRITE_EXIT_CR4, HV_CR_INTERCEPT_BIT_CR4_WRITE},
	{KVM_WRITE_EXIT_XCR0, HV_CR_INTERCEPT_BIT_XCR0_WRITE},
	{KVM_WRITE_EXIT_GDTR, HV_CR_INTERCEPT_BIT_GDTR_WRITE},
	{KVM_WRITE_EXIT_IDTR, HV_CR_INTERCEPT_BIT_IDTR_WRITE},
	{KVM_WRITE_EXIT_LDTR, HV_CR_INTERCEPT_BIT_LDTR_WRITE},
	{KVM_WRITE_EXIT_TR, HV_CR_INTERCEPT_BIT_TR_WRITE},
};

#define TABLE_SIZE ARRAY_SIZE(table)

void register_write_find(struct vkvm_backend *backend)
{
	int can = vkvm_ioctl(backend->kvm, KVM_CHECK_EXTENSION,
			     (void *)(uintptr_t)KVM_CAP_WRITE_EXITS);

	if (can <= 0)
		return;
	backend->can.write_exits = (uint32_t)can;
	for (size_t i = 0; i < TABLE_SIZE; i++)
		if ((uint32_t)can & table[i].which)
			backend->features.cr_intercepts |= HV_BIT64(table[i].control);
}

/* Sets the registers whose writes exit: those that the core watches, without @except. */
static int set(struct vcpu *vcpu, uint32_t except)
{
	struct kvm_write_exits exits = {.registers = vcpu->watched.registers & ~except};
	const struct engine_ops *ops = vcpu->vp->backend->engine.ops;
	int error;

	if (ops->set_write_exits)
		return ops->set_write_exits(vcpu, exits.registers);
	if (exits.registers & KVM_WRITE_EXIT_CR0)
		exits.cr0_mask = vcpu->watched.cr0_mask;
	if (exits.registers & KVM_WRITE_EXIT_CR4)
		exits.cr4_mask = vcpu->watched.cr4_mask;
	error = vkvm_ioctl(vcpu->fd, KVM_SET_WRITE_EXITS, &exits);
	return error ? vsm_error(vcpu->vp->backend->log, -error,
				 "kvm: VP%u VTL%u: exits on writes of registers: %s",
				 vcpu->vp->index, vcpu->vtl, strerror(-error))
		     : 0;
}

int vkvm_vp_cr_intercept(void *opaque, uint8_t vtl, uint64_t control, uint64_t cr0_mask,
			 uint64_t cr4_mask)
{
	struct vkvm_vp *vp = opaque;
	struct vcpu *vcpu = &vp->vcpu[vtl];
	const struct vkvm_backend *backend = vp->backend;
	struct watched_registers watched = {.cr0_mask = cr0_mask, .cr4_mask = cr4_mask};
	struct watched_registers old;
	int error;

	for (size_t i = 0; i < TABLE_SIZE; i++)
		if (control & HV_BIT64(table[i].control))
			watched.registers |= table[i].which;
	if (watched.registers & ~backend->can.write_exits)
		return -ENOTSUP;
	if (watched.registers & KVM_WRITE_EXIT_CR0 && cr0_mask & X64_CR0_TS &&
	    !(backend->can.write_exits & KVM_WRITE_EXIT_CR0_TS)) {
		vsm_log(backend->log, VSM_LOG_DEBUG,
			"kvm: writes of CR0.TS cannot be intercepted on this CPU");
		return -ENOTSUP;
	}
	if (!memcmp(&watched, &vcpu->watched, sizeof(watched)))
		return 0;
	old = vcpu->watched;
	vcpu->watched = watched;
	error = set(vcpu, 0);
	if (error)
		vcpu->watched = old;
	return error;
}

void register_write_exit(struct vcpu *vcpu, struct backend_run *run)
{
	struct kvm_write_exit exit;

	memcpy(&exit, vcpu->run->padding, sizeof(exit));
	vcpu->open = true;
	run->exit = BACKEND_EXIT_CR_WRITE;
	run->length = (uint8_t)exit.insn_len;
	run->cr.value = exit.value;
	for (size_t i = 0; i < TABLE_SIZE; i++)
		if (exit.which == table[i].which)
			run->cr.control = table[i].control;
}

int register_write_answer(struct vcpu *vcpu, const struct backend_run *run,
			  enum backend_answer answer)
{
	if (answer == BACKEND_RETRY)
		return 0;
	if (answer != BACKEND_NATIVE)
		return vsm_error(vcpu->vp->backend->log, EINVAL,
				 "kvm: VP%u VTL%u: invalid answer to a register write",
				 vcpu->vp->index, vcpu->vtl);
	/* The CPU executes the write at the next entry. Engine nested single-steps it there. */
	if (vcpu->vp->backend->engine.ops->set_write_exits) {
		for (size_t i = 0; i < TABLE_SIZE; i++)
			if (run->cr.control == table[i].control)
				vcpu->nested.step = table[i].which;
		vcpu->nested.step_rip = vcpu->run->s.regs.regs.rip;
		vcpu->nested.step_value = run->cr.value;
		vcpu->nested.step_checked = run->length != 0;
		return 0;
	}
	for (size_t i = 0; i < TABLE_SIZE; i++)
		if (run->cr.control == table[i].control)
			vcpu->watched.let_through = table[i].which;
	return set(vcpu, vcpu->watched.let_through);
}

int register_write_resume(struct vcpu *vcpu)
{
	vcpu->watched.let_through = 0;
	return set(vcpu, 0);
}
