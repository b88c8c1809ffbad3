/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers of the control socket (docs/control.md). */
#ifndef VMM_CONTROL_ANSWER_H
#define VMM_CONTROL_ANSWER_H

#include <jansson.h>
#include <stdint.h>

/* Names: docs/control.schema.json. */
enum vmm_refusal_code {
	VMM_REFUSE_BAD_REQUEST, /* not JSON, a missing or wrong field, an unknown command */
	VMM_REFUSE_NOT_FOUND,	/* nothing at that path */
	VMM_REFUSE_BUSY,	/* a VP waits for a device, or too many clients or orders */
	VMM_REFUSE_FAILED,	/* host error, described in the message */
};

/* Release @id and @result, which may be NULL. */
json_t *vmm_answer(json_t *id, json_t *result);
json_t *vmm_refusal(json_t *id, enum vmm_refusal_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

struct vmm_refused {
	enum vmm_refusal_code code;
	char message[256];
};

/* Returns NULL. */
json_t *vmm_refuse(struct vmm_refused *refused, enum vmm_refusal_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

json_t *vmm_hex(uint64_t value);
/*
 * If @text is not UTF-8 (a file name, a truncated message), '?' replaces each byte that is not
 * ASCII.
 */
json_t *vmm_text(const char *text);

#endif
