/* SPDX-License-Identifier: BSD-2-Clause */
/* What the control socket answers, for a person. */
#ifndef VSM_TOOL_INSPECT_TEXT_H
#define VSM_TOOL_INSPECT_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* The value of an answer, a line for each member. */
void inspect_print_value(FILE *out, const json_t *value);
/* A list of objects with @key and "help": a line for each, indented. */
void inspect_print_list(FILE *out, const json_t *list, const char *key);
/* An event, in one line. */
void inspect_print_event(FILE *out, const json_t *event);

#endif
