/* SPDX-License-Identifier: BSD-2-Clause */
/* VTL protections: the maps of all pairs of VTLs, and their updates in the backend. */
#include "core/memory/protect.h"

#include <errno.h>

#include "core/memory/dma_map.h"
#include "core/memory/file.h"
#include "core/memory/gpa.h"
#include "core/memory/overlay.h"
#include "core/memory/protection_map.h"

enum {
	RANGE_BATCH = 64, /* ranges in one call of the backend */
	/* pages that change together, and are restored together if the backend fails */
	PAGE_BATCH = 64,
};

/* The number of a page. False: it was never RAM. */
static bool page_of(const struct vsm_partition *partition, uint64_t gpn, uint64_t *page)
{
	const struct ram_span *span = memory_span(&partition->memory, gpn);

	if (!span || gpn < span->gpn)
		return false;
	*page = span->first + (gpn - span->gpn);
	return true;
}

/* The rights that VTLs @first to @last give @vtl at the GPA, independent of its page. */
static uint8_t given(const struct vsm_partition *partition, unsigned int first, unsigned int last,
		     uint8_t vtl, uint64_t gpn)
{
	uint8_t access = GPA_ALL;
	uint64_t page;

	if (!page_of(partition, gpn, &page))
		return GPA_ALL;
	for (unsigned int owner = first; owner <= last; owner++) {
		const struct protection_map *map = partition->memory.map[owner][vtl];

		access &= map ? protection_map_get(map, page) : GPA_ALL;
	}
	return access;
}

/* given() for a page of a file, over its present GPAs and those of memory.former. */
static uint8_t given_to_page(const struct vsm_partition *partition, unsigned int first,
			     unsigned int last, uint8_t vtl, const struct ram_file *file,
			     uint64_t page)
{
	const struct memory *memory = &partition->memory;
	uint32_t next = 0, next_former = 0;
	uint8_t access = GPA_ALL;
	uint64_t gpn;

	while (memory_next_gpa(memory, file, page, &next, &gpn) ||
	       memory_next_former(memory, file, page, &next_former, &gpn))
		access &= given(partition, first, last, vtl, gpn);
	return access;
}

/* given() for the page at @gpn, over all its GPAs; for only @gpn if it has no memory. */
static uint8_t given_everywhere(const struct vsm_partition *partition, unsigned int first,
				unsigned int last, uint8_t vtl, uint64_t gpn)
{
	const struct ram_region *region = memory_find(partition, gpn);

	/* given_to_page() also reads the rights at @gpn. */
	return region && region->aliased ? given_to_page(partition, first, last, vtl, region->file,
							 region->page + (gpn - region->gpn))
					 : given(partition, first, last, vtl, gpn);
}

uint8_t protect_by_owner(const struct vsm_partition *partition, uint8_t owner, uint8_t vtl,
			 uint64_t gpn)
{
	return partition->memory.map[owner][vtl]
		       ? given_everywhere(partition, owner, owner, vtl, gpn)
		       : GPA_ALL;
}

uint8_t protect_effective(const struct vsm_partition *partition, uint8_t vtl, uint64_t gpn)
{
	return given_everywhere(partition, vtl + 1u, partition->vtl_count - 1u, vtl, gpn);
}

uint8_t protect_denier(const struct vsm_partition *partition, uint8_t vtl, uint64_t gpn,
		       uint8_t access)
{
	for (unsigned int owner = vtl + 1u; owner < partition->vtl_count; owner++) {
		if (access & ~protect_by_owner(partition, (uint8_t)owner, vtl, gpn))
			return (uint8_t)owner;
	}
	return 0;
}

/* Number of pages from @gpn on, at most @limit, at GPAs with the same rights in all maps. */
static uint64_t given_run(const struct vsm_partition *partition, uint8_t vtl, uint64_t gpn,
			  uint64_t limit)
{
	const struct ram_span *span = memory_span(&partition->memory, gpn);
	uint64_t left;

	if (!span)
		return limit;
	if (gpn < span->gpn)
		return span->gpn - gpn < limit ? span->gpn - gpn : limit;
	left = span->pages - (gpn - span->gpn);
	if (left < limit)
		limit = left;
	for (unsigned int owner = vtl + 1u; owner < partition->vtl_count; owner++) {
		const struct protection_map *map = partition->memory.map[owner][vtl];

		if (map)
			limit = protection_map_run(map, span->first + (gpn - span->gpn), limit);
	}
	return limit;
}

/*
 * Shortens a run of pages of @region so that each region of @list has all of them, with the same
 * rights, or none.
 */
static uint64_t run_in_list(const struct vsm_partition *partition, uint8_t vtl,
			    const struct ram_region *list, uint32_t count,
			    const struct ram_region *region, uint64_t gpn, uint64_t limit)
{
	const uint64_t page = region->page + (gpn - region->gpn);

	for (uint32_t i = 0; i < count; i++) {
		const struct ram_region *other = &list[i];
		const uint64_t at = page - other->page;

		if (!ram_file_is_same(other->file, region->file))
			continue;
		if (at < other->pages) {
			if (other->pages - at < limit)
				limit = other->pages - at;
			limit = given_run(partition, vtl, other->gpn + at, limit);
		} else if (page < other->page && other->page - page < limit) {
			limit = other->page - page;
		}
	}
	return limit;
}

/* run_in_list() for the present and the former regions. */
static uint64_t aliased_run(const struct vsm_partition *partition, uint8_t vtl,
			    const struct ram_region *region, uint64_t gpn, uint64_t limit)
{
	const struct memory *memory = &partition->memory;

	limit = run_in_list(partition, vtl, memory->region, memory->region_count, region, gpn,
			    limit);
	return run_in_list(partition, vtl, memory->former, memory->former_count, region, gpn,
			   limit);
}

uint64_t protect_run(const struct vsm_partition *partition, uint8_t vtl, uint64_t gpn,
		     uint64_t limit)
{
	const struct ram_region *region = memory_find(partition, gpn);
	const uint64_t left = region->pages - (gpn - region->gpn);

	limit = given_run(partition, vtl, gpn, left < limit ? left : limit);
	return region->aliased ? aliased_run(partition, vtl, region, gpn, limit) : limit;
}

bool protect_is_restricted(const struct vsm_partition *partition, uint64_t gpn, uint64_t pages)
{
	const uint64_t end = gpn + pages;

	for (uint8_t vtl = 0; vtl + 1u < partition->vtl_count; vtl++) {
		for (uint64_t at = gpn; at < end; at += given_run(partition, vtl, at, end - at))
			if (given(partition, vtl + 1u, partition->vtl_count - 1u, vtl, at) !=
			    GPA_ALL)
				return true;
	}
	return false;
}

void protect_each(const struct vsm_partition *partition, uint8_t owner, uint8_t restricted,
		  protect_run_fn *run, void *opaque)
{
	const struct memory *memory = &partition->memory;
	const struct protection_map *map = memory->map[owner][restricted];

	for (uint32_t i = 0; map && i < memory->span_count; i++) {
		const struct ram_span *span = &memory->span[i];

		for (uint64_t page = 0; page < span->pages;) {
			uint64_t first = span->first + page;
			uint64_t pages = protection_map_run(map, first, span->pages - page);
			uint8_t access = protection_map_get(map, first);

			if (access != protection_map_default(map))
				run(opaque, span->gpn + page, pages, access);
			page += pages;
		}
	}
}

size_t protect_memory_used(const struct vsm_partition *partition)
{
	size_t used = 0;

	for (unsigned int owner = 1; owner < partition->vtl_count; owner++) {
		for (unsigned int vtl = 0; vtl < owner; vtl++) {
			const struct protection_map *map = partition->memory.map[owner][vtl];

			used += map ? protection_map_memory(map) : 0;
		}
	}
	return used;
}

/* Ranges with the same access, for one call of the backend. */
struct protect_batch {
	struct vsm_partition *partition;
	uint8_t vtl;
	uint8_t access;
	size_t count;
	struct gpa_range range[RANGE_BATCH];
};

/* Gives the VMM's mappings of the range the rights @access, which are those of VTL0. */
static int guard_range(struct vsm_partition *partition, struct gpa_range range, uint8_t access)
{
	const uint8_t both = GPA_READ | GPA_WRITE;
	int error = 0;

	while (range.pages && !error) {
		const struct ram_region *region = memory_find(partition, range.gpn);
		const uint64_t skipped = range.gpn - region->gpn;
		const uint64_t left = region->pages - skipped;
		const uint64_t pages = left < range.pages ? left : range.pages;

		if (region->guard && !partition->memory.guard_suspended)
			error = partition->ops->guard_protect(
				partition->backend, region->guard + skipped * CORE_PAGE_SIZE, pages,
				access);
		/* While the pages were denied, the VMM may have read other contents. */
		if (region->guard && region->flags & VSM_MEMORY_LOG && (access & both) == both)
			ram_file_note_dirty(region->file, region->page + skipped, pages);
		range.gpn += pages;
		range.pages -= pages;
	}
	return error;
}

int protect_guards(struct vsm_partition *partition, uint64_t gpn, uint64_t pages)
{
	const uint64_t end = gpn + pages;
	int error = 0;

	while (gpn < end && !error && partition->ops->guard_protect) {
		const uint64_t run = protect_run(partition, 0, gpn, end - gpn);

		error = guard_range(partition, (struct gpa_range){.gpn = gpn, .pages = run},
				    protect_effective(partition, 0, gpn));
		gpn += run;
	}
	return error;
}

/*
 * Number of pages from @page on, at most @limit, that an entry of memory.former before @index has
 * at the same address of the VMM.
 */
static uint64_t pages_before(const struct memory *memory, uint32_t index, uint64_t page,
			     uint64_t limit)
{
	const struct ram_region *former = &memory->former[index];
	const uint8_t *host = former->guard + (page - former->page) * CORE_PAGE_SIZE;
	uint64_t pages = 0;

	for (uint32_t i = 0; i < index && pages < limit; i++) {
		const struct ram_region *other = &memory->former[i];
		const uint64_t at = page - other->page;

		if (other->guard && at < other->pages && other->pages - at > pages &&
		    other->guard + at * CORE_PAGE_SIZE == host)
			pages = other->pages - at;
	}
	return pages < limit ? pages : limit;
}

/*
 * Sets the rights of the VMM's mapping of pages that left the map, as a device may still use it. A
 * page is changed only for the first entry of memory.former that has it, since a guest chooses the
 * number of entries.
 */
static int guard_former(struct vsm_partition *partition, uint32_t index, uint64_t gpn,
			uint64_t pages)
{
	const struct memory *memory = &partition->memory;
	const struct ram_region *former = &memory->former[index];
	const uint64_t end = gpn + pages;
	int error = 0;

	if (!former->guard || !partition->ops->guard_protect || memory->guard_suspended)
		return 0;
	for (uint64_t run; gpn < end && !error; gpn += run) {
		const uint64_t page = former->page + (gpn - former->gpn);

		run = pages_before(memory, index, page, end - gpn);
		if (run)
			continue;
		run = aliased_run(partition, 0, former, gpn, end - gpn);
		error = partition->ops->guard_protect(
			partition->backend, former->guard + (gpn - former->gpn) * CORE_PAGE_SIZE,
			run,
			given_to_page(partition, 1, partition->vtl_count - 1u, 0, former->file,
				      page));
	}
	return error;
}

int protect_former_guards(struct vsm_partition *partition)
{
	const struct memory *memory = &partition->memory;
	int error = 0;

	for (uint32_t i = 0; i < memory->former_count && !error; i++)
		error = guard_former(partition, i, memory->former[i].gpn, memory->former[i].pages);
	return error;
}

/* guard_former() for all of the VMM's mappings of one page of a file. */
static int guard_former_page(struct vsm_partition *partition, const struct ram_file *file,
			     uint64_t page)
{
	const struct memory *memory = &partition->memory;
	const uint8_t *done = NULL;
	int error = 0;

	for (uint32_t i = 0; i < memory->former_count && !error; i++) {
		const struct ram_region *former = &memory->former[i];
		const uint64_t at = page - former->page;

		if (at >= former->pages || !former->guard ||
		    former->guard + at * CORE_PAGE_SIZE == done ||
		    !ram_file_is_same(former->file, file))
			continue;
		error = guard_former(partition, i, former->gpn + at, 1);
		done = former->guard + at * CORE_PAGE_SIZE;
	}
	return error;
}

/* After a change of the rights at @gpn: for the page at @gpn, and pages that left it. */
static int guard_former_at(struct vsm_partition *partition, uint64_t gpn)
{
	const struct memory *memory = &partition->memory;
	const struct ram_region *region = memory_find(partition, gpn);
	int error = 0;

	if (region)
		error = guard_former_page(partition, region->file,
					  region->page + (gpn - region->gpn));
	for (uint32_t i = 0; i < memory->former_count && !error; i++) {
		const struct ram_region *former = &memory->former[i];

		if (gpn - former->gpn < former->pages)
			error = guard_former_page(partition, former->file,
						  former->page + (gpn - former->gpn));
	}
	return error;
}

static int batch_flush(struct protect_batch *batch)
{
	struct vsm_partition *partition = batch->partition;
	size_t count = batch->count;
	int error = 0;

	batch->count = 0;
	if (!count)
		return 0;
	for (size_t i = 0; i < count && !error; i++)
		error = dma_map_revoke(partition, batch->vtl, batch->range[i], batch->access);
	if (!error)
		error = partition->ops->protect(partition->backend, batch->vtl, batch->range, count,
						batch->access);
	for (size_t i = 0; i < count && !error && batch->vtl == 0 && partition->ops->guard_protect;
	     i++)
		error = guard_range(partition, batch->range[i], batch->access);
	return error;
}

static int batch_add(struct protect_batch *batch, uint64_t gpn, uint64_t pages, uint8_t access)
{
	struct gpa_range *last = &batch->range[batch->count - (batch->count > 0)];
	int error = 0;

	if (batch->count && batch->access == access && last->gpn + last->pages == gpn) {
		last->pages += pages;
		return 0;
	}
	if (batch->count == RANGE_BATCH || (batch->count && batch->access != access))
		error = batch_flush(batch);
	batch->access = access;
	batch->range[batch->count++] = (struct gpa_range){.gpn = gpn, .pages = pages};
	return error;
}

/* @skip_all: pages with all rights need no call. */
static int batch_range(struct protect_batch *batch, uint64_t gpn, uint64_t pages, bool skip_all)
{
	const uint64_t end = gpn + pages;

	while (gpn < end) {
		uint64_t run = protect_run(batch->partition, batch->vtl, gpn, end - gpn);
		uint8_t access = protect_effective(batch->partition, batch->vtl, gpn);
		int error = 0;

		if (!skip_all || access != GPA_ALL)
			error = batch_add(batch, gpn, run, access);
		if (error)
			return error;
		gpn += run;
	}
	return 0;
}

static int batch_all(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn, uint64_t pages,
		     bool skip_all)
{
	struct protect_batch batch = {.partition = partition, .vtl = vtl};
	int error = batch_range(&batch, gpn, pages, skip_all);

	return error ? error : batch_flush(&batch);
}

int protect_new(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn, uint64_t pages)
{
	return batch_all(partition, vtl, gpn, pages, true);
}

int protect_reapply(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn, uint64_t pages)
{
	return batch_all(partition, vtl, gpn, pages, false);
}

static int update_all(struct vsm_partition *partition, uint8_t vtl)
{
	struct protect_batch batch = {.partition = partition, .vtl = vtl};
	int error;

	for (uint32_t i = 0; i < partition->memory.region_count; i++) {
		error = batch_range(&batch, partition->memory.region[i].gpn,
				    partition->memory.region[i].pages, false);
		if (error)
			return error;
	}
	error = batch_flush(&batch);
	if (!error && vtl == 0)
		error = protect_former_guards(partition);
	return error ? error : overlay_show_range(partition, vtl, 0, UINT64_MAX);
}

static uint16_t status_of(int error)
{
	switch (error) {
	case 0:
		return HV_STATUS_SUCCESS;
	case -ENOMEM:
		return HV_STATUS_INSUFFICIENT_MEMORY;
	case -ENOTSUP:
		return HV_STATUS_OPERATION_DENIED;
	default:
		return HV_STATUS_OPERATION_FAILED;
	}
}

struct change {
	struct vsm_partition *partition;
	uint8_t owner;
	uint8_t first_vtl;
	uint8_t last_vtl;
	uint8_t access;
	size_t count;
	uint64_t gpn[PAGE_BATCH];
	uint64_t page[PAGE_BATCH];
	uint8_t own[CORE_VTL_MAX][PAGE_BATCH];	  /* rights in @owner's map before the change */
	uint8_t before[CORE_VTL_MAX][PAGE_BATCH]; /* effective rights before the change */
};

/* Creates the missing maps of VTLs @first to @last, unless @access denies nothing. */
static bool make_maps(struct vsm_partition *partition, uint8_t owner, uint8_t first, uint8_t last,
		      uint8_t access)
{
	for (unsigned int vtl = first; vtl <= last; vtl++) {
		struct protection_map **map = &partition->memory.map[owner][vtl];

		if (*map || access == GPA_ALL)
			continue;
		*map = protection_map_create(partition->memory.page_count, GPA_ALL,
					     protect_has_mbec(partition, owner));
		if (!*map)
			return false;
	}
	return true;
}

/* Changes one page for every VTL concerned, or for none. */
static bool change_page(struct change *change, uint64_t gpn, uint64_t page)
{
	struct vsm_partition *partition = change->partition;

	for (unsigned int vtl = change->first_vtl; vtl <= change->last_vtl; vtl++) {
		struct protection_map *map = partition->memory.map[change->owner][vtl];

		if (map && !protection_map_reserve(map, page, change->access))
			return false;
	}
	for (unsigned int vtl = change->first_vtl; vtl <= change->last_vtl; vtl++) {
		struct protection_map *map = partition->memory.map[change->owner][vtl];

		if (!map)
			continue;
		change->before[vtl][change->count] =
			protect_effective(partition, (uint8_t)vtl, gpn);
		change->own[vtl][change->count] = protection_map_get(map, page);
		protection_map_set(map, page, change->access);
	}
	change->gpn[change->count] = gpn;
	change->page[change->count] = page;
	change->count++;
	return true;
}

typedef int page_fn(struct protect_batch *batch, uint64_t gpn);

static int at_each_gpa(struct protect_batch *batch, const struct ram_region *region, uint64_t gpn,
		       page_fn *function)
{
	const uint64_t page = region->page + (gpn - region->gpn);
	uint32_t next = 0;
	uint64_t other;
	int error = 0;

	while (!error &&
	       memory_next_gpa(&batch->partition->memory, region->file, page, &next, &other))
		error = function(batch, other);
	return error;
}

/* Calls @function for each page in the map whose rights depend on those of @gpn, and for @gpn. */
static int each_dependent(struct protect_batch *batch, uint64_t gpn, page_fn *function)
{
	const struct memory *memory = &batch->partition->memory;
	const struct ram_region *region = memory_find(batch->partition, gpn);
	int error = function(batch, gpn);

	if (!error && region && region->aliased)
		error = at_each_gpa(batch, region, gpn, function);
	for (uint32_t i = 0; i < memory->former_count && !error; i++)
		if (gpn - memory->former[i].gpn < memory->former[i].pages)
			error = at_each_gpa(batch, &memory->former[i], gpn, function);
	return error;
}

static int update_page(struct protect_batch *batch, uint64_t gpn)
{
	if (!memory_find(batch->partition, gpn))
		return 0;
	return batch_add(batch, gpn, 1, protect_effective(batch->partition, batch->vtl, gpn));
}

static int show_page(struct protect_batch *batch, uint64_t gpn)
{
	return overlay_show(batch->partition, batch->vtl, gpn);
}

static int update_change(const struct change *change, uint8_t vtl)
{
	struct protect_batch batch = {.partition = change->partition, .vtl = vtl};
	int error;

	for (size_t i = 0; i < change->count; i++) {
		uint8_t access = protect_effective(change->partition, vtl, change->gpn[i]);

		error = 0;
		if (access != change->before[vtl][i] || change->partition->memory.former_count)
			error = each_dependent(&batch, change->gpn[i], update_page);
		if (error)
			return error;
	}
	error = batch_flush(&batch);
	for (size_t i = 0; i < change->count && !error && vtl == 0; i++)
		error = guard_former_at(change->partition, change->gpn[i]);
	for (size_t i = 0; i < change->count && !error; i++)
		error = each_dependent(&batch, change->gpn[i], show_page);
	return error;
}

/* In reverse order, as a page may occur twice. */
static void change_undo(const struct change *change)
{
	struct vsm_partition *partition = change->partition;

	for (unsigned int vtl = change->first_vtl; vtl <= change->last_vtl; vtl++) {
		struct protection_map *map = partition->memory.map[change->owner][vtl];
		struct protect_batch batch = {.partition = partition, .vtl = (uint8_t)vtl};
		int error = 0;

		for (size_t i = change->count; map && i-- > 0;)
			protection_map_set(map, change->page[i], change->own[vtl][i]);
		for (size_t i = 0; map && i < change->count && !error; i++)
			error = each_dependent(&batch, change->gpn[i], update_page);
		if (!error)
			error = batch_flush(&batch);
		for (size_t i = 0; map && i < change->count && !error && vtl == 0; i++)
			error = guard_former_at(partition, change->gpn[i]);
		for (size_t i = 0; map && i < change->count && !error; i++)
			error = each_dependent(&batch, change->gpn[i], show_page);
		if (error)
			protect_undo_failed(partition, error, "rights of pages");
	}
}

static int change_commit(struct change *change, size_t *done)
{
	int error = 0;

	for (unsigned int vtl = change->first_vtl; vtl <= change->last_vtl && !error; vtl++) {
		if (change->partition->memory.map[change->owner][vtl])
			error = update_change(change, (uint8_t)vtl);
	}
	if (error)
		change_undo(change);
	else
		*done += change->count;
	change->count = 0;
	return error;
}

static uint16_t set_pages(struct change *change, const uint64_t *gpn, size_t count, size_t *done)
{
	const struct ram_span *span = NULL;
	uint16_t status = HV_STATUS_SUCCESS;
	int error;

	for (size_t i = 0; i < count && status == HV_STATUS_SUCCESS; i++) {
		if (!span || gpn[i] < span->gpn || gpn[i] - span->gpn >= span->pages)
			span = memory_span(&change->partition->memory, gpn[i]);
		if (!span || gpn[i] < span->gpn) {
			status = HV_STATUS_INVALID_PARAMETER;
			break;
		}
		if (!change_page(change, gpn[i], span->first + (gpn[i] - span->gpn)))
			status = HV_STATUS_INSUFFICIENT_MEMORY;
		if (change->count == PAGE_BATCH) {
			error = change_commit(change, done);
			if (error)
				return status_of(error);
		}
	}
	error = change_commit(change, done);
	return error ? status_of(error) : status;
}

uint16_t protect_set(struct vsm_partition *partition, uint8_t owner, int restricted,
		     const uint64_t *gpn, size_t count, uint8_t access, size_t *done)
{
	struct change change;
	uint16_t status = HV_STATUS_INSUFFICIENT_MEMORY;

	change.partition = partition;
	change.owner = owner;
	change.first_vtl = restricted < 0 ? 0 : (uint8_t)restricted;
	change.last_vtl = restricted < 0 ? owner - 1 : (uint8_t)restricted;
	change.access = access;
	change.count = 0;
	*done = 0;
	pthread_rwlock_wrlock(&partition->memory.lock);
	if (make_maps(partition, owner, change.first_vtl, change.last_vtl, access))
		status = set_pages(&change, gpn, count, done);
	pthread_rwlock_unlock(&partition->memory.lock);
	return status;
}

/* Exchanges each map of @owner, for a lower VTL n, with map[n]. */
static void swap_maps(struct vsm_partition *partition, uint8_t owner, struct protection_map **map)
{
	for (unsigned int vtl = 0; vtl < owner; vtl++) {
		struct protection_map *old = partition->memory.map[owner][vtl];

		partition->memory.map[owner][vtl] = map[vtl];
		map[vtl] = old;
	}
}

static int update_all_below(struct vsm_partition *partition, uint8_t owner)
{
	for (unsigned int vtl = 0; vtl < owner; vtl++) {
		int error = update_all(partition, (uint8_t)vtl);

		if (error)
			return error;
	}
	return 0;
}

uint16_t protect_set_default(struct vsm_partition *partition, uint8_t owner, uint8_t access)
{
	struct protection_map *map[CORE_VTL_MAX] = {NULL};
	uint16_t status = protect_check_flags(partition, owner, access);
	int undo_error;
	int error = 0;

	if (status != HV_STATUS_SUCCESS)
		return status;
	pthread_rwlock_wrlock(&partition->memory.lock);
	for (unsigned int vtl = 0; vtl < owner && access != GPA_ALL && !error; vtl++) {
		map[vtl] = protection_map_create(partition->memory.page_count, access,
						 protect_has_mbec(partition, owner));
		error = map[vtl] ? 0 : -ENOMEM;
	}
	if (!error) {
		swap_maps(partition, owner, map);
		error = update_all_below(partition, owner);
		if (error) {
			swap_maps(partition, owner, map);
			undo_error = update_all_below(partition, owner);
			if (undo_error)
				protect_undo_failed(partition, undo_error, "default rights");
		}
	}
	pthread_rwlock_unlock(&partition->memory.lock);
	for (unsigned int vtl = 0; vtl < owner; vtl++)
		protection_map_destroy(map[vtl]);
	return status_of(error);
}

int protect_grow(struct vsm_partition *partition)
{
	for (unsigned int owner = 1; owner < partition->vtl_count; owner++) {
		for (unsigned int vtl = 0; vtl < owner; vtl++) {
			struct protection_map *map = partition->memory.map[owner][vtl];

			if (map && protection_map_grow(map, partition->memory.page_count))
				return vsm_error(&partition->log, ENOMEM,
						 "no memory for the protections of VTL%u", vtl);
		}
	}
	return 0;
}

void protect_destroy(struct vsm_partition *partition)
{
	for (unsigned int owner = 1; owner < CORE_VTL_MAX; owner++) {
		for (unsigned int vtl = 0; vtl < owner; vtl++) {
			protection_map_destroy(partition->memory.map[owner][vtl]);
			partition->memory.map[owner][vtl] = NULL;
		}
	}
}

int protect_reset(struct vsm_partition *partition)
{
	uint16_t restricted = 0;
	int error = 0;

	pthread_rwlock_wrlock(&partition->memory.lock);
	for (unsigned int owner = 1; owner < partition->vtl_count; owner++) {
		for (unsigned int vtl = 0; vtl < owner; vtl++)
			restricted |= partition->memory.map[owner][vtl] ? vtl_bit(vtl) : 0;
	}
	protect_destroy(partition);
	for (unsigned int vtl = 0; vtl < partition->vtl_count && !error; vtl++) {
		if (restricted & vtl_bit(vtl))
			error = update_all(partition, (uint8_t)vtl);
	}
	atomic_store(&partition->memory.refusal_logged, false);
	pthread_rwlock_unlock(&partition->memory.lock);
	return error;
}
