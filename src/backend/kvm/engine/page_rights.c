/* SPDX-License-Identifier: BSD-2-Clause */
/* Page rights of the engines attr and nested, and the restrictions that enforce them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/memory/map_file.h"
#include "kvm/engine/page_rights.h"
#include "kvm/backend.h"
#include "kvm_vsm.h"

/*
 * A byte of window.state. Low half: denied rights of the RAM (enum gpa_access). High half: rights
 * of an overlay, which apply instead; 0: no overlay, since every overlay is readable.
 */
enum page_rights {
	RIGHTS_DENIED = GPA_ALL,
	RIGHTS_OVERLAID = GPA_ALL << 4,
};

/* Runs of at least this many pages get a separate call. */
#define RUN_MIN 512u

static int set_range(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages,
		     uint8_t denied)
{
	return backend->engine.restrictions->range(backend, vtl, gpn, pages, denied);
}

static int set_list(struct vkvm_backend *backend, uint8_t vtl)
{
	struct engine *engine = &backend->engine;
	const uint32_t count = engine->listed;

	engine->listed = 0;
	return count ? engine->restrictions->list(backend, vtl, engine->list, count) : 0;
}

int page_rights_start(struct vkvm_backend *backend, const struct restriction_ops *restrictions)
{
	backend->features.protect = GPA_ALL;
	backend->engine.restrictions = restrictions;
	backend->engine.list = malloc(KVM_ACCESS_MAX_PAGES * sizeof(*backend->engine.list));
	return backend->engine.list
		       ? 0
		       : vsm_error(backend->log, ENOMEM, "kvm: no memory for the list of pages");
}

void page_rights_stop(struct vkvm_backend *backend)
{
	free(backend->engine.list);
	backend->engine.list = NULL;
}

int page_rights_window_init(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl)
{
	return engine_make_state(backend, region, vtl);
}

/* Frees the page rights. At a change of the map, memory/ram.c has removed the restrictions. */
void page_rights_window_destroy(struct vkvm_backend *backend, struct vkvm_region *region,
				uint8_t vtl)
{
	(void)backend;
	engine_drop_state(region, vtl);
}

static uint8_t in_force(uint8_t state)
{
	return state & RIGHTS_OVERLAID ? GPA_ALL & (uint8_t) ~(state >> 4) : state & RIGHTS_DENIED;
}

uint8_t page_rights_denied_at(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpa)
{
	const struct vkvm_region *region = vkvm_memory_find(backend, gpa / VKVM_PAGE_SIZE);
	const struct overlay_memory *overlay = &backend->overlay;

	if (region)
		return in_force(region->window[vtl].state[gpa / VKVM_PAGE_SIZE - region->gpn]);
	for (uint32_t page = 0; page < overlay->pages; page++) {
		const struct overlay_place *place = &overlay->place[vtl][page];

		if (place->slot && place->gpn == gpa / VKVM_PAGE_SIZE)
			return (uint8_t)(GPA_ALL & ~place->access);
	}
	return 0;
}

/* Length of the run of pages from @page on that all have an overlay, or all have none. */
static uint64_t run_length(const uint8_t *state, uint64_t page, uint64_t end)
{
	uint8_t seen = 0;
	uint64_t run = 1;

	/* Usually no page has an overlay. The compiler can vectorise this loop. */
	for (uint64_t i = page; i < end; i++)
		seen |= state[i];
	if (!(seen & RIGHTS_OVERLAID))
		return end - page;
	while (page + run < end &&
	       !(state[page + run] & RIGHTS_OVERLAID) == !(state[page] & RIGHTS_OVERLAID))
		run++;
	return run;
}

static int restrict_run(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages,
			uint8_t denied)
{
	struct engine *engine = &backend->engine;
	int error;

	if (pages >= RUN_MIN)
		return set_range(backend, vtl, gpn, pages, denied);
	for (uint64_t page = gpn; page < gpn + pages; page++) {
		engine->list[engine->listed++] = page * VKVM_PAGE_SIZE | denied;
		if (engine->listed < KVM_ACCESS_MAX_PAGES)
			continue;
		error = set_list(backend, vtl);
		if (error)
			return error;
	}
	return 0;
}

static void note(uint8_t *state, uint64_t pages, uint8_t denied)
{
	for (uint64_t i = 0; i < pages; i++)
		state[i] = (uint8_t)((state[i] & ~RIGHTS_DENIED) | denied);
}

/* Without MBEC the two execute rights can only be denied together. */
static int can_deny(const struct vkvm_backend *backend, uint8_t access)
{
	uint8_t execute = access & GPA_EXECUTE;

	if (!execute || execute == GPA_EXECUTE || backend->features.mbec)
		return 0;
	return vsm_error(backend->log, ENOTSUP, "kvm: rights %#x cannot be enforced here", access);
}

int page_rights_protect(struct vkvm_backend *backend, uint8_t vtl, const struct gpa_range *ranges,
			size_t count, uint8_t access)
{
	uint8_t denied = GPA_ALL & (uint8_t)~access;
	int error = can_deny(backend, access);

	if (error)
		return error;
	backend->engine.listed = 0;
	for (size_t i = 0; i < count && !error; i++) {
		const struct vkvm_region *region = vkvm_memory_find(backend, ranges[i].gpn);
		uint8_t *state = region->window[vtl].state;
		uint64_t page = ranges[i].gpn - region->gpn;
		uint64_t end = page + ranges[i].pages;

		for (uint64_t run; page < end && !error; page += run) {
			run = run_length(state, page, end);
			if (!(state[page] & RIGHTS_OVERLAID))
				error = restrict_run(backend, vtl, region->gpn + page, run, denied);
			note(state + page, run, denied);
		}
	}
	return error ? error : set_list(backend, vtl);
}

/*
 * Maps another page into the window. Meanwhile all rights are denied that the old or the new state
 * (@state) denies; attr_refused() makes the guest repeat an access that was refused for that.
 */
static int exchange(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
		    uint64_t page, uint8_t state, uint64_t first, uint64_t end, int fd,
		    uint64_t offset)
{
	uint8_t *rights = &region->window[vtl].state[page];
	uint8_t both = in_force(*rights) | in_force(state);
	const bool denies = both != in_force(*rights);
	uint64_t size = (end - first) * VKVM_PAGE_SIZE;
	uint8_t *start = engine_address(region, vtl, first);
	int error = 0;

	if (denies)
		error = set_range(backend, vtl, region->gpn + page, 1, both);
	if (error)
		return error;
	error = map_file_at(start, fd, offset, size);
	if (error)
		return vsm_error(backend->log, -error, "kvm: VTL%u: overlay at %#llx: %s", vtl,
				 (unsigned long long)((region->gpn + page) * VKVM_PAGE_SIZE),
				 strerror(-error));
	if (fd == region->fd)
		madvise(start, size, MADV_HUGEPAGE);
	/* Also without a change: as the undo of a call that failed after the first step. */
	if (both != in_force(state) || !denies)
		error = set_range(backend, vtl, region->gpn + page, 1, in_force(state));
	*rights = state;
	return error;
}

int page_rights_overlay_map(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
			    uint64_t page, uint32_t overlay, uint8_t access)
{
	uint8_t state = region->window[vtl].state[page] & RIGHTS_DENIED;
	int error = can_deny(backend, access);

	if (error)
		return error;
	state |= (uint8_t)(access << 4);
	return exchange(backend, region, vtl, page, state, page, page + 1, backend->overlay.fd,
			(uint64_t)overlay * VKVM_PAGE_SIZE);
}

/* With the last overlay of a block, remaps the whole block, so that a large page fits again. */
int page_rights_overlay_unmap(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
			      uint64_t page)
{
	const uint8_t *state = region->window[vtl].state;
	uint64_t first;
	uint64_t end;
	unsigned int overlaid = 0;

	engine_block(region, page, &first, &end);
	for (uint64_t i = first; i < end; i++)
		overlaid += !!(state[i] & RIGHTS_OVERLAID);
	if (overlaid > 1) {
		first = page;
		end = page + 1;
	}
	return exchange(backend, region, vtl, page, state[page] & RIGHTS_DENIED, first, end,
			region->fd, region->offset + first * VKVM_PAGE_SIZE);
}

int page_rights_overlay_window(struct vkvm_backend *backend, uint8_t vtl)
{
	(void)backend;
	(void)vtl;
	return 0;
}

int page_rights_overlay_slot(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn,
			     uint32_t overlay, uint8_t access)
{
	int error = can_deny(backend, access);

	(void)overlay;
	if (error)
		return error;
	pthread_mutex_lock(&backend->engine.lock);
	error = set_range(backend, vtl, gpn, 1, GPA_ALL & (uint8_t)~access);
	pthread_mutex_unlock(&backend->engine.lock);
	return error;
}

uint8_t page_rights_denied(const struct vkvm_region *region, uint8_t vtl, uint64_t page)
{
	uint8_t state = region->window[vtl].state[page];

	return state & RIGHTS_OVERLAID ? GPA_ALL : state & RIGHTS_DENIED;
}
