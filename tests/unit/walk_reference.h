/* SPDX-License-Identifier: BSD-2-Clause */
/* A second page walker, which follows the text of the SDM literally. It shares no code, table or
 * constant with src/walk. */
#ifndef TESTS_WALK_REFERENCE_H
#define TESTS_WALK_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <vsm/walk.h>

enum reference_access {
	REFERENCE_READ,
	REFERENCE_WRITE,
	REFERENCE_FETCH,
};

enum reference_who {
	REFERENCE_USER,
	REFERENCE_SUPERVISOR,
	REFERENCE_IMPLICIT,
	REFERENCE_EXEMPT, /* no check of U/S, SMAP, SMEP or PKRS */
};

struct reference_answer {
	bool general_protection;
	bool no_memory; /* an entry lies outside of the guest's memory */
	bool page_fault;
	uint32_t error_code;
	bool translated;
	uint64_t gpa;
	uint64_t page_size;
	unsigned int cache;
	/* The entries used, from the top. */
	unsigned int used;
	uint64_t entry_at[5];
	bool has_accessed_bit[5];
};

/* Memory is @ram of @size bytes at GPA 0. context->cpl is ignored; @ac replaces EFLAGS.AC. */
struct reference_answer reference_walk(const struct vsm_walk_context *context, const uint8_t *ram,
				       uint64_t size, uint64_t gva, enum reference_access access,
				       enum reference_who who, bool ac);

#endif
