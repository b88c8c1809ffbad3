/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests of one VP to another for access to its registers (vp/own.c).
 *
 * A VP that waits for the reply to its request is inside a hypercall, with RIP at the instruction.
 * It serves requests that only read: they see the state before the instruction. Before it serves
 * one that changes registers, it cancels its own request and returns to its run loop, so that the
 * result of a call is never applied to registers that were set meanwhile (P40).
 *
 * Requests of higher VTLs come first. A VP serves those of VTLs below the one to be entered at most
 * CORE_REQUESTS_HZ times a second, and none of these while it waits for its own request (P32).
 */
#include <sched.h>
#include <time.h>

#include "core/interrupt/interrupt.h"
#include "core/vp/request.h"
#include "core/vp/vp.h"

/* Maximum number of requests served before one VM entry. */
#define SERVED_AT_ONCE 8u

/* The VMM's requests come before those of all VTLs. */
#define REQUESTER_HOST CORE_VTL_MAX

#define NS_PER_SECOND 1000000000u
/* Bounds a sleep, as a change of the target VP's active VTL causes no broadcast. */
#define SLEEP_MAX_NS (NS_PER_SECOND / 100)

/* Here and up to serve(): request lock held. */

static void note_waiting(struct vsm_vp *vp)
{
	uint32_t waiting = 0;

	for (const struct vp_request *request = vp->request; request; request = request->next)
		waiting |= 1u << request->vtl;
	atomic_store(&vp->request_waiting, waiting);
}

/* Inserts after requests of the same VTL, before those of lower ones. */
static void enqueue(struct vsm_vp *vp, struct vp_request *request)
{
	struct vp_request **place = &vp->request;

	while (*place && (*place)->vtl >= request->vtl)
		place = &(*place)->next;
	request->next = *place;
	*place = request;
	atomic_fetch_or(&vp->request_waiting, 1u << request->vtl);
}

/* False: the VP's owner has begun to serve the request. */
static bool cancel(struct vsm_vp *vp, const struct vp_request *request)
{
	struct vp_request **place = &vp->request;

	while (*place && *place != request)
		place = &(*place)->next;
	if (!*place)
		return false;
	*place = request->next;
	note_waiting(vp);
	return true;
}

static bool is_queued(const struct vsm_vp *vp, const struct vp_request *request)
{
	for (const struct vp_request *other = vp->request; other; other = other->next)
		if (other == request)
			return true;
	return false;
}

/* Returns the first request of @lowest or a higher VTL whose `changes` is @changes, or NULL. */
static struct vp_request *find_request(const struct vsm_vp *vp, unsigned int lowest, bool changes)
{
	for (struct vp_request *request = vp->request; request && request->vtl >= lowest;
	     request = request->next)
		if (request->changes == changes)
			return request;
	return NULL;
}

/* Drops the request lock meanwhile. */
static void serve(struct vsm_vp *vp, struct vp_request *request)
{
	struct vsm_partition *partition = vp->partition;

	cancel(vp, request);
	pthread_mutex_unlock(&partition->request_lock);
	request->function(vp, request->argument);
	pthread_mutex_lock(&partition->request_lock);
	request->done = true;
	pthread_cond_broadcast(&partition->request_wake);
}

/* Serves the first request, if it comes from @lowest or a higher VTL. */
static bool serve_first(struct vsm_vp *vp, unsigned int lowest)
{
	struct vsm_partition *partition = vp->partition;
	struct vp_request *request;

	pthread_mutex_lock(&partition->request_lock);
	request = vp->request;
	if (request && request->vtl < lowest)
		request = NULL;
	if (request)
		serve(vp, request);
	pthread_mutex_unlock(&partition->request_lock);
	return request;
}

/* Whether a request of a lower VTL may be served now: at most CORE_REQUESTS_HZ. Any thread. */
static bool claim_lower_request(struct vsm_vp *vp)
{
	const struct vsm_partition *partition = vp->partition;
	const uint64_t now = vp_tsc(partition);
	uint64_t at = atomic_load(&vp->next_lower_request);

	return now >= at &&
	       atomic_compare_exchange_strong(&vp->next_lower_request, &at,
					      now + partition->features.tsc_hz / CORE_REQUESTS_HZ);
}

void vp_serve(struct vsm_vp *vp)
{
	for (unsigned int i = 0; i < SERVED_AT_ONCE && atomic_load(&vp->request_waiting); i++) {
		const int due = interrupt_due(vp);
		const unsigned int lowest = due < 0 ? vp->active_vtl : (unsigned int)due;

		if (atomic_load(&vp->request_waiting) >> lowest) {
			serve_first(vp, lowest);
			continue;
		}
		if (atomic_exchange(&vp->serve_lower, false) || claim_lower_request(vp))
			serve_first(vp, 0);
		return;
	}
}

bool vp_serve_idle(struct vsm_vp *vp)
{
	return atomic_load(&vp->request_waiting) && serve_first(vp, 0);
}

/* Makes @vp check its requests; at a limited rate while it runs a VTL above @vtl. */
static void call_attention(struct vsm_vp *vp, uint8_t vtl)
{
	if (vtl < atomic_load(&vp->active_vtl_hint) && !atomic_load(&vp->asleep)) {
		if (!claim_lower_request(vp))
			return;
		atomic_store(&vp->serve_lower, true);
	}
	vp->partition->ops->vp_kick(vp->backend);
}

/*
 * The caller acts for @vp: serves requests until @request is done or the VP's own thread waits to
 * run it. Request lock held.
 */
static void act(struct vsm_vp *vp, struct vp_request *request)
{
	struct vsm_partition *partition = vp->partition;

	/* While the VMM has not completed an exit of @vp, only the caller's request is served. */
	if (vp_exit_pending(vp))
		serve(vp, request);
	while (!request->done && vp->request) {
		serve(vp, vp->request);
		if (atomic_load(&vp->runner_waits))
			break;
	}
	pthread_mutex_unlock(&partition->request_lock);
	vp_disown(vp, vp_exit_pending(vp));
	pthread_mutex_lock(&partition->request_lock);
}

/* Whether @self must return to its run loop (vp_call()). Drops the request lock meanwhile. */
static bool is_needed(struct vsm_vp *self)
{
	struct vsm_partition *partition = self->partition;
	struct vsm_lapic *lapic = &vp_active(self)->lapic;
	bool due;

	if (atomic_load(&self->stop) || find_request(self, self->active_vtl, true))
		return true;
	/* Cleared before the check: a later post sets it again. */
	self->kicked_in_wait = false;
	pthread_mutex_unlock(&partition->request_lock);
	/* A vector of the active VTL is no reason to return, but the next post must kick again. */
	vsm_lapic_look(lapic);
	due = interrupt_due(self) >= 0 || vsm_lapic_events(lapic);
	pthread_mutex_lock(&partition->request_lock);
	return due;
}

static bool serve_reader(struct vsm_vp *self)
{
	struct vp_request *request = find_request(self, self->active_vtl, false);

	if (request)
		serve(self, request);
	return request;
}

/* Nanoseconds until the TSC is @tsc, at most SLEEP_MAX_NS. */
static uint64_t time_until(const struct vsm_partition *partition, uint64_t tsc)
{
	const uint64_t now = vp_tsc(partition);
	unsigned __int128 ns;

	if (tsc <= now)
		return 0;
	ns = (unsigned __int128)(tsc - now) * NS_PER_SECOND / partition->features.tsc_hz + 1;
	return ns < SLEEP_MAX_NS ? (uint64_t)ns : SLEEP_MAX_NS;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* Until a broadcast, for @ns at most, and not beyond @deadline (NULL: none). Request lock held. */
static void sleep_for(struct vsm_partition *partition, uint64_t ns, const struct timespec *deadline)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	ns += (uint64_t)until.tv_nsec;
	until.tv_sec += (time_t)(ns / NS_PER_SECOND);
	until.tv_nsec = (long)(ns % NS_PER_SECOND);
	if (deadline && is_before(deadline, &until))
		until = *deadline;
	pthread_cond_timedwait(&partition->request_wake, &partition->request_lock, &until);
}

static bool has_passed(const struct timespec *deadline)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return !is_before(&now, deadline);
}

static void sleep_with_request(struct vsm_vp *self, struct vsm_vp *vp,
			       const struct vp_request *request, const struct timespec *deadline)
{
	struct vsm_partition *partition = vp->partition;
	uint64_t ns = SLEEP_MAX_NS;

	if (request->vtl < atomic_load(&vp->active_vtl_hint)) {
		/* Until the next request of a lower VTL may be served, or a broadcast. */
		ns = time_until(partition, atomic_load(&vp->next_lower_request));
		ns = ns ? ns : NS_PER_SECOND / CORE_REQUESTS_HZ;
	}
	if (self) {
		const uint64_t timer = time_until(partition, interrupt_deadline(self));

		ns = timer < ns ? timer : ns;
		vp_runtime_stop(self);
	}
	sleep_for(partition, ns, deadline);
	if (self)
		vp_runtime_start(self);
}

/* False: @request was cancelled. Request lock held. */
static bool wait_until_done(struct vsm_vp *self, struct vsm_vp *vp, struct vp_request *request,
			    const struct timespec *deadline)
{
	while (!request->done) {
		/* @request is being served, which never waits for another VP. */
		if (!is_queued(vp, request)) {
			pthread_cond_wait(&vp->partition->request_wake,
					  &vp->partition->request_lock);
			continue;
		}
		if (vp_try_act(vp)) {
			act(vp, request);
			continue;
		}
		if ((self && is_needed(self)) || (deadline && has_passed(deadline))) {
			if (cancel(vp, request))
				return false;
			continue;
		}
		if ((self && serve_reader(self)) || !is_queued(vp, request))
			continue;
		call_attention(vp, request->vtl);
		if (!self || !self->kicked_in_wait)
			sleep_with_request(self, vp, request, deadline);
	}
	return true;
}

static bool request_and_wait(struct vsm_vp *self, struct vsm_vp *vp, struct vp_request *request,
			     const struct timespec *deadline)
{
	struct vsm_partition *partition = vp->partition;
	bool done;

	/* In a callback, the VMM may call the library for the VP that its thread owns. */
	if (vp == self || atomic_load(&vp->owner) == pthread_self()) {
		request->function(vp, request->argument);
		return true;
	}
	request->vtl = self ? self->active_vtl : REQUESTER_HOST;
	/* Before ownership is checked: an owner that leaves after the check broadcasts. */
	atomic_fetch_add(&partition->requests, 1);
	pthread_mutex_lock(&partition->request_lock);
	enqueue(vp, request);
	if (self)
		atomic_store(&self->waits_for_request, true);
	/* The owner may wait for another VP; the backend's vp_kick() does not end that wait. */
	pthread_cond_broadcast(&partition->request_wake);
	done = wait_until_done(self, vp, request, deadline);
	if (self)
		atomic_store(&self->waits_for_request, false);
	pthread_mutex_unlock(&partition->request_lock);
	atomic_fetch_sub(&partition->requests, 1);
	return done;
}

bool vp_call(struct vsm_vp *self, struct vsm_vp *vp, vp_request_fn *function, void *argument)
{
	return vp_call_until(self, vp, function, argument, NULL);
}

bool vp_query(struct vsm_vp *self, struct vsm_vp *vp, vp_request_fn *function, void *argument)
{
	struct vp_request request = {.function = function, .argument = argument};

	return request_and_wait(self, vp, &request, NULL);
}

bool vp_call_until(struct vsm_vp *self, struct vsm_vp *vp, vp_request_fn *function, void *argument,
		   const struct timespec *deadline)
{
	struct vp_request request = {.function = function, .argument = argument, .changes = true};

	return request_and_wait(self, vp, &request, deadline);
}

bool vp_must_leave_call(struct vsm_vp *self)
{
	return atomic_load(&self->stop) || interrupt_due(self) >= 0;
}

bool vp_wait_exit(struct vsm_vp *self, struct vsm_vp *vp, uint16_t vtls)
{
	uint64_t exits = atomic_load(&vp->exits);

	if (vp == self || !(atomic_load(&vp->in_guest) & vtls))
		return true;
	vp->partition->ops->vp_kick(vp->backend);
	while ((atomic_load(&vp->in_guest) & vtls) && atomic_load(&vp->exits) == exits) {
		if (vp_must_leave_call(self))
			return false;
		sched_yield();
	}
	return true;
}
