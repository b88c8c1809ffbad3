/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/memory/map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory/dirty.h"
#include "core/memory/dma_map.h"
#include "core/memory/doorbell.h"
#include "core/memory/file.h"
#include "core/memory/gpa.h"
#include "core/memory/guard.h"
#include "core/memory/overlay.h"
#include "core/memory/protect.h"
#include "core/memory/region_list.h"
#include "core/memory/span.h"
#include "core/trace/trace.h"

#define PAGE_SHIFT 12u
/* A guest adds a former region each time it moves a restricted BAR. */
#define FORMER_MAX 1024u

struct transition {
	struct vsm_partition *partition;
	struct region_list old;
	struct region_list new;
	struct region_list old_former;
	struct region_list new_former;
	struct range_list gone;		/* pieces of the old list that the new one lacks */
	struct range_list came;		/* pieces of the new list that the old one lacks */
	struct range_list aliases;	/* other GPAs of pages that went or came, in the new list */
	struct range_list aliases_back; /* other GPAs of these pages, in the old list */
};

static int no_memory(const struct vsm_partition *partition)
{
	return vsm_error(&partition->log, ENOMEM, "no memory to describe RAM");
}

typedef int range_fn(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn, uint64_t pages);

static int each(struct vsm_partition *partition, const struct range_list *list, range_fn *function)
{
	int error = 0;

	for (uint8_t vtl = 0; vtl < partition->vtl_count; vtl++)
		for (size_t i = 0; i < list->count && !error; i++)
			error = function(partition, vtl, list->range[i].gpn, list->range[i].pages);
	return error;
}

static int backend_set(struct vsm_partition *partition, const struct region_list *list,
		       const struct range_list *gone)
{
	struct backend_memory *map = calloc(list->count + 1u, sizeof(*map));
	int error;

	if (!map)
		return no_memory(partition);
	for (uint32_t i = 0; i < list->count; i++)
		map[i] = region_list_run(&list->region[i]);
	error = partition->ops->memory_set(partition->backend, map, list->count, gone->range,
					   gone->count);
	if (error == -ENOTRECOVERABLE) {
		error = -EIO;
		protect_undo_failed(partition, error, "memory slots");
	}
	free(map);
	return error;
}

static void set_regions(struct vsm_partition *partition, const struct region_list *list,
			const struct region_list *former)
{
	partition->memory.region = list->region;
	partition->memory.region_count = list->count;
	partition->memory.logged = false;
	for (uint32_t i = 0; i < list->count; i++)
		partition->memory.logged |= (list->region[i].flags & VSM_MEMORY_LOG) != 0;
	partition->memory.former = former->region;
	partition->memory.former_count = former->count;
}

static int apply_rights_and_overlays(struct vsm_partition *partition, const struct range_list *gone,
				     const struct range_list *came,
				     const struct range_list *aliases)
{
	int error = each(partition, came, protect_new);

	if (!error)
		error = each(partition, aliases, protect_reapply);
	if (!error)
		error = protect_former_guards(partition);
	for (size_t i = 0; i < came->count && !error; i++)
		error = protect_guards(partition, came->range[i].gpn, came->range[i].pages);
	if (!error)
		error = each(partition, gone, overlay_show_range);
	if (!error)
		error = each(partition, came, overlay_show_range);
	return error ? error : each(partition, aliases, overlay_show_range);
}

static int revoke_dma(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn, uint64_t pages)
{
	return dma_map_revoke(partition, vtl, (struct gpa_range){.gpn = gpn, .pages = pages}, 0);
}

static void revert(struct transition *change, bool map_is_new)
{
	struct vsm_partition *partition = change->partition;
	const struct guard_set old = {&change->old, &change->old_former};
	const struct guard_set new = {&change->new, &change->new_former};
	int error = 0;

	if (map_is_new) {
		error = each(partition, &change->gone, overlay_hide_range);
		if (!error)
			error = each(partition, &change->came, overlay_hide_range);
		if (!error)
			error = backend_set(partition, &change->old, &change->came);
		set_regions(partition, &change->old, &change->old_former);
		if (!error)
			error = guard_change(partition, &new, &old);
	}
	if (!error)
		error = apply_rights_and_overlays(partition, &change->came, &change->gone,
						  &change->aliases_back);
	if (error)
		protect_undo_failed(partition, error, "the map of memory");
}

/* VPs are held. */
static int perform(struct transition *change)
{
	struct vsm_partition *partition = change->partition;
	const struct guard_set old = {&change->old, &change->old_former};
	const struct guard_set new = {&change->new, &change->new_former};
	bool map_is_new = false;
	int error = dirty_keep(partition, &change->old, &change->new);

	if (!error)
		error = each(partition, &change->gone, revoke_dma);
	if (!error)
		error = each(partition, &change->gone, overlay_hide_range);
	if (!error)
		error = each(partition, &change->came, overlay_hide_range);
	for (size_t i = 0; i < change->came.count; i++)
		doorbell_stop_pages(partition, change->came.range[i].gpn,
				    change->came.range[i].pages);
	if (!error)
		error = backend_set(partition, &change->new, &change->gone);
	if (!error) {
		map_is_new = true;
		set_regions(partition, &change->new, &change->new_former);
		error = guard_change(partition, &old, &new);
		if (!error)
			error = apply_rights_and_overlays(partition, &change->gone, &change->came,
							  &change->aliases);
	}
	if (error)
		revert(change, map_is_new);
	return error;
}

static int perform_held(struct transition *change)
{
	const struct backend_ops *ops = change->partition->ops;
	int error;

	if (ops->hold)
		ops->hold(change->partition->backend);
	error = perform(change);
	if (ops->release)
		ops->release(change->partition->backend);
	return error;
}

/* Adds restricted GPAs that lose their page to memory.former. */
static bool find_former(struct transition *change)
{
	const struct region_list *old = &change->old_former;

	for (uint32_t i = 0; i < old->count; i++)
		if (!region_list_has(&change->new, &old->region[i]) &&
		    !region_list_append(&change->new_former, &old->region[i]))
			return false;
	return region_list_add_former(change->partition, &change->old, &change->gone, &change->new,
				      protect_is_restricted, &change->new_former);
}

static bool compare(struct transition *change)
{
	return region_list_difference(&change->old, &change->new, &change->gone) &&
	       region_list_difference(&change->new, &change->old, &change->came) &&
	       region_list_aliases_of(&change->new, &change->old, &change->gone,
				      &change->aliases) &&
	       region_list_aliases_of(&change->new, &change->new, &change->came,
				      &change->aliases) &&
	       region_list_aliases_of(&change->old, &change->old, &change->gone,
				      &change->aliases_back) &&
	       region_list_aliases_of(&change->old, &change->new, &change->came,
				      &change->aliases_back) &&
	       find_former(change);
}

static int compare_and_perform(struct transition *change)
{
	if (!compare(change))
		return no_memory(change->partition);
	if (change->new_former.count > FORMER_MAX)
		return vsm_error(&change->partition->log, ENOSPC,
				 "restricted memory left more than %u places since the last reset",
				 FORMER_MAX);
	region_list_find_aliases(&change->new, &change->new_former);
	return perform_held(change);
}

static bool has_secrets(const struct vsm_partition *partition)
{
	return atomic_load(&partition->zero_due) ||
	       (atomic_load(&partition->enabled_vtls) & ~vtl_bit(0));
}

/* @note sets or clears whether the next reset zeroes a page; readonly pages are skipped. */
static void note_pages(const struct region_list *list, const struct range_list *ranges,
		       void (*note)(struct ram_file *file, uint64_t page, uint64_t pages))
{
	for (size_t i = 0; i < ranges->count; i++) {
		const uint64_t end = ranges->range[i].gpn + ranges->range[i].pages;
		struct ram_region run;

		for (uint64_t gpn = ranges->range[i].gpn; region_list_next(list, gpn, end, &run);
		     gpn = run.gpn + run.pages)
			if (!(run.flags & VSM_MEMORY_READONLY))
				note(run.file, run.page, run.pages);
	}
}

/* A page that leaves the map while only VTL0 is enabled has nothing that a reset must zero. */
static void note(struct vsm_partition *partition, const struct transition *change)
{
	if (!has_secrets(partition))
		note_pages(&change->old, &change->gone, ram_file_clear_written);
	note_pages(&change->new, &change->came, ram_file_note_written);
	note_pages(&change->new, &change->aliases, ram_file_note_written);
	for (size_t i = 0; i < change->came.count; i++)
		trace_about(partition->vp[0], 0, VSM_TRACE_MEMORY, change->came.range[i].gpn,
			    change->came.range[i].pages, 0, 0);
}

static void transition_free(struct transition *change)
{
	free(change->gone.range);
	free(change->came.range);
	free(change->aliases.range);
	free(change->aliases_back.range);
}

/* @change->new is complete. */
static int commit(struct transition *change)
{
	struct vsm_partition *partition = change->partition;
	struct span_list spans;
	int error = span_list_extend(partition, change->new.region, change->new.count, &spans);

	if (error)
		return error;
	span_list_swap(partition, &spans);
	error = protect_grow(partition);
	if (!error)
		error = compare_and_perform(change);
	if (error)
		span_list_swap(partition, &spans);
	free(spans.span);
	return error;
}

static int insert(struct transition *change, const struct vsm_memory_change *wanted)
{
	uint64_t offset = wanted->offset;
	struct ram_region region = {
		.gpn = wanted->gpa >> PAGE_SHIFT,
		.pages = wanted->size >> PAGE_SHIFT,
		.flags = wanted->flags,
		.guard = wanted->host,
	};
	int error = ram_file_get(change->partition, wanted->fd, wanted->gpa, wanted->size, &offset,
				 &region.file);

	if (error)
		return error;
	if (wanted->flags & VSM_MEMORY_LOG && !ram_file_log(region.file))
		return no_memory(change->partition);
	region.page = offset >> PAGE_SHIFT;
	region.host = region.file->backend.host + offset;
	region_list_insert(&change->new, &region);
	return 0;
}

/*
 * Removed memory may contain secrets of a higher VTL: its file is kept until a reset zeroes it. After
 * a map that could not be restored, the backend may still use files that the core's map lacks.
 */
static void sweep(struct vsm_partition *partition)
{
	if (!atomic_load(&partition->rights_lost))
		ram_files_sweep(partition, has_secrets(partition));
}

static int apply(struct vsm_partition *partition, const struct vsm_memory_change *changes,
		 size_t count, bool adds)
{
	struct memory *memory = &partition->memory;
	struct transition change = {
		.partition = partition,
		.old = {.region = memory->region, .count = memory->region_count},
		.old_former = {.region = memory->former, .count = memory->former_count},
	};
	int error = protect_check_lost(partition);

	if (error)
		return error;
	/* Each change may split a region in two, and add one. */
	if (count > UINT32_MAX / 4 ||
	    !region_list_copy(&change.new, memory->region, memory->region_count, 2 * count))
		return no_memory(partition);
	for (size_t i = 0; i < count && !error; i++) {
		region_list_cut(&change.new, changes[i].gpa >> PAGE_SHIFT,
				changes[i].size >> PAGE_SHIFT);
		if (adds || changes[i].fd >= 0)
			error = insert(&change, &changes[i]);
	}
	if (!error)
		error = commit(&change);
	if (!error)
		note(partition, &change);
	free(error ? change.new.region : change.old.region);
	free(error ? change.new_former.region : change.old_former.region);
	transition_free(&change);
	sweep(partition);
	return error;
}

int memory_map_add(struct vsm_partition *partition, const struct vsm_memory_change *change,
		   void **host)
{
	const uint64_t gpn = change->gpa >> PAGE_SHIFT;
	const struct memory *memory = &partition->memory;
	const uint32_t index = memory_region_index(memory, gpn);
	int error;

	if (index < memory->region_count &&
	    memory->region[index].gpn < gpn + (change->size >> PAGE_SHIFT))
		return vsm_error(&partition->log, EEXIST,
				 "RAM at %#llx, %#llx bytes: overlaps RAM at %#llx, %#llx bytes",
				 (unsigned long long)change->gpa, (unsigned long long)change->size,
				 (unsigned long long)memory->region[index].gpn << PAGE_SHIFT,
				 (unsigned long long)memory->region[index].pages << PAGE_SHIFT);
	error = apply(partition, change, 1, true);
	if (!error && host)
		*host = memory_find(partition, gpn)->host;
	return error;
}

int memory_map_update(struct vsm_partition *partition, const struct vsm_memory_change *changes,
		      size_t count)
{
	return apply(partition, changes, count, false);
}

int memory_map_number_pages(struct vsm_partition *partition, uint64_t gpn, uint64_t pages)
{
	const struct ram_region region = {.gpn = gpn, .pages = pages};
	struct span_list spans;
	int error;

	pthread_rwlock_wrlock(&partition->memory.lock);
	error = span_list_extend(partition, &region, 1, &spans);
	if (!error) {
		span_list_swap(partition, &spans);
		error = protect_grow(partition);
		if (error)
			span_list_swap(partition, &spans);
		free(spans.span);
	}
	pthread_rwlock_unlock(&partition->memory.lock);
	return error;
}

int memory_map_reset(struct vsm_partition *partition)
{
	const bool zero_due = atomic_load(&partition->zero_due);
	struct memory *memory = &partition->memory;
	const struct region_list none = {0};
	struct region_list present;
	struct region_list former;
	struct span_list old = {0};
	struct span_list spans;
	int error;

	pthread_rwlock_wrlock(&memory->lock);
	present = (struct region_list){.region = memory->region, .count = memory->region_count};
	former = (struct region_list){.region = memory->former, .count = memory->former_count};
	error = guard_change(partition, &(struct guard_set){&present, &former},
			     &(struct guard_set){&present, &none});
	if (error) {
		pthread_rwlock_unlock(&memory->lock);
		return error;
	}
	free(memory->former);
	memory->former = NULL;
	memory->former_count = 0;
	region_list_find_aliases(&present, &none);
	if (!zero_due)
		ram_files_note_present(partition);
	ram_files_sweep(partition, zero_due);
	span_list_swap(partition, &old);
	/* Without a new list the old spans remain: they only permit more protections. */
	if (span_list_extend(partition, memory->region, memory->region_count, &spans))
		spans = old;
	else
		free(old.span);
	span_list_swap(partition, &spans);
	pthread_rwlock_unlock(&memory->lock);
	return 0;
}
