/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints answers of the control socket as text. */
#ifndef VSM_TOOL_INSPECT_TEXT_H
#define VSM_TOOL_INSPECT_TEXT_H

#include <jansson.h>
#include <stdio.h>

/*
 * Replaces control characters in strings of the JSON text @json, also escaped ones, by question marks, and
 * short escapes, such as that of a line feed, by a slash.
 */
void inspect_make_printable(char *json);
void inspect_print_value(FILE *out, const json_t *value);
/* The objects of @list have @key and "help". */
void inspect_print_list(FILE *out, const json_t *list, const char *key);
void inspect_print_event(FILE *out, const json_t *event);

#endif
