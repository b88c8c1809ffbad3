/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of the memory map while VPs run, which VTL0 can cause by registers of the chipset. */
#include "storm.h"

#include "core/memory/file.h"

#define ALL_PAGES (STORM_PAGES * CORE_PAGE_SIZE)

enum from {
	FROM_NOTHING,
	FROM_SECRET,
	FROM_LOCKED,
	FROM_TOGGLED,
};

static const uint64_t place[] = {
	[FROM_SECRET] = STORM_SECRET,
	[FROM_LOCKED] = STORM_LOCKED,
	[FROM_TOGGLED] = STORM_TOGGLED,
};

/*
 * Pages of `from` replace those at `gpa`. A locked page is not moved, since vp.c checks its
 * contents at its GPA.
 */
static const struct {
	uint64_t gpa;
	enum from from;
	uint32_t flags;
} remaps[] = {
	{STORM_ALIAS, FROM_SECRET, VSM_MEMORY_LOG},
	{STORM_ALIAS, FROM_LOCKED, 0},
	{STORM_ALIAS, FROM_LOCKED, VSM_MEMORY_READONLY},
	{STORM_ALIAS, FROM_TOGGLED, VSM_MEMORY_LOG},
	{STORM_ALIAS, FROM_NOTHING, 0},
	{STORM_TOGGLED, FROM_SECRET, 0},
	{STORM_TOGGLED, FROM_TOGGLED, VSM_MEMORY_LOG},
	{STORM_SECRET, FROM_NOTHING, 0},
	{STORM_SECRET, FROM_TOGGLED, VSM_MEMORY_READONLY},
	{STORM_SECRET, FROM_SECRET, VSM_MEMORY_LOG},
	{STORM_LOCKED, FROM_LOCKED, VSM_MEMORY_READONLY},
	{STORM_LOCKED, FROM_LOCKED, VSM_MEMORY_LOG},
};

static struct vsm_memory_change change(const struct storm *storm, uint64_t gpa, uint64_t size,
				       uint64_t from, uint32_t flags)
{
	return (struct vsm_memory_change){
		.gpa = gpa,
		.size = size,
		.fd = storm->file->backend.fd,
		.offset = storm->offset + from,
		.flags = flags,
	};
}

void storm_remap(struct storm *storm, const struct storm_op *op)
{
	const unsigned int row = op->c % (sizeof(remaps) / sizeof(remaps[0]));
	const uint64_t at = op->b % STORM_PAGES * CORE_PAGE_SIZE;
	const uint64_t from = place[remaps[row].from] + op->a % STORM_PAGES * CORE_PAGE_SIZE;
	struct vsm_memory_change one =
		change(storm, remaps[row].gpa + at, CORE_PAGE_SIZE,
		       remaps[row].from == FROM_LOCKED && remaps[row].gpa == STORM_LOCKED
			       ? STORM_LOCKED + at
			       : from,
		       remaps[row].flags);
	uint8_t data[64] = {0};
	uint64_t written[1] = {0};

	if (remaps[row].from == FROM_NOTHING)
		one.fd = -1;
	STORM_REQUIRE(vsm_memory_update(storm->partition, &one, 1) == 0);
	STORM_REQUIRE(vsm_memory_dirty(storm->partition, remaps[row].gpa, ALL_PAGES, written) == 0);
	/* The checks of the VPs detect a device's writes to locked pages. */
	vsm_dma_write(storm->partition, STORM_ALIAS + op->value % ALL_PAGES, data, sizeof(data));
	vsm_dma_read(storm->partition, STORM_ALIAS + op->value % ALL_PAGES, data, sizeof(data));
	STORM_REQUIRE(!storm_shows_secret(data, sizeof(data)));
}

void storm_map_back(struct storm *storm)
{
	const struct vsm_memory_change all[] = {
		{.gpa = STORM_ALIAS, .size = ALL_PAGES, .fd = -1},
		change(storm, 0, STORM_RAM, 0, 0),
	};

	STORM_REQUIRE(vsm_memory_update(storm->partition, all, 2) == 0);
}
