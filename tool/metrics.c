/* SPDX-License-Identifier: BSD-2-Clause */
/* Text format of OpenMetrics 1.0. */
#include <jansson.h>
#include <string.h>

#include "array.h"
#include "inspect/ask.h"
#include "option.h"

/* Members of `machine` in the answer of the control socket. */
static const struct {
	const char *member;
	const char *name;
	const char *type;
	const char *unit; /* NULL: none */
	const char *help;
} machine_metrics[] = {
	{"cpus", "vsm_processors", "gauge", NULL, "Virtual processors."},
	{"vtls", "vsm_vtls", "gauge", NULL, "VTLs on offer, VTL0 included."},
	{"memory", "vsm_memory_bytes", "gauge", "bytes", "RAM of the guest."},
	{"resets", "vsm_resets", "counter", NULL, "Resets of the machine."},
};

/* Members of each VP in `counters`. */
static const struct {
	const char *member;
	const char *name;
	const char *help;
} vp_metrics[] = {
	{"exits", "vsm_exits", "Exits from the guest to the library."},
	{"vtl_switches", "vsm_vtl_switches", "VTL calls, returns, and entries by events."},
	{"intercepts", "vsm_intercepts", "Messages of intercepts to a higher VTL."},
};

static void print_head(const char *name, const char *type, const char *unit, const char *help)
{
	printf("# TYPE %s %s\n", name, type);
	if (unit)
		printf("# UNIT %s %s\n", name, unit);
	printf("# HELP %s %s\n", name, help);
}

/* The kernel's file name may have any character. */
static void print_label(const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", stdout);
		else if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static const char *text_of(const json_t *value, const char *member)
{
	const char *text = json_string_value(json_object_get(value, member));

	return text ? text : "";
}

static void print_machine(const json_t *machine)
{
	print_head("vsm_machine", "info", NULL, "Version of vsm, and the kernel's file.");
	fputs("vsm_machine_info{version=\"", stdout);
	print_label(text_of(machine, "version"));
	fputs("\",kernel=\"", stdout);
	print_label(text_of(machine, "kernel"));
	fputs("\"} 1\n", stdout);
	print_head("vsm_running", "gauge", NULL, "1: the machine runs; 0: it is paused.");
	printf("vsm_running %d\n", strcmp(text_of(machine, "state"), "running") == 0);
	for (size_t i = 0; i < ARRAY_SIZE(machine_metrics); i++) {
		const json_t *value = json_object_get(machine, machine_metrics[i].member);

		print_head(machine_metrics[i].name, machine_metrics[i].type,
			   machine_metrics[i].unit, machine_metrics[i].help);
		printf("%s%s %" JSON_INTEGER_FORMAT "\n", machine_metrics[i].name,
		       strcmp(machine_metrics[i].type, "counter") == 0 ? "_total" : "",
		       json_integer_value(value));
	}
}

static void print_vps(const json_t *counters)
{
	const json_t *list = json_object_get(counters, "vp");

	for (size_t i = 0; i < ARRAY_SIZE(vp_metrics); i++) {
		print_head(vp_metrics[i].name, "counter", NULL, vp_metrics[i].help);
		for (size_t vp = 0; vp < json_array_size(list); vp++)
			printf("%s_total{vp=\"%zu\"} %" JSON_INTEGER_FORMAT "\n",
			       vp_metrics[i].name, vp,
			       json_integer_value(json_object_get(json_array_get(list, vp),
								  vp_metrics[i].member)));
	}
}

static int run(const struct command *self, int argc, char **argv)
{
	json_t *machine = NULL, *counters = NULL;
	int status;

	status = command_operands(self, argc, argv);
	if (status >= 0)
		return status;
	if (argc - optind != 1)
		return command_usage(self, "one socket is needed");
	status = inspect_ask(self, argv[optind], "machine", &machine);
	if (!status)
		status = inspect_ask(self, argv[optind], "counters", &counters);
	if (!status) {
		print_machine(machine);
		print_vps(counters);
		fputs("# EOF\n", stdout);
	}
	json_decref(machine);
	json_decref(counters);
	return status;
}

const struct command command_metrics = {
	.name = "metrics",
	.summary = "counters of a running machine, for a monitoring system",
	.help = "usage: vsm metrics SOCKET\n"
		"\n"
		"Prints counters of the machine with `vsm run --control SOCKET` in the text "
		"format\n"
		"of OpenMetrics: its size and state, and for each processor its exits, VTL\n"
		"switches and intercepts.\n"
		"\n"
		"Exit status: as of `vsm inspect`.\n",
	.run = run,
};
