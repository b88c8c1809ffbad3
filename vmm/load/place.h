/* SPDX-License-Identifier: BSD-2-Clause */
/* Allocation of guest RAM while a kernel is loaded: no two claims overlap. */
#ifndef VMM_LOAD_PLACE_H
#define VMM_LOAD_PLACE_H

#include "load/file.h"
#include "machine/memory.h"

#define VMM_CLAIMS_MAX 128u

struct vmm_claim {
	uint64_t begin, end;
	const char *what;
};

struct vmm_places {
	const struct vmm_memory *memory;
	const struct vsm_log *log;
	const char *file; /* for messages */
	unsigned int count;
	struct vmm_claim claim[VMM_CLAIMS_MAX];
};

void vmm_places_init(struct vmm_places *places, const struct vmm_memory *memory, const char *file,
		     const struct vsm_log *log);

/*
 * @what is a string that outlives @places. -E2BIG: not all of it is RAM, or too many claims.
 * -ENOEXEC: overlaps an earlier claim.
 */
int vmm_claim(struct vmm_places *places, const char *what, uint64_t gpa, uint64_t size);

/*
 * Claims low RAM between @from and @below, aligned to @align (a power of two), at the lowest or the
 * highest address. -E2BIG: there is none.
 */
int vmm_place_low(struct vmm_places *places, const char *what, uint64_t size, uint64_t align,
		  uint64_t from, uint64_t below, uint64_t *gpa);
int vmm_place_high(struct vmm_places *places, const char *what, uint64_t size, uint64_t align,
		   uint64_t from, uint64_t below, uint64_t *gpa);

/* Writes @data, or zeroes if it is NULL, to guest memory. Errors of memory->write, logged. */
int vmm_put(const struct vmm_places *places, uint64_t gpa, const void *data, uint64_t size);

#endif
