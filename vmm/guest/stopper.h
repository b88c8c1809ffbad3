/* SPDX-License-Identifier: BSD-2-Clause */
/* The reason for which the VPs stop. Any thread may set it, with any lock held. */
#ifndef VMM_GUEST_STOPPER_H
#define VMM_GUEST_STOPPER_H

#include <pthread.h>
#include <stdatomic.h>

/* In ascending priority. */
enum vmm_reason {
	VMM_GOING, /* no stop requested */
	VMM_ORDER, /* orders to execute; then the VPs resume, or stay paused */
	VMM_RESET,
	VMM_POWER_OFF,
	VMM_EXIT,  /* debug exit; @detail: the status */
	VMM_CRASH, /* @detail: the VP */
	VMM_ERROR, /* @detail: the VP, or -1 */
	VMM_USER,  /* escape key at the console, or `quit` of the control socket */
	VMM_SIGNAL /* @detail: its number */
};

struct vmm_stopper {
	pthread_mutex_t lock;	     /* leaf lock: nothing is called with it held */
	_Atomic enum vmm_reason why; /* written with the lock held */
	int detail;		     /* guarded by lock */
	int event;		     /* eventfd: readable after a change */
};

/* Returns 0, or -errno if there is no free descriptor. */
int vmm_stopper_init(struct vmm_stopper *stopper);
void vmm_stopper_destroy(struct vmm_stopper *stopper);

/* Ignores a reason whose priority is not above that of the current one. */
void vmm_stop_processors(struct vmm_stopper *stopper, enum vmm_reason why, int detail);

void vmm_stopper_wake(struct vmm_stopper *stopper);

/* Consumes the wake-ups. */
enum vmm_reason vmm_stopper_look(struct vmm_stopper *stopper, int *detail);

/* Clears the reason @why; a reason of higher priority set meanwhile remains. */
void vmm_stopper_done(struct vmm_stopper *stopper, enum vmm_reason why);

#endif
