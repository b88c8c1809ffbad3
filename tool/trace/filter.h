/* SPDX-License-Identifier: BSD-2-Clause */
/* Selection of records by VP, VTL, event and time. */
#ifndef TOOL_TRACE_FILTER_H
#define TOOL_TRACE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/file.h"

struct trace_filter {
	bool by_vp, by_vtl, by_event;
	uint32_t vp;
	uint8_t vtl;
	uint64_t events;   /* bit n: event number n */
	uint64_t from, to; /* nanoseconds since the first record, both included */
};

void trace_filter_init(struct trace_filter *filter);

/* These functions return NULL, or a description of the legal values, which begins with "takes". */
const char *trace_filter_vp(struct trace_filter *filter, const char *text);
const char *trace_filter_vtl(struct trace_filter *filter, const char *text);
const char *trace_filter_from(struct trace_filter *filter, const char *text);
const char *trace_filter_to(struct trace_filter *filter, const char *text);
/* Names separated by commas, with * and ? as in a shell. Adds to earlier names. */
const char *trace_filter_events(struct trace_filter *filter, const char *text);

bool trace_filter_selects(const struct trace_filter *filter, const struct vsm_trace_record *record,
			  uint64_t ns);

#endif
