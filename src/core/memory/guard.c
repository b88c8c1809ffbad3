/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/memory/guard.h"

#include <errno.h>
#include <stdlib.h>

#include "core/memory/file.h"
#include "core/memory/protect.h"

/* By ascending address, without overlap. */
struct mappings {
	struct backend_guard *at;
	size_t count;
};

static uint64_t start_of(const struct backend_guard *mapping)
{
	return (uint64_t)(uintptr_t)mapping->host;
}

static uint64_t end_of(const struct backend_guard *mapping)
{
	return start_of(mapping) + mapping->pages * CORE_PAGE_SIZE;
}

/* Removes the first @pages of *mapping, or all if it has fewer, and returns them. */
static struct backend_guard cut(struct backend_guard *mapping, uint64_t pages)
{
	struct backend_guard first = *mapping;

	if (pages < first.pages)
		first.pages = pages;
	mapping->host += first.pages * CORE_PAGE_SIZE;
	mapping->gpn += first.pages;
	mapping->page += first.pages;
	mapping->pages -= first.pages;
	return first;
}

static void collect(struct mappings *all, const struct region_list *list)
{
	for (uint32_t i = 0; i < list->count; i++) {
		const struct ram_region *region = &list->region[i];

		if (region->guard)
			all->at[all->count++] = (struct backend_guard){
				.host = region->guard,
				.gpn = region->gpn,
				.pages = region->pages,
				.file = &region->file->backend,
				.page = region->page,
			};
	}
}

static int by_address(const void *one, const void *other)
{
	const uint64_t a = start_of(one);
	const uint64_t b = start_of(other);

	return (a > b) - (a < b);
}

/* False: out of memory. */
static bool mappings_of(const struct guard_set *set, struct mappings *all)
{
	uint64_t end = 0;
	size_t kept = 0;

	all->count = 0;
	all->at = calloc((size_t)set->present->count + set->former->count + 1, sizeof(*all->at));
	if (!all->at)
		return false;
	collect(all, set->present);
	collect(all, set->former);
	qsort(all->at, all->count, sizeof(*all->at), by_address);
	for (size_t i = 0; i < all->count; i++) {
		struct backend_guard mapping = all->at[i];

		if (start_of(&mapping) < end)
			(void)cut(&mapping, (end - start_of(&mapping)) / CORE_PAGE_SIZE);
		if (!mapping.pages)
			continue;
		end = end_of(&mapping);
		all->at[kept++] = mapping;
	}
	all->count = kept;
	return true;
}

typedef int mapping_fn(struct vsm_partition *partition, const struct backend_guard *mapping);

static int add(struct vsm_partition *partition, const struct backend_guard *mapping)
{
	return partition->ops->guard_add(partition->backend, mapping);
}

static int remove_guard(struct vsm_partition *partition, const struct backend_guard *mapping)
{
	partition->ops->guard_remove(partition->backend, mapping->host, mapping->pages);
	return 0;
}

/* Whether equal addresses of both map the same page of a file. */
static bool is_same(const struct backend_guard *one, const struct backend_guard *other)
{
	return one->file == other->file && start_of(one) - one->page * CORE_PAGE_SIZE ==
						   start_of(other) - other->page * CORE_PAGE_SIZE;
}

/* Calls @function for each part of @all that @other lacks. */
static int each_missing(struct vsm_partition *partition, const struct mappings *all,
			const struct mappings *other, mapping_fn *function)
{
	size_t k = 0;

	for (size_t i = 0; i < all->count; i++) {
		struct backend_guard left = all->at[i];

		while (left.pages) {
			const struct backend_guard *next;
			struct backend_guard part;
			bool missing = true;
			int error;

			while (k < other->count && end_of(&other->at[k]) <= start_of(&left))
				k++;
			next = k < other->count ? &other->at[k] : NULL;
			if (!next) {
				part = cut(&left, left.pages);
			} else if (start_of(next) > start_of(&left)) {
				part = cut(&left,
					   (start_of(next) - start_of(&left)) / CORE_PAGE_SIZE);
			} else {
				missing = !is_same(next, &left);
				part = cut(&left,
					   (end_of(next) - start_of(&left)) / CORE_PAGE_SIZE);
			}
			error = missing ? function(partition, &part) : 0;
			if (error)
				return error;
		}
	}
	return 0;
}

int guard_change(struct vsm_partition *partition, const struct guard_set *from,
		 const struct guard_set *to)
{
	struct mappings old = {0};
	struct mappings new = {0};
	int error = 0;

	if (!partition->ops->guard_add || partition->memory.guard_suspended)
		return 0;
	if (!mappings_of(from, &old) || !mappings_of(to, &new))
		error = vsm_error(&partition->log, ENOMEM, "no memory to describe RAM");
	if (!error)
		error = each_missing(partition, &old, &new, remove_guard);
	if (!error)
		error = each_missing(partition, &new, &old, add);
	free(old.at);
	free(new.at);
	return error;
}

static int set_rights(struct vsm_partition *partition)
{
	const struct memory *memory = &partition->memory;
	int error = protect_former_guards(partition);

	for (uint32_t i = 0; i < memory->region_count && !error; i++)
		if (memory->region[i].guard)
			error = protect_guards(partition, memory->region[i].gpn,
					       memory->region[i].pages);
	return error;
}

int guard_set_active(struct vsm_partition *partition, bool active)
{
	struct memory *memory = &partition->memory;
	const struct region_list none = {0};
	const struct region_list present = {.region = memory->region,
					    .count = memory->region_count};
	const struct region_list former = {.region = memory->former, .count = memory->former_count};
	const struct guard_set all = {&present, &former};
	const struct guard_set nothing = {&none, &none};
	int error;

	if (active != memory->guard_suspended)
		return vsm_error(&partition->log, EALREADY, "the guard of the VMM's mappings is %s",
				 active ? "in force" : "suspended");
	memory->guard_suspended = false;
	error = active ? guard_change(partition, &nothing, &all)
		       : guard_change(partition, &all, &nothing);
	if (active && !error)
		error = set_rights(partition);
	if (active && error)
		(void)guard_change(partition, &all, &nothing);
	memory->guard_suspended = active == (error != 0);
	return error;
}
