/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int vmm_orders_init(struct vmm_orders *orders)
{
	*orders = (struct vmm_orders){.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	if (orders->event < 0)
		return -errno;
	pthread_mutex_init(&orders->lock, NULL);
	return 0;
}

void vmm_orders_destroy(struct vmm_orders *orders)
{
	for (unsigned int i = 0; i < orders->waiting; i++)
		free(orders->in[i].path);
	close(orders->event);
	pthread_mutex_destroy(&orders->lock);
}

static bool take(struct vmm_order *list, unsigned int *count, struct vmm_order *order)
{
	if (*count == 0)
		return false;
	*order = list[0];
	--*count;
	memmove(list, list + 1, *count * sizeof(*list));
	return true;
}

bool vmm_order_put(struct vmm_orders *orders, const struct vmm_order *order)
{
	bool room;

	pthread_mutex_lock(&orders->lock);
	room = orders->open < VMM_ORDERS_MAX;
	if (room) {
		orders->in[orders->waiting++] = *order;
		orders->open++;
	}
	pthread_mutex_unlock(&orders->lock);
	return room;
}

bool vmm_order_take(struct vmm_orders *orders, struct vmm_order *order)
{
	bool taken;

	pthread_mutex_lock(&orders->lock);
	taken = take(orders->in, &orders->waiting, order);
	pthread_mutex_unlock(&orders->lock);
	return taken;
}

void vmm_order_finish(struct vmm_orders *orders, const struct vmm_order *order)
{
	pthread_mutex_lock(&orders->lock);
	orders->out[orders->done++] = *order;
	pthread_mutex_unlock(&orders->lock);
	(void)eventfd_write(orders->event, 1);
}

bool vmm_order_outcome(struct vmm_orders *orders, struct vmm_order *order)
{
	eventfd_t count;
	bool taken;

	(void)eventfd_read(orders->event, &count);
	pthread_mutex_lock(&orders->lock);
	taken = take(orders->out, &orders->done, order);
	orders->open -= taken;
	pthread_mutex_unlock(&orders->lock);
	return taken;
}
