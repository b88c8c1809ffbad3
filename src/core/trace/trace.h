/* SPDX-License-Identifier: BSD-2-Clause */
/* The trace: the events of the table in vsm/trace.h, in a lock-free ring for each VP. */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

#include <vsm/trace.h>

#include "core/core.h"

/* Consumers of events: bits of partition->trace_on. */
enum {
	TRACE_TO_RING = 1,
	TRACE_TO_TAP = 2,
};

static inline bool trace_is_on(const struct vsm_partition *partition)
{
	return __builtin_expect(atomic_load_explicit(&partition->trace_on, memory_order_relaxed),
				0);
}

/* Records an event of the active VTL. Owner. */
void trace_write(struct vsm_vp *vp, enum vsm_trace_event event, uint64_t a, uint64_t b, uint64_t c,
		 uint64_t d);
/* Records an event about @vtl. Any thread. */
void trace_write_about(struct vsm_vp *vp, uint8_t vtl, enum vsm_trace_event event, uint64_t a,
		       uint64_t b, uint64_t c, uint64_t d);

/* To the ring only, even while tracing is off. */
void trace_write_ring(struct vsm_vp *vp, uint8_t vtl, enum vsm_trace_event event, uint64_t a,
		      uint64_t b, uint64_t c, uint64_t d);

static inline void trace(struct vsm_vp *vp, enum vsm_trace_event event, uint64_t a, uint64_t b,
			 uint64_t c, uint64_t d)
{
	if (trace_is_on(vp->partition))
		trace_write(vp, event, a, b, c, d);
}

static inline void trace_about(struct vsm_vp *vp, uint8_t vtl, enum vsm_trace_event event,
			       uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	if (trace_is_on(vp->partition))
		trace_write_about(vp, vtl, event, a, b, c, d);
}

/* Allocates a ring of @records, a power of two, if the VP has none. False: no memory. */
bool trace_make_ring(struct vsm_vp *vp, uint32_t records);
void trace_destroy(struct vsm_vp *vp);

#endif
