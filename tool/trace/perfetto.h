/* SPDX-License-Identifier: BSD-2-Clause */
/* Converts a trace to the JSON of Chrome's trace viewer, which the Perfetto UI opens. */
#ifndef TOOL_TRACE_PERFETTO_H
#define TOOL_TRACE_PERFETTO_H

#include <stdbool.h>
#include <stdio.h>

#include "trace/file.h"
#include "trace/filter.h"

/*
 * A process for each VP with a thread for each VTL: slices for the time a VTL was active, and an
 * instant for each record that @filter selects. False: no memory.
 */
bool trace_write_perfetto(FILE *out, struct trace_file *file, const struct trace_filter *filter);

#endif
