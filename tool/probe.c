/* SPDX-License-Identifier: BSD-2-Clause */
/* `vsm probe`: what this host offers. */
#include "option.h"

#include <stdlib.h>

#include "probe/probe.h"
#include "probe/report.h"

#define DEFAULT_SECONDS 10
#define MAX_SECONDS	600

/* 0: not a whole number from 1 to MAX_SECONDS. */
static unsigned int seconds(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && value <= MAX_SECONDS ? (unsigned int)value
									     : 0;
}

static int run_probe(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"quiet", no_argument, NULL, 'q'},
		{"no-live", no_argument, NULL, 'n'},
		{"items", no_argument, NULL, 'i'},
		{"timeout", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	void (*report)(FILE *, const struct probe *) = report_text;
	unsigned int timeout = DEFAULT_SECONDS;
	struct probe_env env;
	struct probe *probe;
	bool live = true;
	int option, status;

	while ((option = command_option(self, argc, argv, "+:jqnt:h", options)) != -1) {
		switch (option) {
		case 'j':
			report = report_json;
			break;
		case 'q':
			report = report_quiet;
			break;
		case 'n':
			live = false;
			break;
		case 'i':
			report_items(stdout);
			return 0;
		case 't':
			timeout = seconds(optarg);
			if (!timeout)
				return command_usage(self,
						     "--timeout takes whole seconds from 1 to %d, "
						     "not '%s'",
						     MAX_SECONDS, optarg);
			break;
		case 'h':
			command_print_help(self, stdout);
			return 0;
		default:
			return COMMAND_USAGE;
		}
	}
	if (optind < argc)
		return command_usage(self, "'%s' is not expected", argv[optind]);
	probe = calloc(1, sizeof(*probe));
	if (!probe) {
		fputs("vsm probe: no memory\n", stderr);
		return PROBE_UNABLE;
	}
	probe_env_live(&env);
	probe->env = &env;
	probe->live = live;
	probe->timeout_ms = timeout * 1000;
	probe_run(probe);
	report(stdout, probe);
	status = probe->verdict;
	free(probe);
	return status;
}

const struct command command_probe = {
	.name = "probe",
	.summary = "what this host offers, what is missing, and how to get it",
	.help = "usage: vsm probe [--json | --quiet] [--no-live] [--timeout SECONDS]\n"
		"       vsm probe --items\n"
		"\n"
		"  -j, --json             for programs, as described by\n"
		"                         " VSM_DOC_DIR "/docs/probe.schema.json\n"
		"  -q, --quiet            the verdict, and what is missing\n"
		"  -n, --no-live          without the self-tests\n"
		"  -t, --timeout SECONDS  the most that the first try of a self-test may take "
		"(10)\n"
		"      --items            the table of all that is looked at, as Markdown\n"
		"\n"
		"Exit status: 0 all needed is here; 1 VSM runs, but not all of it; 2 it\n"
		"cannot run; 3 not known, as the host is too busy for the self-tests; 64 the\n"
		"command line is wrong; 74 the report could not be written.\n",
	.run = run_probe,
};
