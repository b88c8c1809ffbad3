/* SPDX-License-Identifier: BSD-2-Clause */
/* Random page tables for walk_diff.c, with a system area that is always mapped correctly. */
#ifndef TESTS_RIG_WALK_TABLES_H
#define TESTS_RIG_WALK_TABLES_H

#include "walk_guest.h"

enum paging {
	PAGING_32,
	PAGING_PAE,
	PAGING_4LEVEL,
	PAGING_5LEVEL,
};

struct tables {
	enum paging paging;
	unsigned int levels;
	bool nxe, pse;
	unsigned int max_phys_addr;
	bool page1gb;
	/* Whether PAE's PDPTEs may have reserved bits set: those from MAXPHYADDR up; bits 8:5 and 2:1. */
	bool pdpte_reserved, pdpte_low_reserved;
};

/* draw() returns a random number; walk_seed determines the whole run. */
extern uint64_t walk_seed;
uint64_t draw(void);
bool one_in(unsigned int n);

/* Fills guest memory with tables: mostly permissive, sometimes with errors of all kinds. */
void tables_make(const struct guest *guest, const struct tables *tables);

uint64_t tables_root(const struct tables *tables);

/* Returns an address that uses random entries outside of the system area; bits 11:0 are 0. */
uint64_t tables_address(const struct tables *tables);

#endif
