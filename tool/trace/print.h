/* SPDX-License-Identifier: BSD-2-Clause */
/* A trace as text. */
#ifndef TOOL_TRACE_PRINT_H
#define TOOL_TRACE_PRINT_H

#include <stdio.h>

#include "trace/file.h"
#include "trace/filter.h"

void trace_print_records(FILE *out, struct trace_file *file, const struct trace_filter *filter);

/* False: no memory. */
bool trace_print_counts(FILE *out, struct trace_file *file, const struct trace_filter *filter);

void trace_print_events(FILE *out);

#endif
