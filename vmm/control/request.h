/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Executes one request line and makes its answer (docs/control.md). Independent of sockets. An
 * order is a command that needs stopped VPs (guest/order.h).
 */
#ifndef VMM_CONTROL_REQUEST_H
#define VMM_CONTROL_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/answer.h"

struct vmm_guest;

/* Effects of a line beyond its answer. */
struct vmm_effect {
	bool deferred;	   /* the answer follows when the order has been executed */
	bool wants_events; /* subscribes to events */
	json_t *id;	   /* deferred: the request's id, owned by the caller */
};

/*
 * Executes one line. @client identifies the client if the line is an order. Returns the answer,
 * owned by the caller; NULL: the answer is deferred (@effect), or there was no memory. Called on
 * the control thread.
 */
json_t *vmm_request(struct vmm_guest *guest, uint64_t client, const char *line, size_t size,
		    struct vmm_effect *effect);

#endif
