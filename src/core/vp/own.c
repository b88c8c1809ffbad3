/* SPDX-License-Identifier: BSD-2-Clause */
/* Ownership of a VP: only the owner accesses the VP's registers. */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/vp/request.h"
#include "core/vp/vp.h"

/* Wakes all threads that wait in vp_call(), vp_query() and vp_own(). Any thread. */
static void wake_waiters(struct vsm_partition *partition)
{
	if (atomic_load(&partition->requests) == 0)
		return;
	pthread_mutex_lock(&partition->request_lock);
	pthread_cond_broadcast(&partition->request_wake);
	pthread_mutex_unlock(&partition->request_lock);
}

static bool is_acted_for(struct vsm_vp *vp)
{
	bool acting;

	pthread_mutex_lock(&vp->lock);
	acting = vp->owned && vp->acting;
	pthread_mutex_unlock(&vp->lock);
	return acting;
}

/* An acting thread stops after its current request, since vp->runner_waits is set. */
static void wait_for_actor(struct vsm_vp *vp)
{
	struct vsm_partition *partition = vp->partition;

	atomic_fetch_add(&partition->requests, 1);
	pthread_mutex_lock(&partition->request_lock);
	while (is_acted_for(vp))
		pthread_cond_wait(&partition->request_wake, &partition->request_lock);
	pthread_mutex_unlock(&partition->request_lock);
	atomic_fetch_sub(&partition->requests, 1);
}

int vp_own(struct vsm_vp *vp)
{
	for (;;) {
		bool owned, acting;

		pthread_mutex_lock(&vp->lock);
		owned = vp->owned;
		acting = owned && vp->acting;
		/* No other thread may act for the VP before this thread owns it. */
		atomic_store(&vp->runner_waits, acting);
		if (!owned) {
			vp->owned = true;
			vp->acting = false;
			atomic_store(&vp->owner, pthread_self());
		}
		pthread_mutex_unlock(&vp->lock);
		if (!owned)
			return 0;
		if (!acting)
			return -EBUSY;
		wait_for_actor(vp);
	}
}

/* Whether the thread that received the exit has ended without completing it. VP lock held. */
static bool is_abandoned(const struct vsm_vp *vp)
{
	return syscall(SYS_tgkill, getpid(), vp->exit_tid, 0) < 0 && errno == ESRCH;
}

bool vp_try_act(struct vsm_vp *vp)
{
	bool got = false;

	pthread_mutex_lock(&vp->lock);
	if (!vp->owned && !atomic_load(&vp->runner_waits) &&
	    (!vp->exit_pending || pthread_equal(vp->exit_thread, pthread_self()) ||
	     is_abandoned(vp))) {
		vp->owned = true;
		vp->acting = true;
		atomic_store(&vp->owner, pthread_self());
		got = true;
	}
	pthread_mutex_unlock(&vp->lock);
	return got;
}

void vp_disown(struct vsm_vp *vp, bool exit_pending)
{
	pthread_mutex_lock(&vp->lock);
	vp->owned = false;
	vp->acting = false;
	atomic_store(&vp->owner, 0);
	vp->exit_pending = exit_pending;
	pthread_mutex_unlock(&vp->lock);
	wake_waiters(vp->partition);
}

void vp_kick(struct vsm_vp *vp)
{
	struct vsm_partition *partition = vp->partition;

	/* The caller owns the VP and checks for work before it next enters the guest. */
	if (atomic_load(&vp->owner) == pthread_self())
		return;
	partition->ops->vp_kick(vp->backend);
	if (!atomic_load(&vp->waits_for_request))
		return;
	pthread_mutex_lock(&partition->request_lock);
	vp->kicked_in_wait = true;
	pthread_cond_broadcast(&partition->request_wake);
	pthread_mutex_unlock(&partition->request_lock);
}
