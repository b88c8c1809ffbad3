/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The active VTL of each VP over time. After lost records the VTL of the next record counts as
 * active from that record on.
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
	uint64_t begin, end; /* nanoseconds; `end` is set when the slice has ended */
};

typedef void trace_slice_fn(void *opaque, const struct trace_slice *slice);

struct trace_track {
	trace_slice_fn *begin; /* NULL: no calls at the start of slices */
	trace_slice_fn *end;
	void *opaque;
	uint32_t vps;
	struct trace_slice *slice; /* [vps]: current slice of each VP */
	bool *is_open;		   /* [vps] */
};

/* False: no memory. */
bool trace_track_init(struct trace_track *track, uint32_t vps, trace_slice_fn *begin,
		      trace_slice_fn *end, void *opaque);
/* Slices that the record ends are reported before this returns. */
void trace_track_record(struct trace_track *track, const struct vsm_trace_record *record,
			uint64_t ns);
void trace_track_finish(struct trace_track *track, uint64_t ns);
void trace_track_destroy(struct trace_track *track);

#endif
