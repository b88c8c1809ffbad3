/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page's table of intercepts: one row for what is the same but for its time, with how often it was and
 * when first and last. At most INTERCEPT_ROWS rows; what comes later than these is counted.
 */
#ifndef TOOL_REPORT_INTERCEPTS_H
#define TOOL_REPORT_INTERCEPTS_H

#include "json.h"
#include "trace/file.h"
#include "trace/instruction.h"

#define INTERCEPT_ROWS 4096u /* a power of two */

struct intercept_row {
	/* what makes it different from others */
	uint64_t what;	 /* GPA, MSR, port, register */
	uint64_t detail; /* access, or whether it writes; of a port its size, too */
	struct trace_instruction instruction;
	uint32_t vp;
	uint16_t event;
	uint8_t from, to;

	uint64_t count; /* 0: this place is free */
	uint64_t value; /* of the last one: what was to be written */
	uint64_t first, last;
};

struct intercepts {
	uint32_t vps;
	struct intercept_row *pending; /* [vps]: waits for the record with its instruction */
	struct intercept_row *row;     /* by hash, [2 * INTERCEPT_ROWS] */
	uint32_t rows;
	uint64_t total;
	uint64_t others; /* that there was no row for */
};

/* False: no memory. */
bool intercepts_init(struct intercepts *intercepts, uint32_t vps);
/* The next record in time. */
void intercepts_record(struct intercepts *intercepts, const struct vsm_trace_record *record,
		       uint64_t ns);
void intercepts_finish(struct intercepts *intercepts);
void intercepts_json(struct json *json, const struct intercepts *intercepts);
void intercepts_destroy(struct intercepts *intercepts);

#endif
