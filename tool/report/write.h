/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes a trace as a self-contained HTML page. */
#ifndef TOOL_REPORT_WRITE_H
#define TOOL_REPORT_WRITE_H

#include <stdbool.h>
#include <stdio.h>

#include "trace/file.h"

/* False: no memory. Read errors are in @file. */
bool report_write(FILE *out, struct trace_file *file);

#endif
