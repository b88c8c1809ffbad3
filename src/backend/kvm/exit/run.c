/* SPDX-License-Identifier: BSD-2-Clause */
/* vp_run(): one entry into KVM, and the translation of its result. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "core/x64.h"
#include "kvm/exit/exit.h"

/* Limits of consecutive entries that fail with EFAULT: due to the host, and without a pause */
#define FAULTS_MAX     20000u
#define FAULTS_AT_ONCE 16u

/* Changes CR4.PGE, which flushes the VTL's TLB (SDM 3A 4.10.4.1). The entry restores it. */
static int flush(struct vcpu *vcpu)
{
	struct kvm_sregs sregs = vcpu->run->s.regs.sregs;
	int error;

	memset(sregs.interrupt_bitmap, 0, sizeof(sregs.interrupt_bitmap));
	vcpu->run->s.regs.sregs = sregs;
	sregs.cr4 ^= X64_CR4_PGE;
	error = enter_set_sregs(vcpu, &sregs);
	if (error)
		return error;
	/* CR4 has changed, and must be restored, even if the read of the PDPTEs was refused. */
	vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
	/* PDPTEs that were refused must be read again before the VTL runs. */
	vcpu->flush = vcpu->refused_waiting;
	return 0;
}

/* KVM sets CPUID's APIC bit from its own APIC_BASE, although the core implements the APIC. */
static void set_apic_enabled(struct vcpu *vcpu, bool enabled)
{
	struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;

	if (!(sregs->apic_base & X64_APIC_BASE_ENABLED) == !enabled)
		return;
	sregs->apic_base ^= X64_APIC_BASE_ENABLED;
	memset(sregs->interrupt_bitmap, 0, sizeof(sregs->interrupt_bitmap));
	vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
}

static int prepare(struct vcpu *vcpu, const struct backend_run *run)
{
	const struct engine_ops *ops = vcpu->vp->backend->engine.ops;
	int error = ops->before_run ? ops->before_run(vcpu) : 0;

	if (error)
		return error;

	if (run->inject >= 0) {
		struct vcpu_events *events = &registers_edit(vcpu, VCPU_EVENTS)->events;

		events->interrupt_injected = true;
		events->interrupt_soft = false;
		events->interrupt_vector = (uint8_t)run->inject;
	}
	/*
	 * KVM must complete an open instruction before registers change, and before a step, which
	 * the core has already reported for that instruction. same_instruction() relies on
	 * complete_first.
	 */
	if (vcpu->completion &&
	    (vcpu->state->dirty || shared_fpu_is_dirty(vcpu->vp) || vcpu->flush ||
	     debug_is_stepping(vcpu) || vcpu->before.complete_first))
		error = enter_complete(vcpu);
	if (error || vcpu->exit_waiting || vcpu->refused_waiting)
		return error;
	if (__builtin_expect(vcpu->cr2_stale, 0))
		registers_edit(vcpu, VCPU_SYSTEM);
	vcpu->cr2_stale = false;
	error = registers_store(vcpu);
	if (error || vcpu->refused_waiting)
		return error;
	set_apic_enabled(vcpu, run->apic_enabled);
	return vcpu->flush ? flush(vcpu) : 0;
}

static void shut_down_refused(struct vcpu *vcpu, struct backend_run *run)
{
	exit_describe_registers(vcpu, VSM_LOG_ERROR, "KVM refuses its registers: shutdown");
	vcpu->run->kvm_dirty_regs = 0;
	vcpu->state->dirty = 0;
	vcpu->tables_known = false;
	vcpu->count_known = false;
	run->exit = BACKEND_EXIT_SHUTDOWN;
}

/*
 * Retries an entry: a page is closed for another VP, or its mapping is being replaced. Other VPs can
 * cause this as often as they run, so that only an EFAULT without such a cause counts as the host's.
 */
static void retry_fault(struct vkvm_vp *vp, const struct vcpu *vcpu, struct backend_run *run)
{
	const struct timespec moment = {.tv_nsec = 20000};
	const struct engine_ops *ops = vp->backend->engine.ops;

	vp->faults++;
	if (vp->faults > FAULTS_AT_ONCE && ops->has_closed_pages && ops->has_closed_pages(vp))
		vp->faults = FAULTS_AT_ONCE + 1;
	if (vp->faults > FAULTS_MAX) {
		exit_describe_registers(vcpu, VSM_LOG_ERROR,
					"the host does not provide guest memory");
		run->exit = BACKEND_EXIT_ERROR;
		return;
	}
	if (vp->faults > FAULTS_AT_ONCE)
		nanosleep(&moment, NULL);
	run->exit = BACKEND_EXIT_INTERRUPTED;
}

static void interrupted(struct vkvm_vp *vp, struct backend_run *run)
{
	atomic_store(&vp->kicked, 0);
	if (vkvm_tsc(vp->backend) >= run->deadline)
		run->exit = BACKEND_EXIT_DEADLINE;
	else
		run->exit = BACKEND_EXIT_INTERRUPTED;
}

/* KVM's emulator may report a refused fetch as KVM_EXIT_INTERNAL_ERROR. */
static void translate_return(struct vcpu *vcpu, struct backend_run *run, bool has_exit,
			     const struct violation *violation)
{
	if (violation &&
	    (!has_exit || (violation->stuck && vcpu->run->exit_reason == KVM_EXIT_INTERNAL_ERROR)))
		violation_exit(vcpu, run, violation);
	else
		exit_translate(vcpu, run);
}

/* Translates the exit or refused access of the last completion. False: there is none. */
static bool report_waiting(struct vcpu *vcpu, struct backend_run *run)
{
	bool has_exit = vcpu->exit_waiting;
	bool refused = vcpu->refused_waiting;

	if (!has_exit && !refused)
		return false;
	vcpu->exit_waiting = false;
	vcpu->refused_waiting = false;
	translate_return(vcpu, run, has_exit, refused ? &vcpu->refused : NULL);
	return true;
}

/* Appended to EIO of VTL0 with SMM: KVM_RUN of VTL0 returns it on every VP after a failed SMI. */
#define ENDED_BY_SMI                                                                              \
	": KVM has ended the virtual machine, for example since it could not write to the state " \
	"save area of an SMI; a reset does not help: create a new partition"

static void translate_result(struct vcpu *vcpu, struct backend_run *run, int error)
{
	struct vkvm_vp *vp = vcpu->vp;
	struct violation violation;
	bool violated = false;

	if (error != -EFAULT)
		vp->faults = 0;
	if (error == -EINTR || atomic_load(&vp->violated) == atomic_load(&vp->entry))
		violated = enter_take_violation(vp, &violation);
	switch (error) {
	case 0:
		translate_return(vcpu, run, true, violated ? &violation : NULL);
		break;
	case -EINTR:
		if (violated)
			translate_return(vcpu, run, false, &violation);
		else
			interrupted(vp, run);
		break;
	case -EAGAIN:
	case -ECANCELED:
		run->exit = BACKEND_EXIT_INTERRUPTED;
		break;
	case -EFAULT:
		retry_fault(vp, vcpu, run);
		break;
	case -EINVAL:
		shut_down_refused(vcpu, run);
		break;
	default:
		(void)vsm_error(vp->backend->log, -error, "kvm: VP%u VTL%u: KVM_RUN: %s%s",
				vp->index, vcpu->vtl, strerror(-error),
				error == -EIO && vp->backend->smm && !vcpu->vtl ? ENDED_BY_SMI
										: "");
		run->exit = BACKEND_EXIT_ERROR;
		break;
	}
}

int vkvm_vp_run(void *opaque, struct backend_run *run)
{
	struct vkvm_vp *vp = opaque;
	struct vcpu *vcpu = &vp->vcpu[run->vtl];
	int error = enter_own(vp);

	run->length = 0;
	if (!error)
		error = prepare(vcpu, run);
	if (error == -EINVAL) {
		shut_down_refused(vcpu, run);
		return 0;
	}
	if (error)
		return error;
	if (report_waiting(vcpu, run))
		return 0;
	if (run->deadline != UINT64_MAX) {
		if (vkvm_tsc(vp->backend) >= run->deadline) {
			run->exit = BACKEND_EXIT_DEADLINE;
			return 0;
		}
		error = enter_set_timer(vp, run->deadline);
		if (error)
			return error;
	}
	if (__builtin_expect(vcpu->split_exec != run->mbec, 0)) {
		error = vp->backend->engine.ops->split_exec(vcpu, run->mbec);
		if (error)
			return error;
		vcpu->split_exec = run->mbec;
	}
	vcpu->run->request_interrupt_window = run->interrupt_window;
	vcpu->run->cr8 = run->cr8;
	if (__builtin_expect(vcpu->debug_stale, 0)) {
		error = debug_before_run(vcpu);
		if (error)
			return error;
		if (report_waiting(vcpu, run))
			return 0;
	}
	error = enter_kvm(vcpu, false);
	if (__builtin_expect(vcpu->debug_steps, 0) && debug_after_run(vcpu))
		return -EIO;
	translate_result(vcpu, run, error);
	run->cr8 = (uint8_t)vcpu->run->cr8;
	return vcpu->watched.let_through ? register_write_resume(vcpu) : 0;
}
