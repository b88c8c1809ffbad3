/* SPDX-License-Identifier: BSD-2-Clause */
#include "walk_tables.h"

#include <string.h>

/* TOP_TABLES has one table for each level; their entries at slot 0 map the system area. */
enum {
	SLOTS = 16,	    /* used entries of a table, spread over it */
	TABLES_A_LEVEL = 6, /* random tables of each level below the root */
	P = 0x1,
	RW = 0x2,
	US = 0x4,
	A = 0x20,
	D = 0x40,
	PS = 0x80,
	G = 0x100,
	SYSTEM = P | RW | A | D,
};
#define XD (UINT64_C(1) << 63)

uint64_t walk_seed;

/* splitmix64 */
uint64_t draw(void)
{
	uint64_t x = walk_seed += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

bool one_in(unsigned int n)
{
	return draw() % n == 0;
}

static unsigned int entry_size(const struct tables *tables)
{
	return tables->paging == PAGING_32 ? 4 : 8;
}

static unsigned int entries_of(const struct tables *tables, unsigned int level)
{
	if (tables->paging == PAGING_32)
		return 1024;
	return tables->paging == PAGING_PAE && level == 3 ? 4 : 512;
}

static unsigned int shift_of(const struct tables *tables, unsigned int level)
{
	return tables->paging == PAGING_32 ? 12 + 10 * (level - 1) : 12 + 9 * (level - 1);
}

/* 33/32 varies the low bits. For half of the slots of level 2 the index is 2 or 3: below a 1 GiB page these
 * address bits select DATA. */
static unsigned int slot(const struct tables *tables, unsigned int level, unsigned int n)
{
	unsigned int entries = entries_of(tables, level);

	if (level == 2 && n >= SLOTS / 2)
		return 2 + n % 2;
	return n * (entries / SLOTS ? entries / SLOTS * 33 / 32 : 1) % entries;
}

static uint64_t top_table(unsigned int level)
{
	return TOP_TABLES + (uint64_t)(level - 1) * 4096;
}

static uint64_t test_table(unsigned int level)
{
	return TEST_TABLES +
	       ((uint64_t)(level - 1) * TABLES_A_LEVEL + draw() % TABLES_A_LEVEL) * 4096;
}

static void write_entry(const struct guest *guest, const struct tables *tables, uint64_t table,
			unsigned int index, uint64_t entry)
{
	unsigned int size = entry_size(tables);

	memcpy(guest->raw.ram + table + (uint64_t)index * size, &entry, size);
}

static bool may_be_large(const struct tables *tables, unsigned int level)
{
	if (level == 2)
		return tables->paging != PAGING_32 || tables->pse;
	return level == 3 && tables->paging >= PAGING_4LEVEL && tables->page1gb;
}

/* Returns a bit that is reserved in entries of some format, not necessarily in this one. */
static uint64_t wrong_bit(const struct tables *tables)
{
	unsigned int high = tables->max_phys_addr;

	if (tables->paging == PAGING_32 && one_in(2))
		return UINT64_C(1)
		       << 21; /* the only reserved bit with PSE-36 and 40 or more physical bits */
	switch (draw() % 4) {
	case 0:
		return UINT64_C(1) << (high + draw() % (63 - high));
	case 1:
		return XD;
	case 2:
		return PS;
	default:
		return UINT64_C(1) << (13 + draw() % 9);
	}
}

static uint64_t random_page(unsigned int size_shift)
{
	uint64_t second = one_in(4) ? SECOND_RAM : 0;

	if (size_shift == 30)
		return second;
	return second + DATA + (draw() % DATA_SIZE & ~((UINT64_C(1) << size_shift) - 1));
}

/* Moves address bits 39:32 to bits 20:13 of a 32-bit entry, which only 4 MiB pages have. */
static uint64_t fold(uint64_t entry, bool large)
{
	uint64_t high = entry >> 32 & 0xff;

	return (entry & 0xffffffff) | (large ? high << 13 : 0);
}

static uint64_t random_pdpte(const struct tables *tables)
{
	uint64_t entry = test_table(2) | (one_in(8) ? 0 : P) | (draw() & 0xe18);

	unsigned int high = tables->max_phys_addr;

	if (tables->pdpte_reserved && one_in(16))
		entry |= UINT64_C(1) << (high + draw() % (64 - high));
	if (tables->pdpte_low_reserved && one_in(16))
		entry |= draw() & 0x1e6;
	return entry;
}

static uint64_t random_entry(const struct tables *tables, unsigned int level)
{
	bool large = may_be_large(tables, level) && one_in(3);
	uint64_t entry;

	if (tables->paging == PAGING_PAE && level == 3)
		return random_pdpte(tables);
	if (large)
		entry = PS | random_page(shift_of(tables, level));
	else
		entry = level == 1 ? random_page(12) : test_table(level - 1);
	entry |= one_in(24) ? 0 : P;
	entry |= one_in(6) ? 0 : RW;
	entry |= one_in(4) ? 0 : US;
	entry |= draw() & (A | D | G | 0xe18);	 /* PWT, PCD and the ignored 11:9 */
	entry |= draw() & UINT64_C(0x7ff) << 52; /* ignored, key; in PAE all reserved */
	if (tables->paging == PAGING_PAE && !one_in(24))
		entry &= ~(UINT64_C(0x7ff) << 52);
	entry |= tables->nxe && one_in(8) ? XD : 0;
	if (one_in(24))
		entry ^= wrong_bit(tables);
	return tables->paging == PAGING_32 ? fold(entry, large) : entry;
}

/* The first 0x30 pages at GVA = GPA, for the supervisor except one page of code. */
static void make_system(const struct guest *guest, const struct tables *tables)
{
	for (unsigned int level = tables->levels; level > 1; level--) {
		bool pdpte = tables->paging == PAGING_PAE && level == 3;

		write_entry(guest, tables, top_table(level), 0,
			    top_table(level - 1) | (pdpte ? P : SYSTEM | US));
	}
	for (unsigned int page = 0; page < 0x30; page++)
		write_entry(guest, tables, top_table(1), page, (uint64_t)page << 12 | SYSTEM);
	write_entry(guest, tables, top_table(1), USER_CODE >> 12, CODE | P | US | A | D);
}

void tables_make(const struct guest *guest, const struct tables *tables)
{
	memset(guest->raw.ram + TOP_TABLES, 0, TOP_TABLES_SIZE);
	memset(guest->raw.ram + TEST_TABLES, 0, TEST_TABLES_SIZE);
	for (unsigned int level = 1; level <= tables->levels; level++) {
		for (unsigned int n = 0; n < SLOTS; n++) {
			unsigned int index = slot(tables, level, n);

			for (unsigned int i = 0; level < tables->levels && i < TABLES_A_LEVEL; i++)
				write_entry(guest, tables,
					    TEST_TABLES + ((uint64_t)(level - 1) * TABLES_A_LEVEL +
							   i) * 4096,
					    index, random_entry(tables, level));
			if (index && level > 1)
				write_entry(guest, tables, top_table(level), index,
					    random_entry(tables, level));
		}
	}
	make_system(guest, tables);
}

uint64_t tables_root(const struct tables *tables)
{
	return top_table(tables->levels);
}

uint64_t tables_address(const struct tables *tables)
{
	uint64_t address = 0;
	bool system = true;

	for (unsigned int level = tables->levels; level >= 1; level--) {
		unsigned int index = slot(tables, level, (unsigned int)(draw() % SLOTS));

		/* Level 2 of the system area: not entry 0, which maps the system area itself. */
		if (level == 2 && system)
			while (!index)
				index = slot(tables, level, (unsigned int)(draw() % SLOTS));
		system &= !index;
		address |= (uint64_t)index << shift_of(tables, level);
	}
	if (tables->paging >= PAGING_4LEVEL) {
		unsigned int spare = tables->paging == PAGING_5LEVEL ? 7 : 16;

		return (uint64_t)((int64_t)(address << spare) >> spare);
	}
	return (uint32_t)address;
}
