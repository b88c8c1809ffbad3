/* SPDX-License-Identifier: BSD-2-Clause */
/* For other commands than `vsm inspect`. */
#ifndef VSM_TOOL_INSPECT_ASK_H
#define VSM_TOOL_INSPECT_ASK_H

#include <jansson.h>
#include <stdbool.h>

#include "command.h"

/*
 * Stores the value at @path in *value, which the caller releases. Returns: 0, or the exit status of
 * `vsm inspect`, after a message on stderr.
 */
int inspect_ask(const struct command *self, const char *socket, const char *path, json_t **value);
/* As inspect_ask(), for any @request, which the function releases. */
int inspect_request(const struct command *self, const char *socket, json_t *request,
		    json_t **result);

/* Whether @name is a command of `vsm inspect`, such as "pause". */
bool inspect_has_command(const char *name);

#endif
