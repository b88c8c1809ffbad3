/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How often each event occurs, and how long each VTL ran on each VP. At most STATS_KINDS kinds are
 * distinguished, as a guest chooses MSRs and hypercall codes.
 */
#ifndef TOOL_TRACE_STATS_H
#define TOOL_TRACE_STATS_H

#include "trace/file.h"
#include "trace/track.h"

#define STATS_KINDS 4096u

enum stats_class {
	STATS_EVENT,
	STATS_ENTRY,	 /* of a VTL: from, to, reason */
	STATS_HYPERCALL, /* code and status */
	STATS_INTERCEPT, /* kind and access */
	STATS_MSR,	 /* that exited: index, write, fault */
	STATS_INTERRUPT, /* injected: VTL and vector */
	STATS_CLASSES,
};

struct stats_count {
	uint64_t key;	/* within the class; see stats_name() */
	uint64_t count; /* 0: unused */
	uint8_t class;
};

struct stats_share {
	uint64_t running; /* nanoseconds, without halted time */
	uint64_t halted;
	uint64_t entries; /* by VTL_ENTER or VTL_RETURN */
};

/* From the COUNTERS record at the end of the trace. */
struct stats_counters {
	bool known;
	uint64_t exits, switches, intercepts;
};

struct trace_stats {
	uint64_t records;
	uint64_t switches;
	uint64_t intercepts;
	uint64_t slices;
	uint64_t others; /* events of kinds beyond the limit */
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
void trace_stats_record(struct trace_stats *stats, const struct vsm_trace_record *record,
			uint64_t ns);
void trace_stats_finish(struct trace_stats *stats, uint64_t ns);

/* Sorts the counts for trace_stats_of(). No record can be added afterwards. */
void trace_stats_sort(struct trace_stats *stats);
size_t trace_stats_of(const struct trace_stats *stats, enum stats_class class,
		      const struct stats_count **first);

/* "hypercalls" */
const char *stats_class_name(enum stats_class class);
void stats_name(char *text, size_t size, const struct stats_count *count);

#endif
