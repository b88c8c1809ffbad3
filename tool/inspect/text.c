/* SPDX-License-Identifier: BSD-2-Clause */
#include "text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define LABEL 16 /* width of a name */

/* Whether a character (C0, DEL or C1) controls a terminal. */
static bool moves_terminal(unsigned int code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

void inspect_make_printable(char *json)
{
	static const char question_mark[] = {'0', '0', '3', 'f'};
	static const char digits[] = "0123456789abcdefABCDEF";

	for (unsigned char *next = (unsigned char *)json; *next; next++) {
		unsigned int code;

		if (next[0] == '\\' && next[1] == 'u') {
			/* The escape may be incomplete at the end of the text. */
			if (strspn((char *)next + 2, digits) >= sizeof(question_mark) &&
			    sscanf((char *)next + 2, "%4x", &code) == 1 && moves_terminal(code))
				memcpy(next + 2, question_mark, sizeof(question_mark));
			next++;
		} else if (next[0] == '\\' && next[1]) {
			if (strchr("bfnrt", *++next))
				*next = '/';
		} else if (next[0] == 0xc2 && next[1] >= 0x80 && next[1] < 0xa0) {
			*next++ = '?';
			*next = '?';
		} else if (*next == 0x7f) {
			*next = '?';
		}
	}
}

static void print_inline(FILE *out, const json_t *value)
{
	const char *key, *gap = "";
	const json_t *member;
	size_t index;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		json_object_foreach((json_t *)(uintptr_t)value, key, member)
		{
			fprintf(out, "%s%s ", gap, key);
			print_inline(out, member);
			gap = "  ";
		}
		break;
	case JSON_ARRAY:
		if (json_array_size(value) == 0)
			fputs("none", out);
		json_array_foreach(value, index, member)
		{
			fputs(gap, out);
			print_inline(out, member);
			gap = " ";
		}
		break;
	case JSON_STRING:
		fputs(json_string_value(value), out);
		break;
	case JSON_INTEGER:
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		fprintf(out, "%.3f", json_real_value(value));
		break;
	case JSON_TRUE:
		fputs("yes", out);
		break;
	case JSON_FALSE:
		fputs("no", out);
		break;
	case JSON_NULL:
		fputs("-", out);
		break;
	}
}

void inspect_print_value(FILE *out, const json_t *value)
{
	const json_t *member, *row;
	const char *key;
	size_t index;

	json_object_foreach((json_t *)(uintptr_t)value, key, member)
	{
		if (!json_is_array(member) || !json_is_object(json_array_get(member, 0))) {
			fprintf(out, "%-*s ", LABEL, key);
			print_inline(out, member);
			fputc('\n', out);
			continue;
		}
		fprintf(out, "%s\n", key);
		json_array_foreach(member, index, row)
		{
			fprintf(out, "  %4zu  ", index);
			print_inline(out, row);
			fputc('\n', out);
		}
	}
}

void inspect_print_list(FILE *out, const json_t *list, const char *key)
{
	const json_t *row;
	size_t index;

	json_array_foreach(list, index, row)
	{
		const char *name = json_string_value(json_object_get(row, key));
		const char *help = json_string_value(json_object_get(row, "help"));

		fprintf(out, "  %-12s %s\n", name ? name : "?", help ? help : "");
	}
}

void inspect_print_event(FILE *out, const json_t *event)
{
	const char *name = json_string_value(json_object_get(event, "event"));
	const json_t *dropped = json_object_get(event, "dropped");
	const json_t *arguments = json_object_get(event, "arguments");
	const json_t *detail = json_object_get(event, "detail");

	fprintf(out, "%10.6f  vp %-4" JSON_INTEGER_FORMAT " ",
		json_number_value(json_object_get(event, "time")),
		json_integer_value(json_object_get(event, "vp")));
	if (json_object_get(event, "vtl"))
		fprintf(out, "vtl %" JSON_INTEGER_FORMAT "  ",
			json_integer_value(json_object_get(event, "vtl")));
	fputs(name ? name : "?", out);
	if (arguments || detail) {
		fputs("  ", out);
		print_inline(out, arguments ? arguments : detail);
	}
	if (dropped)
		fprintf(out, "  (%" JSON_INTEGER_FORMAT " before it were dropped)",
			json_integer_value(dropped));
	fputc('\n', out);
	fflush(out);
}
