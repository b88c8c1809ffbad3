/* SPDX-License-Identifier: BSD-2-Clause */
/* Executes one request line and makes its answer (docs/control.md). Independent of sockets. */
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
	bool deferred;	   /* the answer follows with the order's outcome */
	bool wants_events; /* subscribes to events */
	json_t *id;	   /* deferred: the request's id, owned by the caller */
};

/*
 * Executes one line. @client identifies the client of an order. Returns the answer, owned by the
 * caller; NULL: deferred, or no memory for it. On the control thread.
 */
json_t *vmm_request(struct vmm_guest *guest, uint64_t client, const char *line, size_t size,
		    struct vmm_effect *effect);

#endif
