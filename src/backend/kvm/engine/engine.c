/* SPDX-License-Identifier: BSD-2-Clause */
/* Common to all engines: protection of ranges of RAM, windows. */
#include "kvm/engine/engine.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <vsm/vsm.h>

#include "kvm/backend.h"
#include "kvm/vcpu/vcpu.h"

void engine_init(struct vkvm_backend *backend)
{
	backend->engine.fd = -1;
	backend->engine.stop = -1;
	pthread_mutex_init(&backend->engine.lock, NULL);
}

void engine_destroy(struct vkvm_backend *backend)
{
	if (backend->engine.ops)
		backend->engine.ops->stop(backend);
	pthread_mutex_destroy(&backend->engine.lock);
}

#define PARTS 64u /* limit of ranges in one call of the engine */

/* The part of a range that lies in the slot of its first page. */
static struct gpa_range first_part(const struct vkvm_backend *backend, struct gpa_range range)
{
	const struct vkvm_slot *slot = vkvm_slot_find(backend, range.gpn);
	const uint64_t pages = slot->pages - (range.gpn - slot->gpn);

	if (pages < range.pages)
		range.pages = pages;
	return range;
}

static bool is_memory(const struct vkvm_backend *backend, const struct gpa_range *ranges,
		      size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct gpa_range left = ranges[i];

		while (left.pages) {
			struct gpa_range part;

			if (!vkvm_slot_find(backend, left.gpn))
				return false;
			part = first_part(backend, left);
			left.gpn += part.pages;
			left.pages -= part.pages;
		}
	}
	return true;
}

int vkvm_protect(void *opaque, uint8_t vtl, const struct gpa_range *ranges, size_t count,
		 uint8_t access)
{
	struct vkvm_backend *backend = opaque;
	struct gpa_range part[PARTS];
	size_t parts = 0;
	int error = 0;

	if (!is_memory(backend, ranges, count))
		return vsm_error(backend->log, EINVAL,
				 "kvm: rights can be set only for pages of RAM");
	pthread_mutex_lock(&backend->engine.lock);
	for (size_t i = 0; i < count && !error; i++) {
		struct gpa_range left = ranges[i];

		while (left.pages && !error) {
			part[parts] = first_part(backend, left);
			left.gpn += part[parts].pages;
			left.pages -= part[parts].pages;
			if (++parts == PARTS || (!left.pages && i == count - 1)) {
				error = backend->engine.ops->protect(backend, vtl, part, parts,
								     access);
				parts = 0;
			}
		}
	}
	pthread_mutex_unlock(&backend->engine.lock);
	return error;
}

uint8_t *engine_address(const struct vkvm_region *region, uint8_t vtl, uint64_t page)
{
	return region->window[vtl].base + page * VKVM_PAGE_SIZE;
}

void engine_block(const struct vkvm_region *region, uint64_t page, uint64_t *first, uint64_t *end)
{
	uint64_t inside = (region->gpn + page) % VKVM_BLOCK_PAGES;

	*first = page > inside ? page - inside : 0;
	*end = page - inside + VKVM_BLOCK_PAGES;
	if (*end > region->pages)
		*end = region->pages;
}

int engine_make_state(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl)
{
	uint8_t *state = mmap(NULL, region->pages, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (state == MAP_FAILED)
		return vsm_error(backend->log, errno, "kvm: rights of %llu pages: %s",
				 (unsigned long long)region->pages, strerror(errno));
	region->window[vtl].state = state;
	return 0;
}

void engine_drop_state(struct vkvm_region *region, uint8_t vtl)
{
	if (region->window[vtl].state)
		munmap(region->window[vtl].state, region->pages);
}
