/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lookup of a page's RAM region.
 */
#include "core/memory/gpa.h"

uint32_t memory_region_index(const struct memory *memory, uint64_t gpn)
{
	uint32_t low = 0;
	uint32_t high = memory->region_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (memory->region[middle].gpn + memory->region[middle].pages <= gpn)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct ram_region *memory_find(const struct vsm_partition *partition, uint64_t gpn)
{
	const struct memory *memory = &partition->memory;
	uint32_t index = memory_region_index(memory, gpn);

	if (index == memory->region_count || gpn < memory->region[index].gpn)
		return NULL;
	return &memory->region[index];
}
