/* SPDX-License-Identifier: BSD-2-Clause */
#include "print.h"

#include <inttypes.h>

#include "trace/names.h"
#include "trace/stats.h"

static void print_record(FILE *out, const struct vsm_trace_record *record, uint64_t ns)
{
	fprintf(out, "%4" PRIu64 ".%09" PRIu64 " %4" PRIu32 " %3u  %-16s ", ns / 1000000000,
		ns % 1000000000, record->vp, record->vtl, trace_event(record->event)->name);
	trace_arguments(out, record);
	fputc('\n', out);
}

void trace_print_records(FILE *out, struct trace_file *file, const struct trace_filter *filter)
{
	struct vsm_trace_record record;

	fputs("       seconds   VP VTL  event            arguments\n", out);
	trace_file_rewind(file);
	/* Stop when the reader of a pipe has gone. */
	while (!ferror(out) && trace_file_next(file, &record)) {
		const uint64_t ns = trace_file_ns(file, record.tsc);

		if (trace_filter_selects(filter, &record, ns))
			print_record(out, &record, ns);
	}
}

void trace_print_events(FILE *out)
{
	fputs("| Number | Event | Arguments |\n|---|---|---|\n", out);
	for (size_t i = 0; i < trace_event_count; i++) {
		const struct trace_event_info *info = &trace_events[i];

		fprintf(out, "| %u | %s | ", info->number, info->name);
		for (size_t k = 0; k < 4 && info->argument[k][0]; k++)
			fprintf(out, "%s%s", k ? ", " : "", info->argument[k]);
		fputs(" |\n", out);
	}
}

static void print_shares(FILE *out, const struct trace_stats *stats, uint64_t ns)
{
	for (uint32_t vp = 0; vp < stats->vps; vp++) {
		const struct stats_counters *counters = &stats->counters[vp];

		if (counters->known)
			fprintf(out,
				"VP %" PRIu32 ": %" PRIu64 " exits, %" PRIu64
				" VTL switches, %" PRIu64 " intercepts\n",
				vp, counters->exits, counters->switches, counters->intercepts);
	}
	fputs("\n  VP VTL      running       halted   share  entries\n", out);
	for (uint32_t vp = 0; vp < stats->vps; vp++) {
		for (unsigned int vtl = 0; vtl < TRACE_VTLS; vtl++) {
			const struct stats_share *share = &stats->share[vp][vtl];

			if (!share->running && !share->halted && !share->entries)
				continue;
			fprintf(out, "%4" PRIu32 " %3u %10.6f s %10.6f s %6.2f%% %8" PRIu64 "\n",
				vp, vtl, 1e-9 * (double)share->running,
				1e-9 * (double)share->halted,
				ns ? 100.0 * (double)share->running / (double)ns : 0.0,
				share->entries);
		}
	}
}

static void print_class(FILE *out, const struct trace_stats *stats, enum stats_class class)
{
	const struct stats_count *count;
	const size_t kinds = trace_stats_of(stats, class, &count);

	if (!kinds)
		return;
	fprintf(out, "\n     count  %s\n", stats_class_name(class));
	for (size_t i = 0; i < kinds; i++) {
		char text[2 * TRACE_TEXT];

		stats_name(text, sizeof(text), &count[i]);
		fprintf(out, "%10" PRIu64 "  %s\n", count[i].count, text);
	}
}

bool trace_print_counts(FILE *out, struct trace_file *file, const struct trace_filter *filter)
{
	struct vsm_trace_record record;
	struct trace_stats stats;
	uint64_t first = UINT64_MAX, last = 0;

	if (!trace_stats_init(&stats, file->header.vps))
		return false;
	trace_file_rewind(file);
	while (trace_file_next(file, &record)) {
		const uint64_t ns = trace_file_ns(file, record.tsc);

		if (!trace_filter_selects(filter, &record, ns))
			continue;
		first = ns < first ? ns : first;
		last = ns;
		trace_stats_record(&stats, &record, ns);
	}
	trace_stats_finish(&stats, last);
	trace_stats_sort(&stats);
	fprintf(out, "%" PRIu64 " records in %.6f s, %" PRIu64 " were lost\n", stats.records,
		first <= last ? 1e-9 * (double)(last - first) : 0.0, file->header.lost);
	/* The records of a filter by event or VTL do not show when VTLs ran. */
	if (!filter->by_event && !filter->by_vtl)
		print_shares(out, &stats, first <= last ? last - first : 0);
	for (unsigned int class = 0; class < STATS_CLASSES; class ++)
		print_class(out, &stats, class);
	if (stats.others)
		fprintf(out, "\n%10" PRIu64 "  others, of kinds beyond the limit\n", stats.others);
	trace_stats_destroy(&stats);
	return true;
}
