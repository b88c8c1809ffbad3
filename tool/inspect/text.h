/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints answers of the control socket as text. */
#ifndef VSM_TOOL_INSPECT_TEXT_H
#define VSM_TOOL_INSPECT_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* Replaces control characters in the strings of the JSON text @json, escaped ones, too, by others. */
void inspect_make_printable(char *json);
/* An answer's value, one line per member. */
void inspect_print_value(FILE *out, const json_t *value);
/* A list of objects with @key and "help": one line each, indented. */
void inspect_print_list(FILE *out, const json_t *list, const char *key);
/* An event on one line. */
void inspect_print_event(FILE *out, const json_t *event);

#endif
