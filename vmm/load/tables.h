/* SPDX-License-Identifier: BSD-2-Clause */
/* GDT and page tables for a start in 64-bit mode. */
#ifndef VMM_LOAD_TABLES_H
#define VMM_LOAD_TABLES_H

#include "load/place.h"

/* Writes a GDT, and page tables that map the first 4 GiB to themselves; returns their addresses. */
int vmm_put_tables(struct vmm_places *places, uint64_t *page_tables, uint64_t *gdt);

#endif
