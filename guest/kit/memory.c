/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/memory.h"

#include "kit/console.h"
#include "kit/lock.h"
#include "kit/x64.h"

#define LARGE_SIZE 0x200000ull

static uint64_t next, end;
static struct lock lock;

void memory_init(uint64_t begin, uint64_t limit)
{
	next = (begin + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
	end = limit;
}

static void *take(uint64_t size, uint64_t align)
{
	uint64_t at;

	lock_take(&lock);
	at = (next + align - 1) & ~(align - 1);
	next = at + size;
	lock_drop(&lock);
	if (at + size > end)
		machine_crash("out of memory: 0x%lx bytes at 0x%lx, RAM ends at 0x%lx", size, at,
			      end);
	memset((void *)at, 0, size);
	return (void *)at;
}

void *memory_pages(size_t count)
{
	return take(count * PAGE_SIZE, PAGE_SIZE);
}

void *memory_large_page(void)
{
	return take(LARGE_SIZE, LARGE_SIZE);
}

uint64_t memory_left(void)
{
	return end > next ? end - next : 0;
}

uint64_t paging_create(void)
{
	uint64_t *pml4 = memory_pages(1);
	uint64_t *pdpt = memory_pages(1);
	uint64_t *directory = memory_pages(4);

	pml4[0] = (uint64_t)pdpt | PTE_PRESENT | PTE_WRITABLE | PTE_USER;
	for (uint64_t i = 0; i < 4; i++)
		pdpt[i] = (uint64_t)(directory + 512 * i) | PTE_PRESENT | PTE_WRITABLE | PTE_USER;
	for (uint64_t i = 0; i < 4ull * 512; i++)
		directory[i] = i * LARGE_SIZE | PTE_PRESENT | PTE_WRITABLE | PTE_LARGE |
			       (i >= 3ull * 512 ? PTE_UNCACHED : 0);
	return (uint64_t)pml4;
}

uint64_t *paging_entry(uint64_t cr3, const volatile void *address)
{
	const uint64_t at = (uint64_t)address;
	const uint64_t *pml4 = (const uint64_t *)(cr3 & PTE_ADDRESS);
	const uint64_t *pdpt;
	uint64_t *entry;

	if (at >> 32)
		return NULL;
	pdpt = (const uint64_t *)(pml4[0] & PTE_ADDRESS);
	entry = (uint64_t *)(pdpt[at >> 30] & PTE_ADDRESS) + (at >> 21 & 511);
	if (*entry & PTE_LARGE) {
		uint64_t *table = memory_pages(1);
		const uint64_t flags = *entry & ~PTE_ADDRESS & ~PTE_LARGE;

		for (uint64_t i = 0; i < 512; i++)
			table[i] = ((*entry & PTE_ADDRESS) + i * PAGE_SIZE) | flags;
		*entry = (uint64_t)table | PTE_PRESENT | PTE_WRITABLE | PTE_USER;
		flush_tlb();
	}
	return (uint64_t *)(*entry & PTE_ADDRESS) + (at >> 12 & 511);
}

void *memcpy(void *to, const void *from, size_t size)
{
	void *begin = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size)::"memory");
	return begin;
}

void *memset(void *to, int byte, size_t size)
{
	void *begin = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
	return begin;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const uint8_t *x = a, *y = b;

	for (size_t i = 0; i < size; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

int strncmp(const char *a, const char *b, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (a[i] != b[i] || !a[i])
			return (uint8_t)a[i] - (uint8_t)b[i];
	return 0;
}
