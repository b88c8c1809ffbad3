/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks: the 2 MiB that one large page maps. A block is registered for minor faults only while one
 * of its pages is no-access (or to save mappings, see edges()), since they split a large page.
 */
#include <string.h>
#include <sys/mman.h>

#include "core/memory/map_file.h"
#include "kvm/engine/uffd.h"

#define REMAP_AT_ONCE 64u /* blocks at a time, which bounds the wait of a VP for engine.lock */

struct uffd_block *block_of(const struct vkvm_region *region, uint8_t vtl, uint64_t page)
{
	uint64_t first = region->gpn / VKVM_BLOCK_PAGES;

	return &region->window[vtl].block[(region->gpn + page) / VKVM_BLOCK_PAGES - first];
}

/*
 * The number of boundaries at the ends of [first, end) if its blocks have @minor. The kernel splits
 * a mapping at each one: above a limit, the blocks between two blocks with minor faults are
 * registered for them, too, which costs only large pages.
 */
static int edges(const struct vkvm_region *region, uint8_t vtl, uint64_t first, uint64_t end,
		 bool minor)
{
	int count = 0;

	if (first > 0)
		count += block_of(region, vtl, first - 1)->minor != minor;
	if (end < region->pages)
		count += block_of(region, vtl, end)->minor != minor;
	return count;
}

/* The number of mappings that a change of the blocks of [first, end) to @minor would add. */
static int more_pieces(const struct vkvm_region *region, uint8_t vtl, uint64_t first, uint64_t end,
		       bool minor)
{
	return edges(region, vtl, first, end, minor) - edges(region, vtl, first, end, !minor);
}

static bool has_room(const struct vkvm_backend *backend, int more)
{
	return more <= 0 || backend->engine.pieces + (uint32_t)more <= backend->engine.pieces_limit;
}

/* Records @minor for the blocks of [first, end), without an ioctl. */
static void set_minor(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
		      uint64_t first, uint64_t end, bool minor)
{
	uint64_t begin;
	uint64_t next;

	for (uint64_t page = first; page < end; page = next) {
		struct uffd_block *block = block_of(region, vtl, page);

		engine_block(region, page, &begin, &next);
		if (block->minor == minor)
			continue;
		backend->engine.pieces += (uint32_t)more_pieces(region, vtl, begin, next, minor);
		block->minor = minor;
	}
}

/* Extends the block [*first, *end) to the nearest one with minor faults, or to the whole region. */
static void widen(const struct vkvm_region *region, uint8_t vtl, uint64_t *first, uint64_t *end)
{
	uint64_t low = *first;
	uint64_t high = *end;
	uint64_t ignored;

	while (low > 0 || high < region->pages) {
		if (low > 0 && block_of(region, vtl, low - 1)->minor) {
			*first = low;
			return;
		}
		if (high < region->pages && block_of(region, vtl, high)->minor) {
			*end = high;
			return;
		}
		if (low > 0)
			engine_block(region, low - 1, &low, &ignored);
		if (high < region->pages)
			engine_block(region, high, &ignored, &high);
	}
	*first = low;
	*end = high;
}

int block_make_minor(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
		     uint64_t first, uint64_t pages)
{
	uint64_t end = first + pages;
	uint64_t begin;
	uint64_t next;

	for (uint64_t page = first; page < end; page = next) {
		int error;

		engine_block(region, page, &begin, &next);
		if (block_of(region, vtl, page)->minor)
			continue;
		if (!has_room(backend, more_pieces(region, vtl, begin, next, true)))
			widen(region, vtl, &begin, &next);
		error = uffd_register(backend->engine.fd, engine_address(region, vtl, begin),
				      uffd_bytes(next - begin), true);
		if (error)
			return vsm_error(backend->log, -error, "kvm: registering a block: %s",
					 strerror(-error));
		set_minor(backend, region, vtl, begin, next, true);
	}
	return 0;
}

/* Registers [first, end) without minor faults, and wakes accesses that wait there. */
static int drop_minor(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
		      uint64_t first, uint64_t end)
{
	int fd = backend->engine.fd;
	uint8_t *start = engine_address(region, vtl, first);
	uint64_t size = uffd_bytes(end - first);
	int error = uffd_unregister(fd, start, size);

	if (!error)
		error = uffd_register(fd, start, size, false);
	if (error)
		return vsm_error(backend->log, -error, "kvm: registering a block: %s",
				 strerror(-error));
	uffd_wake(fd, start, size);
	return 0;
}

static bool is_idle(const struct uffd_block *block)
{
	return !block->restricted && !block->overlaid;
}

/* Marks a block without restrictions, to be mapped by a large page later. */
static void request_remap(struct vkvm_backend *backend, struct uffd_block *block, uint64_t pages)
{
	block->split = backend->can.huge_pages && pages == VKVM_BLOCK_PAGES;
	if (block->split && !backend->engine.split_waiting) {
		backend->engine.split_waiting = true;
		event_postpone(backend);
	}
}

/*
 * Removes minor faults from the idle block [first, end) and from idle neighbours that have them,
 * unless that would exceed the limit of mappings.
 */
static int release_minor(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
			 uint64_t first, uint64_t end)
{
	uint64_t ignored;
	int error;

	while (first > 0 && block_of(region, vtl, first - 1)->minor &&
	       is_idle(block_of(region, vtl, first - 1)))
		engine_block(region, first - 1, &first, &ignored);
	while (end < region->pages && block_of(region, vtl, end)->minor &&
	       is_idle(block_of(region, vtl, end)))
		engine_block(region, end, &ignored, &end);
	if (!has_room(backend, more_pieces(region, vtl, first, end, false)))
		return 0;
	/* Recorded first, so that after a failure the next denial registers the blocks. */
	set_minor(backend, region, vtl, first, end, false);
	error = drop_minor(backend, region, vtl, first, end);
	if (error)
		return error;
	for (uint64_t page = first, begin, next; page < end; page = next) {
		engine_block(region, page, &begin, &next);
		request_remap(backend, block_of(region, vtl, page), next - begin);
	}
	return 0;
}

int block_release(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
		  uint64_t first, uint64_t pages)
{
	uint64_t end = first + pages;
	uint64_t begin;
	uint64_t next;
	int error = 0;

	for (uint64_t page = first; page < end && !error; page = next) {
		struct uffd_block *block = block_of(region, vtl, page);

		engine_block(region, page, &begin, &next);
		if (!is_idle(block))
			continue;
		if (block->minor)
			error = release_minor(backend, region, vtl, begin, next);
		else
			request_remap(backend, block, next - begin);
	}
	return error;
}

/*
 * The page table of a split block remains even after all small pages in it are dropped, and
 * prevents a large page. A new mapping replaces it atomically.
 */
static void remap_huge(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
		       uint64_t page)
{
	uint8_t *start = engine_address(region, vtl, page);
	int error =
		map_file_at(start, region->fd, region->offset + uffd_bytes(page), VKVM_BLOCK_SIZE);

	if (error) {
		vsm_log(backend->log, VSM_LOG_WARN,
			"kvm: a block cannot be mapped by a large page (%d)", -error);
		return;
	}
	madvise(start, VKVM_BLOCK_SIZE, MADV_HUGEPAGE);
	error = uffd_register(backend->engine.fd, start, VKVM_BLOCK_SIZE, false);
	if (error)
		(void)vsm_error(backend->log, -error, "kvm: registering a block: %s",
				strerror(-error));
}

static uint32_t remap_window(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
			     uint32_t budget)
{
	uint64_t begin;
	uint64_t next;

	for (uint64_t page = 0; page < region->pages && budget; page = next) {
		struct uffd_block *block = block_of(region, vtl, page);

		engine_block(region, page, &begin, &next);
		if (!block->split)
			continue;
		block->split = false;
		if (!is_idle(block) || block->minor)
			continue;
		remap_huge(backend, region, vtl, begin);
		budget--;
	}
	return budget;
}

bool block_remap(struct vkvm_backend *backend)
{
	uint32_t budget = REMAP_AT_ONCE;

	for (uint32_t i = 0; i < backend->region_count && budget; i++)
		for (uint8_t vtl = 0; vtl < backend->vtl_count && budget; vtl++)
			budget = remap_window(backend, backend->region[i], vtl, budget);
	backend->engine.split_waiting = !budget;
	return !budget;
}
