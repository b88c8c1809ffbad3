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
	FILE *file; /* where to write */
};

/*
 * Opens a temporary file in the folder of @path. Returns false after a failure, with a line on
 * stderr.
 */
bool output_open(struct output *output, const char *command, const char *path);
/*
 * Renames the file to its final name. Returns false if a write failed, with a line on stderr; an
 * older file of this name is unchanged then.
 */
bool output_commit(struct output *output);
/* Removes the temporary file. */
void output_abandon(struct output *output);

#endif
