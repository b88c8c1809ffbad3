/* SPDX-License-Identifier: BSD-2-Clause */
/* Overlay pages: over RAM in the window of a VTL, elsewhere by a memory slot of one page. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/memory/map_file.h"
#include "kvm/backend.h"

static uint64_t memory_size(const struct overlay_memory *overlay)
{
	return (uint64_t)overlay->pages * VKVM_PAGE_SIZE;
}

static int make(struct vkvm_backend *backend, uint8_t vtl)
{
	struct overlay_memory *overlay = &backend->overlay;
	uint8_t *window = map_file_anywhere(overlay->fd, 0, memory_size(overlay));

	if (!window)
		return vsm_error(backend->log, errno, "kvm: %u overlay pages: %s", overlay->pages,
				 strerror(errno));
	overlay->window[vtl] = window;
	overlay->place[vtl] = calloc(overlay->pages, sizeof(struct overlay_place));
	if (!overlay->place[vtl])
		return vsm_error(backend->log, ENOMEM, "kvm: no memory for %u overlays",
				 overlay->pages);
	for (uint32_t page = 0; page < overlay->pages; page++)
		overlay->place[vtl][page].gpn = VKVM_NO_PAGE;
	return backend->engine.ops->overlay_window(backend, vtl);
}

int vkvm_overlay_memory(void *opaque, uint32_t pages, void **host)
{
	struct vkvm_backend *backend = opaque;
	struct overlay_memory *overlay = &backend->overlay;
	int error = 0;

	if (pages >= backend->can.memslots)
		return vsm_error(backend->log, ENOSPC,
				 "kvm: %u overlay pages need more memory slots than this KVM has",
				 pages);
	overlay->pages = pages;
	overlay->fd = memfd_create("overlays", MFD_CLOEXEC);
	if (overlay->fd < 0 || ftruncate(overlay->fd, (off_t)memory_size(overlay)))
		return vsm_error(backend->log, errno, "kvm: file of %u overlay pages: %s", pages,
				 strerror(errno));
	overlay->host = map_file_anywhere(overlay->fd, 0, memory_size(overlay));
	if (!overlay->host)
		return vsm_error(backend->log, errno, "kvm: %u overlay pages: %s", pages,
				 strerror(errno));
	/* The event thread reads overlay windows with this lock held. */
	pthread_mutex_lock(&backend->engine.lock);
	for (uint8_t vtl = 0; vtl < backend->vtl_count && !error; vtl++)
		error = make(backend, vtl);
	pthread_mutex_unlock(&backend->engine.lock);
	*host = overlay->host;
	return error;
}

void vkvm_overlay_destroy(struct vkvm_backend *backend)
{
	struct overlay_memory *overlay = &backend->overlay;

	for (uint8_t vtl = 0; vtl < backend->vtl_count; vtl++) {
		if (overlay->window[vtl])
			munmap(overlay->window[vtl], memory_size(overlay));
		free(overlay->place[vtl]);
	}
	if (overlay->host)
		munmap(overlay->host, memory_size(overlay));
	if (overlay->fd >= 0)
		close(overlay->fd);
}

struct overlay_place *vkvm_overlay_find(const struct vkvm_backend *backend, uint8_t vtl,
					uint64_t gpn)
{
	struct overlay_place *place = backend->overlay.place[vtl];

	for (uint32_t page = 0; place && page < backend->overlay.pages; page++)
		if (place[page].gpn == gpn)
			return &place[page];
	return NULL;
}

bool vkvm_overlay_has_slot(const struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn)
{
	const struct overlay_place *place;

	/* Fast path of every MMIO exit. */
	if (!backend->overlay.slots[vtl])
		return false;
	place = vkvm_overlay_find(backend, vtl, gpn);
	return place && place->slot;
}

/* Called without the engine lock. */
static void set_place(struct vkvm_backend *backend, uint8_t vtl, struct overlay_place *place,
		      struct overlay_place value)
{
	pthread_mutex_lock(&backend->engine.lock);
	pthread_rwlock_wrlock(&backend->table_lock);
	backend->overlay.slots[vtl] += (uint32_t)value.slot - (uint32_t)place->slot;
	*place = value;
	pthread_rwlock_unlock(&backend->table_lock);
	pthread_mutex_unlock(&backend->engine.lock);
}

/* Overlays have the first memory slots. */
static uint32_t slot_of(const struct vkvm_backend *backend, uint8_t vtl,
			const struct overlay_place *place)
{
	return (uint32_t)(place - backend->overlay.place[vtl]);
}

/* Removes an overlay; @covered: another one replaces it in the window. */
static int remove_place(struct vkvm_backend *backend, uint8_t vtl, struct overlay_place *place,
			bool covered)
{
	static const struct overlay_place nowhere = {.gpn = VKVM_NO_PAGE};
	struct vkvm_region *region = vkvm_memory_find(backend, place->gpn);
	int error = 0;

	if (place->slot) {
		error = vkvm_slot_set(backend, vtl, slot_of(backend, vtl, place),
				      place->gpn * VKVM_PAGE_SIZE, 0, NULL, 0);
		if (!error)
			error = backend->engine.ops->overlay_slot(
				backend, vtl, place->gpn,
				(uint32_t)(place - backend->overlay.place[vtl]), GPA_ALL);
	} else if (!covered && region) {
		pthread_mutex_lock(&backend->engine.lock);
		error = backend->engine.ops->overlay_unmap(backend, region, vtl,
							   place->gpn - region->gpn);
		pthread_mutex_unlock(&backend->engine.lock);
	}
	if (!error)
		set_place(backend, vtl, place, nowhere);
	return error;
}

static int map_in_window(struct vkvm_backend *backend, uint8_t vtl, struct vkvm_region *region,
			 uint64_t gpn, uint32_t page, uint8_t access)
{
	int error;

	pthread_mutex_lock(&backend->engine.lock);
	error = backend->engine.ops->overlay_map(backend, region, vtl, gpn - region->gpn, page,
						 access);
	pthread_mutex_unlock(&backend->engine.lock);
	return error;
}

static int map_by_slot(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint32_t page,
		       uint8_t access)
{
	uint8_t *host = backend->overlay.window[vtl] + (uint64_t)page * VKVM_PAGE_SIZE;
	int error = backend->engine.ops->overlay_slot(backend, vtl, gpn, page, access);

	if (error)
		return error;
	error = vkvm_slot_set(backend, vtl, page, gpn * VKVM_PAGE_SIZE, VKVM_PAGE_SIZE, host, 0);
	/* Without the slot, the GPA must not keep the restriction. */
	if (error)
		(void)backend->engine.ops->overlay_slot(backend, vtl, gpn, page, GPA_ALL);
	return error;
}

int vkvm_overlay_map(void *opaque, uint8_t vtl, uint64_t gpn, uint32_t page, uint8_t access)
{
	struct vkvm_backend *backend = opaque;
	struct overlay_place *place = &backend->overlay.place[vtl][page];
	struct overlay_place *other = vkvm_overlay_find(backend, vtl, gpn);
	struct vkvm_region *region = vkvm_memory_find(backend, gpn);
	int error = 0;

	if (!(access & GPA_READ))
		return vsm_error(backend->log, ENOTSUP, "kvm: an overlay must be readable");
	if (other && other != place)
		error = remove_place(backend, vtl, other, true);
	if (!error && place->gpn != VKVM_NO_PAGE && (place->gpn != gpn || place->slot))
		error = remove_place(backend, vtl, place, false);
	if (error)
		return error;
	error = region ? map_in_window(backend, vtl, region, gpn, page, access)
		       : map_by_slot(backend, vtl, gpn, page, access);
	/* After a failure the overlay may be in the window; overlay_unmap() has to remove it. */
	if (!error || region)
		set_place(backend, vtl, place,
			  (struct overlay_place){.gpn = gpn, .slot = !region, .access = access});
	return error;
}

int vkvm_overlay_unmap(void *opaque, uint8_t vtl, uint64_t gpn)
{
	struct vkvm_backend *backend = opaque;
	struct overlay_place *place = vkvm_overlay_find(backend, vtl, gpn);

	return place ? remove_place(backend, vtl, place, false) : 0;
}
