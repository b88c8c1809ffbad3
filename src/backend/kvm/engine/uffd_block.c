/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks: the 2 MiB that one large page maps. A window is registered for write protection as a whole,
 * which leaves large pages alone. What breaks them up is one restricted page, or minor faults; so blocks
 * get the latter only while some page in them may not be read, and are mapped anew, large, when
 * nothing in them is restricted any more.
 */
#include <errno.h>
#include <sys/mman.h>

#include "kvm/engine/uffd.h"

#define REMAP_AT_ONCE 64u /* blocks, so that a VP that waits for the lock does not wait for long */

struct uffd_block *block_of(const struct vkvm_region *region, uint8_t vtl, uint64_t page)
{
	uint64_t first = region->gpn / VKVM_BLOCK_PAGES;

	return &region->window[vtl].block[(region->gpn + page) / VKVM_BLOCK_PAGES - first];
}

static uint64_t bytes(uint64_t pages)
{
	return pages * VKVM_PAGE_SIZE;
}

/* ------------------------------------------------------------------ pieces of a window */

/*
 * Where blocks with minor faults and without meet the kernel divides the mapping, and a process may have so many
 * mappings and no more (vm.max_map_count). From a limit on blocks get minor faults, or keep them, that do not need
 * them: that costs them their large page at most.
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

/* Pieces that there would be more if the blocks of [first, end), all alike, changed to @minor. */
static int more_pieces(const struct vkvm_region *region, uint8_t vtl, uint64_t first, uint64_t end,
		       bool minor)
{
	return edges(region, vtl, first, end, minor) - edges(region, vtl, first, end, !minor);
}

static bool has_room(const struct vkvm_backend *backend, int more)
{
	return more <= 0 || backend->engine.pieces + (uint32_t)more <= backend->engine.pieces_limit;
}

/* The books alone: blocks of [first, end), one after the other. */
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

/* Widens [*first, *end), a block, to the nearest one that has minor faults, or to the whole region. */
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
				      bytes(next - begin), true);
		if (error)
			return vsm_error(backend->log, -error, "kvm: registering a block");
		set_minor(backend, region, vtl, begin, next, true);
	}
	return 0;
}

/* [first, end) is as it was before minor faults, and whoever waits there looks again. */
static int drop_minor(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
		      uint64_t first, uint64_t end)
{
	int fd = backend->engine.fd;
	uint8_t *start = engine_address(region, vtl, first);
	uint64_t size = bytes(end - first);
	int error = uffd_unregister(fd, start, size);

	if (!error)
		error = uffd_register(fd, start, size, false);
	if (error)
		return vsm_error(backend->log, -error, "kvm: registering a block");
	uffd_wake(fd, start, size);
	return 0;
}

static bool is_idle(const struct uffd_block *block)
{
	return !block->restricted && !block->overlaid;
}

/* A block that nothing restricts any more: its large page comes back when there is time. */
static void want_remap(struct vkvm_backend *backend, struct uffd_block *block, uint64_t pages)
{
	block->split = backend->can.huge_pages && pages == VKVM_BLOCK_PAGES;
	if (block->split && !backend->engine.split_waiting) {
		backend->engine.split_waiting = true;
		event_wake(backend);
	}
}

/* Takes minor faults from the idle block of [first, end) and from those beside it that have kept them. */
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
	error = drop_minor(backend, region, vtl, first, end);
	if (error)
		return error;
	set_minor(backend, region, vtl, first, end, false);
	for (uint64_t page = first, begin, next; page < end; page = next) {
		engine_block(region, page, &begin, &next);
		want_remap(backend, block_of(region, vtl, page), next - begin);
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
			want_remap(backend, block, next - begin);
	}
	return error;
}

/*
 * A mapping that was broken up into small pages stays so, even when all of them go. A new one in its
 * place, atomically, finds the large page in the file again.
 */
static void remap_huge(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
		       uint64_t page)
{
	uint8_t *start = engine_address(region, vtl, page);
	off_t offset = (off_t)(region->offset + bytes(page));
	int error;

	if (mmap(start, VKVM_BLOCK_SIZE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, region->fd, offset) == MAP_FAILED) {
		vsm_log(backend->log, VSM_LOG_WARN, "kvm: a large page is not regained (%d)",
			errno);
		return;
	}
	madvise(start, VKVM_BLOCK_SIZE, MADV_HUGEPAGE);
	madvise(start, VKVM_BLOCK_SIZE, MADV_DONTFORK);
	error = uffd_register(backend->engine.fd, start, VKVM_BLOCK_SIZE, false);
	if (error)
		(void)vsm_error(backend->log, -error, "kvm: registering a block");
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

	for (uint32_t slot = 0; slot < VKVM_REGION_MAX && budget; slot++)
		for (uint8_t vtl = 0; vtl < backend->vtl_count && budget; vtl++)
			if (backend->region[slot])
				budget = remap_window(backend, backend->region[slot], vtl, budget);
	backend->engine.split_waiting = !budget;
	return !budget;
}
