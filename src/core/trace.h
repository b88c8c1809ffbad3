/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trace: every event that matters, from one table, into a lock-free ring for each VP.
 */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

#include "core/core.h"

/* number, name, meaning of the four arguments */
#define TRACE_EVENTS(X)                                         \
	X(1, VTL_ENTER, "from", "to", "reason", "rip")          \
	X(2, VTL_RETURN, "from", "to", "fast", "rip")           \
	X(3, VTL_ENABLE, "vtl", "vp", "mbec", "")               \
	X(4, HYPERCALL, "code", "control", "status", "reps")    \
	X(5, INTERCEPT_MEMORY, "to", "gpa", "access", "rip")    \
	X(6, INTERCEPT_MSR, "to", "msr", "write", "value")      \
	X(7, INTERCEPT_IO, "to", "port", "write", "size")       \
	X(8, INTERCEPT_CR, "to", "control", "value", "rip")     \
	X(9, PROTECT, "restricted", "gpn", "pages", "access")   \
	X(10, PROTECT_DEFAULT, "owner", "access", "", "")       \
	X(11, OVERLAY, "kind", "gpn", "mapped", "")             \
	X(12, INTERRUPT, "vtl", "vector", "", "")               \
	X(13, IPI, "vtl", "vector", "destination", "delivery")  \
	X(14, VINA, "vtl", "vector", "", "")                    \
	X(15, MESSAGE, "vtl", "sint", "type", "result")         \
	X(16, EVENT_FLAG, "vtl", "sint", "flag", "result")      \
	X(17, TIMER, "vtl", "timer", "due", "now")              \
	X(18, HALT, "vtl", "activity", "", "")                  \
	X(19, EXCEPTION, "vtl", "vector", "error", "parameter") \
	X(20, MSR_READ, "msr", "value", "fault", "")            \
	X(21, MSR_WRITE, "msr", "value", "fault", "")           \
	X(22, START, "vtl", "kind", "rip", "")                  \
	X(23, TLB_FLUSH, "vtl", "space", "flags", "vps")        \
	X(24, TLB_LOCK, "owner", "locked", "held", "")          \
	X(25, RESET, "", "", "", "")

enum trace_event {
#define TRACE_NUMBER(number, name, ...) TRACE_##name = number,
	TRACE_EVENTS(TRACE_NUMBER)
#undef TRACE_NUMBER
};

void trace_write(struct vsm_vp *vp, enum trace_event event, uint64_t a, uint64_t b, uint64_t c,
		 uint64_t d);

/* One predictable branch while tracing is off. */
static inline void trace(struct vsm_vp *vp, enum trace_event event, uint64_t a, uint64_t b,
			 uint64_t c, uint64_t d)
{
	if (__builtin_expect(atomic_load_explicit(&vp->partition->trace_on, memory_order_relaxed),
			     0))
		trace_write(vp, event, a, b, c, d);
}

void trace_destroy(struct vsm_vp *vp);

#endif
