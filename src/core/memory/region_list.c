/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/memory/region_list.h"

#include <stdlib.h>
#include <string.h>

#include "core/memory/file.h"

static uint64_t end_of(const struct ram_region *region)
{
	return region->gpn + region->pages;
}

static uint64_t least(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

static uint64_t most(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

static struct ram_region part(const struct ram_region *region, uint64_t gpn, uint64_t end)
{
	struct ram_region piece = *region;
	const uint64_t skipped = gpn - region->gpn;

	piece.gpn = gpn;
	piece.pages = end - gpn;
	piece.page += skipped;
	piece.host += skipped * CORE_PAGE_SIZE;
	if (piece.guard)
		piece.guard += skipped * CORE_PAGE_SIZE;
	return piece;
}

bool region_list_copy(struct region_list *list, const struct ram_region *region, uint32_t count,
		      size_t more)
{
	if (more > UINT32_MAX - count)
		return false;
	list->room = count + (uint32_t)more;
	list->count = count;
	list->region = calloc(list->room ? list->room : 1, sizeof(*region));
	if (list->region && count)
		memcpy(list->region, region, count * sizeof(*region));
	return list->region;
}

/* Index of the first region that ends above @gpn. */
static uint32_t index_of(const struct region_list *list, uint64_t gpn)
{
	uint32_t low = 0;
	uint32_t high = list->count;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;

		if (end_of(&list->region[middle]) <= gpn)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void shift(struct region_list *list, uint32_t from, uint32_t to)
{
	memmove(&list->region[to], &list->region[from],
		(list->count - from) * sizeof(list->region[0]));
	list->count += to - from;
}

void region_list_cut(struct region_list *list, uint64_t gpn, uint64_t pages)
{
	const uint64_t end = gpn + pages;
	uint32_t first = index_of(list, gpn);
	uint32_t last = first;
	struct ram_region kept[2];
	uint32_t count = 0;

	while (last < list->count && list->region[last].gpn < end)
		last++;
	if (first == last)
		return;
	if (list->region[first].gpn < gpn)
		kept[count++] = part(&list->region[first], list->region[first].gpn, gpn);
	if (end_of(&list->region[last - 1]) > end)
		kept[count++] = part(&list->region[last - 1], end, end_of(&list->region[last - 1]));
	shift(list, last, first + count);
	memcpy(&list->region[first], kept, count * sizeof(kept[0]));
}

void region_list_insert(struct region_list *list, const struct ram_region *region)
{
	const uint32_t index = index_of(list, region->gpn);

	shift(list, index, index + 1);
	list->region[index] = *region;
}

bool region_list_next(const struct region_list *list, uint64_t gpn, uint64_t end,
		      struct ram_region *out)
{
	const uint32_t index = index_of(list, gpn);
	const struct ram_region *region = index < list->count ? &list->region[index] : NULL;

	if (!region || gpn >= end || region->gpn >= end)
		return false;
	*out = part(region, most(gpn, region->gpn), least(end, end_of(region)));
	return true;
}

struct backend_memory region_list_run(const struct ram_region *region)
{
	return (struct backend_memory){
		.gpn = region->gpn,
		.pages = region->pages,
		.file = &region->file->backend,
		.page = region->page,
		.readonly = region->flags & VSM_MEMORY_READONLY,
		.log = region->flags & VSM_MEMORY_LOG,
		.smm = region->flags & VSM_MEMORY_SMM,
	};
}

static bool share_a_page(const struct ram_region *one, const struct ram_region *other)
{
	return one->page < other->page + other->pages && other->page < one->page + one->pages &&
	       ram_file_is_same(one->file, other->file);
}

bool region_list_append(struct region_list *list, const struct ram_region *region)
{
	if (list->count == list->room) {
		const uint32_t room = list->room ? list->room * 2 : 16;
		struct ram_region *more = realloc(list->region, room * sizeof(*more));

		if (!more)
			return false;
		list->region = more;
		list->room = room;
	}
	list->region[list->count++] = *region;
	return true;
}

static bool is_same_place(const struct ram_region *one, const struct ram_region *other)
{
	return ram_file_is_same(one->file, other->file) &&
	       one->page - one->gpn == other->page - other->gpn;
}

bool region_list_has(const struct region_list *list, const struct ram_region *region)
{
	uint64_t gpn = region->gpn;

	for (uint32_t i = index_of(list, gpn); i < list->count && gpn < end_of(region); i++) {
		if (list->region[i].gpn > gpn || !is_same_place(&list->region[i], region))
			return false;
		gpn = end_of(&list->region[i]);
	}
	return gpn >= end_of(region);
}

void region_list_find_aliases(struct region_list *list, const struct region_list *former)
{
	for (uint32_t i = 0; i < list->count; i++)
		list->region[i].aliased = false;
	for (uint32_t i = 0; i < list->count; i++) {
		struct ram_region *region = &list->region[i];

		for (uint32_t k = 0; k < former->count; k++)
			region->aliased |= share_a_page(region, &former->region[k]);
		for (uint32_t k = 0; k < i; k++) {
			if (!share_a_page(region, &list->region[k]))
				continue;
			region->aliased = true;
			list->region[k].aliased = true;
		}
	}
}

static bool add(struct range_list *list, uint64_t gpn, uint64_t pages)
{
	if (list->count == list->room) {
		const size_t room = list->room ? list->room * 2 : 16;
		struct gpa_range *range = realloc(list->range, room * sizeof(*range));

		if (!range)
			return false;
		list->range = range;
		list->room = room;
	}
	list->range[list->count++] = (struct gpa_range){.gpn = gpn, .pages = pages};
	return true;
}

static bool is_same(const struct ram_region *one, const struct ram_region *other)
{
	if (!one->guard != !other->guard ||
	    (one->guard &&
	     one->guard - one->gpn * CORE_PAGE_SIZE != other->guard - other->gpn * CORE_PAGE_SIZE))
		return false;
	return one->file == other->file && one->page - one->gpn == other->page - other->gpn &&
	       !((one->flags ^ other->flags) & (VSM_MEMORY_READONLY | VSM_MEMORY_SMM));
}

bool region_list_difference(const struct region_list *list, const struct region_list *other,
			    struct range_list *out)
{
	for (uint32_t i = 0; i < list->count; i++) {
		const struct ram_region *region = &list->region[i];
		const uint64_t end = end_of(region);
		uint64_t gpn = region->gpn;

		for (uint32_t k = index_of(other, gpn); k < other->count && gpn < end; k++) {
			const struct ram_region *match = &other->region[k];

			if (match->gpn >= end)
				break;
			if (!is_same(region, match))
				continue;
			if (match->gpn > gpn && !add(out, gpn, match->gpn - gpn))
				return false;
			gpn = end_of(match);
		}
		if (gpn < end && !add(out, gpn, end - gpn))
			return false;
	}
	return true;
}

/* Adds the GPAs of pages [page, page + pages) of @file in @list, except those from @gpn on. */
static bool add_aliases(const struct region_list *list, const struct ram_file *file, uint64_t page,
			uint64_t pages, uint64_t gpn, struct range_list *out)
{
	for (uint32_t i = 0; i < list->count; i++) {
		const struct ram_region *region = &list->region[i];
		const uint64_t first = most(page, region->page);
		const uint64_t end = least(page + pages, region->page + region->pages);

		if (first >= end || !ram_file_is_same(region->file, file) ||
		    region->gpn - region->page == gpn - page)
			continue;
		if (!add(out, region->gpn + (first - region->page), end - first))
			return false;
	}
	return true;
}

bool region_list_aliases_of(const struct region_list *list, const struct region_list *from,
			    const struct range_list *ranges, struct range_list *out)
{
	for (size_t i = 0; i < ranges->count; i++) {
		const uint64_t end = ranges->range[i].gpn + ranges->range[i].pages;
		struct ram_region run;

		for (uint64_t gpn = ranges->range[i].gpn; region_list_next(from, gpn, end, &run);
		     gpn = end_of(&run))
			if (!add_aliases(list, run.file, run.page, run.pages, run.gpn, out))
				return false;
	}
	return true;
}

bool region_list_add_former(const struct vsm_partition *partition, const struct region_list *list,
			    const struct range_list *ranges, const struct region_list *other,
			    region_is_restricted *restricted, struct region_list *former)
{
	for (size_t i = 0; i < ranges->count; i++) {
		const uint64_t end = ranges->range[i].gpn + ranges->range[i].pages;
		struct ram_region left;

		for (uint64_t gpn = ranges->range[i].gpn; region_list_next(list, gpn, end, &left);
		     gpn = end_of(&left))
			if (!region_list_has(other, &left) &&
			    restricted(partition, left.gpn, left.pages) &&
			    !region_list_append(former, &left))
				return false;
	}
	return true;
}
