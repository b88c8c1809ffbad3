/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory.h"

#include <stddef.h>

static const struct vsm_walk_direct *direct_at(const struct vsm_walk_memory *memory, uint64_t gpa)
{
	for (uint32_t i = 0; i < memory->direct_count; i++)
		if (gpa - memory->direct[i].gpa < memory->direct[i].size)
			return &memory->direct[i];
	return NULL;
}

enum vsm_walk_refusal walk_read_slow(const struct vsm_walk_memory *memory, uint64_t gpa,
				     unsigned int size, uint64_t *entry)
{
	const struct vsm_walk_direct *direct = direct_at(memory, gpa);
	enum vsm_walk_refusal refusal;
	uint64_t value = 0;

	if (direct) {
		*entry = walk_load((const char *)direct->host + (gpa - direct->gpa), size);
		return VSM_WALK_ALLOWED;
	}
	if (!memory->read)
		return VSM_WALK_UNMAPPED;
	refusal = memory->read(memory->opaque, gpa, size, &value);
	*entry = size == 4 ? (uint32_t)value : value;
	return refusal;
}

static enum vsm_walk_refusal exchange(void *host, unsigned int size, uint64_t entry,
				      uint64_t desired)
{
	uint32_t entry32 = (uint32_t)entry;
	bool done;

	if (size == 8)
		done = __atomic_compare_exchange_n((uint64_t *)host, &entry, desired, false,
						   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	else
		done = __atomic_compare_exchange_n((uint32_t *)host, &entry32, (uint32_t)desired,
						   false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	return done ? VSM_WALK_ALLOWED : VSM_WALK_CHANGED;
}

enum vsm_walk_refusal walk_set_bits(const struct vsm_walk_memory *memory, uint64_t gpa,
				    unsigned int size, uint64_t entry, uint64_t bits)
{
	const struct vsm_walk_direct *direct = direct_at(memory, gpa);

	if (direct && !direct->read_only)
		return exchange((char *)direct->host + (gpa - direct->gpa), size, entry,
				entry | bits);
	if (!memory->compare_exchange)
		return VSM_WALK_NO_WRITE;
	return memory->compare_exchange(memory->opaque, gpa, size, entry, entry | bits);
}
