/* SPDX-License-Identifier: BSD-2-Clause */
/* `vsm help`, `vsm version`, and errors of the command line. */
#include "option.h"

#include <stdarg.h>
#include <vsm/vsm.h>

#include "array.h"
#include "config/closest.h"
#include "inspect/ask.h"

void command_overview(FILE *out)
{
	fputs("usage: vsm COMMAND [ARGUMENT]...\n"
	      "\n"
	      "Virtual Secure Mode for KVM virtual machines.\n"
	      "\n"
	      "Commands:\n",
	      out);
	for (size_t i = 0; i < command_count; i++)
		fprintf(out, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n"
	      "For one of them see `vsm help COMMAND`, or its manual page,\n"
	      "vsm-COMMAND(1).\n",
	      out);
}

int command_unknown(const char *typed)
{
	static const char *const options[] = {"--help", "--version", "-V", "-h"};
	const char *names[32 + ARRAY_SIZE(options)];
	const char *meant;
	size_t count = 0;

	for (; count < command_count && count < 32; count++)
		names[count] = commands[count]->name;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		names[count++] = options[i];
	meant = closest_name(typed, names, count);
	fprintf(stderr, "vsm: '%s' is not a command.", typed);
	if (inspect_has_command(typed))
		fprintf(stderr, " For a running machine: `vsm inspect SOCKET %s`.", typed);
	else if (meant)
		fprintf(stderr, " Did you mean '%s'?", meant);
	fputs(" `vsm help` lists them.\n", stderr);
	return COMMAND_USAGE;
}

int command_usage(const struct command *self, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "vsm %s: ", self->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "; see `vsm help %s`\n", self->name);
	return COMMAND_USAGE;
}

void command_print_help(const struct command *self, FILE *out)
{
	fprintf(out, "vsm %s: %s\n\n%s", self->name, self->summary, self->help);
	if (self->details)
		self->details(out);
}

static int run_help(const struct command *self, int argc, char **argv)
{
	const struct command *about;

	const int status = command_operands(self, argc, argv);

	if (status >= 0)
		return status;
	if (argc - optind > 1)
		return command_usage(self, "one command at a time");
	if (argc == optind) {
		command_overview(stdout);
		return 0;
	}
	about = command_find(argv[optind]);
	if (!about)
		return command_unknown(argv[optind]);
	command_print_help(about, stdout);
	return 0;
}

static int run_version(const struct command *self, int argc, char **argv)
{
	const int status = command_operands(self, argc, argv);

	if (status >= 0)
		return status;
	if (optind < argc)
		return command_usage(self, "'%s' is not expected", argv[optind]);
	printf("vsm %s\n", vsm_version());
	return 0;
}

const struct command command_help = {
	.name = "help",
	.summary = "the list of commands, or the options of one",
	.help = "usage: vsm help [COMMAND]\n",
	.run = run_help,
};

const struct command command_version = {
	.name = "version",
	.summary = "the version of the library that runs",
	.help = "usage: vsm version\n",
	.run = run_version,
};
