/* SPDX-License-Identifier: BSD-2-Clause */
/* Executes one request line and makes its answer (docs/control.md). Independent of sockets. */
#ifndef VMM_CONTROL_REQUEST_H
#define VMM_CONTROL_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vmm_guest;

/* Reason for a refusal; the names are in docs/control.schema.json. */
enum vmm_refusal_code {
	VMM_REFUSE_BAD_REQUEST, /* not JSON, a missing or wrong field, an unknown command */
	VMM_REFUSE_NOT_FOUND,	/* nothing at that path */
	VMM_REFUSE_BUSY,	/* a VP waits for the reader of its console, or too many clients */
	VMM_REFUSE_FAILED,	/* host error, described in the message */
};

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

/* Answers; @id and @result are released and may be NULL. */
json_t *vmm_answer(json_t *id, json_t *result);
json_t *vmm_refusal(json_t *id, enum vmm_refusal_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ------------------------------------------------------------------ for the commands */

/* Refusal of a command or of a value. */
struct vmm_refused {
	enum vmm_refusal_code code;
	char message[256];
};

/* Fills in a refusal; always returns NULL, for use in a return statement. */
json_t *vmm_refuse(struct vmm_refused *refused, enum vmm_refusal_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A 64-bit number in the protocol's form: "0x1f". */
json_t *vmm_hex(uint64_t value);
/* @text as a string; bytes that are not UTF-8 (file names, truncated messages) become '?'. */
json_t *vmm_text(const char *text);

/* tree.c: the value at @path. @from: the first element of a long list. NULL: refused. */
json_t *vmm_tree_look(struct vmm_guest *guest, const char *path, uint64_t from,
		      struct vmm_refused *refused);

#endif
