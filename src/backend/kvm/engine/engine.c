/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the engines have in common, and which of them it is.
 */
#include "kvm/engine/attr.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <vsm/vsm.h>

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

static int take(struct vkvm_backend *backend, const struct engine_ops *ops, bool quiet)
{
	int error = ops->find(backend, quiet);

	if (!error)
		backend->engine.ops = ops;
	else
		ops->stop(backend);
	return error;
}

int engine_find(struct vkvm_backend *backend, uint8_t wanted)
{
	int error = 0;

	/* Without our kernel part in all, when the stock kernel's engine is asked for. */
	if (wanted != VSM_ENGINE_UFFD && wanted != VSM_ENGINE_NESTED)
		register_exit_find(backend);
	if (wanted == VSM_ENGINE_NESTED)
		return take(backend, &engine_nested, false);
	if (wanted != VSM_ENGINE_UFFD)
		error = take(backend, &engine_attr, wanted == VSM_ENGINE_AUTO);
	if (wanted == VSM_ENGINE_UFFD || (wanted == VSM_ENGINE_AUTO && error == -ENOTSUP))
		error = take(backend, &engine_uffd, false);
	return error;
}

int vkvm_protect(void *opaque, uint8_t vtl, const struct gpa_range *ranges, size_t count,
		 uint8_t access)
{
	struct vkvm_backend *backend = opaque;
	int error = 0;

	for (size_t i = 0; i < count; i++) {
		const struct region *region = vkvm_memory_find(backend, ranges[i].gpn);

		if (!region || ranges[i].pages > region->pages - (ranges[i].gpn - region->gpn))
			return vsm_error(backend->log, EINVAL, "kvm: rights of what is not RAM");
	}
	pthread_mutex_lock(&backend->engine.lock);
	error = backend->engine.ops->protect(backend, vtl, ranges, count, access);
	pthread_mutex_unlock(&backend->engine.lock);
	return error;
}

/* What @vtl sees at a page may be an overlay, with rights of its own. Engine lock held, as in the next. */
static bool read_overlay(const struct vkvm_backend *backend, const struct overlay_place *place,
			 uint8_t vtl, uint8_t access, uint64_t gpa, void *data, size_t size)
{
	const struct overlay_memory *overlay = &backend->overlay;
	uint64_t offset = gpa % VKVM_PAGE_SIZE;

	if (access & ~place->access || size > VKVM_PAGE_SIZE - offset)
		return false;
	offset += (uint64_t)(place - overlay->place[vtl]) * VKVM_PAGE_SIZE;
	memcpy(data, overlay->host + offset, size);
	return true;
}

static bool read_memory(struct vkvm_backend *backend, uint8_t vtl, uint8_t access, uint64_t gpa,
			void *data, size_t size)
{
	uint64_t gpn = gpa / VKVM_PAGE_SIZE;
	const struct region *region;
	bool allowed = false;

	pthread_rwlock_rdlock(&backend->table_lock);
	region = vkvm_memory_find(backend, gpn);
	if (region)
		allowed = !(backend->engine.ops->denied(region, vtl, gpn - region->gpn) & access);
	pthread_rwlock_unlock(&backend->table_lock);
	return allowed && vkvm_memory_read(backend, gpa, data, size);
}

bool engine_read(const struct vcpu *vcpu, uint8_t access, uint64_t gpa, void *data, size_t size)
{
	struct vkvm_backend *backend = vcpu->vp->backend;
	const struct overlay_place *place;
	bool allowed;

	/* Rights and places of overlays change with this lock held. */
	pthread_mutex_lock(&backend->engine.lock);
	place = vkvm_overlay_find(backend, vcpu->vtl, gpa / VKVM_PAGE_SIZE);
	allowed = place ? read_overlay(backend, place, vcpu->vtl, access, gpa, data, size)
			: read_memory(backend, vcpu->vtl, access, gpa, data, size);
	pthread_mutex_unlock(&backend->engine.lock);
	return allowed;
}

uint8_t *engine_address(const struct region *region, uint8_t vtl, uint64_t page)
{
	return region->window[vtl].base + page * VKVM_PAGE_SIZE;
}

void engine_block(const struct region *region, uint64_t page, uint64_t *first, uint64_t *end)
{
	uint64_t inside = (region->gpn + page) % VKVM_BLOCK_PAGES;

	*first = page > inside ? page - inside : 0;
	*end = page - inside + VKVM_BLOCK_PAGES;
	if (*end > region->pages)
		*end = region->pages;
}

int engine_make_state(struct vkvm_backend *backend, struct region *region, uint8_t vtl)
{
	uint8_t *state = mmap(NULL, region->pages, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (state == MAP_FAILED)
		return vsm_error(backend->log, errno, "kvm: rights of %llu pages",
				 (unsigned long long)region->pages);
	region->window[vtl].state = state;
	return 0;
}

void engine_drop_state(struct region *region, uint8_t vtl)
{
	if (region->window[vtl].state)
		munmap(region->window[vtl].state, region->pages);
}
