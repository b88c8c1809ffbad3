/* SPDX-License-Identifier: BSD-2-Clause */
/* The `vsm` command: runs the subcommand and checks that its output was written. */
#include "command.h"

#include <errno.h>
#include <string.h>

static int dispatch(int argc, char **argv)
{
	const struct command *command;
	const char *name;

	if (argc < 2) {
		command_overview(stderr);
		return COMMAND_USAGE;
	}
	name = argv[1];
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	command = command_find(name);
	if (!command)
		return command_unknown(argv[1]);
	return command->run(command, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	int status = dispatch(argc, argv);

	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "vsm: the output cannot be written: %s\n", strerror(errno));
		return COMMAND_OUTPUT;
	}
	return status;
}
