/* SPDX-License-Identifier: BSD-2-Clause */
/* `vsm trace FILE`: prints a trace of `vsm run --trace`, or converts it for the Perfetto UI. */
#include "command.h"

#include "array.h"
#include "option.h"
#include "output.h"
#include "trace/file.h"
#include "trace/filter.h"
#include "trace/names.h"
#include "trace/perfetto.h"
#include "trace/print.h"

enum {
	TRACE_OK = 0,
	TRACE_BAD = 1, /* unreadable, or not a trace */
	TRACE_CUT = 2, /* truncated; the complete records were printed */
};

enum form {
	FORM_LINES,
	FORM_COUNTS,
	FORM_PERFETTO,
	FORM_EVENTS, /* no trace: the table of events */
	FORM_HELP,
};

struct request {
	struct trace_filter filter;
	enum form form;
	const char *output;
};

static const struct {
	int option;
	const char *name;
	const char *(*set)(struct trace_filter *filter, const char *text);
} filters[] = {
	{'p', "--vp", trace_filter_vp},	       {'l', "--vtl", trace_filter_vtl},
	{'e', "--event", trace_filter_events}, {'f', "--from", trace_filter_from},
	{'t', "--to", trace_filter_to},
};

/* Returns COMMAND_USAGE, or 0. */
static int set_filter(const struct command *self, struct trace_filter *filter, int option)
{
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		const char *wrong;

		if (filters[i].option != option)
			continue;
		wrong = filters[i].set(filter, optarg);
		if (wrong)
			return command_usage(self, "%s %s, not '%s'", filters[i].name, wrong,
					     optarg);
		return 0;
	}
	return COMMAND_USAGE; /* reported by command_option() */
}

static int parse(const struct command *self, int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		{"vp", required_argument, NULL, 'p'},
		{"vtl", required_argument, NULL, 'l'},
		{"event", required_argument, NULL, 'e'},
		{"from", required_argument, NULL, 'f'},
		{"to", required_argument, NULL, 't'},
		{"count", no_argument, NULL, 'c'},
		{"perfetto", no_argument, NULL, 'P'},
		{"output", required_argument, NULL, 'o'},
		{"events", no_argument, NULL, 'E'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option, wrong = 0;

	while (!wrong && (option = command_option(self, argc, argv, ":e:co:h", options)) != -1) {
		switch (option) {
		case 'c':
		case 'P':
			if (request->form != FORM_LINES)
				return command_usage(self, "--count and --perfetto exclude each "
							   "other");
			request->form = option == 'c' ? FORM_COUNTS : FORM_PERFETTO;
			break;
		case 'o':
			request->output = optarg;
			break;
		case 'E':
		case 'h':
			request->form = option == 'E' ? FORM_EVENTS : FORM_HELP;
			return 0;
		default:
			wrong = set_filter(self, &request->filter, option);
			break;
		}
	}
	if (!wrong && optind == argc)
		return command_usage(self, "which file?");
	if (!wrong && optind + 1 < argc)
		return command_usage(self, "only one file at a time");
	return wrong;
}

static bool print(FILE *out, struct trace_file *file, const struct request *request)
{
	switch (request->form) {
	case FORM_COUNTS:
		return trace_print_counts(out, file, &request->filter);
	case FORM_PERFETTO:
		return trace_write_perfetto(out, file, &request->filter);
	case FORM_LINES:
	case FORM_EVENTS:
	case FORM_HELP:
		break;
	}
	trace_print_records(out, file, &request->filter);
	return true;
}

static int print_file(struct trace_file *file, const struct request *request)
{
	struct output output;
	bool cut;

	if (!output_open(&output, "trace", request->output))
		return COMMAND_OUTPUT;
	if (!print(output.file, file, request)) {
		fputs("vsm trace: no memory\n", stderr);
		output_abandon(&output);
		return TRACE_BAD;
	}
	if (!output_commit(&output))
		return COMMAND_OUTPUT;
	cut = trace_file_is_cut(file);
	if (cut) {
		char text[256];

		trace_file_describe_cut(file, text, sizeof(text));
		fprintf(stderr, "vsm trace: %s: not all of a trace: %s\n", file->name, text);
	}
	if (file->header.lost)
		fprintf(stderr, "vsm trace: %s: %llu records were lost while it was made\n",
			file->name, (unsigned long long)file->header.lost);
	return file->failed ? TRACE_BAD : cut ? TRACE_CUT : TRACE_OK;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct request request = {.form = FORM_LINES};
	struct trace_file file;
	int status;

	trace_filter_init(&request.filter);
	status = parse(self, argc, argv, &request);
	if (status)
		return status;
	if (request.form == FORM_HELP) {
		command_print_help(self, stdout);
		return 0;
	}
	if (request.form == FORM_EVENTS) {
		trace_print_events(stdout);
		return 0;
	}
	if (!trace_file_open(&file, "trace", argv[optind]))
		return TRACE_BAD;
	status = print_file(&file, &request);
	trace_file_close(&file);
	return status;
}

const struct command command_trace = {
	.name = "trace",
	.summary = "print or convert a trace of `vsm run --trace`",
	.help = "usage: vsm trace FILE [--vp N] [--vtl N] [--event NAME[,NAME]...] [--from TIME]\n"
		"                 [--to TIME] [--count | --perfetto] [-o FILE]\n"
		"       vsm trace --events\n"
		"\n"
		"FILE is a trace of `vsm run --trace`, or - for stdin. Its format:\n" VSM_DOC_DIR
		"/docs/trace.md\n"
		"\n"
		"      --vp N           records of this virtual processor only\n"
		"      --vtl N          records of this VTL only\n"
		"  -e, --event NAMES    these events only; * and ? as in a shell: INTERCEPT_*\n"
		"      --from TIME      not before this time since the first record: 1.5s, 200ms\n"
		"      --to TIME        not after it\n"
		"  -c, --count          how often things occurred, and how long VTLs ran\n"
		"      --perfetto       JSON for https://ui.perfetto.dev, VTLs as tracks\n"
		"  -o, --output FILE    writes there; the file appears when it is complete\n"
		"      --events         the table of all events, as Markdown\n"
		"\n"
		"Exit status: 0 all was printed; 1 the file cannot be read, or is no trace;\n"
		"2 its end is missing: what is whole was printed; 64 the command line is wrong;\n"
		"74 the result could not be written.\n",
	.run = run,
};
