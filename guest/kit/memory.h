/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KIT_MEMORY_H
#define KIT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 4096u

/* Sets the range of allocatable RAM. */
void memory_init(uint64_t begin, uint64_t end);

/* Zeroed pages, which are never freed; ends the machine if memory is exhausted. GVA and GPA are equal. */
void *memory_pages(size_t count);
/* Allocates 2 MiB of zeroed pages, aligned to 2 MiB. */
void *memory_large_page(void);
uint64_t memory_left(void); /* bytes that are not allocated yet */

/* Identity-maps the first 4 GiB for CPL 0; the last GiB is uncached, for the APIC. PTE_USER in a
 * paging_entry() makes its page accessible to user mode. */
uint64_t paging_create(void);

/* Returns the page table entry of the 4 KiB page at @address, after splitting a large page, or NULL above 4
 * GiB. The caller flushes the TLB after a change. */
uint64_t *paging_entry(uint64_t cr3, const volatile void *address);

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);
int strncmp(const char *a, const char *b, size_t size);

#endif
