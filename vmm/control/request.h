/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Executes requests, independently of sockets. An order is a command that needs stopped VPs
 * (guest/order.h).
 */
#ifndef VMM_CONTROL_REQUEST_H
#define VMM_CONTROL_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/answer.h"

struct vmm_guest;

struct vmm_effect {
	bool deferred; /* the answer follows when the order is executed */
	bool events_requested;
	json_t *id; /* if deferred: the request's id, owned by the caller */
};

/*
 * @client identifies the client if the line is an order. Returns the answer, owned by the caller;
 * NULL: the answer is deferred (@effect), or there was no memory. Only the control thread may call
 * it.
 */
json_t *vmm_request(struct vmm_guest *guest, uint64_t client, const char *line, size_t size,
		    struct vmm_effect *effect);

#endif
