/* SPDX-License-Identifier: BSD-2-Clause */
/* A file that a command makes: it has its name only when it is complete. */
#ifndef VSM_TOOL_OUTPUT_H
#define VSM_TOOL_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

struct output {
	const char *who;  /* the subcommand, for messages */
	const char *path; /* NULL: stdout */
	char *temporary;
	FILE *file; /* where to write */
};

/* Opens it, beside @path. False: it cannot be; a line on stderr has said why. */
bool output_open(struct output *output, const char *who, const char *path);
/* Gives it its name. False: something could not be written; a line has said so, and there is no file. */
bool output_commit(struct output *output);
/* Removes what was written. */
void output_abandon(struct output *output);

#endif
