/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory with the rights of a VTL: an overlay or RAM. */
#include <string.h>

#include "kvm/vcpu/vcpu.h"

/* Reads an overlay, with the overlay's rights. Engine lock held. */
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

/* The rights that the VTL is denied to RAM. False: it sees none there. Engine lock held. */
static bool find_denied(const struct vcpu *vcpu, uint64_t gpn, uint8_t *denied)
{
	struct vkvm_backend *backend = vcpu->vp->backend;
	const struct vkvm_slot *slot;
	bool found;

	pthread_rwlock_rdlock(&backend->table_lock);
	slot = vkvm_slot_find(backend, gpn);
	found = slot && vkvm_slot_is_visible(vcpu, slot);
	if (found)
		*denied = backend->engine.ops->denied(slot->region, vcpu->vtl,
						      gpn - slot->region->gpn);
	pthread_rwlock_unlock(&backend->table_lock);
	return found;
}

static bool read_memory(const struct vcpu *vcpu, uint8_t access, uint64_t gpa, void *data,
			size_t size)
{
	uint8_t denied;

	return find_denied(vcpu, gpa / VKVM_PAGE_SIZE, &denied) && !(denied & access) &&
	       vkvm_memory_read(vcpu->vp->backend, gpa, data, size);
}

bool access_is_denied(const struct vcpu *vcpu, uint8_t access, uint64_t gpn)
{
	struct vkvm_backend *backend = vcpu->vp->backend;
	const struct overlay_place *place;
	uint8_t denied = 0;

	pthread_mutex_lock(&backend->engine.lock);
	place = vkvm_overlay_find(backend, vcpu->vtl, gpn);
	if (place)
		denied = (uint8_t)~place->access;
	else
		(void)find_denied(vcpu, gpn, &denied);
	pthread_mutex_unlock(&backend->engine.lock);
	return denied & access;
}

bool access_read(const struct vcpu *vcpu, uint8_t access, uint64_t gpa, void *data, size_t size)
{
	struct vkvm_backend *backend = vcpu->vp->backend;
	const struct overlay_place *place;
	bool allowed;

	pthread_mutex_lock(&backend->engine.lock);
	place = vkvm_overlay_find(backend, vcpu->vtl, gpa / VKVM_PAGE_SIZE);
	allowed = place ? read_overlay(backend, place, vcpu->vtl, access, gpa, data, size)
			: read_memory(vcpu, access, gpa, data, size);
	pthread_mutex_unlock(&backend->engine.lock);
	return allowed;
}
