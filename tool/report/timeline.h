/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The active VTL of each VP, and marks for events. Beyond a bound, time is divided into cells,
 * which keep only the time per state and, of each kind, the number of marks and the label that all
 * share.
 */
#ifndef TOOL_REPORT_TIMELINE_H
#define TOOL_REPORT_TIMELINE_H

#include "json.h"
#include "report/pack.h"
#include "trace/file.h"
#include "trace/track.h"

#define TIMELINE_SLICES 400000u
#define TIMELINE_MARKS	200000u
/* Further labels are label 0, "several". */
#define TIMELINE_LABELS 1024u

enum timeline_kind {
	TIMELINE_INTERCEPT,
	TIMELINE_HYPERCALL,
	TIMELINE_INTERRUPT,
	TIMELINE_PROTECTION,
	TIMELINE_KINDS,
};

struct timeline_lane;

struct timeline {
	uint32_t vps;
	uint64_t duration;
	uint64_t slice_cell; /* nanoseconds; 0: slices are exact */
	uint64_t mark_cell;
	struct timeline_lane *lane; /* [vps] */
	struct trace_track track;
	uint32_t labels;
	uint64_t label[TIMELINE_LABELS]; /* event and number: label_key() */
};

/* -1: no mark. */
int timeline_kind(const struct vsm_trace_record *record);

/* @slices, @marks: their number on all processors. False: no memory. */
bool timeline_init(struct timeline *timeline, uint32_t vps, uint64_t duration, uint64_t slices,
		   uint64_t marks);
void timeline_record(struct timeline *timeline, const struct vsm_trace_record *record, uint64_t ns);
/* False: no memory. */
bool timeline_finish(struct timeline *timeline);
void timeline_json(struct json *json, const struct timeline *timeline);
void timeline_destroy(struct timeline *timeline);

#endif
