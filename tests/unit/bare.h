/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A partition on the sim backend for tests of memory and intercepts: no guest runs, registers have the values
 * that the test writes, and all VTLs are enabled on all VPs. The test adds the RAM.
 */
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

/* Creates a partition whose VTLs are all in 64-bit mode at CPL 0 without paging. */
struct bare *bare_create(unsigned int vtls);
void bare_destroy(struct bare *bare);
/* Adds RAM with vsm_memory_add(); fails the test on an error. Returns the core's mapping. */
uint8_t *bare_ram(struct bare *bare, uint64_t gpn, uint64_t pages);

/* Calls protect_set() for one page; @restricted -1: all VTLs below @owner. Returns its status. */
uint16_t bare_protect(struct bare *bare, uint8_t owner, int restricted, uint64_t gpn,
		      uint8_t access);

/* Writes page tables at @gpn (4 pages) that map the first 2 MiB of the linear address space GVA
 * = GPA, and enables paging. */
#define BARE_USER  (UINT64_C(1) << 2)
#define BARE_WRITE (UINT64_C(1) << 1)
void bare_paging(struct bare *bare, uint32_t vp, uint8_t vtl, uint64_t gpn);
void bare_map(struct bare *bare, uint64_t gpn, uint32_t page, uint64_t target, uint64_t flags);

#endif
