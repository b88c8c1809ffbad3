/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of subcommands of `vsm`, and its functions. */
#ifndef VSM_TOOL_COMMAND_H
#define VSM_TOOL_COMMAND_H

#include <stddef.h>
#include <stdio.h>

/*
 * Exit statuses of all subcommands, from sysexits.h. Each subcommand defines smaller ones itself.
 */
enum {
	COMMAND_USAGE = 64,    /* EX_USAGE: wrong command line, nothing was done */
	COMMAND_NO_INPUT = 66, /* EX_NOINPUT: a file that an option names cannot be read */
	COMMAND_OUTPUT = 74,   /* EX_IOERR: the result could not be written */
};

struct command {
	const char *name;
	const char *summary; /* one line, lower case, no full stop */
	/* What `vsm help NAME` prints: the usage line(s), then the options. Ends with a newline. */
	const char *help;
	/* Prints further help, generated from a table; NULL: none. */
	void (*details)(FILE *out);
	/* argv[0] is the subcommand's name. Returns the exit status. */
	int (*run)(const struct command *self, int argc, char **argv);
};

extern const struct command *const commands[];
extern const size_t command_count;

const struct command *command_find(const char *name);

void command_overview(FILE *out);

void command_print_help(const struct command *self, FILE *out);

/* Prints a suggestion on stderr. Returns COMMAND_USAGE. */
int command_unknown(const char *typed);

/* Prints an error on stderr. Returns COMMAND_USAGE. */
int command_usage(const struct command *self, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

extern const struct command command_dump;
extern const struct command command_help;
extern const struct command command_inspect;
extern const struct command command_metrics;
extern const struct command command_probe;
extern const struct command command_report;
extern const struct command command_run;
extern const struct command command_trace;
extern const struct command command_version;

#endif
