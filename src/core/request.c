/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who owns a VP, and work that one VP wants done on another.
 *
 * A VP's registers may be touched only by the thread that owns it. Whoever needs something of another
 * VP asks its owner; where there is none, it becomes the owner for that moment. A VP that waits for
 * an answer keeps answering, so two VPs may ask each other at the same time.
 */
#include <errno.h>
#include <sched.h>

#include "core/request.h"
#include "core/vp.h"

/* Whether somebody acts for @vp at this moment. */
static bool is_acted_for(struct vsm_vp *vp)
{
	bool acting;

	pthread_mutex_lock(&vp->lock);
	acting = vp->owned && vp->acting;
	pthread_mutex_unlock(&vp->lock);
	return acting;
}

/* Whoever acts for a VP does so for one request: its thread, which wants to run it, waits for that. */
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

void vp_announce(struct vsm_partition *partition)
{
	if (atomic_load(&partition->requests) == 0)
		return;
	pthread_mutex_lock(&partition->request_lock);
	pthread_cond_broadcast(&partition->request_wake);
	pthread_mutex_unlock(&partition->request_lock);
}

void vp_disown(struct vsm_vp *vp, bool exit_pending)
{
	pthread_mutex_lock(&vp->lock);
	vp->owned = false;
	vp->acting = false;
	atomic_store(&vp->owner, 0);
	vp->exit_pending = exit_pending;
	pthread_mutex_unlock(&vp->lock);
	vp_announce(vp->partition);
}

/*
 * Ownership for a thread that does not run the VP. While the VMM owes an answer to an exit, only the thread
 * that owes it may look: it would wait for itself for ever.
 */
static bool try_own(struct vsm_vp *vp)
{
	bool got = false;

	pthread_mutex_lock(&vp->lock);
	if (!vp->owned && (!vp->exit_pending || pthread_equal(vp->exit_thread, pthread_self()))) {
		vp->owned = true;
		vp->acting = true;
		atomic_store(&vp->owner, pthread_self());
		got = true;
	}
	pthread_mutex_unlock(&vp->lock);
	return got;
}

/* Takes the oldest request off @vp's list. Request lock held. */
static struct vp_request *next_request(struct vsm_vp *vp)
{
	struct vp_request *request = vp->request;

	if (request) {
		vp->request = request->next;
		atomic_store(&vp->request_waiting, vp->request != NULL);
	}
	return request;
}

/* Does one request, if there is one. Request lock held on entry and exit, not in between. */
static bool serve_one(struct vsm_vp *vp)
{
	struct vsm_partition *partition = vp->partition;
	struct vp_request *request = next_request(vp);

	if (!request)
		return false;
	pthread_mutex_unlock(&partition->request_lock);
	request->function(vp, request->argument);
	pthread_mutex_lock(&partition->request_lock);
	request->done = true;
	pthread_cond_broadcast(&partition->request_wake);
	return true;
}

void vp_serve(struct vsm_vp *vp)
{
	if (!atomic_load(&vp->request_waiting))
		return;
	pthread_mutex_lock(&vp->partition->request_lock);
	while (serve_one(vp))
		;
	pthread_mutex_unlock(&vp->partition->request_lock);
}

/* Appends, so that requests are served in the order in which they were made. Request lock held. */
static void enqueue(struct vsm_vp *vp, struct vp_request *request)
{
	struct vp_request **tail = &vp->request;

	while (*tail)
		tail = &(*tail)->next;
	*tail = request;
	atomic_store(&vp->request_waiting, true);
}

/* Whether @request is still in the list (its owner has not begun it). Request lock held. */
static bool is_queued(const struct vsm_vp *vp, const struct vp_request *request)
{
	for (const struct vp_request *other = vp->request; other; other = other->next)
		if (other == request)
			return true;
	return false;
}

/* Puts @request before all others. Request lock held. */
static void push(struct vsm_vp *vp, struct vp_request *request)
{
	request->next = vp->request;
	vp->request = request;
	atomic_store(&vp->request_waiting, true);
}

/* Takes @request back, if its owner has not begun it. Request lock held. */
static bool withdraw(struct vsm_vp *vp, const struct vp_request *request)
{
	struct vp_request **place = &vp->request;

	while (*place && *place != request)
		place = &(*place)->next;
	if (!*place)
		return false;
	*place = request->next;
	atomic_store(&vp->request_waiting, vp->request != NULL);
	return true;
}

/* Sleeps until something changed. False: it is @deadline (NULL: never). Request lock held. */
static bool sleep_until(struct vsm_partition *partition, const struct timespec *deadline)
{
	if (!deadline) {
		pthread_cond_wait(&partition->request_wake, &partition->request_lock);
		return true;
	}
	return pthread_cond_timedwait(&partition->request_wake, &partition->request_lock,
				      deadline) != ETIMEDOUT;
}

bool vp_call(struct vsm_vp *self, struct vsm_vp *vp,
	     void (*function)(struct vsm_vp *vp, void *argument), void *argument)
{
	return vp_call_until(self, vp, function, argument, NULL);
}

bool vp_call_until(struct vsm_vp *self, struct vsm_vp *vp,
		   void (*function)(struct vsm_vp *vp, void *argument), void *argument,
		   const struct timespec *deadline)
{
	struct vsm_partition *partition = vp->partition;
	struct vp_request request = {.function = function, .argument = argument};

	/* A VMM's callback runs on the thread that owns a VP: that may ask for it too. */
	if (vp == self || atomic_load(&vp->owner) == pthread_self()) {
		function(vp, argument);
		return true;
	}
	/* Before ownership is looked at: an owner that leaves after that look announces it. */
	atomic_fetch_add(&partition->requests, 1);
	pthread_mutex_lock(&partition->request_lock);
	enqueue(vp, &request);
	/* The owner may be waiting itself, for yet another VP: that sleep a kick does not end. */
	pthread_cond_broadcast(&partition->request_wake);
	while (!request.done) {
		if (is_queued(vp, &request) && try_own(vp)) {
			/* All that waits, oldest first; others not within a half done instruction. */
			if (vp_exit_pending(vp) && withdraw(vp, &request))
				push(vp, &request);
			while (serve_one(vp) && !vp_exit_pending(vp))
				;
			pthread_mutex_unlock(&partition->request_lock);
			vp_disown(vp, vp_exit_pending(vp));
			pthread_mutex_lock(&partition->request_lock);
			continue;
		}
		/* Its VMM wants it back, and may have stopped the other one first. */
		if (self && atomic_load(&self->stop) && withdraw(vp, &request))
			break;
		vp_kick(vp);
		if (self && serve_one(self))
			continue;
		if (sleep_until(partition, deadline))
			continue;
		if (withdraw(vp, &request))
			break;
		deadline = NULL; /* it is being done at this moment */
	}
	pthread_mutex_unlock(&partition->request_lock);
	atomic_fetch_sub(&partition->requests, 1);
	return request.done;
}

void vp_wait_exit(struct vsm_vp *self, struct vsm_vp *vp, uint16_t vtls)
{
	uint64_t exits = atomic_load(&vp->exits);

	if (vp == self || !(atomic_load(&vp->in_guest) & vtls))
		return;
	vp_kick(vp);
	while ((atomic_load(&vp->in_guest) & vtls) && atomic_load(&vp->exits) == exits) {
		if (self)
			vp_serve(self);
		sched_yield();
	}
}

void vp_kick(struct vsm_vp *vp)
{
	/* The owner itself looks before it enters the guest again. */
	if (atomic_load(&vp->owner) == pthread_self())
		return;
	vp->partition->ops->vp_kick(vp->backend);
}
