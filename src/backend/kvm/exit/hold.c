/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps all VPs out of the backend while the memory map changes. docs/locking.md has the order of
 * the accesses to `inside` and `holding`.
 */
#include <sched.h>

#include "kvm/exit/exit.h"
#include "kvm/vcpu/vcpu.h"

/* Sets `inside` when the VPs are not held. True: it had to wait for vkvm_release(). */
static bool begin(struct vkvm_vp *vp)
{
	struct hold *hold = &vp->backend->hold;
	bool waited = false;

	atomic_store(&vp->inside, true);
	while (atomic_load(&hold->holding)) {
		atomic_store(&vp->inside, false);
		pthread_mutex_lock(&hold->lock);
		while (atomic_load(&hold->holding))
			pthread_cond_wait(&hold->wake, &hold->lock);
		pthread_mutex_unlock(&hold->lock);
		atomic_store(&vp->inside, true);
		waited = true;
	}
	return waited;
}

static void end(struct vkvm_vp *vp)
{
	atomic_store_explicit(&vp->inside, false, memory_order_release);
}

int hold_vp_run(void *opaque, struct backend_run *run)
{
	int error;

	/* After a wait the core must check again what depends on the map, such as an SMI. */
	if (begin(opaque))
		vkvm_vp_kick(opaque);
	error = vkvm_vp_run(opaque, run);
	end(opaque);
	return error;
}

int hold_vp_answer(void *opaque, struct backend_run *run, enum backend_answer answer)
{
	int error;

	begin(opaque);
	error = vkvm_vp_answer(opaque, run, answer);
	end(opaque);
	return error;
}

int hold_vp_load(void *opaque, uint8_t vtl, uint32_t groups)
{
	int error;

	begin(opaque);
	error = vkvm_vp_load(opaque, vtl, groups);
	end(opaque);
	return error;
}

void hold_init(struct vkvm_backend *backend)
{
	pthread_mutex_init(&backend->hold.lock, NULL);
	pthread_cond_init(&backend->hold.wake, NULL);
}

void hold_destroy(struct vkvm_backend *backend)
{
	pthread_cond_destroy(&backend->hold.wake);
	pthread_mutex_destroy(&backend->hold.lock);
}

void vkvm_hold(void *opaque)
{
	struct vkvm_backend *backend = opaque;

	atomic_store(&backend->hold.holding, true);
	for (uint32_t i = 0; i < backend->vp_count; i++) {
		struct vkvm_vp *vp = atomic_load(&backend->vp[i]);

		if (!vp || !atomic_load(&vp->inside))
			continue;
		vkvm_vp_kick(vp);
		while (atomic_load(&vp->inside))
			sched_yield();
	}
}

void vkvm_release(void *opaque)
{
	struct vkvm_backend *backend = opaque;

	pthread_mutex_lock(&backend->hold.lock);
	atomic_store(&backend->hold.holding, false);
	pthread_cond_broadcast(&backend->hold.wake);
	pthread_mutex_unlock(&backend->hold.lock);
}
