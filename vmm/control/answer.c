/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/answer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const code_names[] = {
	[VMM_REFUSE_BAD_REQUEST] = "bad-request",
	[VMM_REFUSE_NOT_FOUND] = "not-found",
	[VMM_REFUSE_BUSY] = "busy",
	[VMM_REFUSE_FAILED] = "failed",
};

json_t *vmm_hex(uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	return json_string(text);
}

json_t *vmm_text(const char *text)
{
	json_t *value = json_string(text);
	char *plain = value ? NULL : strdup(text);

	for (char *byte = plain; byte && *byte; byte++)
		if (*byte & 0x80)
			*byte = '?';
	if (plain)
		value = json_string(plain);
	free(plain);
	return value;
}

json_t *vmm_answer(json_t *id, json_t *result)
{
	return json_pack("{s:o*, s:b, s:o}", "id", id, "ok", 1, "result",
			 result ? result : json_object());
}

json_t *vmm_refusal(json_t *id, enum vmm_refusal_code code, const char *format, ...)
{
	char message[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return json_pack("{s:o*, s:b, s:{s:s, s:o}}", "id", id, "ok", 0, "error", "code",
			 code_names[code], "message", vmm_text(message));
}

json_t *vmm_refuse(struct vmm_refused *refused, enum vmm_refusal_code code, const char *format, ...)
{
	va_list arguments;

	refused->code = code;
	va_start(arguments, format);
	vsnprintf(refused->message, sizeof(refused->message), format, arguments);
	va_end(arguments);
	return NULL;
}
