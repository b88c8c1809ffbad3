/* SPDX-License-Identifier: BSD-2-Clause */
/* A trace in the JSON of Chrome's trace viewer, which the Perfetto UI opens. */
#ifndef TOOL_TRACE_PERFETTO_H
#define TOOL_TRACE_PERFETTO_H

#include <stdbool.h>
#include <stdio.h>

#include "trace/file.h"
#include "trace/filter.h"

/*
 * One process for each VP, one thread in it for each VTL that had it; slices for the time it had it, and
 * an instant for each other record that @filter takes. Slices are not filtered. False: no memory.
 */
bool trace_write_perfetto(FILE *out, struct trace_file *file, const struct trace_filter *filter);

#endif
