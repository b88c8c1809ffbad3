/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/memory/overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory/dma_map.h"
#include "core/memory/doorbell.h"
#include "core/memory/gpa.h"
#include "core/memory/protect.h"
#include "core/trace/trace.h"

/*
 * Maximum rights of the owning VTL to its overlays. Pages that it writes are not executable, so
 * that they cannot bypass a default protection that denies execution.
 */
static const struct {
	uint8_t access;
	bool constant; /* the VTL has no influence on its bytes */
	bool per_vp;
} overlay_info[OVERLAY_KIND_COUNT] = {
	[OVERLAY_HYPERCALL] = {.access = GPA_READ | GPA_EXECUTE, .constant = true},
	/* Not constant: a VTL chooses the offset in it by a write of its TSC. */
	[OVERLAY_REFERENCE_TSC] = {.access = GPA_READ},
	[OVERLAY_ASSIST] = {.access = GPA_READ | GPA_WRITE, .per_vp = true},
	[OVERLAY_SIEF] = {.access = GPA_READ | GPA_WRITE, .per_vp = true},
	[OVERLAY_SIM] = {.access = GPA_READ | GPA_WRITE, .per_vp = true},
};

enum {
	KINDS_PER_VTL = OVERLAY_ASSIST,
	KINDS_PER_VP = OVERLAY_KIND_COUNT - OVERLAY_ASSIST,
	/* overlay.shown after a call of the backend that failed; differs from all rights */
	SHOWN_UNKNOWN = GPA_ALL + 1,
};

/* Not every backend can deny execution (overlay_map() in backend.h). */
static uint8_t access_of(const struct vsm_partition *partition, enum overlay_kind kind)
{
	uint8_t access = overlay_info[kind].access;

	return partition->features.protect & GPA_EXECUTE ? access : access | GPA_EXECUTE;
}

static uint32_t pages_per_vtl(const struct vsm_partition *partition)
{
	return KINDS_PER_VTL + KINDS_PER_VP * partition->vp_count;
}

static uint32_t page_number(const struct vsm_partition *partition, enum overlay_kind kind,
			    uint8_t vtl, uint32_t vp)
{
	uint32_t page = vtl * pages_per_vtl(partition);

	if (!overlay_info[kind].per_vp)
		return page + kind;
	return page + KINDS_PER_VTL + vp * KINDS_PER_VP + (kind - KINDS_PER_VTL);
}

int overlay_init(struct vsm_partition *partition)
{
	struct memory *memory = &partition->memory;
	uint32_t per_vtl = pages_per_vtl(partition);
	void *host = NULL;
	int error;

	memory->overlay_page_count = per_vtl * partition->vtl_count;
	memory->overlay_used = calloc(memory->overlay_page_count, sizeof(*memory->overlay_used));
	if (!memory->overlay_used)
		return vsm_error(&partition->log, ENOMEM, "no memory for %u overlays",
				 memory->overlay_page_count);
	for (unsigned int vtl = 0; vtl < partition->vtl_count; vtl++) {
		struct overlay_list *list = &memory->overlay[vtl];

		list->capacity = per_vtl + 1;
		list->entry = calloc(list->capacity, sizeof(*list->entry));
		if (!list->entry)
			return vsm_error(&partition->log, ENOMEM, "no memory for %u overlays",
					 memory->overlay_page_count);
	}
	error = partition->ops->overlay_memory(partition->backend, memory->overlay_page_count,
					       &host);
	if (error)
		return error;
	memory->overlay_page = host;
	return 0;
}

void overlay_destroy(struct vsm_partition *partition)
{
	struct memory *memory = &partition->memory;

	for (unsigned int vtl = 0; vtl < CORE_VTL_MAX; vtl++) {
		free(memory->overlay[vtl].entry);
		memory->overlay[vtl] = (struct overlay_list){0};
	}
	free(memory->overlay_used);
	memory->overlay_used = NULL;
	memory->overlay_page = NULL;
}

static uint8_t *page_address(const struct vsm_partition *partition, uint32_t page)
{
	return partition->memory.overlay_page + (size_t)page * CORE_PAGE_SIZE;
}

static void mark_used(struct vsm_partition *partition, uint32_t page)
{
	atomic_store_explicit(&partition->memory.overlay_used[page], true, memory_order_relaxed);
}

uint8_t *overlay_memory(struct vsm_partition *partition, enum overlay_kind kind, uint8_t vtl,
			uint32_t vp)
{
	uint32_t page = page_number(partition, kind, vtl, vp);

	mark_used(partition, page);
	return page_address(partition, page);
}

const uint8_t *overlay_contents(const struct vsm_partition *partition, enum overlay_kind kind,
				uint8_t vtl, uint32_t vp)
{
	uint32_t page = page_number(partition, kind, vtl, vp);

	return atomic_load_explicit(&partition->memory.overlay_used[page], memory_order_relaxed)
		       ? page_address(partition, page)
		       : NULL;
}

static bool is_before(const struct overlay *overlay, uint64_t gpn, unsigned int kind, uint32_t vp)
{
	if (overlay->gpn != gpn)
		return overlay->gpn < gpn;
	if (overlay->kind != kind)
		return overlay->kind < kind;
	return overlay->vp < vp;
}

/* Index of the first entry that is not before (@gpn, @kind, @vp). */
static uint32_t position(const struct overlay_list *list, uint64_t gpn, unsigned int kind,
			 uint32_t vp)
{
	uint32_t low = 0;
	uint32_t high = list->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (is_before(&list->entry[middle], gpn, kind, vp))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* @count: number of consecutive entries of this page. */
static struct overlay *entries_at(const struct vsm_partition *partition, uint8_t vtl, uint64_t gpn,
				  uint32_t *count)
{
	const struct overlay_list *list = &partition->memory.overlay[vtl];
	uint32_t first = position(list, gpn, 0, 0);
	uint32_t end = first;

	while (end < list->count && list->entry[end].gpn == gpn)
		end++;
	*count = end - first;
	return &list->entry[first];
}

/* A VTL must not place data of its choice where a higher VTL denies writes. */
const struct overlay *overlay_shown(const struct vsm_partition *partition, uint8_t vtl,
				    uint64_t gpn, uint8_t allowed)
{
	uint32_t count;
	const struct overlay *entry = entries_at(partition, vtl, gpn, &count);

	for (uint32_t i = 0; i < count; i++) {
		const uint8_t needed =
			overlay_info[entry[i].kind].constant ? GPA_READ : GPA_READ | GPA_WRITE;

		if ((needed & ~allowed) == 0)
			return &entry[i];
	}
	return NULL;
}

/* Index of the entry with page @page of the overlay memory, or -1. */
static int entry_of(const struct overlay_list *list, uint32_t page)
{
	for (uint32_t i = 0; i < list->count; i++) {
		if (list->entry[i].page == page)
			return (int)i;
	}
	return -1;
}

int overlay_show(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn)
{
	const struct backend_ops *ops = partition->ops;
	uint32_t count;
	struct overlay *entry = entries_at(partition, vtl, gpn, &count);
	struct overlay *was = NULL;
	const struct gpa_range page = {.gpn = gpn, .pages = 1};
	struct gpa_view view;
	int error;

	if (!count)
		return 0;
	for (uint32_t i = 0; i < count && !was; i++)
		was = entry[i].shown ? &entry[i] : NULL;
	view = gpa_view(partition, vtl, gpn);
	if (was == view.overlay && (!was || was->shown == view.access))
		return 0;
	error = view.overlay && !was ? dma_map_revoke(partition, vtl, page, 0) : 0;
	if (error)
		return error;
	if (view.overlay && !was && vtl == 0)
		doorbell_stop_pages(partition, gpn, 1);
	error = view.overlay ? ops->overlay_map(partition->backend, vtl, gpn, view.overlay->page,
						view.access)
			     : ops->overlay_unmap(partition->backend, vtl, gpn);
	for (uint32_t i = 0; i < count; i++)
		entry[i].shown = error ? SHOWN_UNKNOWN : 0;
	if (!error && view.overlay)
		entry[view.overlay - entry].shown = view.access;
	return error;
}

bool overlay_is_shown_in(const struct vsm_partition *partition, uint8_t vtl, uint64_t gpn,
			 uint64_t pages)
{
	const struct overlay_list *list = &partition->memory.overlay[vtl];

	for (uint32_t i = position(list, gpn, 0, 0);
	     i < list->count && list->entry[i].gpn - gpn < pages; i++)
		if (list->entry[i].shown)
			return true;
	return false;
}

int overlay_show_range(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn, uint64_t pages)
{
	const struct overlay_list *list = &partition->memory.overlay[vtl];
	int error = 0;

	for (uint32_t i = position(list, gpn, 0, 0);
	     i < list->count && list->entry[i].gpn - gpn < pages && !error; i++)
		error = overlay_show(partition, vtl, list->entry[i].gpn);
	return error;
}

int overlay_hide_range(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn, uint64_t pages)
{
	struct overlay_list *list = &partition->memory.overlay[vtl];
	int error = 0;

	for (uint32_t i = position(list, gpn, 0, 0);
	     i < list->count && list->entry[i].gpn - gpn < pages && !error; i++) {
		if (!list->entry[i].shown)
			continue;
		error = partition->ops->overlay_unmap(partition->backend, vtl, list->entry[i].gpn);
		list->entry[i].shown = error ? SHOWN_UNKNOWN : 0;
	}
	return error;
}

static void list_insert(struct overlay_list *list, uint32_t index, const struct overlay *overlay)
{
	memmove(&list->entry[index + 1], &list->entry[index],
		(list->count - index) * sizeof(*overlay));
	list->entry[index] = *overlay;
	list->count++;
}

static void list_remove(struct overlay_list *list, uint32_t index)
{
	list->count--;
	memmove(&list->entry[index], &list->entry[index + 1],
		(list->count - index) * sizeof(list->entry[0]));
}

/* Shows what is at the GPA of an overlay that was taken out of the list. */
static int show_without(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn)
{
	const struct gpa_view view = gpa_view(partition, vtl, gpn);

	return view.overlay ? overlay_show(partition, vtl, gpn)
			    : partition->ops->overlay_unmap(partition->backend, vtl, gpn);
}

static int insert(struct vsm_partition *partition, uint8_t vtl, const struct overlay *overlay)
{
	struct overlay_list *list = &partition->memory.overlay[vtl];
	uint32_t index = position(list, overlay->gpn, overlay->kind, overlay->vp);
	uint8_t shown;
	int undo_error;
	int error;

	if (list->count == list->capacity)
		return -ENOSPC; /* a failed move left an extra entry */
	list_insert(list, index, overlay);
	error = overlay_show(partition, vtl, overlay->gpn);
	if (!error)
		return 0;
	shown = list->entry[index].shown;
	list_remove(list, index);
	undo_error = shown ? show_without(partition, vtl, overlay->gpn) : 0;
	if (undo_error)
		protect_undo_failed(partition, undo_error, "memory under an overlay");
	return error;
}

/* If the backend fails to unmap the overlay, it remains in the list. */
static int remove_at(struct vsm_partition *partition, uint8_t vtl, uint32_t index)
{
	struct overlay_list *list = &partition->memory.overlay[vtl];
	struct overlay gone = list->entry[index];
	int error;

	list_remove(list, index);
	if (!gone.shown)
		return 0;
	error = show_without(partition, vtl, gone.gpn);
	if (error) {
		gone.shown = SHOWN_UNKNOWN;
		list_insert(list, index, &gone);
	}
	return error;
}

/*
 * Placing an overlay replaces what the VTL reads at the GPA, so it needs the rights of a read and a
 * write, as in OpenVMM (docs/decisions.md).
 */
static bool may_place(const struct vsm_partition *partition, uint8_t vtl, uint64_t gpn)
{
	const uint8_t needed = GPA_READ | GPA_WRITE;

	return (protect_effective(partition, vtl, gpn) &
		memory_rights(memory_find(partition, gpn), vtl) & needed) == needed;
}

/* Shows an overlay again after a failure to move or remove it, which may have removed it in part. */
static void show_again(struct vsm_partition *partition, uint8_t vtl, struct overlay *overlay)
{
	int error;

	if (!overlay->shown)
		return;
	overlay->shown = SHOWN_UNKNOWN;
	error = overlay_show(partition, vtl, overlay->gpn);
	if (error)
		protect_undo_failed(partition, error, "an overlay");
}

/* If the backend cannot map the new location, the overlay remains at the old one. */
static int place_or_move(struct vsm_partition *partition, uint8_t vtl,
			 const struct overlay *overlay, bool check)
{
	struct overlay_list *list = &partition->memory.overlay[vtl];
	int old = entry_of(list, overlay->page);
	uint64_t old_gpn = 0;
	int error;

	if (old >= 0) {
		old_gpn = list->entry[old].gpn;
		if (old_gpn == overlay->gpn)
			return 0;
	}
	if (check && !may_place(partition, vtl, overlay->gpn))
		return -EACCES;
	error = insert(partition, vtl, overlay);
	if (error && old >= 0)
		show_again(partition, vtl, &list->entry[old]);
	if (error || old < 0)
		return error;
	return remove_at(partition, vtl, position(list, old_gpn, overlay->kind, overlay->vp));
}

static int place(struct vsm_partition *partition, enum overlay_kind kind, uint8_t vtl, uint32_t vp,
		 uint64_t gpn, bool check)
{
	struct overlay overlay = {
		.gpn = gpn,
		.kind = kind,
		.vp = overlay_info[kind].per_vp ? vp : 0,
		.page = page_number(partition, kind, vtl, vp),
		.access = access_of(partition, kind),
	};
	int error;

	if (gpn >> (partition->features.gpa_bits - 12u)) {
		vsm_log(&partition->log, VSM_LOG_DEBUG,
			"VTL%u: overlay at page %#llx: beyond %u address bits", vtl,
			(unsigned long long)gpn, partition->features.gpa_bits);
		return -EINVAL;
	}
	/* The guest can write to the page without an exit. */
	mark_used(partition, overlay.page);
	pthread_rwlock_wrlock(&partition->memory.lock);
	error = place_or_move(partition, vtl, &overlay, check);
	pthread_rwlock_unlock(&partition->memory.lock);
	if (error == -EACCES)
		vsm_log(&partition->log, VSM_LOG_DEBUG,
			"VTL%u: overlay at page %#llx refused: the VTL may not read and write it",
			vtl, (unsigned long long)gpn);
	if (!error)
		trace_about(partition->vp[overlay.vp], vtl, VSM_TRACE_OVERLAY, kind, gpn, true, 0);
	return error;
}

int overlay_map(struct vsm_partition *partition, enum overlay_kind kind, uint8_t vtl, uint32_t vp,
		uint64_t gpn)
{
	return place(partition, kind, vtl, vp, gpn, true);
}

int overlay_restore(struct vsm_partition *partition, enum overlay_kind kind, uint8_t vtl,
		    uint32_t vp, uint64_t gpn)
{
	return place(partition, kind, vtl, vp, gpn, false);
}

int overlay_unmap(struct vsm_partition *partition, enum overlay_kind kind, uint8_t vtl, uint32_t vp)
{
	struct overlay_list *list = &partition->memory.overlay[vtl];
	uint64_t gpn = 0;
	int index;
	int error = 0;

	pthread_rwlock_wrlock(&partition->memory.lock);
	index = entry_of(list, page_number(partition, kind, vtl, vp));
	if (index >= 0) {
		gpn = list->entry[index].gpn;
		error = remove_at(partition, vtl, (uint32_t)index);
		if (error)
			show_again(partition, vtl, &list->entry[index]);
	}
	pthread_rwlock_unlock(&partition->memory.lock);
	if (index >= 0 && !error)
		trace_about(partition->vp[overlay_info[kind].per_vp ? vp : 0], vtl,
			    VSM_TRACE_OVERLAY, kind, gpn, false, 0);
	return error;
}

int overlay_reset(struct vsm_partition *partition)
{
	struct memory *memory = &partition->memory;
	int error = 0;

	pthread_rwlock_wrlock(&memory->lock);
	for (unsigned int vtl = 0; vtl < partition->vtl_count && !error; vtl++) {
		/* From the end: covered overlays go first, which needs no call of the backend. */
		while (memory->overlay[vtl].count && !error)
			error = remove_at(partition, (uint8_t)vtl, memory->overlay[vtl].count - 1);
	}
	for (uint32_t page = 0; page < memory->overlay_page_count; page++) {
		if (atomic_exchange_explicit(&memory->overlay_used[page], false,
					     memory_order_relaxed))
			memset(page_address(partition, page), 0, CORE_PAGE_SIZE);
	}
	pthread_rwlock_unlock(&memory->lock);
	return error;
}
