/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which VTL had each processor, and when: slices of time, made from the records as they come.
 *
 * A slice begins where the one before it ended. Where records were lost, the VTL that the next record
 * names has the processor from that record on.
 */
#ifndef TOOL_TRACE_TRACK_H
#define TOOL_TRACE_TRACK_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/file.h"

struct trace_slice {
	uint32_t vp;
	uint8_t vtl;
	bool halted;	     /* from HLT or the idle MSR until the processor's next event */
	uint64_t begin, end; /* nanoseconds; `end` is not known before the slice has ended */
};

typedef void trace_slice_fn(void *opaque, const struct trace_slice *slice);

struct trace_track {
	trace_slice_fn *begin; /* NULL: not called */
	trace_slice_fn *end;
	void *opaque;
	uint32_t vps;
	struct trace_slice *slice; /* [vps]: the one each processor is in */
	bool *is_open;		   /* [vps] */
};

/* False: no memory. */
bool trace_track_init(struct trace_track *track, uint32_t vps, trace_slice_fn *begin,
		      trace_slice_fn *end, void *opaque);
/* The next record in time; it happened at @ns. What it ends, ends before this returns. */
void trace_track_record(struct trace_track *track, const struct vsm_trace_record *record,
			uint64_t ns);
/* Ends all slices at @ns. */
void trace_track_finish(struct trace_track *track, uint64_t ns);
void trace_track_destroy(struct trace_track *track);

#endif
