/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of the subcommands: getopt_long(), with messages that name the closest option. */
#include "option.h"

#include <stdio.h>
#include <string.h>

#include "array.h"
#include "config/closest.h"

static int not_an_option(const struct command *self, const struct option *options,
			 const char *typed)
{
	const char *names[32];
	const char *meant;
	char name[64];
	size_t count = 0;

	for (; count < ARRAY_SIZE(names) && options[count].name; count++)
		names[count] = options[count].name;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(typed, "="), typed);
	meant = closest_name(name + strspn(name, "-"), names, count);
	if (meant)
		command_usage(self, "'%s' is not an option; did you mean '--%s'?", name, meant);
	else
		command_usage(self, "'%s' is not an option", name);
	return '?';
}

int command_option(const struct command *self, int argc, char **argv, const char *letters,
		   const struct option *options)
{
	const int option = getopt_long(argc, argv, letters, options, NULL);
	const char *typed = argv[optind - 1];
	char letter[] = {'-', (char)optopt, 0};

	if (option == ':') {
		command_usage(self, "'%s' needs a value", typed);
		return '?';
	}
	if (option != '?')
		return option;
	/*
	 * optopt is the `val` of an option that getopt_long() has found; otherwise a letter or 0.
	 */
	if (strncmp(typed, "--", 2) != 0)
		return not_an_option(self, options, letter);
	if (optopt == 0)
		return not_an_option(self, options, typed);
	command_usage(self, "'%.*s' takes no value", (int)strcspn(typed, "="), typed);
	return '?';
}

int command_operands(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{0},
	};

	switch (command_option(self, argc, argv, "+:h", options)) {
	case -1:
		return -1;
	case 'h':
		command_print_help(self, stdout);
		return 0;
	default:
		return COMMAND_USAGE;
	}
}
