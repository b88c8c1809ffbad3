/* SPDX-License-Identifier: BSD-2-Clause */
/* Who gets which part of guest RAM while a kernel is loaded: nothing is ever placed over another. */
#ifndef VMM_LOAD_PLACE_H
#define VMM_LOAD_PLACE_H

#include "load/file.h"
#include "load/memory.h"

#define VMM_CLAIMS_MAX 128u

struct vmm_claim {
	uint64_t begin, end;
	const char *what;
};

struct vmm_places {
	const struct vmm_memory *memory;
	const struct vsm_log *log;
	const char *file; /* whose loading it is, for messages */
	unsigned int count;
	struct vmm_claim claim[VMM_CLAIMS_MAX];
};

void vmm_places_init(struct vmm_places *places, const struct vmm_memory *memory, const char *file,
		     const struct vsm_log *log);

/*
 * Takes @size bytes at @gpa for @what (a string that outlives @places). -E2BIG: not RAM, not all of
 * it, or more claims than anything reasonable makes. -ENOEXEC: overlaps an earlier claim.
 */
int vmm_claim(struct vmm_places *places, const char *what, uint64_t gpa, uint64_t size);

/*
 * Finds room for @size bytes in low RAM, at a multiple of @align (a power of two), from @from on and
 * below @below, and claims it: the lowest such place, or the highest. -E2BIG: there is none.
 */
int vmm_place_low(struct vmm_places *places, const char *what, uint64_t size, uint64_t align,
		  uint64_t from, uint64_t below, uint64_t *gpa);
int vmm_place_high(struct vmm_places *places, const char *what, uint64_t size, uint64_t align,
		   uint64_t from, uint64_t below, uint64_t *gpa);

/* Writes into a claimed part; @size bytes of zero if @data is NULL. */
int vmm_put(const struct vmm_places *places, uint64_t gpa, const void *data, uint64_t size);

#endif
