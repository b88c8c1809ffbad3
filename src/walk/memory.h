/* SPDX-License-Identifier: BSD-2-Clause */
/* Page-table entries in the caller's memory: one load, or one compare-exchange, at a time. */
#ifndef WALK_MEMORY_H
#define WALK_MEMORY_H

#include <vsm/walk.h>

/* Reads an entry that is not in the first direct range. */
enum vsm_walk_refusal walk_read_slow(const struct vsm_walk_memory *memory, uint64_t gpa,
				     unsigned int size, uint64_t *entry);

static inline uint64_t walk_load(const void *host, unsigned int size)
{
	return size == 8 ? __atomic_load_n((const uint64_t *)host, __ATOMIC_RELAXED)
			 : __atomic_load_n((const uint32_t *)host, __ATOMIC_RELAXED);
}

/* The entry at @gpa, which is aligned to @size (8 or 4). */
static inline enum vsm_walk_refusal walk_read(const struct vsm_walk_memory *memory, uint64_t gpa,
					      unsigned int size, uint64_t *entry)
{
	const struct vsm_walk_direct *first = memory->direct;

	if (memory->direct_count && gpa - first->gpa < first->size) {
		*entry = walk_load((const char *)first->host + (gpa - first->gpa), size);
		return VSM_WALK_ALLOWED;
	}
	return walk_read_slow(memory, gpa, size, entry);
}

static inline struct vsm_walk_direct walk_first_direct(const struct vsm_walk_memory *memory)
{
	return memory->direct_count ? memory->direct[0] : (struct vsm_walk_direct){0};
}

/* Sets @bits in the entry at @gpa if it still holds @entry; VSM_WALK_CHANGED if not. */
enum vsm_walk_refusal walk_set_bits(const struct vsm_walk_memory *memory, uint64_t gpa,
				    unsigned int size, uint64_t entry, uint64_t bits);

#endif
