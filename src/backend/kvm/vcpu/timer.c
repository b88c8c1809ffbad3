/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deadlines of a VP: the timer that ends KVM_RUN, and the wait of a halted VP on a futex, so that a
 * kicking thread takes no lock that the woken one needs. Order of accesses: docs/locking.md.
 */
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kvm/vcpu/vcpu.h"

#define NSEC_PER_SEC UINT64_C(1000000000)

/* Nanoseconds until the partition's TSC reaches @deadline, at least 1 and at most a day. */
static uint64_t time_until(struct vkvm_backend *backend, uint64_t deadline)
{
	const uint64_t day = 86400 * NSEC_PER_SEC;
	uint64_t now = vkvm_tsc(backend);
	unsigned __int128 ns;

	if (deadline <= now)
		return 1;
	ns = (unsigned __int128)(deadline - now) * NSEC_PER_SEC / backend->features.tsc_hz + 1;
	return ns > day ? day : (uint64_t)ns;
}

static int make_timer(struct vkvm_vp *vp)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = enter_signal(),
	};

	event._sigev_un._tid = vp->tid;
	if (timer_create(CLOCK_MONOTONIC, &event, &vp->timer))
		return vsm_error(vp->backend->log, errno, "kvm: timer of VP%u: %s", vp->index,
				 strerror(errno));
	vp->timer_made = true;
	return 0;
}

int enter_set_timer(struct vkvm_vp *vp, uint64_t deadline)
{
	struct itimerspec when = {0};
	uint64_t ns;

	/* An earlier expiry stays: one more return of KVM_RUN costs less than setting the timer. */
	if (deadline == UINT64_MAX ||
	    (vp->timer_deadline <= deadline && vp->timer_deadline > vkvm_tsc(vp->backend)))
		return 0;
	if (!vp->timer_made) {
		int error = make_timer(vp);

		if (error)
			return error;
	}
	ns = time_until(vp->backend, deadline);
	when.it_value.tv_sec = (time_t)(ns / NSEC_PER_SEC);
	when.it_value.tv_nsec = (long)(ns % NSEC_PER_SEC);
	if (timer_settime(vp->timer, 0, &when, NULL))
		return vsm_error(vp->backend->log, errno, "kvm: timer of VP%u: %s", vp->index,
				 strerror(errno));
	vp->timer_deadline = deadline;
	return 0;
}

/* Sleeps while `kicked` is 0, at most until @deadline. May return early. */
static void sleep_until(struct vkvm_vp *vp, uint64_t deadline)
{
	struct timespec until;

	if (deadline != UINT64_MAX) {
		uint64_t ns;

		clock_gettime(CLOCK_MONOTONIC, &until);
		ns = (uint64_t)until.tv_nsec + time_until(vp->backend, deadline);
		until.tv_sec += (time_t)(ns / NSEC_PER_SEC);
		until.tv_nsec = (long)(ns % NSEC_PER_SEC);
	}
	/* With FUTEX_WAIT_BITSET the timeout is a time of CLOCK_MONOTONIC. */
	syscall(SYS_futex, &vp->kicked, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0,
		deadline == UINT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
}

int vkvm_vp_wait(void *opaque, uint64_t deadline)
{
	struct vkvm_vp *vp = opaque;

	atomic_store(&vp->waiting, true);
	while (!atomic_exchange(&vp->kicked, 0)) {
		if (deadline != UINT64_MAX && vkvm_tsc(vp->backend) >= deadline)
			break;
		sleep_until(vp, deadline);
	}
	atomic_store(&vp->waiting, false);
	return 0;
}

void enter_wake(struct vkvm_vp *vp)
{
	if (atomic_load(&vp->waiting))
		syscall(SYS_futex, &vp->kicked, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}
