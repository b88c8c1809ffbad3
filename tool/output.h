/* SPDX-License-Identifier: BSD-2-Clause */
/* An output file that gets its name when it is complete. */
#ifndef VSM_TOOL_OUTPUT_H
#define VSM_TOOL_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

struct output {
	const char *command; /* the subcommand, for messages */
	const char *path;    /* NULL: stdout */
	char *temporary;
	FILE *file;
};

/* Opens a temporary file in the folder of @path. Prints an error on stderr. */
bool output_open(struct output *output, const char *command, const char *path);
/*
 * Renames the file to its final name. If that or a write fails, prints an error on stderr, and
 * leaves an older file of this name as it is.
 */
bool output_commit(struct output *output);
void output_abandon(struct output *output);

#endif
