/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of the subcommands. optind and optarg are those of getopt_long(). */
#ifndef VSM_TOOL_OPTION_H
#define VSM_TOOL_OPTION_H

#include <getopt.h>

#include "command.h"

/*
 * The next option, as getopt_long() returns it, or -1. '?': it is wrong, which was reported, and the
 * status is COMMAND_USAGE. @letters begins with ':', after '+' if there is one.
 */
int command_option(const struct command *self, int argc, char **argv, const char *letters,
		   const struct option *options);

/*
 * For a subcommand whose only option is --help. Returns -1 if operands follow, from optind on; else
 * the exit status.
 */
int command_operands(const struct command *self, int argc, char **argv);

#endif
