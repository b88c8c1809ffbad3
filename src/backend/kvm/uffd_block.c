/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks: the 2 MiB that one large page maps. A window is registered for write protection as a whole,
 * which leaves large pages alone. What breaks them up is one restricted page, or minor faults; so blocks
 * get the latter only while some page in them may not be read, and are mapped anew, large, when
 * nothing in them is restricted any more.
 */
#include <errno.h>
#include <sys/mman.h>

#include "kvm/uffd.h"

#define MEND_AT_ONCE 64u /* blocks, so that a VP that waits for the lock does not wait for long */

struct block *block_of(const struct region *region, uint8_t vtl, uint64_t page)
{
	uint64_t first = region->gpn / KVM_BLOCK_PAGES;

	return &region->window[vtl].block[(region->gpn + page) / KVM_BLOCK_PAGES - first];
}

static uint64_t bytes(uint64_t pages)
{
	return pages * KVM_PAGE_SIZE;
}

int block_make_minor(struct kvm_backend *backend, struct region *region, uint8_t vtl,
		     uint64_t first, uint64_t pages)
{
	uint64_t end = first + pages;
	uint64_t begin;
	uint64_t next;

	for (uint64_t page = first; page < end; page = next) {
		struct block *block = block_of(region, vtl, page);
		int error;

		engine_block(region, page, &begin, &next);
		if (block->minor)
			continue;
		error = uffd_register(backend->engine.fd, engine_address(region, vtl, begin),
				      bytes(next - begin), true);
		if (error)
			return vsm_error(backend->log, -error, "kvm: registering a block");
		block->minor = true;
	}
	return 0;
}

/* [first, end) is as it was before minor faults, and whoever waits there looks again. */
static int drop_minor(struct kvm_backend *backend, struct region *region, uint8_t vtl,
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

int block_release(struct kvm_backend *backend, struct region *region, uint8_t vtl, uint64_t first,
		  uint64_t pages)
{
	uint64_t end = first + pages;
	uint64_t minor_first = 0;
	uint64_t minor_end = 0;
	uint64_t begin;
	uint64_t next;
	int error = 0;

	for (uint64_t page = first; page < end && !error; page = next) {
		struct block *block = block_of(region, vtl, page);

		engine_block(region, page, &begin, &next);
		if (block->restricted || block->overlaid)
			continue;
		block->split = backend->can.huge_pages && next - begin == KVM_BLOCK_PAGES;
		if (block->split && !backend->engine.split_waiting) {
			backend->engine.split_waiting = true;
			event_nudge(backend);
		}
		if (!block->minor)
			continue;
		block->minor = false;
		if (minor_end == begin && minor_end) {
			minor_end = next;
			continue;
		}
		if (minor_end)
			error = drop_minor(backend, region, vtl, minor_first, minor_end);
		minor_first = begin;
		minor_end = next;
	}
	if (minor_end && !error)
		error = drop_minor(backend, region, vtl, minor_first, minor_end);
	return error;
}

/*
 * A mapping that was broken up into small pages stays so, even when all of them go. A new one in its
 * place, atomically, finds the large page in the file again.
 */
static void mend(struct kvm_backend *backend, struct region *region, uint8_t vtl, uint64_t page)
{
	uint8_t *start = engine_address(region, vtl, page);
	off_t offset = (off_t)(region->offset + bytes(page));
	int error;

	if (mmap(start, KVM_BLOCK_SIZE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, region->fd, offset) == MAP_FAILED) {
		vsm_log(backend->log, VSM_LOG_WARN, "kvm: a large page is not regained (%d)",
			errno);
		return;
	}
	madvise(start, KVM_BLOCK_SIZE, MADV_HUGEPAGE);
	madvise(start, KVM_BLOCK_SIZE, MADV_DONTFORK);
	error = uffd_register(backend->engine.fd, start, KVM_BLOCK_SIZE, false);
	if (error)
		(void)vsm_error(backend->log, -error, "kvm: registering a block");
}

static uint32_t mend_window(struct kvm_backend *backend, struct region *region, uint8_t vtl,
			    uint32_t budget)
{
	uint64_t begin;
	uint64_t next;

	for (uint64_t page = 0; page < region->pages && budget; page = next) {
		struct block *block = block_of(region, vtl, page);

		engine_block(region, page, &begin, &next);
		if (!block->split)
			continue;
		block->split = false;
		if (block->restricted || block->overlaid)
			continue;
		mend(backend, region, vtl, begin);
		budget--;
	}
	return budget;
}

bool block_mend(struct kvm_backend *backend)
{
	uint32_t budget = MEND_AT_ONCE;

	for (uint32_t slot = 0; slot < KVM_REGION_MAX && budget; slot++)
		for (uint8_t vtl = 0; vtl < backend->vtl_count && budget; vtl++)
			if (backend->region[slot])
				budget = mend_window(backend, backend->region[slot], vtl, budget);
	backend->engine.split_waiting = !budget;
	return !budget;
}
