/* SPDX-License-Identifier: BSD-2-Clause */
/* Output of the probe's findings as text, JSON and Markdown. */
#ifndef VSM_TOOL_PROBE_REPORT_H
#define VSM_TOOL_PROBE_REPORT_H

#include <stdio.h>

#include "probe.h"

void report_text(FILE *out, const struct probe *probe);

/* The verdict, and the command that prints the remedies. */
void report_quiet(FILE *out, const struct probe *probe);

/* Only the verdict: a sentence, and the restrictions. */
void report_verdict(FILE *out, const struct probe *probe);

/* As docs/probe.schema.json describes. */
void report_json(FILE *out, const struct probe *probe);

void report_items(FILE *out);

#endif
