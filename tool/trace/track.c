/* SPDX-License-Identifier: BSD-2-Clause */
#include "track.h"

#include <stdlib.h>

#include <vsm/trace.h>

#include "trace/names.h"

bool trace_track_init(struct trace_track *track, uint32_t vps, trace_slice_fn *begin,
		      trace_slice_fn *end, void *opaque)
{
	*track = (struct trace_track){.begin = begin, .end = end, .opaque = opaque, .vps = vps};
	track->slice = calloc(vps, sizeof(*track->slice));
	track->is_open = calloc(vps, sizeof(*track->is_open));
	if (track->slice && track->is_open)
		return true;
	trace_track_destroy(track);
	return false;
}

void trace_track_destroy(struct trace_track *track)
{
	free(track->slice);
	free(track->is_open);
	*track = (struct trace_track){0};
}

static void end_slice(struct trace_track *track, uint32_t vp, uint64_t ns)
{
	struct trace_slice *slice = &track->slice[vp];

	if (!track->is_open[vp])
		return;
	track->is_open[vp] = false;
	slice->end = ns;
	if (track->end)
		track->end(track->opaque, slice);
}

static void enter(struct trace_track *track, uint32_t vp, uint8_t vtl, bool halted, uint64_t ns)
{
	struct trace_slice *slice = &track->slice[vp];

	if (track->is_open[vp] && slice->vtl == vtl && slice->halted == halted)
		return;
	end_slice(track, vp, ns);
	*slice = (struct trace_slice){vp, vtl, halted, ns, ns};
	track->is_open[vp] = true;
	if (track->begin)
		track->begin(track->opaque, slice);
}

void trace_track_record(struct trace_track *track, const struct vsm_trace_record *record,
			uint64_t ns)
{
	const uint64_t from = record->argument[0], to = record->argument[1];

	switch (record->event) {
	case VSM_TRACE_VTL_ENTER:
	case VSM_TRACE_VTL_RETURN:
		if (from >= TRACE_VTLS || to >= TRACE_VTLS)
			return;
		enter(track, record->vp, (uint8_t)from, false, ns);
		enter(track, record->vp, (uint8_t)to, false, ns);
		break;
	case VSM_TRACE_HALT:
		enter(track, record->vp, record->vtl, true, ns);
		break;
	case VSM_TRACE_RESET:
		for (uint32_t vp = 0; vp < track->vps; vp++)
			end_slice(track, vp, ns);
		break;
	default:
		if (!trace_is_own(record->event))
			break;
		enter(track, record->vp, record->vtl, false, ns);
		break;
	}
}

void trace_track_finish(struct trace_track *track, uint64_t ns)
{
	for (uint32_t vp = 0; vp < track->vps; vp++)
		end_slice(track, vp, ns);
}
