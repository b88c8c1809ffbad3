/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables that a processor needs to begin in 64-bit mode, in guest RAM. */
#ifndef VMM_LOAD_TABLES_H
#define VMM_LOAD_TABLES_H

#include "load/place.h"

/* Places and writes page tables (identity, 4 GiB) and a GDT; says where they are. */
int vmm_put_tables(struct vmm_places *places, uint64_t *page_tables, uint64_t *gdt);

#endif
