/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mappings of guest memory that large pages fit into.
 */
#ifndef CORE_MEMORY_MAP_FILE_H
#define CORE_MEMORY_MAP_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define MAP_FILE_LARGE_PAGE (UINT64_C(2) << 20)

/*
 * Maps @size bytes of @fd from @offset, shared, at an address that is congruent to @phase modulo a
 * large page: 2 MiB more are reserved than needed, and the rest is given back. NULL: errno says why.
 */
static inline uint8_t *map_file(int fd, uint64_t offset, uint64_t size, uint64_t phase)
{
	uint8_t *area = (uint8_t *)mmap(NULL, size + MAP_FILE_LARGE_PAGE, PROT_NONE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t lead;
	uint8_t *base;

	if (area == MAP_FAILED)
		return NULL;
	lead = (phase - (uintptr_t)area) % MAP_FILE_LARGE_PAGE;
	base = (uint8_t *)mmap(area + lead, size, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, (off_t)offset);
	if (base == MAP_FAILED) {
		munmap(area, size + MAP_FILE_LARGE_PAGE);
		return NULL;
	}
	if (lead)
		munmap(area, lead);
	if (lead < MAP_FILE_LARGE_PAGE)
		munmap(base + size, MAP_FILE_LARGE_PAGE - lead);
	madvise(base, size, MADV_HUGEPAGE);
	/* A child of the VMM must not keep guest memory, nor be able to read it. */
	madvise(base, size, MADV_DONTFORK);
	return base;
}

#endif
