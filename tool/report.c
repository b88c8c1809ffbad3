/* SPDX-License-Identifier: BSD-2-Clause */
/* `vsm report FILE -o PAGE`: converts a trace to an HTML page. */
#include "command.h"

#include <unistd.h>

#include "option.h"
#include "output.h"
#include "report/write.h"

enum {
	REPORT_OK = 0,
	REPORT_BAD = 1, /* unreadable, or not a trace */
	REPORT_CUT = 2, /* the trace is truncated; the page shows the complete records */
};

static int write_page(struct trace_file *file, const char *path)
{
	struct output output;
	char text[256];
	bool made;

	if (!output_open(&output, "report", path))
		return COMMAND_OUTPUT;
	made = report_write(output.file, file);
	if (!made)
		fputs("vsm report: no memory\n", stderr);
	if (!made || file->failed) {
		output_abandon(&output);
		return REPORT_BAD;
	}
	if (!output_commit(&output))
		return COMMAND_OUTPUT;
	if (!trace_file_is_cut(file))
		return REPORT_OK;
	trace_file_describe_cut(file, text, sizeof(text));
	fprintf(stderr, "vsm report: %s: not all of a trace: %s\n", file->name, text);
	return REPORT_CUT;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *path = NULL;
	struct trace_file file;
	int option, status;

	while ((option = command_option(self, argc, argv, ":o:h", options)) != -1) {
		switch (option) {
		case 'o':
			path = optarg;
			break;
		case 'h':
			command_print_help(self, stdout);
			return 0;
		default:
			return COMMAND_USAGE;
		}
	}
	if (optind + 1 != argc)
		return command_usage(self,
				     optind == argc ? "which file?" : "only one file at a time");
	if (!path && isatty(STDOUT_FILENO))
		return command_usage(self, "stdout is a terminal: use --output FILE");
	if (!trace_file_open(&file, "report", argv[optind]))
		return REPORT_BAD;
	status = write_page(&file, path);
	trace_file_close(&file);
	return status;
}

const struct command command_report = {
	.name = "report",
	.summary = "convert a trace of `vsm run --trace` to an HTML page",
	.help = "usage: vsm report FILE -o PAGE.html\n"
		"\n"
		"FILE is a trace of `vsm run --trace`, or - for stdin. The page needs nothing but "
		"a\n"
		"browser: a timeline of VTLs by processor, counts, a map of memory by\n"
		"protection, the intercepts.\n"
		"\n"
		"  -o, --output PAGE.html  writes there; the file appears when it is complete\n"
		"\n"
		"Exit status: 0 it was made; 1 the file cannot be read, or is no trace; 2 its\n"
		"end is missing: the page shows what is whole; 64 the command line is wrong;\n"
		"74 the page could not be written.\n",
	.run = run,
};
