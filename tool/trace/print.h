/* SPDX-License-Identifier: BSD-2-Clause */
/* A trace as text. */
#ifndef TOOL_TRACE_PRINT_H
#define TOOL_TRACE_PRINT_H

#include <stdio.h>

#include "trace/file.h"
#include "trace/filter.h"

/* One line for each record that @filter selects. */
void trace_print_records(FILE *out, struct trace_file *file, const struct trace_filter *filter);

/*
 * Tables: how often each event, hypercall, intercept and MSR occurs, and how long each VTL ran. False: no
 * memory.
 */
bool trace_print_counts(FILE *out, struct trace_file *file, const struct trace_filter *filter);

/* The table of all events, as Markdown. */
void trace_print_events(FILE *out);

#endif
