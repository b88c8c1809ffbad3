/* SPDX-License-Identifier: BSD-2-Clause */
#include "timeline.h"

#include <stdlib.h>

#include <vsm/trace.h>

#include "trace/names.h"

/* States of a VP: a VTL, running or halted; or unknown. */
#define STATES	(2u * TRACE_VTLS + 1u)
#define NOTHING (2u * TRACE_VTLS)

struct timeline_lane {
	struct pack slices; /* duration * 64 + state, contiguous from time 0 */
	uint64_t written;   /* nanoseconds covered by `slices` and `last` */
	uint64_t last;	    /* nanoseconds of the last slice, not yet written */
	uint8_t last_state;
	uint64_t cell[STATES]; /* nanoseconds by state in the current cell */
	uint64_t in_cell;

	struct pack marks[TIMELINE_KINDS]; /* time since the last mark, label, count */
	uint64_t mark_time[TIMELINE_KINDS];
	uint64_t mark_cell[TIMELINE_KINDS]; /* number of the current cell */
	uint64_t mark_count[TIMELINE_KINDS];
	uint32_t mark_label[TIMELINE_KINDS];
};

static void write_last(struct timeline_lane *lane)
{
	if (lane->last)
		pack_add(&lane->slices, lane->last << 6 | lane->last_state);
	lane->last = 0;
}

static void append(struct timeline_lane *lane, uint8_t state, uint64_t ns)
{
	if (!ns)
		return;
	if (state != lane->last_state)
		write_last(lane);
	lane->last_state = state;
	lane->last += ns;
}

static void flush_cell(struct timeline_lane *lane)
{
	for (unsigned int state = 0; state < STATES; state++) {
		append(lane, (uint8_t)state, lane->cell[state]);
		lane->cell[state] = 0;
	}
	lane->in_cell = 0;
}

static void add_time(const struct timeline *timeline, struct timeline_lane *lane, uint8_t state,
		     uint64_t ns)
{
	const uint64_t cell = timeline->slice_cell;

	lane->written += ns;
	if (!cell) {
		append(lane, state, ns);
		return;
	}
	while (ns) {
		uint64_t part = cell - lane->in_cell;

		if (!lane->in_cell && ns >= cell)
			part = ns / cell * cell;
		part = part < ns ? part : ns;
		lane->cell[state] += part;
		lane->in_cell += part;
		ns -= part;
		if (lane->in_cell >= cell)
			flush_cell(lane);
	}
}

static void add_slice(void *opaque, const struct trace_slice *slice)
{
	struct timeline *timeline = opaque;
	struct timeline_lane *lane = &timeline->lane[slice->vp];

	if (slice->begin > lane->written)
		add_time(timeline, lane, NOTHING, slice->begin - lane->written);
	if (slice->end > lane->written)
		add_time(timeline, lane, (uint8_t)(2 * slice->vtl + slice->halted),
			 slice->end - lane->written);
}

int timeline_kind(const struct vsm_trace_record *record)
{
	switch (record->event) {
	case VSM_TRACE_INTERCEPT_MEMORY:
	case VSM_TRACE_INTERCEPT_MSR:
	case VSM_TRACE_INTERCEPT_IO:
	case VSM_TRACE_INTERCEPT_CR:
		return TIMELINE_INTERCEPT;
	case VSM_TRACE_HYPERCALL:
		return TIMELINE_HYPERCALL;
	case VSM_TRACE_INTERRUPT:
	case VSM_TRACE_VINA:
	case VSM_TRACE_EXCEPTION:
		return TIMELINE_INTERRUPT;
	case VSM_TRACE_PROTECT:
	case VSM_TRACE_PROTECT_DEFAULT:
		return TIMELINE_PROTECTION;
	default:
		return -1;
	}
}

static uint64_t label_key(const struct vsm_trace_record *record)
{
	uint64_t number = 0;

	if (record->event == VSM_TRACE_HYPERCALL)
		number = (uint16_t)record->argument[0];
	else if (record->event == VSM_TRACE_INTERRUPT || record->event == VSM_TRACE_VINA ||
		 record->event == VSM_TRACE_EXCEPTION)
		number = (uint8_t)record->argument[1];
	else if (record->event == VSM_TRACE_INTERCEPT_MEMORY)
		number = (uint8_t)record->argument[2];
	return (uint64_t)record->event << 32 | number;
}

/* 0: "several". */
static uint32_t label_of(struct timeline *timeline, const struct vsm_trace_record *record)
{
	const uint64_t key = label_key(record);
	uint32_t i = 1;

	while (i < timeline->labels && timeline->label[i] != key)
		i++;
	if (i == TIMELINE_LABELS)
		return 0;
	if (i == timeline->labels)
		timeline->label[timeline->labels++] = key;
	return i;
}

static void write_mark(struct timeline_lane *lane, int kind, uint64_t ns)
{
	pack_add(&lane->marks[kind], ns - lane->mark_time[kind]);
	pack_add(&lane->marks[kind], lane->mark_label[kind]);
	pack_add(&lane->marks[kind], lane->mark_count[kind]);
	lane->mark_time[kind] = ns;
	lane->mark_count[kind] = 0;
}

static void add_mark(struct timeline *timeline, struct timeline_lane *lane, int kind,
		     uint32_t label, uint64_t ns)
{
	const uint64_t cell = timeline->mark_cell;

	if (!cell) {
		lane->mark_label[kind] = label;
		lane->mark_count[kind] = 1;
		write_mark(lane, kind, ns);
		return;
	}
	if (lane->mark_count[kind] && lane->mark_cell[kind] != ns / cell)
		write_mark(lane, kind, lane->mark_cell[kind] * cell);
	/* Different labels in one cell become "several". */
	if (!lane->mark_count[kind])
		lane->mark_label[kind] = label;
	else if (lane->mark_label[kind] != label)
		lane->mark_label[kind] = 0;
	lane->mark_cell[kind] = ns / cell;
	lane->mark_count[kind]++;
}

/*
 * Returns the cell length with which at most @limit entries remain, at @each entries per cell and
 * VP; 0 if @count entries fit without cells.
 */
static uint64_t cell_for(uint64_t count, uint64_t limit, uint64_t each, uint32_t vps,
			 uint64_t duration)
{
	const uint64_t cells = limit / (each * vps);

	return count <= limit ? 0 : duration / (cells ? cells : 1) + 1;
}

bool timeline_init(struct timeline *timeline, uint32_t vps, uint64_t duration, uint64_t slices,
		   uint64_t marks)
{
	*timeline = (struct timeline){
		.vps = vps,
		.duration = duration,
		.labels = 1,
		/* 4 entries per cell: most guests have two VTLs, each running or halted. */
		.slice_cell = cell_for(slices, TIMELINE_SLICES, 4, vps, duration),
		.mark_cell = cell_for(marks, TIMELINE_MARKS, TIMELINE_KINDS, vps, duration),
	};
	timeline->lane = calloc(vps, sizeof(*timeline->lane));
	if (timeline->lane && trace_track_init(&timeline->track, vps, NULL, add_slice, timeline))
		return true;
	timeline_destroy(timeline);
	return false;
}

void timeline_record(struct timeline *timeline, const struct vsm_trace_record *record, uint64_t ns)
{
	const int kind = timeline_kind(record);

	trace_track_record(&timeline->track, record, ns);
	if (kind >= 0)
		add_mark(timeline, &timeline->lane[record->vp], kind, label_of(timeline, record),
			 ns);
}

bool timeline_finish(struct timeline *timeline)
{
	bool whole = true;

	trace_track_finish(&timeline->track, timeline->duration);
	for (uint32_t vp = 0; vp < timeline->vps; vp++) {
		struct timeline_lane *lane = &timeline->lane[vp];

		flush_cell(lane);
		write_last(lane);
		whole = whole && !lane->slices.failed;
		for (int kind = 0; kind < TIMELINE_KINDS; kind++) {
			if (timeline->mark_cell && lane->mark_count[kind])
				write_mark(lane, kind, lane->mark_cell[kind] * timeline->mark_cell);
			whole = whole && !lane->marks[kind].failed;
		}
	}
	return whole;
}

static void label_json(struct json *json, uint64_t key)
{
	const uint16_t event = (uint16_t)(key >> 32);
	const uint64_t number = (uint32_t)key;
	char text[TRACE_TEXT], name[TRACE_TEXT + 64];

	if (event == VSM_TRACE_HYPERCALL) {
		trace_hypercall_name(name, sizeof(name), number);
	} else if (event == VSM_TRACE_INTERCEPT_MEMORY) {
		trace_access_name(text, sizeof(text), number);
		snprintf(name, sizeof(name), "%s %s", trace_event(event)->name, text);
	} else if (timeline_kind(&(struct vsm_trace_record){.event = event}) ==
		   TIMELINE_INTERRUPT) {
		snprintf(name, sizeof(name), "%s 0x%02x", trace_event(event)->name,
			 (unsigned int)number);
	} else {
		snprintf(name, sizeof(name), "%s", trace_event(event)->name);
	}
	json_put_string(json, NULL, name);
}

void timeline_json(struct json *json, const struct timeline *timeline)
{
	static const char *const kinds[TIMELINE_KINDS] = {"intercepts", "hypercalls", "interrupts",
							  "protections"};

	json_open(json, "timeline", '{');
	json_put_unsigned(json, "sliceCell", timeline->slice_cell);
	json_put_unsigned(json, "markCell", timeline->mark_cell);
	json_open(json, "labels", '[');
	json_put_string(json, NULL, "several");
	for (uint32_t i = 1; i < timeline->labels; i++)
		label_json(json, timeline->label[i]);
	json_close(json, ']');
	json_open(json, "lanes", '[');
	for (uint32_t vp = 0; vp < timeline->vps; vp++) {
		const struct timeline_lane *lane = &timeline->lane[vp];

		if (!lane->slices.size)
			continue;
		json_open(json, NULL, '{');
		json_put_unsigned(json, "vp", vp);
		pack_json(json, "slices", &lane->slices);
		for (int kind = 0; kind < TIMELINE_KINDS; kind++)
			pack_json(json, kinds[kind], &lane->marks[kind]);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_close(json, '}');
}

void timeline_destroy(struct timeline *timeline)
{
	for (uint32_t vp = 0; timeline->lane && vp < timeline->vps; vp++) {
		pack_free(&timeline->lane[vp].slices);
		for (int kind = 0; kind < TIMELINE_KINDS; kind++)
			pack_free(&timeline->lane[vp].marks[kind]);
	}
	free(timeline->lane);
	trace_track_destroy(&timeline->track);
	*timeline = (struct timeline){0};
}
