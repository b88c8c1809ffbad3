/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of one walk, shared by walk.c and fault.c. */
#ifndef WALK_WALK_H
#define WALK_WALK_H

#include <vsm/walk.h>

#include "format.h"

/* An entry as it was read, the only time. */
struct step {
	uint64_t gpa; /* 0: a PDPTE that did not come from memory */
	uint64_t entry;
};

struct walk {
	/* Set once. */
	const struct vsm_walk_context *context;
	const struct vsm_walk_memory *memory;
	const struct vsm_walk_request *request;
	struct vsm_walk_result *result;
	const struct walk_format *format;
	enum walk_format_id format_id;
	uint64_t gva;
	uint64_t root;		 /* GPA of the first table */
	uint64_t reserved;	 /* bits, in every entry */
	uint64_t reserved_large; /* in an entry for a large page, besides */
	uint64_t reserved_amd;	 /* all ones or 0: does format's reserved_amd count? */
	bool pdptes_loaded;
	unsigned int facts; /* enum walk_fact, of the request */
	/* Of the present attempt. */
	unsigned int steps;	    /* taken so far */
	unsigned int stopped;	    /* which of them stopped the walk; steps: the page did */
	unsigned int facts_of_page; /* all facts, once there is a translation */
	uint64_t common;	    /* AND of all entries, XD inverted */
	struct step step[VSM_WALK_MAX_LEVELS];
};

#endif
