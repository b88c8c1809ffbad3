/* SPDX-License-Identifier: BSD-2-Clause */
#include "command.h"

#include <string.h>

#include "array.h"

/* In the order of the overview. */
const struct command *const commands[] = {
	&command_probe,
#ifndef TOOL_WITHOUT_RUN
	&command_run,	  &command_trace,   &command_report,
#endif
	&command_inspect, &command_metrics, &command_dump,   &command_help, &command_version,
};
const size_t command_count = ARRAY_SIZE(commands);

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < command_count; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}
