/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of one walk, shared by walk.c and fault.c. */
#ifndef WALK_WALK_H
#define WALK_WALK_H

#include <vsm/walk.h>

#include "format.h"

/* An entry as it was read; it is read only once. */
struct step {
	uint64_t gpa; /* 0: a PDPTE of vsm_walk_context.pdpte */
	uint64_t entry;
};

struct walk {
	/* Constant for the walk. */
	const struct vsm_walk_context *context;
	const struct vsm_walk_memory *memory;
	const struct vsm_walk_request *request;
	struct vsm_walk_result *result;
	const struct walk_format *format;
	enum walk_format_id format_id;
	uint64_t gva;
	uint64_t root;		 /* GPA of the first table */
	uint64_t reserved;	 /* bits reserved in every entry */
	uint64_t reserved_large; /* additional bits in an entry for a large page */
	uint64_t reserved_amd;	 /* mask for level->reserved_amd: all ones or 0 */
	bool pdptes_loaded;
	unsigned int facts; /* enum walk_fact, of the request */
	/* Of the current attempt. */
	unsigned int steps;	    /* taken so far */
	unsigned int stopped;	    /* the step that stopped the walk, or `steps` if the page did */
	unsigned int facts_of_page; /* facts of request and page; valid with a translation */
	uint64_t common;	    /* AND of all entries, XD inverted */
	struct step step[VSM_WALK_MAX_LEVELS];
};

#endif
