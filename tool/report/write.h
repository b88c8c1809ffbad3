/* SPDX-License-Identifier: BSD-2-Clause */
/* A trace as one page of HTML, which needs nothing but a browser. */
#ifndef TOOL_REPORT_WRITE_H
#define TOOL_REPORT_WRITE_H

#include <stdbool.h>
#include <stdio.h>

#include "trace/file.h"

/* False: no memory. That reading failed, @file says. */
bool report_write(FILE *out, struct trace_file *file);

#endif
