/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams JSON, which may be embedded in a <script> of HTML: '<', '>' and '&' are escaped, and a
 * byte above 0x7f is written as U+FFFD. A key is NULL inside an array and for the outermost value.
 */
#ifndef VSM_TOOL_JSON_H
#define VSM_TOOL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	unsigned int depth;
	bool more;  /* the open object or array has an element */
	bool dense; /* no line breaks or spaces, for large output */
};

void json_text(FILE *out, const char *text);

void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);
void json_put_string(struct json *json, const char *key,
		     const char *value); /* @value NULL writes null. */
void json_put_integer(struct json *json, const char *key, int64_t value);
void json_put_unsigned(struct json *json, const char *key, uint64_t value);
void json_put_boolean(struct json *json, const char *key, bool value);
/* Begins a value that the caller writes to `out` itself. */
void json_put_raw(struct json *json, const char *key);
void json_put_null(struct json *json, const char *key);

#endif
