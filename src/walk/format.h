/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The paging formats as data: SDM 3A 4.3 (32-bit), 4.4 (PAE), 4.5 (4-level and 5-level). The table
 * is in a header so that the compiler can specialize the walk for each row (walk.c).
 */
#ifndef WALK_FORMAT_H
#define WALK_FORMAT_H

#include <vsm/walk.h>

#include "bits.h"

struct walk_level {
	uint8_t shift;	     /* the entry's index is at this bit of the address */
	uint16_t index_mask; /* after the shift */
	bool may_be_large;   /* an entry with PS maps a page */
	uint64_t assume;     /* bits that entries lack and that count as 1 */
	uint64_t reserved;   /* in entries for a table or a 4 KiB page */
	uint64_t reserved_large;
	uint64_t reserved_amd; /* additional bits with VSM_WALK_CPU_PML4E_BIT8_RESERVED */
};

struct walk_format {
	uint8_t levels; /* 0: no paging */
	uint8_t entry_size;
	uint8_t address_bits; /* linear address; above 32, it has to be canonical */
	bool has_keys;
	bool loads_pdptes;	 /* at MOV to CR3 */
	uint64_t table_of_cr3;	 /* the bits of CR3 that hold the first table's GPA */
	uint64_t reserved_above; /* bits reserved in every entry if not below MAXPHYADDR */
	struct walk_level level[VSM_WALK_MAX_LEVELS]; /* from the top */
};

enum walk_format_id {
	FORMAT_NONE,
	FORMAT_32,
	FORMAT_32_PSE,
	FORMAT_PAE,
	FORMAT_4LEVEL,
	FORMAT_4LEVEL_1G,
	FORMAT_5LEVEL,
	FORMAT_5LEVEL_1G,
};

/* SDM tables 4-14 to 4-20. PS is reserved in PML5Es and PML4Es. */
#define PML5E                                                                             \
	{                                                                                 \
		.shift = 48, .index_mask = 511, .reserved = PTE_PS, .reserved_amd = PTE_G \
	}
#define PML4E                                                                             \
	{                                                                                 \
		.shift = 39, .index_mask = 511, .reserved = PTE_PS, .reserved_amd = PTE_G \
	}
#define PDPTE                                                      \
	{                                                          \
		.shift = 30, .index_mask = 511, .reserved = PTE_PS \
	}
#define PDPTE_1G                                                      \
	{                                                             \
		.shift = 30, .index_mask = 511, .may_be_large = true, \
		.reserved_large = BITS(29, 13)                        \
	}
#define PDE                                                           \
	{                                                             \
		.shift = 21, .index_mask = 511, .may_be_large = true, \
		.reserved_large = BITS(20, 13)                        \
	}
#define PTE                                    \
	{                                      \
		.shift = 12, .index_mask = 511 \
	}

/* A PDPTE of PAE paging has no R/W, U/S and A bits (SDM 3A table 4-8). */
#define PAE_PDPTE                                                                \
	{                                                                        \
		.shift = 30, .index_mask = 3, .assume = PTE_RW | PTE_US | PTE_A, \
		.reserved = PTE_XD | BITS(8, 5) | BITS(2, 1)                     \
	}

/* CR4.PSE = 0: PS is ignored. CR4.PSE = 1: the reserved bits depend on PSE-36, see prepare(). */
#define PDE32                                   \
	{                                       \
		.shift = 22, .index_mask = 1023 \
	}
#define PDE32_PSE                                                     \
	{                                                             \
		.shift = 22, .index_mask = 1023, .may_be_large = true \
	}
#define PTE32                                   \
	{                                       \
		.shift = 12, .index_mask = 1023 \
	}

static const struct walk_format walk_formats[] = {
	[FORMAT_NONE] = {.address_bits = 32},
	[FORMAT_32] =
		{
			.levels = 2,
			.entry_size = 4,
			.address_bits = 32,
			.table_of_cr3 = BITS(31, 12),
			.level = {PDE32, PTE32},
		},
	[FORMAT_32_PSE] =
		{
			.levels = 2,
			.entry_size = 4,
			.address_bits = 32,
			.table_of_cr3 = BITS(31, 12),
			.level = {PDE32_PSE, PTE32},
		},
	[FORMAT_PAE] =
		{
			.levels = 3,
			.entry_size = 8,
			.address_bits = 32,
			.table_of_cr3 = BITS(31, 5),
			.reserved_above = BITS(62, 32),
			.loads_pdptes = true,
			.level = {PAE_PDPTE, PDE, PTE},
		},
	[FORMAT_4LEVEL] =
		{
			.levels = 4,
			.entry_size = 8,
			.address_bits = 48,
			.table_of_cr3 = BITS(51, 12),
			.reserved_above = BITS(51, 32),
			.has_keys = true,
			.level = {PML4E, PDPTE, PDE, PTE},
		},
	[FORMAT_4LEVEL_1G] =
		{
			.levels = 4,
			.entry_size = 8,
			.address_bits = 48,
			.table_of_cr3 = BITS(51, 12),
			.reserved_above = BITS(51, 32),
			.has_keys = true,
			.level = {PML4E, PDPTE_1G, PDE, PTE},
		},
	[FORMAT_5LEVEL] =
		{
			.levels = 5,
			.entry_size = 8,
			.address_bits = 57,
			.table_of_cr3 = BITS(51, 12),
			.reserved_above = BITS(51, 32),
			.has_keys = true,
			.level = {PML5E, PML4E, PDPTE, PDE, PTE},
		},
	[FORMAT_5LEVEL_1G] =
		{
			.levels = 5,
			.entry_size = 8,
			.address_bits = 57,
			.table_of_cr3 = BITS(51, 12),
			.reserved_above = BITS(51, 32),
			.has_keys = true,
			.level = {PML5E, PML4E, PDPTE_1G, PDE, PTE},
		},
};

#undef PML5E
#undef PML4E
#undef PDPTE
#undef PDPTE_1G
#undef PDE
#undef PTE
#undef PAE_PDPTE
#undef PDE32
#undef PDE32_PSE
#undef PTE32

/* The format that the control registers select: SDM 3A 4.1.1, in its order. */
static inline enum walk_format_id walk_format_of(const struct vsm_walk_context *context)
{
	bool page1gb = context->cpu & VSM_WALK_CPU_PAGE1GB;

	if (!(context->cr0 & CR0_PG))
		return FORMAT_NONE;
	if (!(context->cr4 & CR4_PAE))
		return context->cr4 & CR4_PSE ? FORMAT_32_PSE : FORMAT_32;
	if (!(context->efer & EFER_LMA))
		return FORMAT_PAE;
	if (!(context->cr4 & CR4_LA57))
		return page1gb ? FORMAT_4LEVEL_1G : FORMAT_4LEVEL;
	return page1gb ? FORMAT_5LEVEL_1G : FORMAT_5LEVEL;
}

#endif
