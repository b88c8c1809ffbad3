/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Format: "Trace Event Format" of the Chromium project. Numbers of processes and threads are above
 * 0, since Perfetto treats number 0 as the idle task, and a thread's number is unique across all
 * processes.
 */
#include "perfetto.h"

#include <inttypes.h>
#include <stdlib.h>

#include "json.h"
#include "trace/instruction.h"
#include "trace/names.h"
#include "trace/track.h"

struct writer {
	FILE *out;
	/* [vps]: set of VTLs whose track has a name; 0: the process has no name either. */
	uint16_t *named;
	bool more;
};

static unsigned int process_id(uint32_t vp)
{
	return vp + 1;
}

static unsigned int thread_id(uint32_t vp, unsigned int vtl)
{
	return (vp + 1) * 100 + vtl;
}

static void next_event(struct writer *writer)
{
	fputs(writer->more ? ",\n" : "\n", writer->out);
	writer->more = true;
}

static void put_place(struct writer *writer, uint32_t vp, unsigned int vtl, uint64_t ns)
{
	fprintf(writer->out, "\"pid\":%u,\"tid\":%u,\"ts\":%" PRIu64 ".%03" PRIu64, process_id(vp),
		thread_id(vp, vtl), ns / 1000, ns % 1000);
}

static void put_name(struct writer *writer, const char *what, uint32_t vp, unsigned int vtl,
		     const char *label, unsigned int number)
{
	next_event(writer);
	fprintf(writer->out,
		"{\"ph\":\"M\",\"name\":\"%s_name\",\"pid\":%u,\"tid\":%u,\"args\":{\"name\":\"%s%"
		"u\"}}",
		what, process_id(vp), thread_id(vp, vtl), label, number);
	next_event(writer);
	fprintf(writer->out,
		"{\"ph\":\"M\",\"name\":\"%s_sort_index\",\"pid\":%u,\"tid\":%u,"
		"\"args\":{\"sort_index\":%u}}",
		what, process_id(vp), thread_id(vp, vtl), number);
}

static void name_track(struct writer *writer, uint32_t vp, unsigned int vtl)
{
	if (writer->named[vp] >> vtl & 1)
		return;
	if (!writer->named[vp])
		put_name(writer, "process", vp, vtl, "VP ", vp);
	put_name(writer, "thread", vp, vtl, "VTL", vtl);
	writer->named[vp] |= (uint16_t)(1u << vtl);
}

static void begin_slice(void *opaque, const struct trace_slice *slice)
{
	struct writer *writer = opaque;

	name_track(writer, slice->vp, slice->vtl);
	next_event(writer);
	fprintf(writer->out, "{\"ph\":\"B\",\"name\":\"%s\",", slice->halted ? "halted" : "runs");
	put_place(writer, slice->vp, slice->vtl, slice->begin);
	fputc('}', writer->out);
}

static void end_slice(void *opaque, const struct trace_slice *slice)
{
	struct writer *writer = opaque;

	next_event(writer);
	fputs("{\"ph\":\"E\",", writer->out);
	put_place(writer, slice->vp, slice->vtl, slice->end);
	fputc('}', writer->out);
}

static void put_title(struct writer *writer, const struct vsm_trace_record *record)
{
	char text[TRACE_TEXT];

	if (record->event != VSM_TRACE_HYPERCALL) {
		json_text(writer->out, trace_event(record->event)->name);
		return;
	}
	trace_hypercall_name(text, sizeof(text), record->argument[0]);
	json_text(writer->out, text);
}

static void put_instant(struct writer *writer, const struct vsm_trace_record *record, uint64_t ns)
{
	const struct trace_event_info *info = trace_event(record->event);
	const char *comma = "";

	name_track(writer, record->vp, record->vtl);
	next_event(writer);
	fputs("{\"ph\":\"i\",\"s\":\"t\",\"name\":", writer->out);
	put_title(writer, record);
	fprintf(writer->out, ",\"cat\":\"%s\",", info->name);
	put_place(writer, record->vp, record->vtl, ns);
	fputs(",\"args\":{", writer->out);
	for (size_t i = 0; i < 4; i++) {
		char text[TRACE_TEXT];

		if (!info->argument[i][0])
			continue;
		trace_value(text, sizeof(text), info->argument[i], record->argument[i]);
		fprintf(writer->out, "%s\"%s\":", comma, info->argument[i]);
		json_text(writer->out, text);
		comma = ",";
	}
	if (record->event == VSM_TRACE_INSTRUCTION) {
		struct trace_instruction instruction;
		char text[TRACE_TEXT];

		trace_instruction_read(&instruction, record);
		trace_instruction_text(text, sizeof(text), &instruction);
		fputs(",\"text\":", writer->out);
		json_text(writer->out, text);
	}
	fputs("}}", writer->out);
}

bool trace_write_perfetto(FILE *out, struct trace_file *file, const struct trace_filter *filter)
{
	struct writer writer = {.out = out};
	struct vsm_trace_record record;
	struct trace_track track;
	uint64_t ns = 0;

	writer.named = calloc(file->header.vps, sizeof(*writer.named));
	if (!writer.named)
		return false;
	if (!trace_track_init(&track, file->header.vps, begin_slice, end_slice, &writer)) {
		free(writer.named);
		return false;
	}
	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", out);
	trace_file_rewind(file);
	while (!ferror(out) && trace_file_next(file, &record)) {
		ns = trace_file_ns(file, record.tsc);
		trace_track_record(&track, &record, ns);
		if (trace_filter_selects(filter, &record, ns))
			put_instant(&writer, &record, ns);
	}
	trace_track_finish(&track, ns);
	fputs("\n]}\n", out);
	trace_track_destroy(&track);
	free(writer.named);
	return true;
}
