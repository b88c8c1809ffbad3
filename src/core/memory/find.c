/* SPDX-License-Identifier: BSD-2-Clause */
/* Lookup of a page: its region, its number, the GPAs at which it is or was. */
#include "core/memory/file.h"
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

const struct ram_span *memory_span(const struct memory *memory, uint64_t gpn)
{
	uint32_t low = 0;
	uint32_t high = memory->span_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (memory->span[middle].gpn + memory->span[middle].pages <= gpn)
			low = middle + 1;
		else
			high = middle;
	}
	return low < memory->span_count ? &memory->span[low] : NULL;
}

/* *gpn: the next GPA at which a region of @list has the page. False: none. */
static bool next_of(const struct ram_region *list, uint32_t count, const struct ram_file *file,
		    uint64_t page, uint32_t *next, uint64_t *gpn)
{
	while (*next < count) {
		const struct ram_region *region = &list[(*next)++];

		if (page - region->page >= region->pages || !ram_file_is_same(region->file, file))
			continue;
		*gpn = region->gpn + (page - region->page);
		return true;
	}
	return false;
}

bool memory_next_gpa(const struct memory *memory, const struct ram_file *file, uint64_t page,
		     uint32_t *next, uint64_t *gpn)
{
	return next_of(memory->region, memory->region_count, file, page, next, gpn);
}

bool memory_next_former(const struct memory *memory, const struct ram_file *file, uint64_t page,
			uint32_t *next, uint64_t *gpn)
{
	return next_of(memory->former, memory->former_count, file, page, next, gpn);
}
