/* SPDX-License-Identifier: BSD-2-Clause */
/* What the probe found, for people and for programs. */
#ifndef VSM_TOOL_PROBE_REPORT_H
#define VSM_TOOL_PROBE_REPORT_H

#include <stdio.h>

#include "probe.h"

/* The whole report in plain words. */
void report_text(FILE *out, const struct probe *probe);

/* The verdict alone: a sentence, and what is off because of it. */
void report_verdict(FILE *out, const struct probe *probe);

/* As docs/probe.schema.json describes. */
void report_json(FILE *out, const struct probe *probe);

/* The table of items as Markdown, for docs/probe.md. */
void report_items(FILE *out);

#endif
