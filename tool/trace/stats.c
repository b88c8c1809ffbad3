/* SPDX-License-Identifier: BSD-2-Clause */
#include "stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "trace/names.h"

#define PLACES (2 * STATS_KINDS)

static uint32_t hash(uint8_t class, uint64_t key)
{
	/* A guest can choose keys that collide; STATS_KINDS limits their number. */
	return (uint32_t)(((key ^ (uint64_t) class << 56) * UINT64_C(0x9e3779b97f4a7c15)) >> 32) %
	       PLACES;
}

static void count(struct trace_stats *stats, enum stats_class class, uint64_t key)
{
	for (uint32_t at = hash((uint8_t) class, key);; at = (at + 1) % PLACES) {
		struct stats_count *place = &stats->table[at];

		if (place->count && (place->class != class || place->key != key))
			continue;
		if (!place->count) {
			if (stats->kinds == STATS_KINDS) {
				stats->others++;
				return;
			}
			stats->kinds++;
			place->class = (uint8_t) class;
			place->key = key;
		}
		place->count++;
		return;
	}
}

/* Flags in keys of STATS_MSR. */
#define MSR_WRITES UINT64_C(0x100000000)
#define MSR_FAULTS UINT64_C(0x200000000)

/* The access type (memory), whether it writes (MSR, I/O), or the register (CR). */
static uint64_t intercept_detail(const struct vsm_trace_record *record)
{
	switch (record->event) {
	case VSM_TRACE_INTERCEPT_MEMORY:
	case VSM_TRACE_INTERCEPT_MSR:
	case VSM_TRACE_INTERCEPT_IO:
		return record->argument[2];
	case VSM_TRACE_INTERCEPT_CR:
		return record->argument[1];
	default:
		return 0;
	}
}

static void count_record(struct trace_stats *stats, const struct vsm_trace_record *record)
{
	const uint64_t *a = record->argument;

	count(stats, STATS_EVENT, record->event);
	switch (record->event) {
	case VSM_TRACE_VTL_ENTER:
		count(stats, STATS_ENTRY,
		      (a[0] & 0xff) << 40 | (a[1] & 0xff) << 32 | (uint32_t)a[2]);
		stats->switches++;
		break;
	case VSM_TRACE_VTL_RETURN:
		stats->switches++;
		break;
	case VSM_TRACE_HYPERCALL:
		count(stats, STATS_HYPERCALL, (uint64_t)(uint16_t)a[0] << 16 | (uint16_t)a[2]);
		break;
	case VSM_TRACE_INTERCEPT_MEMORY:
	case VSM_TRACE_INTERCEPT_MSR:
	case VSM_TRACE_INTERCEPT_IO:
	case VSM_TRACE_INTERCEPT_CR:
		count(stats, STATS_INTERCEPT,
		      (uint64_t)record->event << 32 | (uint32_t)intercept_detail(record));
		stats->intercepts++;
		break;
	case VSM_TRACE_MSR_READ:
	case VSM_TRACE_MSR_WRITE:
		count(stats, STATS_MSR,
		      (uint32_t)a[0] | (record->event == VSM_TRACE_MSR_WRITE ? MSR_WRITES : 0) |
			      (a[2] ? MSR_FAULTS : 0));
		break;
	case VSM_TRACE_INTERRUPT:
		count(stats, STATS_INTERRUPT, (a[0] & 0xff) << 32 | (uint32_t)a[1]);
		break;
	case VSM_TRACE_COUNTERS:
		stats->counters[record->vp] = (struct stats_counters){true, a[0], a[1], a[2]};
		break;
	default:
		break;
	}
}

static void add_slice(void *opaque, const struct trace_slice *slice)
{
	struct trace_stats *stats = opaque;
	struct stats_share *share = &stats->share[slice->vp][slice->vtl];

	stats->slices++;
	*(slice->halted ? &share->halted : &share->running) += slice->end - slice->begin;
}

bool trace_stats_init(struct trace_stats *stats, uint32_t vps)
{
	*stats = (struct trace_stats){.vps = vps};
	stats->share = calloc(vps, sizeof(*stats->share));
	stats->counters = calloc(vps, sizeof(*stats->counters));
	stats->table = calloc(PLACES, sizeof(*stats->table));
	if (stats->share && stats->counters && stats->table &&
	    trace_track_init(&stats->track, vps, NULL, add_slice, stats))
		return true;
	trace_stats_destroy(stats);
	return false;
}

void trace_stats_destroy(struct trace_stats *stats)
{
	trace_track_destroy(&stats->track);
	free(stats->share);
	free(stats->counters);
	free(stats->table);
	*stats = (struct trace_stats){0};
}

void trace_stats_record(struct trace_stats *stats, const struct vsm_trace_record *record,
			uint64_t ns)
{
	stats->records++;
	count_record(stats, record);
	trace_track_record(&stats->track, record, ns);
	if ((record->event == VSM_TRACE_VTL_ENTER || record->event == VSM_TRACE_VTL_RETURN) &&
	    record->argument[1] < TRACE_VTLS)
		stats->share[record->vp][record->argument[1]].entries++;
}

void trace_stats_finish(struct trace_stats *stats, uint64_t ns)
{
	trace_track_finish(&stats->track, ns);
}

static int compare(const void *x, const void *y)
{
	const struct stats_count *a = x, *b = y;

	if (a->class != b->class)
		return a->class < b->class ? -1 : 1;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a->key < b->key ? -1 : a->key > b->key;
}

void trace_stats_sort(struct trace_stats *stats)
{
	uint32_t used = 0;

	for (uint32_t at = 0; at < PLACES; at++)
		if (stats->table[at].count)
			stats->table[used++] = stats->table[at];
	qsort(stats->table, used, sizeof(*stats->table), compare);
}

size_t trace_stats_of(const struct trace_stats *stats, enum stats_class class,
		      const struct stats_count **first)
{
	size_t begin = 0, end;

	while (begin < stats->kinds && stats->table[begin].class < class)
		begin++;
	for (end = begin; end < stats->kinds && stats->table[end].class == class; end++)
		;
	*first = &stats->table[begin];
	return end - begin;
}

const char *stats_class_name(enum stats_class class)
{
	static const char *const names[STATS_CLASSES] = {
		[STATS_EVENT] = "events",	  [STATS_ENTRY] = "VTL entries",
		[STATS_HYPERCALL] = "hypercalls", [STATS_INTERCEPT] = "intercepts",
		[STATS_MSR] = "MSR accesses",	  [STATS_INTERRUPT] = "interrupts",
	};

	return class < STATS_CLASSES ? names[class] : "?";
}

static void name_intercept(char *text, size_t size, uint64_t key)
{
	const uint16_t event = (uint16_t)(key >> 32);
	char detail[TRACE_TEXT];

	trace_value(detail, sizeof(detail),
		    trace_event(event)->argument[event == VSM_TRACE_INTERCEPT_CR ? 1 : 2],
		    (uint32_t)key);
	snprintf(text, size, "%s %s", trace_event(event)->name, detail);
}

void stats_name(char *text, size_t size, const struct stats_count *count)
{
	const uint64_t key = count->key;
	char a[TRACE_TEXT], b[TRACE_TEXT];

	switch ((enum stats_class)count->class) {
	case STATS_EVENT:
		snprintf(text, size, "%s", trace_event((uint16_t)key)->name);
		return;
	case STATS_ENTRY:
		trace_value(a, sizeof(a), "reason", (uint32_t)key);
		snprintf(text, size, "VTL%u to VTL%u: %s", (unsigned int)(key >> 40 & 0xff),
			 (unsigned int)(key >> 32 & 0xff), a);
		return;
	case STATS_HYPERCALL:
		trace_hypercall_name(a, sizeof(a), key >> 16);
		trace_status_name(b, sizeof(b), key & 0xffff);
		snprintf(text, size, "%s: %s", a, b);
		return;
	case STATS_INTERCEPT:
		name_intercept(text, size, key);
		return;
	case STATS_MSR:
		trace_msr_name(a, sizeof(a), (uint32_t)key);
		snprintf(text, size, "%s %s%s", key & MSR_WRITES ? "write" : "read", a,
			 key & MSR_FAULTS ? ", with a fault" : "");
		return;
	case STATS_INTERRUPT:
		snprintf(text, size, "VTL%u vector 0x%02x", (unsigned int)(key >> 32),
			 (unsigned int)(uint32_t)key);
		return;
	case STATS_CLASSES:
		break;
	}
	snprintf(text, size, "?");
}
