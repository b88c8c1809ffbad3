/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each VTL may do with guest memory, as it changes: worked out from MEMORY, PROTECT and PROTECT_DEFAULT
 * records.
 *
 * Memory is looked at in grains of so many pages that there are MEMORY_GRAINS at most; a grain of which
 * a part is denied counts as denied. Of more than MEMORY_CHANGES changes only the final state is kept.
 */
#ifndef TOOL_REPORT_MEMORY_H
#define TOOL_REPORT_MEMORY_H

#include "json.h"
#include "report/pack.h"
#include "trace/file.h"

#define MEMORY_GRAINS  (1u << 20)
#define MEMORY_CHANGES 50000u
#define MEMORY_RANGES  256u

struct memory_range {
	uint64_t gpn, pages;
	uint64_t first; /* its first page, counted without holes */
};

struct memory {
	uint32_t ranges;
	struct memory_range range[MEMORY_RANGES]; /* by GPA */
	bool guessed;				  /* the trace does not say where RAM is */
	uint64_t highest; /* page behind the last one that was protected, to guess from */

	uint64_t pages;
	uint64_t grain; /* pages */
	uint32_t grains;
	/* [owner][restricted]: rights of each grain; NULL while nothing is denied */
	uint8_t *map[TRACE_VTLS][TRACE_VTLS];
	uint16_t restricted; /* VTLs that something was ever denied to */
	uint64_t changes;
	struct pack history; /* time since the one before, VTL, first grain, grains, rights */
	uint64_t history_time;
	bool failed;
};

void memory_init(struct memory *memory);
/* First all records, in any order: where is there RAM? */
void memory_survey(struct memory *memory, const struct vsm_trace_record *record);
void memory_begin(struct memory *memory);
/* Then all again, in the order of time. */
void memory_record(struct memory *memory, const struct vsm_trace_record *record, uint64_t ns);
void memory_json(struct json *json, const struct memory *memory);
void memory_destroy(struct memory *memory);

#endif
