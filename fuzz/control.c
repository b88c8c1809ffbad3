/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as lines from a client of the control socket; the machine is complete, but does not
 * run.
 */
#include <stdlib.h>
#include <string.h>

#include "control/client.h"
#include "control/request.h"
#include "sim_guest_vmm.h"

static struct vmm_config config = {
	.cpus = 2,
	.memory = VMM_MEMORY_SMALLEST,
	.vtls = 3,
	.boot_vtl = 1,
	.testdev = true,
};

/* Finishes each order without executing it. */
static void check_order(struct vmm_guest *guest, struct vmm_effect *effect)
{
	struct vmm_order order;

	if (!vmm_order_take(&guest->orders, &order) || order.client != 1)
		__builtin_trap();
	free(order.path);
	order.path = NULL;
	vmm_order_finish(&guest->orders, &order);
	if (!vmm_order_outcome(&guest->orders, &order))
		__builtin_trap();
	json_decref(effect->id);
}

static void ask(struct vmm_guest *guest, const char *line, size_t size)
{
	struct vmm_effect effect;
	json_t *answer = vmm_request(guest, 1, line, size, &effect);
	json_t *again;
	char *text;

	if (effect.deferred) {
		if (answer)
			__builtin_trap();
		check_order(guest, &effect);
		return;
	}
	if (!answer || !json_is_boolean(json_object_get(answer, "ok")))
		__builtin_trap();
	text = json_dumps(answer, JSON_COMPACT);
	again = text ? json_loads(text, 0, NULL) : NULL;
	if (!again || !json_equal(answer, again) || strchr(text, '\n'))
		__builtin_trap();
	json_decref(again);
	json_decref(answer);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vmm_guest *guest;
	struct vmm_client client;
	const char *line;
	size_t length;
	int found = 1;

	if (!guest)
		guest = fuzz_guest(&config);
	vmm_client_open(&client, -1, 1);
	while (size && found >= 0) {
		const size_t room = sizeof(client.line) - client.filled;
		const size_t part = size < room ? size : room;

		memcpy(client.line + client.filled, data, part);
		client.filled += part;
		data += part;
		size -= part;
		while ((found = vmm_client_next_line(&client, &line, &length)) > 0) {
			ask(guest, line, length);
			vmm_client_drop_line(&client, length);
		}
	}
	vmm_stopper_done(&guest->stopper, VMM_SIGNAL);
	return 0;
}
