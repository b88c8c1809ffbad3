/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of regions: cutting, inserting, comparing. */
#ifndef CORE_MEMORY_REGION_LIST_H
#define CORE_MEMORY_REGION_LIST_H

#include "core/core.h"

struct region_list {
	struct ram_region *region;
	uint32_t count;
	uint32_t room;
};

struct range_list {
	struct gpa_range *range;
	size_t count;
	size_t room;
};

/* Copies @count regions to @list, with room for @more. False: out of memory. */
bool region_list_copy(struct region_list *list, const struct ram_region *region, uint32_t count,
		      size_t more);
/* The list must have room for one more region. */
void region_list_cut(struct region_list *list, uint64_t gpn, uint64_t pages);
/* Inserts @region, which overlaps no other. The list must have room for it. */
void region_list_insert(struct region_list *list, const struct ram_region *region);
/* Sets *@out to the first part of a region within [gpn, end). False: there is none. */
bool region_list_next(const struct region_list *list, uint64_t gpn, uint64_t end,
		      struct ram_region *out);
struct backend_memory region_list_run(const struct ram_region *region);
/* @list is unsorted. False: out of memory. */
bool region_list_append(struct region_list *list, const struct ram_region *region);
/* Whether the list has each page of @region at the same GPA. */
bool region_list_has(const struct region_list *list, const struct ram_region *region);
/* Sets `aliased` of each region. @former: unsorted. */
void region_list_find_aliases(struct region_list *list, const struct region_list *former);
/*
 * Adds to @former the parts of @list within @ranges that are restricted, and that @other lacks at
 * the same GPA. False: out of memory.
 */
typedef bool region_is_restricted(const struct vsm_partition *partition, uint64_t gpn,
				  uint64_t pages);
bool region_list_add_former(const struct vsm_partition *partition, const struct region_list *list,
			    const struct range_list *ranges, const struct region_list *other,
			    region_is_restricted *restricted, struct region_list *former);

/*
 * Adds to @out the pieces of @list that @other lacks, or has with another page of a file, mapping
 * of the VMM, VSM_MEMORY_READONLY or VSM_MEMORY_SMM. False: out of memory.
 */
bool region_list_difference(const struct region_list *list, const struct region_list *other,
			    struct range_list *out);
/* Adds to @out the other GPAs in @list of the pages that @from has in @ranges. False: no memory. */
bool region_list_aliases_of(const struct region_list *list, const struct region_list *from,
			    const struct range_list *ranges, struct range_list *out);

#endif
