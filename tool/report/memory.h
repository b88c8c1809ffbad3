/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access rights of each VTL to guest memory over time.
 *
 * Memory is divided into at most MEMORY_GRAINS grains; a grain with any denied page counts as
 * denied, until one record covers the whole grain. Of more than MEMORY_CHANGES changes only the
 * final state is kept.
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
	uint64_t first; /* number of the first page, without holes */
};

struct memory {
	uint32_t ranges;
	struct memory_range range[MEMORY_RANGES]; /* by GPA */
	bool guessed;				  /* the trace has no MEMORY records */
	uint64_t highest; /* end of the highest protected page, if guessed */

	uint64_t pages;
	uint64_t grain; /* pages */
	uint32_t grains;
	/* [owner][restricted]: rights of each grain; NULL: nothing denied */
	uint8_t *map[TRACE_VTLS][TRACE_VTLS];
	uint16_t restricted; /* set of VTLs with any denied access */
	uint64_t changes;
	struct pack history; /* time since the last change, VTL, first grain, grains, rights */
	uint64_t history_time;
	bool failed;
};

void memory_init(struct memory *memory);
/* Pass 1, any order: finds RAM. */
void memory_survey(struct memory *memory, const struct vsm_trace_record *record);
void memory_begin(struct memory *memory);
/* Pass 2, in the order of time. */
void memory_record(struct memory *memory, const struct vsm_trace_record *record, uint64_t ns);
void memory_json(struct json *json, const struct memory *memory);
void memory_destroy(struct memory *memory);

#endif
