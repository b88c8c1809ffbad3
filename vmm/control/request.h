/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One line from a client, and the answer to it (docs/control.md). Nothing here knows of sockets.
 */
#ifndef VMM_CONTROL_REQUEST_H
#define VMM_CONTROL_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vmm_guest;

/* Why a request was refused; the names are in docs/control.schema.json. */
enum vmm_refusal_code {
	VMM_REFUSE_BAD_REQUEST, /* not JSON, a field is missing or wrong, no such command */
	VMM_REFUSE_NOT_FOUND,	/* there is nothing at that path */
	VMM_REFUSE_BUSY, /* not now: a processor waits for the reader of its console, too many clients */
	VMM_REFUSE_FAILED, /* the host could not: the message says why */
};

/* What a line leads to, beyond its answer. */
struct vmm_effect {
	bool deferred;	   /* the answer comes with the outcome of an order */
	bool wants_events; /* from now on */
	json_t *id;	   /* deferred: the request's, to be answered with; owned by the caller */
};

/*
 * Does what the line says. @client: who asks, for orders. Returns the answer, owned by the caller; NULL: it is
 * deferred, or there is no memory for it. On the control thread.
 */
json_t *vmm_request(struct vmm_guest *guest, uint64_t client, const char *line, size_t size,
		    struct vmm_effect *effect);

/* Answers; @id and @result are given away and may be NULL. */
json_t *vmm_answer(json_t *id, json_t *result);
json_t *vmm_refusal(json_t *id, enum vmm_refusal_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ------------------------------------------------------------------ inside of the commands */

/* What a command or a value answers instead of its result. */
struct vmm_refused {
	enum vmm_refusal_code code;
	char message[256];
};

/* Fills it in; always NULL, so that a function can end with it. */
json_t *vmm_refuse(struct vmm_refused *refused, enum vmm_refusal_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A number as the protocol has those of 64 bits: "0x1f". */
json_t *vmm_hex(uint64_t value);
/* @text as a string. What is no UTF-8 (the name of a file, a message cut in the middle of a letter) has '?' instead. */
json_t *vmm_text(const char *text);

/* tree.c: the value at @path. @from: where a long list goes on. NULL: refused. */
json_t *vmm_tree_look(struct vmm_guest *guest, const char *path, uint64_t from,
		      struct vmm_refused *refused);

#endif
