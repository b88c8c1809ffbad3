/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Converts changes of QEMU's flat view to changes of the partition's map, with one library call for each
 * transaction, so that it is atomic for guests. Protections stay at their GPAs. */
#include "qemu/osdep.h"
#include "accel.h"
#include "qemu/error-report.h"
#include "qemu/rcu.h"
#include "system/hostmem.h"
#include "system/runstate.h"

enum {
	PAGE = VSM_PAGE,
	/* VGA, SMRAM, and the range in which PAM registers select ROM or RAM. */
	LEGACY = 0xa0000,
	LEGACY_END = 0x100000,
};

struct gone {
	MemoryRegion *mr; /* referenced */
	struct vsm_range range;
};

static VsmState *of(MemoryListener *listener)
{
	return container_of(listener, VsmState, listener);
}

bool vsm_whole_pages(const MemoryRegionSection *section, struct vsm_range *range)
{
	uint64_t start = section->offset_within_address_space;
	uint64_t end = ROUND_DOWN(start + int128_get64(section->size), PAGE);

	range->gpa = ROUND_UP(start, PAGE);
	range->size = end > range->gpa ? end - range->gpa : 0;
	range->offset = section->offset_within_region + range->gpa - start;
	return range->size;
}

/*
 * Chipset registers, such as q35's RCBA and PCIEXBAR, can place devices over RAM, where VTL1 would read
 * data that VTL0 has written to a device. So RAM of the machine keeps its GPAs, except in the legacy range,
 * whose contents VTL1 must not trust.
 */
static bool is_fixed(const VsmState *vsm, MemoryRegion *mr)
{
	return vsm->started && object_dynamic_cast(memory_region_owner(mr), TYPE_MEMORY_BACKEND);
}

bool vsm_range_clip(const struct vsm_range *range, uint64_t start, uint64_t end,
		    struct vsm_range *part)
{
	const uint64_t first = MAX(range->gpa, start);
	const uint64_t last = MIN(range->gpa + range->size, end);

	*part = (struct vsm_range){first, last - first, range->offset + first - range->gpa};
	return first < last;
}

bool vsm_memory_changing(const VsmState *vsm, const MemoryRegionSection *section,
			 struct vsm_range *range)
{
	struct vsm_range section_range;

	if (!vsm_whole_pages(section, range))
		return false;
	if (!is_fixed(vsm, section->mr))
		return true;
	section_range = *range;
	return vsm_range_clip(&section_range, LEGACY, LEGACY_END, range);
}

static gpointer key(uint64_t gpa)
{
	return GSIZE_TO_POINTER(gpa / PAGE);
}

static bool mapped_pages(const VsmState *vsm, const MemoryRegionSection *section,
			 struct vsm_range *range)
{
	return vsm_memory_changing(vsm, section, range) &&
	       g_hash_table_lookup(vsm->mapped, key(range->gpa)) == section->mr;
}

/* Records a failure. Before the start vsm_memory_ready() refuses the machine; later the machine stops. */
static void fail(VsmState *vsm)
{
	vsm->memory_failed = true;
	if (runstate_is_running())
		vm_stop(RUN_STATE_INTERNAL_ERROR);
}

struct vsm_memory_change vsm_memory_change_of(const VsmState *vsm, MemoryRegion *mr,
					      const struct vsm_range *range)
{
	struct vsm_memory_change change = {.gpa = range->gpa, .size = range->size};

	change.fd = mr->ram_block->fd;
	change.offset = mr->ram_block->fd_offset + range->offset;
	if (mr->readonly || mr->rom_device)
		change.flags |= VSM_MEMORY_READONLY;
	if (memory_region_get_dirty_log_mask(mr))
		change.flags |= VSM_MEMORY_LOG;
	if (vsm_is_guarded(vsm))
		change.host = mr->ram_block->host + range->offset;
	return change;
}

static void add_ram(VsmState *vsm, MemoryRegion *mr, const struct vsm_range *range)
{
	const struct vsm_memory_change change = vsm_memory_change_of(vsm, mr, range);

	g_array_append_val(vsm->changes, change);
}

static bool is_memory(MemoryRegion *mr)
{
	return memory_region_is_ram(mr) || memory_region_is_romd(mr);
}

static void begin(MemoryListener *listener)
{
	g_array_set_size(of(listener)->changes, 0);
}

static void region_add(MemoryListener *listener, MemoryRegionSection *section)
{
	VsmState *vsm = of(listener);
	MemoryRegion *mr = section->mr;
	struct vsm_range range;

	vsm_smram_note(vsm, section);
	if (!is_memory(mr) || !vsm_memory_changing(vsm, section, &range))
		return;
	if (memory_region_is_ram_device(mr)) {
		error_report("vsm: memory of a device of the host cannot be mapped (%s)",
			     memory_region_name(mr));
		fail(vsm);
		return;
	}
	if (mr->ram_block->fd < 0 || !qemu_ram_is_shared(mr->ram_block)) {
		error_report("vsm: memory %s is not shared: its memory-backend needs share=on",
			     memory_region_name(mr));
		fail(vsm);
		return;
	}
	memory_region_ref(mr);
	g_hash_table_insert(vsm->mapped, key(range.gpa), mr);
	add_ram(vsm, mr, &range);
}

void vsm_memory_note_gone(VsmState *vsm, MemoryRegion *mr, const struct vsm_range *range)
{
	const struct gone gone = {mr, *range};

	if (!memory_region_get_dirty_log_mask(mr))
		return;
	memory_region_ref(mr);
	g_array_append_val(vsm->gone, gone);
}

void vsm_memory_release(VsmState *vsm, MemoryRegion *mr)
{
	/* Keep the region until the next reset: pages of the mapping that VTL1 has restricted stay
	 * guarded. */
	if (vsm_is_guarded(vsm) && !g_hash_table_contains(vsm->left, mr))
		g_hash_table_add(vsm->left, mr);
	else
		memory_region_unref(mr);
}

static void region_del(MemoryListener *listener, MemoryRegionSection *section)
{
	VsmState *vsm = of(listener);
	struct vsm_range range;
	struct vsm_memory_change change;

	vsm_smram_note(vsm, section);
	/* A ROM device may have changed its mode since it was added, so look the section up in the map. */
	if (!mapped_pages(vsm, section, &range))
		return;
	change = (struct vsm_memory_change){.gpa = range.gpa, .size = range.size, .fd = -1};
	g_hash_table_remove(vsm->mapped, key(range.gpa));
	g_array_append_val(vsm->changes, change);
	vsm_memory_note_gone(vsm, section->mr, &range);
	vsm_memory_release(vsm, section->mr);
}

static void unref(gpointer region)
{
	memory_region_unref(region);
}

void vsm_memory_reset(VsmState *vsm)
{
	g_hash_table_remove_all(vsm->left);
}

/* Marks removed memory as written, since its record is no longer read. */
static void count_gone(VsmState *vsm)
{
	for (unsigned i = 0; i < vsm->gone->len; i++) {
		const struct gone *gone = &g_array_index(vsm->gone, struct gone, i);

		memory_region_set_dirty(gone->mr, gone->range.offset, gone->range.size);
		memory_region_unref(gone->mr);
	}
	g_array_set_size(vsm->gone, 0);
}

void vsm_memory_commit(VsmState *vsm)
{
	if (!vsm->changes->len && !vsm->smram_changed)
		return;
	vsm_smram_append_gone(vsm, vsm->changes);
	vsm_smram_append(vsm, vsm->changes);
	vsm->smram_changed = false;
	if (vsm_memory_update(vsm->partition,
			      &g_array_index(vsm->changes, struct vsm_memory_change, 0),
			      vsm->changes->len))
		fail(vsm);
	g_array_set_size(vsm->changes, 0);
	count_gone(vsm);
}

static void commit(MemoryListener *listener)
{
	vsm_memory_commit(of(listener));
}

/* Starts or stops recording of writes to a section. dirty.c does so for RAM at fixed GPAs. */
static void log_change(MemoryListener *listener, MemoryRegionSection *section, int old, int new)
{
	VsmState *vsm = of(listener);
	struct vsm_range range;

	if (mapped_pages(vsm, section, &range))
		add_ram(vsm, section->mr, &range);
}

static void log_sync(MemoryListener *listener, MemoryRegionSection *section)
{
	VsmState *vsm = of(listener);
	struct vsm_range range;

	if (!mapped_pages(vsm, section, &range))
		return;
	if (!vsm_smram_overlaps(vsm, section->mr, &range))
		vsm_dirty_take(vsm, section->mr, &range);
	else
		memory_region_set_dirty(section->mr, range.offset, range.size);
}

/* Records a range of the flat view as RAM with a fixed GPA, except its legacy range, which can change. */
static bool note_unmoved(Int128 start, Int128 size, const MemoryRegion *region, hwaddr offset,
			 void *opaque)
{
	VsmState *vsm = opaque;
	MemoryRegion *mr = (MemoryRegion *)region;
	const struct vsm_range range = {int128_get64(start), int128_get64(size), offset};
	struct vsm_range part;

	if (!is_fixed(vsm, mr))
		return false;
	if (vsm_range_clip(&range, 0, LEGACY, &part))
		vsm_dirty_add_fixed(vsm, mr, &part);
	if (vsm_range_clip(&range, LEGACY_END, UINT64_MAX, &part))
		vsm_dirty_add_fixed(vsm, mr, &part);
	if (vsm_range_clip(&range, LEGACY, LEGACY_END, &part) &&
	    !g_hash_table_contains(vsm->mapped, key(part.gpa))) {
		memory_region_ref(mr);
		g_hash_table_insert(vsm->mapped, key(part.gpa), mr);
	}
	return false;
}

bool vsm_memory_ready(VsmState *vsm)
{
	vsm->started = true;
	vsm_dirty_init(vsm);
	WITH_RCU_READ_LOCK_GUARD()
	{
		flatview_for_each_range(address_space_to_flatview(&address_space_memory),
					note_unmoved, vsm);
	}
	vsm_smm_ready(vsm);
	return !vsm->memory_failed;
}

void vsm_memory_init(VsmState *vsm)
{
	vsm->changes = g_array_new(false, false, sizeof(struct vsm_memory_change));
	vsm->gone = g_array_new(false, false, sizeof(struct gone));
	vsm->mapped = g_hash_table_new(NULL, NULL);
	vsm->left = g_hash_table_new_full(NULL, NULL, unref, NULL);
	vsm->listener = (MemoryListener){
		.name = "vsm",
		.begin = begin,
		.commit = commit,
		.region_add = region_add,
		.region_del = region_del,
		.log_start = log_change,
		.log_stop = log_change,
		.log_sync = log_sync,
		.priority = MEMORY_LISTENER_PRIORITY_ACCEL,
	};
	memory_listener_register(&vsm->listener, &address_space_memory);
}
