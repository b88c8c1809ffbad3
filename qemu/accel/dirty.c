/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gives QEMU the record of the pages that the guest has written; QEMU itself records writes of devices. The
 * record of RAM at fixed GPAs is read as a whole: the partition still maps that RAM where chipset registers
 * place devices over it in QEMU's flat view (memory.c).
 */
#include "qemu/osdep.h"
#include "accel.h"
#include "qapi/error.h"
#include "qemu/bitmap.h"
#include "qemu/error-report.h"

struct fixed {
	MemoryRegion *mr;
	struct vsm_range range;
};

static VsmState *of(MemoryListener *listener)
{
	return container_of(listener, VsmState, dirty_listener);
}

/* Marks all pages as written if the record cannot be read, which the library logs. */
void vsm_dirty_take(VsmState *vsm, MemoryRegion *mr, const struct vsm_range *range)
{
	const uint64_t pages = range->size / VSM_PAGE;
	g_autofree unsigned long *bitmap = bitmap_new(pages);

	if (vsm_memory_dirty(vsm->partition, range->gpa, range->size, (uint64_t *)bitmap))
		memory_region_set_dirty(mr, range->offset, range->size);
	else
		physical_memory_set_dirty_lebitmap(
			bitmap, memory_region_get_ram_addr(mr) + range->offset, pages);
}

static struct fixed *fixed(VsmState *vsm, unsigned i)
{
	return &g_array_index(vsm->fixed, struct fixed, i);
}

/* Only for migration: a display also causes a sync, but its memory is not RAM at fixed GPAs. */
static void log_sync_global(MemoryListener *listener, bool last_stage)
{
	VsmState *vsm = of(listener);

	for (unsigned i = 0; global_dirty_tracking && i < vsm->fixed->len; i++)
		vsm_dirty_take(vsm, fixed(vsm, i)->mr, &fixed(vsm, i)->range);
}

/* Starts or stops the record of writes to RAM at fixed GPAs and to SMRAM, as global_dirty_tracking says. */
static int change_log(VsmState *vsm)
{
	const struct vsm_range all = {.size = UINT64_MAX};
	g_autoptr(GArray) changes = g_array_new(false, false, sizeof(struct vsm_memory_change));

	vsm_dirty_append_fixed(vsm, &all, changes);
	vsm_smram_append(vsm, changes);
	return vsm_memory_update(
		vsm->partition, &g_array_index(changes, struct vsm_memory_change, 0), changes->len);
}

static bool log_global_start(MemoryListener *listener, Error **errp)
{
	int error = change_log(of(listener));

	if (error)
		error_setg_errno(errp, -error, "vsm: writes of the guest cannot be recorded");
	return !error;
}

static void log_global_stop(MemoryListener *listener)
{
	if (change_log(of(listener)))
		warn_report("vsm: writes of the guest are still recorded, which costs time");
}

void vsm_dirty_add_fixed(VsmState *vsm, MemoryRegion *mr, const struct vsm_range *range)
{
	const struct fixed one = {mr, *range};

	g_array_append_val(vsm->fixed, one);
}

void vsm_dirty_append_fixed(VsmState *vsm, const struct vsm_range *range, GArray *changes)
{
	for (unsigned i = 0; i < vsm->fixed->len; i++) {
		struct vsm_memory_change change;
		struct vsm_range part;

		if (!vsm_range_clip(&fixed(vsm, i)->range, range->gpa, range->gpa + range->size,
				    &part))
			continue;
		change = vsm_memory_change_of(vsm, fixed(vsm, i)->mr, &part);
		g_array_append_val(changes, change);
	}
}

void vsm_dirty_init(VsmState *vsm)
{
	vsm->fixed = g_array_new(false, false, sizeof(struct fixed));
	vsm->dirty_listener = (MemoryListener){
		.name = "vsm-dirty",
		.log_sync_global = log_sync_global,
		.log_global_start = log_global_start,
		.log_global_stop = log_global_stop,
		.priority = MEMORY_LISTENER_PRIORITY_ACCEL,
	};
	memory_listener_register(&vsm->dirty_listener, &address_space_memory);
}
