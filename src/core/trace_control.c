/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A trace begins with the state of the partition, which a reader cannot derive from events, and
 * ends with the counters of the VPs.
 */
#include <errno.h>

#include "core/memory/protect.h"
#include "core/memory/protection_map.h"
#include "core/trace/trace.h"
#include "core/vp/vp.h"

struct writer {
	struct vsm_vp *vp;
	uint32_t left; /* records that may still be written */
	uint8_t owner;
	uint8_t restricted;
};

static void write_one(struct writer *writer, uint8_t vtl, enum vsm_trace_event event, uint64_t a,
		      uint64_t b, uint64_t c, uint64_t d)
{
	if (!writer->left)
		return;
	writer->left--;
	trace_write_ring(writer->vp, vtl, event, a, b, c, d);
}

static void write_run(void *opaque, uint64_t gpn, uint64_t pages, uint8_t access)
{
	struct writer *writer = opaque;

	write_one(writer, writer->owner, VSM_TRACE_PROTECT, writer->restricted, gpn, pages, access);
}

/* One record for the default, which is the same for all restricted VTLs. */
static void write_default(const struct vsm_partition *partition, struct writer *writer)
{
	for (unsigned int vtl = 0; vtl < writer->owner; vtl++) {
		const struct protection_map *map = partition->memory.map[writer->owner][vtl];

		if (!map || protection_map_default(map) == GPA_ALL)
			continue;
		write_one(writer, writer->owner, VSM_TRACE_PROTECT_DEFAULT, writer->owner,
			  protection_map_default(map), 0, 0);
		return;
	}
}

/* Writes at most @limit records, to VP 0's ring. */
static void write_state(struct vsm_partition *partition, uint32_t limit)
{
	struct memory *memory = &partition->memory;
	struct writer writer = {.vp = partition->vp[0], .left = limit};

	pthread_rwlock_rdlock(&memory->lock);
	for (uint32_t i = 0; i < memory->region_count; i++)
		write_one(&writer, 0, VSM_TRACE_MEMORY, memory->region[i].gpn,
			  memory->region[i].pages, 0, 0);
	for (unsigned int owner = 1; owner < partition->vtl_count; owner++) {
		writer.owner = (uint8_t)owner;
		write_default(partition, &writer);
		for (unsigned int vtl = 0; vtl < owner; vtl++) {
			writer.restricted = (uint8_t)vtl;
			protect_each(partition, writer.owner, writer.restricted, write_run,
				     &writer);
		}
	}
	pthread_rwlock_unlock(&memory->lock);
}

int vsm_trace_start(struct vsm_partition *partition, uint32_t records)
{
	if (records < 2 || (records & (records - 1)) || records > (1u << 24))
		return vsm_error(&partition->log, EINVAL,
				 "trace: %u records: not a power of two from 2 to %u", records,
				 1u << 24);
	for (uint32_t i = 0; i < partition->vp_count; i++)
		if (!trace_make_ring(partition->vp[i], records))
			return vsm_error(&partition->log, ENOMEM,
					 "trace: no memory for the ring of VP %u", i);
	/* Half of the ring is left for events before the first read. */
	if (!(atomic_load(&partition->trace_on) & TRACE_TO_RING))
		write_state(partition, records / 2);
	atomic_fetch_or(&partition->trace_on, TRACE_TO_RING);
	return 0;
}

void vsm_trace_stop(struct vsm_partition *partition)
{
	struct vsm_counters counters;

	if (!(atomic_fetch_and(&partition->trace_on, (uint8_t)~TRACE_TO_RING) & TRACE_TO_RING))
		return;
	for (uint32_t i = 0; i < partition->vp_count; i++) {
		vsm_vp_counters(partition->vp[i], &counters);
		trace_write_ring(partition->vp[i], 0, VSM_TRACE_COUNTERS, counters.exits,
				 counters.vtl_switches, counters.intercepts, 0);
	}
}
