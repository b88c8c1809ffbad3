/* SPDX-License-Identifier: BSD-2-Clause */
#include "walk_traits.h"

#include <stdio.h>
#include <string.h>

#include "walk_tables.h"

enum {
	CR4_SMAP = 1 << 21,
	CR4_PKE = 1 << 22,
	RFLAGS_AC = 1 << 18,
	KEY = 5,
};

/*
 * One access to a page at CPL 3, through level 4 entry @top and level 3 entry @next; in PAE @top is the level
 * 3 entry. The CPU has the trait if the access ends with @vector, with @error_code under @mask, and (unless
 * @sets_a is 0) sets A in the entry of level @sets_a. @cr4 and @rflags are set in addition to the bits of all
 * probes; with CR4.PKE, PKRU denies the page's key.
 */
static const struct {
	const char *name;
	const char *means;
	enum paging paging;
	enum kind kind;
	uint64_t top, next;
	uint64_t vector, mask, error_code;
	unsigned int sets_a; /* 3: @next, 4: @top, also in PAE; 0: not checked */
	uint64_t cr4;
	uint32_t rflags;
} traits[TRAITS] = {
	[PML4E_BIT8_RESERVED] = {"pml4e-bit8-reserved",
				 "as on AMD (APM volume 2, 5.3); Intel ignores it", PAGING_4LEVEL,
				 KIND_READ, 0x107, 0x7, 14, 8, 8, 0},
	[RSVD_WITHOUT_P] = {"rsvd-without-p",
			    "QEMU's TCG: the error code has RSVD but not P, against SDM 3A 4.7",
			    PAGING_4LEVEL, KIND_READ, 0x87, 0x7, 14, 9, 8, 0},
	[MODIFY_FAULTS_AS_READ] =
		{"modify-faults-as-read",
		 "QEMU's TCG in one thread: a locked instruction reads, then writes; "
		 "its fault reports a read where a CPU reports a write",
		 PAGING_4LEVEL, KIND_MODIFY, 0, 0, 14, 2, 0, 0},
	[ACCESSED_IN_BAD_1G_PAGE] =
		{"accessed-in-bad-1g-page",
		 "QEMU's TCG: sets A in an entry for a 1 GiB page before it checks "
		 "reserved bits 29:13",
		 PAGING_4LEVEL, KIND_READ, 0x7, 0x2087, 14, 8, 8, 3},
	[PDPTE_LOW_BITS_IGNORED] =
		{"pdpte-low-bits-ignored",
		 "QEMU's TCG: does not check bits 8:5 and 2:1 of PAE's PDPTEs, against "
		 "SDM 3A table 4-8",
		 PAGING_PAE, KIND_READ, 0x1c7, 0, 3, 0, 0, 0},
	[ACCESSED_IN_PDPTE] =
		{"accessed-in-pdpte",
		 "QEMU's TCG: sets bit 5 of PAE's PDPTEs in memory, which have no A (SDM 3A "
		 "table 4-8)",
		 PAGING_PAE, KIND_READ, 0x1, 0, 3, 0, 0, 4},
	[SMAP_LETS_IMPLICIT_BY_AC] =
		{"smap-lets-implicit-by-ac",
		 "Bochs: EFLAGS.AC permits implicit supervisor accesses to user pages, against SDM "
		 "3A 4.6.1",
		 PAGING_4LEVEL, KIND_SEGMENT, 0x7, 0x7, 3, 0, 0, 0, CR4_SMAP, RFLAGS_AC},
	[KEYS_BEFORE_RIGHTS] =
		{"keys-before-rights",
		 "Bochs: checks protection keys before access rights, and regardless of whether "
		 "the "
		 "address "
		 "is a user page, and ignores AD for supervisor code, against SDM 3A 4.6.2",
		 PAGING_4LEVEL, KIND_READ, 0x3, 0x7, 14, 0x20, 0x20, 0, CR4_PKE, 0},
};

bool cpu_has[TRAITS];

static const char *probe(struct guest *guest, enum trait trait)
{
	const bool pae = traits[trait].paging == PAGING_PAE;
	const struct tables tables = {.paging = traits[trait].paging,
				      .levels = pae ? 3 : 4,
				      .max_phys_addr = guest->max_phys_addr};
	const struct mode mode = {.cr0 = 0x80000031,
				  .cr3 = tables_root(&tables),
				  .cr4 = 0x20 | traits[trait].cr4,
				  .efer = pae ? 0 : 0x500};
	const bool keys = traits[trait].cr4 & CR4_PKE, segment = traits[trait].kind == KIND_SEGMENT;
	const uint64_t index = pae ? 2 : 33, next = TEST_TABLES;
	const uint64_t page = DATA | 0x87 | (uint64_t)(keys ? KEY : 0) << 59;
	const uint64_t top = mode.cr3 + index * 8;
	struct item *item = &guest->items[0];
	const char *problem;
	uint64_t entry;

	tables_make(guest, &tables);
	entry = next | traits[trait].top;
	memcpy(guest->raw.ram + top, &entry, 8);
	entry = traits[trait].next | (traits[trait].next & 0x80 ? 0 : next + 0x1000);
	memcpy(guest->raw.ram + next, pae ? &page : &entry, 8);
	memcpy(guest->raw.ram + next + 0x1000, &page, 8);
	*item = (struct item){.gva = index << (pae ? 30 : 39) | (segment ? DESCRIPTOR : 0),
			      .kind = traits[trait].kind,
			      .user = true,
			      .rflags = 2 | traits[trait].rflags,
			      .pkru = keys ? 1U << 2 * KEY : 0,
			      .ldt = segment ? (index << 39 | DESCRIPTOR) - 8 : 0,
			      .cs = pae ? 0x23 : 0x33,
			      .ss = 0x2b,
			      .rip = guest_code(traits[trait].kind, true, !pae)};
	problem = guest_run(guest, &mode, 1);
	if (problem)
		return problem;
	cpu_has[trait] = item->vector == traits[trait].vector &&
			 (item->error_code & traits[trait].mask) == traits[trait].error_code;
	if (traits[trait].sets_a) {
		memcpy(&entry, guest->raw.ram + (traits[trait].sets_a == 3 ? next : top), 8);
		cpu_has[trait] &= entry >> 5 & 1;
	}
	if (cpu_has[trait])
		printf("# this CPU: %s (%s)\n", traits[trait].name, traits[trait].means);
	return NULL;
}

const char *traits_probe(struct guest *guest)
{
	for (unsigned int trait = 0; trait < TRAITS; trait++) {
		const char *problem;

		/* A VMX guest cannot be entered with such a PDPTE at all (SDM 3C 27.3.1.6). */
		if (trait == PDPTE_LOW_BITS_IGNORED && !guest->amd)
			continue;
		if ((traits[trait].cr4 & CR4_SMAP && !guest->smap) ||
		    (traits[trait].cr4 & CR4_PKE && !guest->pku))
			continue;
		problem = probe(guest, (enum trait)trait);
		if (problem)
			return problem;
	}
	return NULL;
}
