/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM_SET_GUEST_DEBUG: breakpoints and single steps of one VTL. KVM keeps the guest's debug
 * registers apart from those of a debugger.
 */
#include <errno.h>
#include <string.h>

#include "core/x64.h"
#include "kvm/exit/exit.h"

int vkvm_vp_debug(void *opaque, uint8_t vtl, const struct backend_debug *debug)
{
	struct vkvm_vp *vp = opaque;
	struct vcpu *vcpu = &vp->vcpu[vtl];

	int error = debug->flags & VSM_DEBUG_SOFTWARE ? breakpoint_check(vp->backend) : 0;

	if (error == -ENOTSUP)
		return vsm_error(vp->backend->log, ENOTSUP, "kvm: INT3 does not exit on this CPU");
	if (error)
		return vsm_error(vp->backend->log, -error, "kvm: a VM that tests INT3: %s",
				 strerror(-error));
	vcpu->debug = *debug;
	vcpu->debug_stale = true;
	return 0;
}

static int set(const struct vcpu *vcpu, uint32_t control)
{
	const struct backend_debug *debug = &vcpu->debug;
	struct kvm_guest_debug guest = {.control = control};
	int error;

	if (debug->flags & VSM_DEBUG_SOFTWARE)
		guest.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;
	if (debug->flags & VSM_DEBUG_HARDWARE) {
		guest.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
		memcpy(guest.arch.debugreg, debug->dr, sizeof(debug->dr));
		guest.arch.debugreg[7] = debug->dr7;
	}
	error = vkvm_ioctl(vcpu->fd, KVM_SET_GUEST_DEBUG, &guest);
	return error ? vsm_error(vcpu->vp->backend->log, -error, "kvm: VP%u VTL%u: guest debug: %s",
				 vcpu->vp->index, vcpu->vtl, strerror(-error))
		     : 0;
}

/*
 * Stores the registers before KVM_SET_GUEST_DEBUG: KVM records RIP in this ioctl, and sets TF only
 * for the instruction at that RIP.
 */
static int store_registers(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	int error = 0;

	if (run->kvm_dirty_regs & KVM_SYNC_X86_SREGS)
		error = enter_set_sregs(vcpu, &run->s.regs.sregs);
	if (!error && run->kvm_dirty_regs & KVM_SYNC_X86_REGS) {
		error = vkvm_ioctl(vcpu->fd, KVM_SET_REGS, &run->s.regs.regs);
		if (run->s.regs.events.exception.pending)
			run->kvm_dirty_regs |= KVM_SYNC_X86_EVENTS;
	}
	return error;
}

int debug_before_run(struct vcpu *vcpu)
{
	/* KVM would report the step in place of the hypercall's OUT; the core reports this step. */
	const bool step = debug_is_stepping(vcpu) && !io_hypercall_is_next(vcpu);
	int error = step ? store_registers(vcpu) : 0;

	if (error || vcpu->refused_waiting)
		return error;
	error = set(vcpu,
		    step ? KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_BLOCKIRQ
			 : 0);
	vcpu->debug_steps = !error && step;
	/* The next step begins at another RIP. */
	vcpu->debug_stale = debug_is_stepping(vcpu);
	return error;
}

int debug_after_run(struct vcpu *vcpu)
{
	vcpu->debug_steps = false;
	return set(vcpu, 0);
}

/* Injects a #DB that KVM_SET_GUEST_DEBUG intercepted, but the VMM did not request. */
static void inject_debug(struct vcpu *vcpu, uint64_t dr6)
{
	struct vcpu_events *events = &registers_edit(vcpu, VCPU_EVENTS)->events;

	events->exception_pending = true;
	events->exception_vector = X64_EXCEPTION_DB;
	events->exception_has_error_code = false;
	events->exception_error_code = 0;
	events->exception_parameter = dr6;
}

static uint64_t hits(const struct backend_debug *debug, uint64_t dr6)
{
	uint64_t enabled = 0;

	if (!(debug->flags & VSM_DEBUG_HARDWARE))
		return 0;
	for (unsigned int i = 0; i < 4; i++)
		if (debug->dr7 >> 2 * i & 3)
			enabled |= UINT64_C(1) << i;
	return dr6 & enabled;
}

void exit_debug(struct vcpu *vcpu, struct backend_run *run)
{
	const struct kvm_debug_exit_arch *exit = &vcpu->run->debug.arch;
	const struct backend_debug *debug = &vcpu->debug;
	uint64_t rest = exit->dr6 ^ X64_DR6_RESET;

	run->exit = BACKEND_EXIT_DEBUG;
	run->debug.cause = 0;
	run->debug.dr6 = 0;
	if (exit->exception == X64_EXCEPTION_BP) {
		run->debug.cause = VSM_DEBUG_SOFTWARE;
		return;
	}
	run->debug.dr6 = hits(debug, rest);
	if (run->debug.dr6)
		run->debug.cause |= VSM_DEBUG_HARDWARE;
	if (debug_is_stepping(vcpu) && rest & X64_DR6_BS)
		run->debug.cause |= VSM_DEBUG_STEP;
	/* KVM disables the guest's breakpoints while a debugger has breakpoints. */
	if (debug->flags & VSM_DEBUG_HARDWARE)
		rest &= ~X64_DR6_HITS;
	if (debug_is_stepping(vcpu))
		rest &= ~X64_DR6_BS;
	if (!run->debug.cause || rest)
		inject_debug(vcpu, rest);
	if (!run->debug.cause)
		run->exit = BACKEND_EXIT_INTERRUPTED;
}
