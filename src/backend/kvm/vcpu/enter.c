/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM_RUN, the completion of exits, kicks.
 *
 * A kick sets `kicked`, then signals the thread that is in KVM. That thread sets `entered`, then
 * reads `kicked`: at least one of them sees the other's store. A signal between that read and
 * KVM_RUN is not lost, since its handler sets immediate_exit.
 */
#include <errno.h>
#include <string.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/thread.h"
#include "kvm/vcpu/vcpu.h"

/*
 * Limit of the exits of one instruction: KVM's emulator makes up to 1,024 iterations of a REP
 * string, each with two operands that may be in two pages.
 */
#define COMPLETIONS_MAX 8192u

/* For the signal handler; initial-exec, since the first access must not allocate memory there. */
static _Thread_local struct kvm_run *volatile entered_run
	__attribute__((tls_model("initial-exec")));
/* A signal arrived since KVM_RUN last ended with EINTR. */
static _Thread_local volatile sig_atomic_t signal_pending
	__attribute__((tls_model("initial-exec")));

static void handle_signal(int signal)
{
	struct kvm_run *run = entered_run;

	(void)signal;
	signal_pending = 1;
	if (run)
		run->immediate_exit = 1;
}

int enter_signal(void)
{
	return SIGRTMIN + 5;
}

int enter_init(const struct vsm_log *log)
{
	struct sigaction action = {.sa_handler = handle_signal, .sa_flags = SA_RESTART};
	struct sigaction old;

	if (sigaction(enter_signal(), NULL, &old))
		return vsm_error(log, errno, "kvm: signal %d: %s", enter_signal(), strerror(errno));
	if (old.sa_handler == handle_signal)
		return 0;
	if (old.sa_handler != SIG_DFL)
		return vsm_error(
			log, EBUSY,
			"kvm: the program has a handler for signal %d (SIGRTMIN+5), which VPs need",
			enter_signal());
	if (sigaction(enter_signal(), &action, NULL))
		return vsm_error(log, errno, "kvm: signal %d: %s", enter_signal(), strerror(errno));
	return 0;
}

int enter_own(struct vkvm_vp *vp)
{
	sigset_t set;

	if (vp->tid == thread_id())
		return 0;
	vp->tid = thread_id();
	/* A timer signals the thread that it was created for. */
	if (vp->timer_made)
		timer_delete(vp->timer);
	vp->timer_made = false;
	vp->timer_deadline = UINT64_MAX;
	sigemptyset(&set);
	sigaddset(&set, enter_signal());
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	return 0;
}

/* A restriction of KVM ends KVM_RUN with an error, and an exit that describes the access. */
static bool is_refused(struct vcpu *vcpu)
{
	const struct engine_ops *ops = vcpu->vp->backend->engine.ops;

	return ops->refused && ops->refused(vcpu);
}

/* Records the state at entry, which shows later whether an event was delivered. */
static void note_entry(struct vcpu *vcpu)
{
	const struct kvm_sync_regs *regs = &vcpu->run->s.regs;
	const struct kvm_vcpu_events *events = &regs->events;

	vcpu->cr2 = regs->sregs.cr2;
	vcpu->delivers = events->exception.pending || events->exception.injected ||
			 events->interrupt.injected || events->nmi.injected;
	vcpu->entry_rip = regs->regs.rip;
	vcpu->entry_rsp = regs->regs.rsp;
}

static bool is_stale(const struct vcpu *vcpu, bool complete)
{
	const struct engine_ops *ops = vcpu->vp->backend->engine.ops;

	return ops->stale && ops->stale(vcpu, complete);
}

static int run_kvm(struct vcpu *vcpu)
{
	const struct engine_ops *ops = vcpu->vp->backend->engine.ops;

	if (ops->run)
		return ops->run(vcpu);
	return ioctl(vcpu->fd, KVM_RUN, 0) < 0 ? -errno : 0;
}

int enter_kvm(struct vcpu *vcpu, bool complete)
{
	struct vkvm_vp *vp = vcpu->vp;
	struct kvm_run *run = vcpu->run;
	bool finishes = vcpu->completion;
	int error;

	atomic_fetch_add(&vp->entry, 1);
	exit_count_enter(vcpu);
	run->immediate_exit = complete;
	note_entry(vcpu);
	entered_run = run;
	atomic_store(&vp->entered_vtl, vcpu->vtl);
	atomic_store(&vp->entered, vp->tid);
	/* A signal came outside of KVM_RUN: returns, as the timer may have to be set again. */
	if (signal_pending)
		run->immediate_exit = 1;
	if ((!complete && atomic_load(&vp->kicked) && atomic_exchange(&vp->kicked, 0)) ||
	    is_stale(vcpu, complete)) {
		error = -ECANCELED;
	} else {
		run->exit_reason = KVM_EXIT_UNKNOWN;
		error = run_kvm(vcpu);
		if (error == -EFAULT && is_refused(vcpu))
			error = 0;
		vcpu->completion = false;
		vcpu->open = false;
		vcpu->state->valid = 0;
		shared_fpu_invalidate(vp);
		if (!error)
			exit_count_return(vcpu, finishes);
	}
	entered_run = NULL;
	if (signal_pending && !complete && error == -EINTR) {
		signal_pending = 0;
		vp->timer_deadline = UINT64_MAX;
	}
	/*
	 * After EINTR enter_take_violation() clears `entered`, as an event of this entry may still
	 * arrive.
	 */
	if (error != -EINTR)
		atomic_store(&vp->entered, 0);
	return error;
}

bool enter_take_violation(struct vkvm_vp *vp, struct violation *violation)
{
	const struct engine_ops *ops = vp->backend->engine.ops;

	if (ops->take_violation)
		return ops->take_violation(vp, violation);
	atomic_store(&vp->entered, 0);
	return false;
}

/*
 * While the page of the PDPTEs is closed for another access, KVM's read of them fails without an
 * event, and KVM ignores that.
 */
static bool pdptes_are_denied(const struct vcpu *vcpu, const struct kvm_sregs *sregs)
{
	return vcpu->vp->backend->engine.ops->take_violation && registers_have_pdptes(sregs) &&
	       access_is_denied(vcpu, GPA_READ, (uint32_t)sregs->cr3 / VKVM_PAGE_SIZE);
}

int enter_set_sregs(struct vcpu *vcpu, struct kvm_sregs *sregs)
{
	struct vkvm_vp *vp = vcpu->vp;
	int error;

	if (pdptes_are_denied(vcpu, sregs)) {
		vcpu->refused = (struct violation){
			.gpa = (uint32_t)sregs->cr3 & ~(uint64_t)(VKVM_PAGE_SIZE - 1),
		};
		vcpu->refused_waiting = true;
		return 0;
	}
	atomic_fetch_add(&vp->entry, 1);
	atomic_store(&vp->entered_vtl, vcpu->vtl);
	atomic_store(&vp->entered, vp->tid);
	error = vkvm_ioctl(vcpu->fd, KVM_SET_SREGS, sregs);
	if (atomic_load(&vp->violated) == atomic_load(&vp->entry)) {
		vcpu->refused_waiting = enter_take_violation(vp, &vcpu->refused);
		/* No instruction was executed: exceptions that are pending are the VTL's own. */
		vcpu->refused.stuck = false;
	}
	atomic_store(&vp->entered, 0);
	return error;
}

int enter_complete(struct vcpu *vcpu)
{
	struct vkvm_vp *vp = vcpu->vp;
	int error;

	if (!vcpu->completion)
		return 0;
	error = enter_kvm(vcpu, true);
	if (error == -ECANCELED)
		return vp->backend->engine.ops->abandon(vcpu);
	/* The next vp_run() reports an access of KVM's emulator that was refused. */
	if (error == -EINTR || atomic_load(&vp->violated) == atomic_load(&vp->entry))
		vcpu->refused_waiting = enter_take_violation(vp, &vcpu->refused);
	vcpu->exit_waiting = !error;
	if (vcpu->refused_waiting && vcpu->refused.stuck &&
	    (error || vcpu->run->exit_reason == KVM_EXIT_INTERNAL_ERROR))
		events_drop_spurious(vcpu);
	if (!vcpu->exit_waiting && !vcpu->refused_waiting)
		vcpu->before.valid = false;
	/* EFAULT: a page was closed for a moment, or the access is allowed by now; RIP is at it. */
	if (error && error != -EINTR && error != -EFAULT && error != -EAGAIN)
		return vsm_error(vp->backend->log, -error,
				 "kvm: VP%u VTL%u: completing an exit: %s", vp->index, vcpu->vtl,
				 strerror(-error));
	return 0;
}

int enter_finish(struct vcpu *vcpu, bool *more)
{
	unsigned int exits = 0;
	int error;

	do {
		error = enter_complete(vcpu);
		if (error)
			return error;
		vcpu->completion = vcpu->exit_waiting;
		*more |= vcpu->exit_waiting;
		vcpu->exit_waiting = false;
	} while (vcpu->completion && ++exits < COMPLETIONS_MAX);
	vcpu->refused_waiting = false;
	if (vcpu->completion)
		return vsm_error(vcpu->vp->backend->log, EIO,
				 "kvm: VP%u VTL%u: an instruction does not complete",
				 vcpu->vp->index, vcpu->vtl);
	return 0;
}

int enter_finish_vp(struct vkvm_vp *vp)
{
	int error = enter_own(vp);
	bool more = false;

	for (uint8_t vtl = 0; vtl < vp->backend->vtl_count && !error; vtl++)
		error = enter_finish(&vp->vcpu[vtl], &more);
	return error;
}

void vkvm_vp_kick(void *opaque)
{
	struct vkvm_vp *vp = opaque;
	pid_t thread;

	atomic_store(&vp->kicked, 1);
	thread = atomic_load(&vp->entered);
	if (thread)
		syscall(SYS_tgkill, getpid(), thread, enter_signal());
	enter_wake(vp);
}
