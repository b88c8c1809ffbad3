/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trace rings: for each VP one writer at a time, and one reader. Old records are overwritten.
 *
 * A writer that finds the ring busy retries for some hundred nanoseconds, the time of one write,
 * and then drops its record: no VP waits for a thread that the host has descheduled.
 *
 * A record is written between two increments of its slot's sequence number, which is odd meanwhile.
 * A reader that finds an odd or changed number discards its copy.
 */
#include <stdlib.h>
#include <string.h>

#include "core/trace/trace.h"
#include "core/vp/vp.h"

#define ENTER_TRIES 64u

struct trace_slot {
	_Atomic uint64_t sequence; /* 2 * (position + 1) once position's record is complete */
	_Atomic uint64_t word[sizeof(struct vsm_trace_record) / sizeof(uint64_t)];
};

struct trace_ring {
	uint64_t mask;		  /* number of slots - 1 */
	_Atomic bool busy;	  /* has a writer */
	_Atomic uint64_t dropped; /* dropped records that the reader has not counted */
	_Atomic uint64_t head;	  /* position of the next record */
	/* position of the next record to read, which only the reader accesses */
	uint64_t tail;
	struct trace_slot slot[];
};

/* False: the ring remained busy. */
static bool ring_enter(struct trace_ring *ring)
{
	for (unsigned int i = 0; i < ENTER_TRIES; i++) {
		if (!atomic_exchange_explicit(&ring->busy, true, memory_order_acquire))
			return true;
		__builtin_ia32_pause();
	}
	atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
	return false;
}

static void ring_write(struct trace_ring *ring, const struct vsm_trace_record *record)
{
	uint64_t word[sizeof(*record) / sizeof(uint64_t)];
	struct trace_slot *slot;
	uint64_t position;

	if (!ring_enter(ring))
		return;
	memcpy(word, record, sizeof(*record));
	position = atomic_load_explicit(&ring->head, memory_order_relaxed);
	slot = &ring->slot[position & ring->mask];
	atomic_store_explicit(&slot->sequence, 2 * position + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < ARRAY_SIZE(word); i++)
		atomic_store_explicit(&slot->word[i], word[i], memory_order_relaxed);
	atomic_store_explicit(&slot->sequence, 2 * position + 2, memory_order_release);
	atomic_store_explicit(&ring->head, position + 1, memory_order_release);
	atomic_store_explicit(&ring->busy, false, memory_order_release);
}

void trace_write(struct vsm_vp *vp, enum vsm_trace_event event, uint64_t a, uint64_t b, uint64_t c,
		 uint64_t d)
{
	trace_write_about(vp, vp->active_vtl, event, a, b, c, d);
}

static struct vsm_trace_record make_record(const struct vsm_vp *vp, uint8_t vtl,
					   enum vsm_trace_event event, uint64_t a, uint64_t b,
					   uint64_t c, uint64_t d)
{
	return (struct vsm_trace_record){
		.tsc = vp_tsc(vp->partition),
		.vp = vp->index,
		.event = (uint16_t)event,
		.vtl = vtl,
		.argument = {a, b, c, d},
	};
}

void trace_write_about(struct vsm_vp *vp, uint8_t vtl, enum vsm_trace_event event, uint64_t a,
		       uint64_t b, uint64_t c, uint64_t d)
{
	const struct vsm_partition *partition = vp->partition;
	const uint8_t on = atomic_load_explicit(&partition->trace_on, memory_order_acquire);
	struct trace_ring *ring = on & TRACE_TO_RING ? vp->trace : NULL;
	const bool tapped = (on & TRACE_TO_TAP) && (partition->tap_events >> event & 1);
	struct vsm_trace_record record;

	if (!ring && !tapped)
		return;
	record = make_record(vp, vtl, event, a, b, c, d);
	if (ring)
		ring_write(ring, &record);
	if (tapped)
		partition->tap(partition->tap_opaque, &record);
}

void trace_write_ring(struct vsm_vp *vp, uint8_t vtl, enum vsm_trace_event event, uint64_t a,
		      uint64_t b, uint64_t c, uint64_t d)
{
	const struct vsm_trace_record record = make_record(vp, vtl, event, a, b, c, d);

	if (vp->trace)
		ring_write(vp->trace, &record);
}

void vsm_trace_tap(struct vsm_partition *partition, uint64_t events, vsm_trace_fn *function,
		   void *opaque)
{
	partition->tap = function;
	partition->tap_opaque = opaque;
	partition->tap_events = events;
	if (function)
		atomic_fetch_or(&partition->trace_on, TRACE_TO_TAP);
	else
		atomic_fetch_and(&partition->trace_on, (uint8_t)~TRACE_TO_TAP);
}

bool trace_make_ring(struct vsm_vp *vp, uint32_t records)
{
	struct trace_ring *ring;

	/*
	 * An existing ring is kept until the partition is destroyed: its VP may be about to write.
	 */
	if (vp->trace)
		return true;
	ring = calloc(1, sizeof(*ring) + records * sizeof(struct trace_slot));
	if (!ring)
		return false;
	ring->mask = records - 1;
	__atomic_store_n(&vp->trace, ring, __ATOMIC_RELEASE);
	return true;
}

size_t vsm_trace_read(struct vsm_vp *vp, struct vsm_trace_record *record, size_t count,
		      uint64_t *lost)
{
	struct trace_ring *ring = __atomic_load_n(&vp->trace, __ATOMIC_ACQUIRE);
	size_t taken = 0;
	uint64_t head;

	*lost = 0;
	if (!ring)
		return 0;
	*lost = atomic_exchange_explicit(&ring->dropped, 0, memory_order_relaxed);
	head = atomic_load_explicit(&ring->head, memory_order_acquire);
	if (head - ring->tail > ring->mask + 1) {
		*lost += head - ring->tail - (ring->mask + 1);
		ring->tail = head - (ring->mask + 1);
	}
	while (taken < count && ring->tail != head) {
		struct trace_slot *slot = &ring->slot[ring->tail & ring->mask];
		uint64_t complete = 2 * ring->tail + 2;
		uint64_t word[sizeof(*record) / sizeof(uint64_t)];
		uint64_t sequence = atomic_load_explicit(&slot->sequence, memory_order_acquire);

		for (size_t i = 0; i < ARRAY_SIZE(word); i++)
			word[i] = atomic_load_explicit(&slot->word[i], memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		ring->tail++;
		if (sequence != complete ||
		    atomic_load_explicit(&slot->sequence, memory_order_relaxed) != complete) {
			++*lost;
			continue;
		}
		memcpy(&record[taken++], word, sizeof(*record));
	}
	return taken;
}

const char *vsm_trace_event_name(uint16_t event)
{
	switch (event) {
#define TRACE_NAME(number, name, ...) \
	case number:                  \
		return #name;
		VSM_TRACE_EVENTS(TRACE_NAME)
#undef TRACE_NAME
	default:
		return "?";
	}
}

void trace_destroy(struct vsm_vp *vp)
{
	free(vp->trace);
	vp->trace = NULL;
}
