/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of the subcommands. optind and optarg are those of getopt_long(). */
#ifndef VSM_TOOL_OPTION_H
#define VSM_TOOL_OPTION_H

#include <getopt.h>

#include "command.h"

/*
 * Returns the next option like getopt_long(), or -1. Returns '?' after it has reported a wrong option; the
 * exit status is COMMAND_USAGE then. @letters begins with ':' or "+:".
 */
int command_option(const struct command *self, int argc, char **argv, const char *letters,
		   const struct option *options);

/*
 * For a subcommand whose only option is --help. Returns -1 if operands follow, from optind on; else
 * the exit status.
 */
int command_operands(const struct command *self, int argc, char **argv);

#endif
