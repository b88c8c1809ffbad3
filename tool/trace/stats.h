/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a trace counts to: how often each thing occurs, and how long each VTL had each processor.
 *
 * Things are told apart up to STATS_KINDS kinds (a guest chooses MSRs and hypercall codes); what comes
 * later than these is counted as "others".
 */
#ifndef TOOL_TRACE_STATS_H
#define TOOL_TRACE_STATS_H

#include "trace/file.h"
#include "trace/track.h"

#define STATS_KINDS 4096u /* a power of two */

enum stats_class {
	STATS_EVENT,
	STATS_ENTRY,	 /* of a VTL: from, to, reason */
	STATS_HYPERCALL, /* code and status */
	STATS_INTERCEPT, /* kind and access */
	STATS_MSR,	 /* that left the guest: index, write, fault */
	STATS_INTERRUPT, /* VTL and vector that were injected */
	STATS_CLASSES,
};

struct stats_count {
	uint64_t key;	/* within the class; see stats_name() */
	uint64_t count; /* 0: this place is free */
	uint8_t class;
};

/* One VTL of one processor. */
struct stats_share {
	uint64_t running; /* nanoseconds, without those it was halted */
	uint64_t halted;
	uint64_t entries; /* times it got the processor */
};

/* What the library counted for a processor, at the end of the trace. */
struct stats_counters {
	bool known;
	uint64_t exits, switches, intercepts;
};

struct trace_stats {
	uint64_t records; /* that were counted */
	uint64_t switches;
	uint64_t intercepts;
	uint64_t slices; /* of time that a VTL had a processor */
	uint64_t others; /* kinds that there was no room for */
	uint32_t vps;
	struct stats_share (*share)[TRACE_VTLS]; /* [vps] */
	struct stats_counters *counters;	 /* [vps] */
	struct trace_track track;
	uint32_t kinds;
	struct stats_count *table; /* [2 * STATS_KINDS], by hash */
};

/* False: no memory. */
bool trace_stats_init(struct trace_stats *stats, uint32_t vps);
void trace_stats_destroy(struct trace_stats *stats);
/* The next record in time. */
void trace_stats_record(struct trace_stats *stats, const struct vsm_trace_record *record,
			uint64_t ns);
void trace_stats_finish(struct trace_stats *stats, uint64_t ns);

/*
 * Sorts the table by class and, within one, the most frequent first; nothing can be added afterwards. The
 * counts of @class are then at *first, as many as are returned.
 */
void trace_stats_sort(struct trace_stats *stats);
size_t trace_stats_of(const struct trace_stats *stats, enum stats_class class,
		      const struct stats_count **first);

/* "hypercalls" */
const char *stats_class_name(enum stats_class class);
/* What was counted, in words. */
void stats_name(char *text, size_t size, const struct stats_count *count);
/* The key of an intercept: its event, and what it tried. */
uint64_t stats_intercept_key(const struct vsm_trace_record *record);

#endif
