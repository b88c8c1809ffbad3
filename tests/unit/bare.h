/* SPDX-License-Identifier: BSD-2-Clause */
/* A partition on the sim backend without guest code: registers have the values that the test
 * writes, and all VTLs are enabled on all VPs. The test adds the RAM. */
#ifndef TEST_BARE_H
#define TEST_BARE_H

#include "core/core.h"
#include "core/memory/gpa.h"
#include "sim/sim.h"

#define BARE_VPS      2u
#define BARE_GPA_BITS 40u

struct bare {
	struct vsm_partition *partition;
	_Atomic uint32_t log_lines;
	_Atomic enum vsm_log_level log_level; /* level of the last line */
};

/* All VTLs are in 64-bit mode at CPL 0 without paging. */
struct bare *bare_create(unsigned int vtls);
void bare_destroy(struct bare *bare);
/* Fails the test on an error. Returns the core's mapping. */
uint8_t *bare_ram(struct bare *bare, uint64_t gpn, uint64_t pages);

/* Calls protect_set() for one page; @restricted -1: all VTLs below @owner. */
uint16_t bare_protect(struct bare *bare, uint8_t owner, int restricted, uint64_t gpn,
		      uint8_t access);

/* Writes 4 page tables from @gpn on that map GVA = GPA in the first 2 MiB, and enables paging. */
#define BARE_USER  (UINT64_C(1) << 2)
#define BARE_WRITE (UINT64_C(1) << 1)
void bare_paging(struct bare *bare, uint32_t vp, uint8_t vtl, uint64_t gpn);
void bare_map(struct bare *bare, uint64_t gpn, uint32_t page, uint64_t target, uint64_t flags);

#endif
