/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The events of a trace: X(number, name, meaning of the four arguments). A number never changes its
 * meaning, and an argument's name defines its format (docs/trace.md).
 */
#ifndef VSM_TRACE_H
#define VSM_TRACE_H

/* clang-format off */

#define VSM_TRACE_EVENTS(X) \
	X(1,  VTL_ENTER,        "from", "to", "reason", "rip") \
	X(2,  VTL_RETURN,       "from", "to", "fast", "rip") \
	X(3,  VTL_ENABLE,       "vtl", "vp", "mbec", "") \
	X(4,  HYPERCALL,        "code", "control", "status", "reps") \
	X(5,  INTERCEPT_MEMORY, "to", "gpa", "access", "rip") \
	X(6,  INTERCEPT_MSR,    "to", "msr", "write", "value") \
	X(7,  INTERCEPT_IO,     "to", "port", "write", "size") \
	X(8,  INTERCEPT_CR,     "to", "register", "value", "rip") \
	X(9,  PROTECT,          "restricted", "gpn", "pages", "access") \
	X(10, PROTECT_DEFAULT,  "owner", "access", "", "") \
	X(11, OVERLAY,          "overlay", "gpn", "mapped", "") \
	X(12, INTERRUPT,        "vtl", "vector", "", "") \
	X(13, IPI,              "vtl", "vector", "destination", "delivery") \
	X(14, VINA,             "vtl", "vector", "", "") \
	X(15, MESSAGE,          "vtl", "sint", "type", "result") \
	X(16, EVENT_FLAG,       "vtl", "sint", "flag", "result") \
	X(17, TIMER,            "vtl", "timer", "due", "now") \
	X(18, HALT,             "vtl", "activity", "", "") \
	X(19, EXCEPTION,        "vtl", "vector", "error", "parameter") \
	X(20, MSR_READ,         "msr", "value", "fault", "") \
	X(21, MSR_WRITE,        "msr", "value", "fault", "") \
	X(22, START,            "vtl", "how", "rip", "") \
	X(23, TLB_FLUSH,        "vtls", "space", "flags", "vps") \
	X(24, TLB_LOCK,         "owner", "locked", "held", "") \
	X(25, RESET,            "", "", "", "") \
	X(26, INSTRUCTION,      "rip", "bytes", "more", "shape") \
	X(27, MEMORY,           "gpn", "pages", "", "") \
	X(28, COUNTERS,         "exits", "switches", "intercepts", "") \
	X(29, SHUTDOWN,         "vtl", "vector", "rip", "cr2")

enum vsm_trace_event {
#define VSM_TRACE_ENUM_(number, name, ...) VSM_TRACE_##name = (number),
	VSM_TRACE_EVENTS(VSM_TRACE_ENUM_)
#undef VSM_TRACE_ENUM_
};

/* clang-format on */

#endif
