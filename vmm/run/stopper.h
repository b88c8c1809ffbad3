/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why the processors have to stop, said by whoever wants it, from any thread and with any lock held.
 */
#ifndef VMM_RUN_STOPPER_H
#define VMM_RUN_STOPPER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* In ascending order of who wins if two want it at once. */
enum vmm_reason {
	VMM_GOING, /* nobody wants them to stop */
	VMM_ORDER, /* something has to be done with them stopped; they go on, or stay paused */
	VMM_RESET,
	VMM_POWER_OFF,
	VMM_EXIT,  /* debug exit; @detail: the status */
	VMM_CRASH, /* @detail: the processor */
	VMM_ERROR, /* @detail: the processor, or -1 */
	VMM_USER,  /* the key at the console */
	VMM_SIGNAL /* @detail: its number */
};

struct vmm_stopper {
	pthread_mutex_t lock;	     /* a leaf: nothing is called with it held */
	_Atomic enum vmm_reason why; /* written with the lock held */
	int detail;		     /* guarded by lock */
	int event;		     /* an eventfd: readable after a change */
};

/* -errno if there is no descriptor left. */
int vmm_stopper_init(struct vmm_stopper *stopper);
void vmm_stopper_destroy(struct vmm_stopper *stopper);

/* Wants a stop. A weaker reason than the one that is there is forgotten. */
void vmm_stop_processors(struct vmm_stopper *stopper, enum vmm_reason why, int detail);

/* Makes whoever polls `event` look again. */
void vmm_stopper_wake(struct vmm_stopper *stopper);

/* Takes the wake-ups; returns the reason and its detail. */
enum vmm_reason vmm_stopper_look(struct vmm_stopper *stopper, int *detail);

/* @why is being seen to. A stronger reason that came meanwhile stays. */
void vmm_stopper_done(struct vmm_stopper *stopper, enum vmm_reason why);

#endif
