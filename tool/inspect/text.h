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
/* Prints the value of an answer, one line per member. */
void inspect_print_value(FILE *out, const json_t *value);
/* Prints a list of objects with @key and "help", one indented line each. */
void inspect_print_list(FILE *out, const json_t *list, const char *key);
/* Prints an event on one line. */
void inspect_print_event(FILE *out, const json_t *event);

#endif
