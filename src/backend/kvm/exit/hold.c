/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps all VPs out of the backend while the memory map changes. docs/locking.md has the order of
 * the accesses to `inside` and `holding`.
 */
#include <errno.h>
#include <sched.h>

#include "kvm/exit/exit.h"
#include "kvm/vcpu/vcpu.h"

/*
 * Sets `inside` when the VPs are not held. Returns 1 if it had to wait for vkvm_release(), and -EIO
 * after vkvm_disable().
 */
static int begin(struct vkvm_vp *vp)
{
	struct hold *hold = &vp->backend->hold;
	int waited = 0;

	atomic_store(&vp->inside, true);
	while (atomic_load(&hold->holding)) {
		atomic_store(&vp->inside, false);
		pthread_mutex_lock(&hold->lock);
		while (atomic_load(&hold->holding) && !atomic_load(&hold->disabled))
			pthread_cond_wait(&hold->wake, &hold->lock);
		pthread_mutex_unlock(&hold->lock);
		if (atomic_load(&hold->disabled))
			return -EIO;
		atomic_store(&vp->inside, true);
		waited = 1;
	}
	return waited;
}

static void end(struct vkvm_vp *vp)
{
	atomic_store_explicit(&vp->inside, false, memory_order_release);
}

int hold_vp_run(void *opaque, struct backend_run *run)
{
	int error = begin(opaque);

	if (error < 0)
		return error;
	/* After a wait the core must check again what depends on the map, such as an SMI. */
	if (error)
		vkvm_vp_kick(opaque);
	error = vkvm_vp_run(opaque, run);
	end(opaque);
	return error;
}

int hold_vp_answer(void *opaque, struct backend_run *run, enum backend_answer answer)
{
	int error = begin(opaque);

	if (error < 0)
		return error;
	error = vkvm_vp_answer(opaque, run, answer);
	end(opaque);
	return error;
}

int hold_vp_load(void *opaque, uint8_t vtl, uint32_t groups)
{
	int error = begin(opaque);

	if (error < 0)
		return error;
	error = vkvm_vp_load(opaque, vtl, groups);
	end(opaque);
	return error;
}

/* Loading registers may complete an instruction, which accesses guest memory. */
bool hold_vp_can_inject(void *opaque, uint8_t vtl)
{
	bool can;

	if (begin(opaque) < 0)
		return false;
	can = vkvm_vp_can_inject(opaque, vtl);
	end(opaque);
	return can;
}

/* After vkvm_disable() KVM never completes the instructions that are open. */
int hold_finish_all(void *opaque)
{
	struct vkvm_backend *backend = opaque;
	int error = 0;

	for (uint32_t i = 0; i < backend->vp_count && !error; i++) {
		struct vkvm_vp *vp = atomic_load(&backend->vp[i]);

		if (!vp || begin(vp) < 0)
			continue;
		error = enter_finish_vp(vp);
		end(vp);
	}
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
	atomic_store(&backend->hold.holding, atomic_load(&backend->hold.disabled));
	pthread_cond_broadcast(&backend->hold.wake);
	pthread_mutex_unlock(&backend->hold.lock);
}

void vkvm_disable(void *opaque)
{
	struct vkvm_backend *backend = opaque;

	pthread_mutex_lock(&backend->hold.lock);
	atomic_store(&backend->hold.disabled, true);
	pthread_mutex_unlock(&backend->hold.lock);
	vkvm_hold(backend);
	vkvm_release(backend);
}
