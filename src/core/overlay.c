/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/trace.h"

/*
 * What the owning VTL may do with its overlays. The pages that it writes are not executable: no
 * protection applies to an overlay, so executable ones would be a way around a higher VTL's.
 */
static const struct {
	uint8_t access;
	bool per_vp;
} overlay_info[OVERLAY_KIND_COUNT] = {
	[OVERLAY_HYPERCALL] = {.access = GPA_READ | GPA_EXECUTE},
	[OVERLAY_REFERENCE_TSC] = {.access = GPA_READ},
	[OVERLAY_ASSIST] = {.access = GPA_READ | GPA_WRITE, .per_vp = true},
	[OVERLAY_SIEF] = {.access = GPA_READ | GPA_WRITE, .per_vp = true},
	[OVERLAY_SIM] = {.access = GPA_READ | GPA_WRITE, .per_vp = true},
};

enum {
	KINDS_PER_VTL = OVERLAY_ASSIST,
	KINDS_PER_VP = OVERLAY_KIND_COUNT - OVERLAY_ASSIST,
};

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

uint8_t *overlay_memory(struct vsm_partition *partition, enum overlay_kind kind, uint8_t vtl,
			uint32_t vp)
{
	uint32_t page = page_number(partition, kind, vtl, vp);

	atomic_store_explicit(&partition->memory.overlay_used[page], true, memory_order_relaxed);
	return partition->memory.overlay_page + (size_t)page * CORE_PAGE_SIZE;
}

/* ------------------------------------------------------------------ the list of a VTL */

/* Order by page, then by precedence. */
static bool is_before(const struct overlay *overlay, uint64_t gpn, unsigned int kind, uint32_t vp)
{
	if (overlay->gpn != gpn)
		return overlay->gpn < gpn;
	if (overlay->kind != kind)
		return overlay->kind < kind;
	return overlay->vp < vp;
}

/* Index of the first entry that is not before this one. */
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

const struct overlay *overlay_find(const struct vsm_partition *partition, uint8_t vtl, uint64_t gpn)
{
	const struct overlay_list *list = &partition->memory.overlay[vtl];
	uint32_t index = position(list, gpn, 0, 0);

	return index < list->count && list->entry[index].gpn == gpn ? &list->entry[index] : NULL;
}

/* The entry of this page of overlay memory wherever it is mapped, or -1. */
static int entry_of(const struct overlay_list *list, uint32_t page)
{
	for (uint32_t i = 0; i < list->count; i++) {
		if (list->entry[i].page == page)
			return (int)i;
	}
	return -1;
}

static int backend_map(struct vsm_partition *partition, uint8_t vtl, const struct overlay *overlay)
{
	return partition->ops->overlay_map(partition->backend, vtl, overlay->gpn, overlay->page,
					   overlay->access);
}

/* Memory lock held for writing, as in what follows. */
static int insert(struct vsm_partition *partition, uint8_t vtl, const struct overlay *overlay)
{
	struct overlay_list *list = &partition->memory.overlay[vtl];
	uint32_t index = position(list, overlay->gpn, overlay->kind, overlay->vp);
	size_t behind = (list->count - index) * sizeof(*overlay);
	int error = 0;

	if (index == 0 || list->entry[index - 1].gpn != overlay->gpn)
		error = backend_map(partition, vtl, overlay);
	if (error)
		return error;
	memmove(&list->entry[index + 1], &list->entry[index], behind);
	list->entry[index] = *overlay;
	list->count++;
	return 0;
}

static int remove_at(struct vsm_partition *partition, uint8_t vtl, uint32_t index)
{
	struct overlay_list *list = &partition->memory.overlay[vtl];
	uint64_t gpn = list->entry[index].gpn;
	bool was_seen = overlay_find(partition, vtl, gpn) == &list->entry[index];
	const struct overlay *below;

	list->count--;
	memmove(&list->entry[index], &list->entry[index + 1],
		(list->count - index) * sizeof(list->entry[0]));
	if (!was_seen)
		return 0;
	below = overlay_find(partition, vtl, gpn);
	return below ? backend_map(partition, vtl, below)
		     : partition->ops->overlay_unmap(partition->backend, vtl, gpn);
}

/* ------------------------------------------------------------------ mapping */

/* The new place first, so that a failure leaves the old one in force. */
static int map_or_move(struct vsm_partition *partition, uint8_t vtl, const struct overlay *overlay)
{
	struct overlay_list *list = &partition->memory.overlay[vtl];
	int old = entry_of(list, overlay->page);
	uint64_t old_gpn;
	int error;

	if (old < 0)
		return insert(partition, vtl, overlay);
	old_gpn = list->entry[old].gpn;
	if (old_gpn == overlay->gpn)
		return 0;
	error = insert(partition, vtl, overlay);
	if (error)
		return error;
	return remove_at(partition, vtl, position(list, old_gpn, overlay->kind, overlay->vp));
}

int overlay_map(struct vsm_partition *partition, enum overlay_kind kind, uint8_t vtl, uint32_t vp,
		uint64_t gpn)
{
	struct overlay overlay = {
		.gpn = gpn,
		.kind = kind,
		.vp = overlay_info[kind].per_vp ? vp : 0,
		.page = page_number(partition, kind, vtl, vp),
		.access = overlay_info[kind].access,
	};
	int error;

	if (gpn >> (partition->features.gpa_bits - 12u)) {
		vsm_log(&partition->log, VSM_LOG_DEBUG,
			"VTL%u wants an overlay at page %#llx: beyond %u address bits", vtl,
			(unsigned long long)gpn, partition->features.gpa_bits);
		return -EINVAL;
	}
	pthread_rwlock_wrlock(&partition->memory.lock);
	error = map_or_move(partition, vtl, &overlay);
	pthread_rwlock_unlock(&partition->memory.lock);
	if (!error)
		trace_about(partition->vp[overlay.vp], vtl, VSM_TRACE_OVERLAY, kind, gpn, true, 0);
	return error;
}

int overlay_unmap(struct vsm_partition *partition, enum overlay_kind kind, uint8_t vtl, uint32_t vp)
{
	uint64_t gpn = 0;
	int index;
	int error = 0;

	pthread_rwlock_wrlock(&partition->memory.lock);
	index = entry_of(&partition->memory.overlay[vtl], page_number(partition, kind, vtl, vp));
	if (index >= 0) {
		gpn = partition->memory.overlay[vtl].entry[index].gpn;
		error = remove_at(partition, vtl, (uint32_t)index);
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
		/* From the end: what lies below another one goes without a word to the backend. */
		while (memory->overlay[vtl].count && !error)
			error = remove_at(partition, (uint8_t)vtl, memory->overlay[vtl].count - 1);
	}
	for (uint32_t page = 0; page < memory->overlay_page_count; page++) {
		if (atomic_exchange_explicit(&memory->overlay_used[page], false,
					     memory_order_relaxed))
			memset(memory->overlay_page + (size_t)page * CORE_PAGE_SIZE, 0,
			       CORE_PAGE_SIZE);
	}
	pthread_rwlock_unlock(&memory->lock);
	return error;
}
