/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Equal intercepts share a row. There are at most INTERCEPT_ROWS rows; further kinds are only
 * counted.
 */
#ifndef TOOL_REPORT_INTERCEPTS_H
#define TOOL_REPORT_INTERCEPTS_H

#include "json.h"
#include "trace/file.h"
#include "trace/instruction.h"

#define INTERCEPT_ROWS 4096u

struct intercept_row {
	/* key */
	uint64_t what;	 /* GPA, MSR, port, register */
	uint64_t detail; /* access type, or write flag; of a port also its size */
	struct trace_instruction instruction;
	uint32_t vp;
	uint16_t event;
	uint8_t from, to;

	uint64_t count; /* 0: unused */
	uint64_t value; /* value written by the last intercept */
	uint64_t first, last;
};

struct intercepts {
	uint32_t vps;
	struct intercept_row *pending; /* [vps]: waits for its INSTRUCTION record */
	struct intercept_row *row;     /* hash table, [2 * INTERCEPT_ROWS] */
	uint32_t rows;
	uint64_t total;
	uint64_t others; /* intercepts beyond the table */
};

/* False: no memory. */
bool intercepts_init(struct intercepts *intercepts, uint32_t vps);
void intercepts_record(struct intercepts *intercepts, const struct vsm_trace_record *record,
		       uint64_t ns);
void intercepts_finish(struct intercepts *intercepts);
void intercepts_json(struct json *json, const struct intercepts *intercepts);
void intercepts_destroy(struct intercepts *intercepts);

#endif
