/* SPDX-License-Identifier: BSD-2-Clause */
/* The first pass counts, so that the second can reduce the data to the bounds. */
#include "write.h"

#include <string.h>

#include <vsm/trace.h>

#include "json.h"
#include "report/intercepts.h"
#include "report/memory.h"
#include "report/page.h"
#include "report/timeline.h"
#include "trace/stats.h"

/* Kinds of counts that are listed, the most frequent first. */
#define COUNTS_MAX 200u

struct report {
	struct trace_stats stats;
	struct memory memory;
	struct timeline timeline;
	struct intercepts intercepts;
	uint64_t marks;
	uint64_t duration;
};

static bool first_pass(struct report *report, struct trace_file *file)
{
	struct vsm_trace_record record;

	if (!trace_stats_init(&report->stats, file->header.vps))
		return false;
	trace_file_rewind(file);
	while (trace_file_next(file, &record)) {
		report->duration = trace_file_ns(file, record.tsc);
		trace_stats_record(&report->stats, &record, report->duration);
		memory_survey(&report->memory, &record);
		report->marks += timeline_kind(&record) >= 0;
	}
	trace_stats_finish(&report->stats, report->duration);
	trace_stats_sort(&report->stats);
	memory_begin(&report->memory);
	return true;
}

static bool second_pass(struct report *report, struct trace_file *file)
{
	struct vsm_trace_record record;

	if (!timeline_init(&report->timeline, file->header.vps, report->duration,
			   report->stats.slices, report->marks) ||
	    !intercepts_init(&report->intercepts, file->header.vps))
		return false;
	trace_file_rewind(file);
	while (trace_file_next(file, &record)) {
		const uint64_t ns = trace_file_ns(file, record.tsc);

		timeline_record(&report->timeline, &record, ns);
		memory_record(&report->memory, &record, ns);
		intercepts_record(&report->intercepts, &record, ns);
	}
	intercepts_finish(&report->intercepts);
	return timeline_finish(&report->timeline) && !report->memory.failed;
}

static void put_shares(struct json *json, const struct trace_stats *stats)
{
	json_open(json, "shares", '[');
	for (uint32_t vp = 0; vp < stats->vps; vp++) {
		for (unsigned int vtl = 0; vtl < TRACE_VTLS; vtl++) {
			const struct stats_share *share = &stats->share[vp][vtl];

			if (!share->running && !share->halted && !share->entries)
				continue;
			json_open(json, NULL, '{');
			json_put_unsigned(json, "vp", vp);
			json_put_unsigned(json, "vtl", vtl);
			json_put_unsigned(json, "running", share->running);
			json_put_unsigned(json, "halted", share->halted);
			json_put_unsigned(json, "entries", share->entries);
			json_close(json, '}');
		}
	}
	json_close(json, ']');
}

/* Over all VPs. Only a complete trace has counters. */
static void put_counters(struct json *json, const struct trace_stats *stats)
{
	uint64_t exits = 0, known = 0;

	for (uint32_t vp = 0; vp < stats->vps; vp++) {
		known += stats->counters[vp].known;
		exits += stats->counters[vp].exits;
	}
	if (known)
		json_put_unsigned(json, "exits", exits);
	else
		json_put_null(json, "exits");
}

static void put_class(struct json *json, const struct trace_stats *stats, enum stats_class class)
{
	const struct stats_count *count;
	const size_t kinds = trace_stats_of(stats, class, &count);
	uint64_t rest = 0;

	json_open(json, NULL, '{');
	json_put_string(json, "name", stats_class_name(class));
	json_open(json, "rows", '[');
	for (size_t i = 0; i < kinds; i++) {
		char text[512];

		if (i >= COUNTS_MAX) {
			rest += count[i].count;
			continue;
		}
		stats_name(text, sizeof(text), &count[i]);
		json_open(json, NULL, '[');
		json_put_string(json, NULL, text);
		json_put_unsigned(json, NULL, count[i].count);
		json_close(json, ']');
	}
	json_close(json, ']');
	json_put_unsigned(json, "rest", rest);
	json_close(json, '}');
}

static void put_about(struct json *json, const struct report *report, const struct trace_file *file)
{
	const char *slash = strrchr(file->name, '/');
	char cut[256] = "";

	if (trace_file_is_cut(file))
		trace_file_describe_cut(file, cut, sizeof(cut));
	json_put_string(json, "file", slash ? slash + 1 : file->name);
	json_put_string(json, "made", vsm_version());
	json_put_unsigned(json, "version", file->header.version);
	json_put_unsigned(json, "vps", file->header.vps);
	json_put_unsigned(json, "records", report->stats.records);
	json_put_unsigned(json, "lost", file->header.lost);
	json_put_string(json, "cut", cut);
	json_put_unsigned(json, "duration", report->duration);
	json_put_unsigned(json, "switches", report->stats.switches);
	put_counters(json, &report->stats);
	json_put_unsigned(json, "otherKinds", report->stats.others);
}

static void put_data(FILE *out, const struct report *report, const struct trace_file *file)
{
	struct json json = {.out = out, .dense = true};

	json_open(&json, NULL, '{');
	put_about(&json, report, file);
	put_shares(&json, &report->stats);
	json_open(&json, "counts", '[');
	for (unsigned int class = 0; class < STATS_CLASSES; class ++)
		put_class(&json, &report->stats, class);
	json_close(&json, ']');
	timeline_json(&json, &report->timeline);
	memory_json(&json, &report->memory);
	intercepts_json(&json, &report->intercepts);
	json_close(&json, '}');
}

bool report_write(FILE *out, struct trace_file *file)
{
	struct report report = {0};
	bool made;

	memory_init(&report.memory);
	made = first_pass(&report, file) && second_pass(&report, file);
	if (made) {
		fwrite(report_page_head, 1, report_page_head_size, out);
		put_data(out, &report, file);
		fwrite(report_page_tail, 1, report_page_tail_size, out);
	}
	intercepts_destroy(&report.intercepts);
	timeline_destroy(&report.timeline);
	trace_stats_destroy(&report.stats);
	memory_destroy(&report.memory);
	return made;
}
