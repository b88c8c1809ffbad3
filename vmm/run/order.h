/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the control socket wants done with the processors stopped. Its thread puts an order in, the main
 * thread does it and tells the outcome, the control thread takes that.
 */
#ifndef VMM_RUN_ORDER_H
#define VMM_RUN_ORDER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* As many as there can be clients: each has one order at a time. */
#define VMM_ORDERS_MAX 16u

enum vmm_order_kind {
	VMM_ORDER_PAUSE,
	VMM_ORDER_RESUME,
	VMM_ORDER_SAVE,
};

struct vmm_order {
	enum vmm_order_kind kind;
	uint64_t client;
	char *path;	   /* VMM_ORDER_SAVE: to where; freed by who does it */
	int error;	   /* of the outcome: 0, or -errno */
	char message[256]; /* with an error: what is wrong, for the user */
};

struct vmm_orders {
	pthread_mutex_t lock; /* a leaf: nothing is called with it held */
	unsigned int waiting, done;
	unsigned int open; /* put in, outcome not heard: so that there is room for each outcome */
	struct vmm_order in[VMM_ORDERS_MAX]; /* guarded by lock, as the numbers */
	struct vmm_order out[VMM_ORDERS_MAX];
	int event; /* an eventfd: readable when there is an outcome */
};

/* -errno if there is no descriptor left. */
int vmm_orders_init(struct vmm_orders *orders);
void vmm_orders_destroy(struct vmm_orders *orders);

/* Puts an order in; false: there is no room. The caller stops the processors. */
bool vmm_order_put(struct vmm_orders *orders, const struct vmm_order *order);
/* Takes the oldest order; false: there is none. */
bool vmm_order_take(struct vmm_orders *orders, struct vmm_order *order);
/* Tells the outcome of an order that was taken. */
void vmm_order_tell(struct vmm_orders *orders, const struct vmm_order *order);
/* Takes the oldest outcome; false: there is none. */
bool vmm_order_hear(struct vmm_orders *orders, struct vmm_order *order);

#endif
