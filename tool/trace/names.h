/* SPDX-License-Identifier: BSD-2-Clause */
/* The name of an argument in the table of vsm/trace.h gives its meaning. */
#ifndef TOOL_TRACE_NAMES_H
#define TOOL_TRACE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <vsm/trace.h>
#include <vsm/vsm.h>

#define TRACE_TEXT 256u /* enough for each value as text */

struct trace_event_info {
	uint16_t number;
	const char *name;
	const char *argument[4]; /* "" for an unused argument */
};

extern const struct trace_event_info trace_events[];
extern const size_t trace_event_count;

/* An unknown event has the name "?". */
const struct trace_event_info *trace_event(uint16_t number);

/* "HvCallEnableVpVtl", "0xfee00000", "VTL1" */
void trace_value(char *text, size_t size, const char *argument, uint64_t value);

/* "HvCallEnableVpVtl", "call-0x1234" */
void trace_hypercall_name(char *text, size_t size, uint64_t code);
/* "HV_STATUS_SUCCESS", and the core's own: "again", "continued", "intercepted" */
void trace_status_name(char *text, size_t size, uint64_t status);
/* "IA32_EFER", "HV_X64_MSR_VP_INDEX", "MSR-0x1234" */
void trace_msr_name(char *text, size_t size, uint64_t msr);
/* "none", "R", "RX", "RWX"; execute rights that differ: "RXk", "RXu" */
void trace_access_name(char *text, size_t size, uint64_t access);

/*
 * Whether a record is an action of its VP in its VTL. Other records may come from another VP's
 * thread, and their VTL need not be active.
 */
bool trace_is_own(uint16_t event);

/* "name=value name=value" */
void trace_arguments(FILE *out, const struct vsm_trace_record *record);

#endif
