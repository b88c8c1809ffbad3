/* SPDX-License-Identifier: BSD-2-Clause */
/* Executes the orders of the control socket while the VPs are stopped. */
#include <stdlib.h>

#include "file/notify.h"
#include "guest/guest.h"
#include "run/parts.h"
#include "save/save.h"

typedef void order_fn(struct vmm_guest *guest, struct vmm_order *order);

static void set_paused(struct vmm_guest *guest, bool paused)
{
	if (atomic_exchange(&guest->paused, paused) == paused)
		return;
	vmm_guest_event(guest, paused ? VMM_EVENT_PAUSED : VMM_EVENT_RESUMED, 0, 0);
	vmm_notify(guest->service, paused ? "STATUS=paused" : "STATUS=running");
}

static void order_pause(struct vmm_guest *guest, struct vmm_order *order)
{
	(void)order;
	set_paused(guest, true);
}

static void order_resume(struct vmm_guest *guest, struct vmm_order *order)
{
	(void)order;
	set_paused(guest, false);
}

static void order_save(struct vmm_guest *guest, struct vmm_order *order)
{
	order->error = vmm_save(guest, order->path, order->message);
	if (!order->error)
		vmm_guest_event(guest, VMM_EVENT_SAVED, 0, 0);
}

static void order_core(struct vmm_guest *guest, struct vmm_order *order)
{
	order->error = vmm_core(guest, order->path, order->message);
}

static order_fn *const functions[] = {
	[VMM_ORDER_PAUSE] = order_pause,
	[VMM_ORDER_RESUME] = order_resume,
	[VMM_ORDER_SAVE] = order_save,
	[VMM_ORDER_CORE] = order_core,
};

void vmm_orders_execute(struct vmm_guest *guest)
{
	struct vmm_order order;

	while (vmm_order_take(&guest->orders, &order)) {
		functions[order.kind](guest, &order);
		free(order.path);
		order.path = NULL;
		vmm_order_finish(&guest->orders, &order);
	}
}
