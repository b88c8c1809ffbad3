/* SPDX-License-Identifier: BSD-2-Clause */
#include "json.h"

#include <inttypes.h>

void json_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(out, "\\%c", *c);
		else if (*c < 0x20 || *c == 0x7f || *c == '<' || *c == '>' || *c == '&')
			fprintf(out, "\\u%04x", *c);
		else if (*c > 0x7f)
			fputs("\\ufffd", out);
		else
			fputc(*c, out);
	}
	fputc('"', out);
}

static void new_line(struct json *json)
{
	if (json->dense)
		return;
	fputc('\n', json->out);
	for (unsigned int i = 0; i < json->depth; i++)
		fputs("  ", json->out);
}

static void begin(struct json *json, const char *key)
{
	if (json->more)
		fputc(',', json->out);
	if (json->depth)
		new_line(json);
	json->more = true;
	if (key) {
		json_text(json->out, key);
		fputs(json->dense ? ":" : ": ", json->out);
	}
}

void json_open(struct json *json, const char *key, char bracket)
{
	begin(json, key);
	fputc(bracket, json->out);
	json->depth++;
	json->more = false;
}

void json_close(struct json *json, char bracket)
{
	json->depth--;
	if (json->more)
		new_line(json);
	fputc(bracket, json->out);
	json->more = true;
	if (!json->depth && !json->dense)
		fputc('\n', json->out);
}

void json_put_string(struct json *json, const char *key, const char *value)
{
	if (!value) {
		json_put_null(json, key);
		return;
	}
	begin(json, key);
	json_text(json->out, value);
}

void json_put_integer(struct json *json, const char *key, int64_t value)
{
	begin(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void json_put_unsigned(struct json *json, const char *key, uint64_t value)
{
	begin(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void json_put_boolean(struct json *json, const char *key, bool value)
{
	begin(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_put_null(struct json *json, const char *key)
{
	begin(json, key);
	fputs("null", json->out);
}

void json_put_raw(struct json *json, const char *key)
{
	begin(json, key);
}
