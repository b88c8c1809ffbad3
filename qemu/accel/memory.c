/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's flat view of memory, as changes of the partition's map: one call of the library for each
 * transaction, so that guests see all of it at once. Protections stay with the GPA meanwhile, and
 * the mapping that QEMU's devices use has the rights of VTL0.
 */
#include "qemu/osdep.h"
#include "accel.h"
#include "exec/address-spaces.h"
#include "exec/ram_addr.h"
#include "exec/ramblock.h"
#include "qemu/error-report.h"
#include "system/hostmem.h"
#include "system/runstate.h"

enum {
	PAGE = 4096,
	/* VGA, SMRAM, ROM and RAM by PAM registers. */
	LEGACY = 0xa0000,
	LEGACY_END = 0x100000,
};

/* The whole pages of a section. */
struct range {
	uint64_t gpa;
	uint64_t size;
	uint64_t offset; /* in the memory region */
};

static VsmState *of(MemoryListener *listener)
{
	return container_of(listener, VsmState, listener);
}

static bool whole_pages(const MemoryRegionSection *section, struct range *range)
{
	uint64_t start = section->offset_within_address_space;
	uint64_t end = ROUND_DOWN(start + int128_get64(section->size), PAGE);

	range->gpa = ROUND_UP(start, PAGE);
	range->size = end > range->gpa ? end - range->gpa : 0;
	range->offset = section->offset_within_region + range->gpa - start;
	return range->size;
}

/*
 * Registers of chipsets place devices anywhere: q35's RCBA and MMCONFIG even over RAM, where VTL1
 * would read what VTL0 has put into a device. RAM of the machine stays where it was at the start,
 * but for the legacy range, whose contents VTL1 must not rely on.
 */
static bool is_fixed(const VsmState *vsm, MemoryRegion *mr)
{
	return vsm->started && object_dynamic_cast(memory_region_owner(mr), TYPE_MEMORY_BACKEND);
}

/* The pages of a section that are to change in the partition's map. */
static bool changing_pages(const VsmState *vsm, const MemoryRegionSection *section,
			   struct range *range)
{
	uint64_t start, end;

	if (!whole_pages(section, range))
		return false;
	if (!is_fixed(vsm, section->mr))
		return true;
	start = MAX(range->gpa, LEGACY);
	end = MIN(range->gpa + range->size, LEGACY_END);
	if (start >= end)
		return false;
	range->offset += start - range->gpa;
	range->gpa = start;
	range->size = end - start;
	return true;
}

static gpointer key(uint64_t gpa)
{
	return GSIZE_TO_POINTER(gpa / PAGE);
}

/* During the start the machine is refused (vsm_memory_ready()); later it stops. */
static void fail(VsmState *vsm)
{
	vsm->memory_failed = true;
	if (runstate_is_running())
		vm_stop(RUN_STATE_INTERNAL_ERROR);
}

static struct vsm_memory_change *add_change(VsmState *vsm, const struct range *range)
{
	struct vsm_memory_change change = {.gpa = range->gpa, .size = range->size, .fd = -1};

	g_array_append_val(vsm->changes, change);
	return &g_array_index(vsm->changes, struct vsm_memory_change, vsm->changes->len - 1);
}

static void add_ram(VsmState *vsm, MemoryRegion *mr, const struct range *range)
{
	struct vsm_memory_change *change = add_change(vsm, range);

	change->fd = mr->ram_block->fd;
	change->offset = mr->ram_block->fd_offset + range->offset;
	if (mr->readonly || mr->rom_device)
		change->flags |= VSM_MEMORY_READONLY;
	if (vsm_is_guarded(vsm))
		change->host = mr->ram_block->host + range->offset;
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
	struct range range;

	if (!is_memory(mr) || !changing_pages(vsm, section, &range))
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

static void region_del(MemoryListener *listener, MemoryRegionSection *section)
{
	VsmState *vsm = of(listener);
	struct range range;

	/* Whether the section was memory when it was added, which may have changed (ROM devices). */
	if (!changing_pages(vsm, section, &range) ||
	    g_hash_table_lookup(vsm->mapped, key(range.gpa)) != section->mr)
		return;
	g_hash_table_remove(vsm->mapped, key(range.gpa));
	add_change(vsm, &range);
	/* Its mapping stays guarded until the next reset, where VTL1 has restricted it. */
	if (vsm_is_guarded(vsm) && !g_hash_table_contains(vsm->left, section->mr))
		g_hash_table_add(vsm->left, section->mr);
	else
		memory_region_unref(section->mr);
}

static void unref(gpointer region)
{
	memory_region_unref(region);
}

void vsm_memory_reset(VsmState *vsm)
{
	g_hash_table_remove_all(vsm->left);
}

static void commit(MemoryListener *listener)
{
	VsmState *vsm = of(listener);

	if (!vsm->changes->len)
		return;
	if (vsm_memory_update(vsm->partition,
			      &g_array_index(vsm->changes, struct vsm_memory_change, 0),
			      vsm->changes->len))
		fail(vsm);
	g_array_set_size(vsm->changes, 0);
}

/* Writes of the guest are not recorded: all of a frame buffer counts as changed. */
static void log_sync(MemoryListener *listener, MemoryRegionSection *section)
{
	MemoryRegion *mr = section->mr;

	if (memory_region_is_ram(mr) &&
	    memory_region_get_dirty_log_mask(mr) & 1u << DIRTY_MEMORY_VGA)
		memory_region_set_dirty(mr, section->offset_within_region,
					int128_get64(section->size));
}

bool vsm_memory_ready(VsmState *vsm)
{
	vsm->started = true;
	return !vsm->memory_failed;
}

void vsm_memory_init(VsmState *vsm)
{
	vsm->changes = g_array_new(false, false, sizeof(struct vsm_memory_change));
	vsm->mapped = g_hash_table_new(NULL, NULL);
	vsm->left = g_hash_table_new_full(NULL, NULL, unref, NULL);
	vsm->listener = (MemoryListener){
		.name = "vsm",
		.begin = begin,
		.commit = commit,
		.region_add = region_add,
		.region_del = region_del,
		.log_sync = log_sync,
		.priority = MEMORY_LISTENER_PRIORITY_ACCEL,
	};
	memory_listener_register(&vsm->listener, &address_space_memory);
}
