/* SPDX-License-Identifier: BSD-2-Clause */
/* Orders of the control socket, which the main thread executes while the VPs are stopped. */
#ifndef VMM_GUEST_ORDER_H
#define VMM_GUEST_ORDER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* One order per client at a time. */
#define VMM_ORDERS_MAX 16u

enum vmm_order_kind {
	VMM_ORDER_PAUSE,
	VMM_ORDER_RESUME,
	VMM_ORDER_SAVE,
	VMM_ORDER_CORE,
};

struct vmm_order {
	enum vmm_order_kind kind;
	uint64_t client;
	char *path; /* target; freed by the main thread */
	int error;  /* outcome: 0, or -errno */
	char message[256];
};

struct vmm_orders {
	pthread_mutex_t lock; /* leaf lock: nothing is called with it held */
	unsigned int waiting, done;
	unsigned int open; /* orders whose outcome was not taken yet; bounds both lists */
	struct vmm_order in[VMM_ORDERS_MAX]; /* guarded by lock, like the counts */
	struct vmm_order out[VMM_ORDERS_MAX];
	int event; /* eventfd: readable when there is an outcome */
};

/* Returns 0, or -errno if there is no free descriptor. */
int vmm_orders_init(struct vmm_orders *orders);
void vmm_orders_destroy(struct vmm_orders *orders);

/* False: no room. The caller stops the VPs. */
bool vmm_order_put(struct vmm_orders *orders, const struct vmm_order *order);
/* False: none. */
bool vmm_order_take(struct vmm_orders *orders, struct vmm_order *order);
void vmm_order_finish(struct vmm_orders *orders, const struct vmm_order *order);
/* Takes the oldest outcome; false: none. */
bool vmm_order_outcome(struct vmm_orders *orders, struct vmm_order *order);

#endif
