/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest/stopper.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int vmm_stopper_init(struct vmm_stopper *stopper)
{
	stopper->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stopper->event < 0)
		return -errno;
	pthread_mutex_init(&stopper->lock, NULL);
	atomic_init(&stopper->why, VMM_GOING);
	stopper->detail = 0;
	return 0;
}

void vmm_stopper_destroy(struct vmm_stopper *stopper)
{
	close(stopper->event);
	pthread_mutex_destroy(&stopper->lock);
}

void vmm_stop_processors(struct vmm_stopper *stopper, enum vmm_reason why, int detail)
{
	pthread_mutex_lock(&stopper->lock);
	if (why > atomic_load(&stopper->why)) {
		stopper->detail = detail;
		atomic_store(&stopper->why, why);
	}
	pthread_mutex_unlock(&stopper->lock);
	vmm_stopper_wake(stopper);
}

void vmm_stopper_wake(struct vmm_stopper *stopper)
{
	/* Fails only if the counter is at its maximum; then the descriptor is already readable. */
	(void)eventfd_write(stopper->event, 1);
}

enum vmm_reason vmm_stopper_look(struct vmm_stopper *stopper, int *detail)
{
	enum vmm_reason why;
	eventfd_t count;

	(void)eventfd_read(stopper->event, &count);
	pthread_mutex_lock(&stopper->lock);
	why = atomic_load(&stopper->why);
	*detail = stopper->detail;
	pthread_mutex_unlock(&stopper->lock);
	return why;
}

void vmm_stopper_done(struct vmm_stopper *stopper, enum vmm_reason why)
{
	pthread_mutex_lock(&stopper->lock);
	if (atomic_load(&stopper->why) <= why)
		atomic_store(&stopper->why, VMM_GOING);
	pthread_mutex_unlock(&stopper->lock);
}
