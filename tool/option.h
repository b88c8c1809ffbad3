/* SPDX-License-Identifier: BSD-2-Clause */
/* optind and optarg are those of getopt_long(). */
#ifndef VSM_TOOL_OPTION_H
#define VSM_TOOL_OPTION_H

#include <getopt.h>

#include "command.h"

/*
 * As getopt_long(). Returns '?' after a wrong option was reported; the exit status is COMMAND_USAGE
 * then. @letters begins with ':' or "+:".
 */
int command_option(const struct command *self, int argc, char **argv, const char *letters,
		   const struct option *options);

/*
 * For a subcommand without options except --help. Returns -1 if operands may follow, from optind
 * on; else the exit status.
 */
int command_operands(const struct command *self, int argc, char **argv);

#endif
