/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mappings of guest memory, which a child process of the VMM must not inherit: a mapping has no
 * rights until MADV_DONTFORK is set, so that a concurrent fork() copies only one without rights.
 */
#ifndef CORE_MEMORY_MAP_FILE_H
#define CORE_MEMORY_MAP_FILE_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define MAP_FILE_LARGE_PAGE (UINT64_C(2) << 20)

/* Excludes a mapping without rights from fork(), then sets @protection. 0 or -errno. */
static inline int map_file_open(uint8_t *at, uint64_t size, int protection)
{
	return madvise(at, size, MADV_DONTFORK) || mprotect(at, size, protection) ? -errno : 0;
}

/* Maps @size bytes of @fd from @offset, shared, to read and write. NULL: see errno. */
static inline uint8_t *map_file_anywhere(int fd, uint64_t offset, uint64_t size)
{
	uint8_t *made = (uint8_t *)mmap(NULL, size, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd,
					(off_t)offset);

	if (made == MAP_FAILED)
		return NULL;
	if (!map_file_open(made, size, PROT_READ | PROT_WRITE))
		return made;
	munmap(made, size);
	return NULL;
}

/* map_file_anywhere() at @at, where it replaces a mapping that other threads may access. */
static inline int map_file_at(uint8_t *at, int fd, uint64_t offset, uint64_t size)
{
	uint8_t *made = map_file_anywhere(fd, offset, size);
	int error;

	if (!made)
		return -errno;
	if (mremap(made, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at) != MAP_FAILED)
		return 0;
	error = -errno;
	munmap(made, size);
	return error;
}

/*
 * Maps @size bytes of @fd from @offset, shared, at an address that is congruent to @phase modulo a
 * large page. NULL: see errno.
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
	base = area + lead;
	if (map_file_at(base, fd, offset, size)) {
		munmap(area, size + MAP_FILE_LARGE_PAGE);
		return NULL;
	}
	if (lead)
		munmap(area, lead);
	if (lead < MAP_FILE_LARGE_PAGE)
		munmap(base + size, MAP_FILE_LARGE_PAGE - lead);
	madvise(base, size, MADV_HUGEPAGE);
	return base;
}

#endif
