/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trace: every event that matters, of the table in vsm/trace.h, into a lock-free ring for each VP.
 */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

#include <vsm/trace.h>

#include "core/core.h"

void trace_write(struct vsm_vp *vp, enum vsm_trace_event event, uint64_t a, uint64_t b, uint64_t c,
		 uint64_t d);

/* One predictable branch while tracing is off. */
static inline void trace(struct vsm_vp *vp, enum vsm_trace_event event, uint64_t a, uint64_t b,
			 uint64_t c, uint64_t d)
{
	if (__builtin_expect(atomic_load_explicit(&vp->partition->trace_on, memory_order_relaxed),
			     0))
		trace_write(vp, event, a, b, c, d);
}

void trace_destroy(struct vsm_vp *vp);

#endif
