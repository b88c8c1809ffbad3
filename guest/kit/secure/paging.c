/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/secure/state.h"

#include "kit/memory.h"
#include "kit/x64.h"

#define NO_EXECUTE (1ull << 63)
#define WINDOW	   (511ull << 39 | 0xffff000000000000ull) /* above VTL1's region */

static uint64_t *region_table; /* 4 KiB pages of the region */
static uint64_t *window_table; /* one entry for each VP */

/* Allocates the table if absent. @level of @table: 3 (PML4) to 1 (page directory). */
static uint64_t *descend(uint64_t *table, uint64_t address, unsigned int level)
{
	uint64_t *entry = &table[address >> (12 + 9 * level) & 511];

	if (!*entry)
		*entry = (uint64_t)memory_pages(1) | PTE_PRESENT | PTE_WRITABLE;
	return (uint64_t *)(*entry & PTE_ADDRESS);
}

static uint64_t *table_of(uint64_t address)
{
	uint64_t *table = (uint64_t *)secure.tables;

	for (unsigned int level = 3; level > 0; level--)
		table = descend(table, address, level);
	return table;
}

void paging_set(const volatile void *page, bool writable, bool executable)
{
	const uint64_t at = (uint64_t)page;

	region_table[at >> 12 & 511] =
		at | PTE_PRESENT | (writable ? PTE_WRITABLE : 0) | (executable ? 0 : NO_EXECUTE);
	invlpg(page);
}

void paging_make(void)
{
	secure.tables = (uint64_t)memory_pages(1);
	region_table = table_of(secure.base);
	window_table = table_of(WINDOW);
	for (uint64_t i = 0; i < SECURE_KERNEL_REGION; i += PAGE_SIZE) {
		const uint8_t *page = (const uint8_t *)(secure.base + i);

		paging_set(page, page >= image_data || page < image_begin + PAGE_SIZE,
			   page >= image_begin + PAGE_SIZE && page < image_rodata);
	}
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	write_cr3(secure.tables);
}

void *paging_window(uint64_t gpa)
{
	const uint32_t vp = cpu_current()->vp;
	void *at = (void *)(WINDOW + (uint64_t)vp * PAGE_SIZE);

	window_table[vp] = (gpa & PTE_ADDRESS) | PTE_PRESENT | PTE_WRITABLE | NO_EXECUTE;
	invlpg(at);
	return (uint8_t *)at + (gpa & (PAGE_SIZE - 1));
}
