/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory: regions, their windows, and the memory slots of the map. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/memory/map_file.h"
#include "kvm/vcpu/vcpu.h"

/* Regions without a slot that are kept for later changes. */
#define REGIONS_KEPT 8u

static uint64_t region_size(const struct vkvm_region *region)
{
	return region->pages * VKVM_PAGE_SIZE;
}

static void region_destroy(struct vkvm_backend *backend, struct vkvm_region *region)
{
	for (uint8_t vtl = 0; vtl < backend->vtl_count; vtl++) {
		backend->engine.ops->window_destroy(backend, region, vtl);
		if (region->window[vtl].base)
			munmap(region->window[vtl].base, region_size(region));
	}
	free(region);
}

static int region_map(struct vkvm_backend *backend, struct vkvm_region *region)
{
	for (uint8_t vtl = 0; vtl < backend->vtl_count; vtl++) {
		int error;

		region->window[vtl].base = map_file(region->fd, region->offset, region_size(region),
						    region->gpn * VKVM_PAGE_SIZE);
		if (!region->window[vtl].base)
			return vsm_error(backend->log, errno,
					 "kvm: mapping %llu bytes of guest memory: %s",
					 (unsigned long long)region_size(region), strerror(errno));
		error = backend->engine.ops->window_init(backend, region, vtl);
		if (error)
			return error;
	}
	return 0;
}

/* Takes both locks to change the table; its readers hold one of them. */
static void table_lock(struct vkvm_backend *backend)
{
	pthread_mutex_lock(&backend->engine.lock);
	pthread_rwlock_wrlock(&backend->table_lock);
}

static void table_unlock(struct vkvm_backend *backend)
{
	pthread_rwlock_unlock(&backend->table_lock);
	pthread_mutex_unlock(&backend->engine.lock);
}

/* Maps all of the file that fits into GPA space around @memory, for later changes. */
static int region_create(struct vkvm_backend *backend, const struct backend_memory *memory,
			 struct vkvm_region **out)
{
	const uint64_t limit = UINT64_C(1) << (backend->features.gpa_bits - 12);
	const uint64_t before = memory->page < memory->gpn ? memory->page : memory->gpn;
	const uint64_t after = memory->file->pages - memory->page;
	struct vkvm_region *region = calloc(1, sizeof(*region));
	int error;

	if (!region)
		return vsm_error(backend->log, ENOMEM, "kvm: no memory for a memory region");
	region->gpn = memory->gpn - before;
	region->pages = before + (after < limit - memory->gpn ? after : limit - memory->gpn);
	region->file = memory->file;
	region->fd = memory->file->fd;
	region->offset = (memory->page - before) * VKVM_PAGE_SIZE;
	region->host = memory->file->host + region->offset;
	error = region_map(backend, region);
	if (error) {
		region_destroy(backend, region);
		return error;
	}
	*out = region;
	return 0;
}

static bool region_fits(const struct vkvm_region *region, const struct backend_memory *memory)
{
	return region->file == memory->file &&
	       region->offset / VKVM_PAGE_SIZE - region->gpn == memory->page - memory->gpn;
}

static int region_get(struct vkvm_backend *backend, const struct backend_memory *memory,
		      struct vkvm_region **out)
{
	struct vkvm_region **room;
	int error;

	for (uint32_t i = 0; i < backend->region_count; i++) {
		*out = backend->region[i];
		if (region_fits(*out, memory))
			return 0;
	}
	error = region_create(backend, memory, out);
	if (error)
		return error;
	table_lock(backend);
	room = realloc(backend->region, (backend->region_count + 1) * sizeof(struct vkvm_region *));
	if (room) {
		backend->region = room;
		backend->region[backend->region_count++] = *out;
	}
	table_unlock(backend);
	if (room)
		return 0;
	region_destroy(backend, *out);
	return vsm_error(backend->log, ENOMEM, "kvm: no memory for a memory region");
}

static bool has_slot(const struct vkvm_backend *backend, const struct vkvm_region *region)
{
	for (uint32_t i = 0; i < backend->slot_count; i++)
		if (backend->slot[i].region == region)
			return true;
	return false;
}

static bool file_has_slot(const struct vkvm_backend *backend, const struct vkvm_region *region)
{
	for (uint32_t i = 0; i < backend->slot_count; i++)
		if (backend->slot[i].region->file == region->file)
			return true;
	return false;
}

static void region_drop(struct vkvm_backend *backend, uint32_t index)
{
	struct vkvm_region *region = backend->region[index];

	table_lock(backend);
	if (backend->engine.ops->before_region_removal)
		backend->engine.ops->before_region_removal(backend);
	backend->region[index] = backend->region[--backend->region_count];
	table_unlock(backend);
	region_destroy(backend, region);
}

static uint32_t oldest_unused(const struct vkvm_backend *backend)
{
	uint32_t oldest = 0;

	for (uint32_t i = 1; i < backend->region_count; i++)
		if (backend->region[i]->unused > backend->region[oldest]->unused)
			oldest = i;
	return oldest;
}

/*
 * Keeps some regions without a slot, since a chipset register may map the same few regions in turn.
 * Drops the regions of a file without any slot, which the core closes.
 */
static void drop_unused_regions(struct vkvm_backend *backend)
{
	uint32_t unused = 0;

	for (uint32_t i = 0; i < backend->region_count;) {
		struct vkvm_region *region = backend->region[i];

		region->unused = has_slot(backend, region) ? 0 : region->unused + 1;
		if (region->unused && !file_has_slot(backend, region)) {
			region_drop(backend, i);
			continue;
		}
		unused += region->unused != 0;
		i++;
	}
	for (; unused > REGIONS_KEPT; unused--)
		region_drop(backend, oldest_unused(backend));
}

struct slots {
	struct vkvm_slot *slot;
	uint32_t count;
};

/* The slot with @gpn in a sorted list, or NULL. */
static struct vkvm_slot *slot_find(struct vkvm_slot *slot, uint32_t count, uint64_t gpn)
{
	uint32_t low = 0;
	uint32_t high = count;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;

		if (slot[middle].gpn + slot[middle].pages <= gpn)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && slot[low].gpn <= gpn ? &slot[low] : NULL;
}

static bool is_same(const struct vkvm_slot *one, const struct vkvm_slot *other)
{
	return one->gpn == other->gpn && one->pages == other->pages &&
	       one->region == other->region && one->readonly == other->readonly &&
	       one->smm == other->smm;
}

/* The slot of @slots that equals @wanted except in `number` and `log`, or NULL. */
static struct vkvm_slot *find_same(const struct slots *slots, const struct vkvm_slot *wanted)
{
	struct vkvm_slot *slot = slot_find(slots->slot, slots->count, wanted->gpn);

	return slot && is_same(slot, wanted) ? slot : NULL;
}

static int slot_set(struct vkvm_backend *backend, const struct vkvm_slot *slot, bool on)
{
	const uint32_t flags =
		(slot->readonly ? KVM_MEM_READONLY : 0) | (slot->log ? KVM_MEM_LOG_DIRTY_PAGES : 0);
	const uint64_t gpa = slot->gpn * VKVM_PAGE_SIZE;
	const uint64_t size = on ? slot->pages * VKVM_PAGE_SIZE : 0;
	const uint64_t offset = gpa - slot->region->gpn * VKVM_PAGE_SIZE;
	int error = 0;

	for (uint8_t vtl = 0; vtl < backend->vtl_count && !error; vtl++) {
		const uint8_t *host = on ? slot->region->window[vtl].base + offset : NULL;

		error = slot->smm && vtl == 0 ? vkvm_slot_set_smm(backend, slot->number, gpa, size,
								  host, on ? flags : 0)
					      : vkvm_slot_set(backend, vtl, slot->number, gpa, size,
							      host, on ? flags : 0);
	}
	return error;
}

/* Numbers new slots, downwards from the last number; overlays have the first numbers. */
static int number_slots(const struct vkvm_backend *backend, const struct slots *old,
			struct slots *new)
{
	const uint32_t limit = backend->can.memslots - backend->overlay.pages;
	bool *taken = calloc(limit, sizeof(bool));
	uint32_t next = 0;

	if (new->count > limit || !taken) {
		free(taken);
		return taken ? vsm_error(backend->log, ENOSPC,
					 "kvm: %u separate runs of memory, but this KVM has %u "
					 "memory slots for them",
					 new->count, limit)
			     : vsm_error(backend->log, ENOMEM,
					 "kvm: no memory for the list of memory slots");
	}
	for (uint32_t i = 0; i < new->count; i++) {
		const struct vkvm_slot *same = find_same(old, &new->slot[i]);

		if (!same)
			continue;
		new->slot[i].number = same->number;
		taken[backend->can.memslots - 1 - same->number] = true;
	}
	for (uint32_t i = 0; i < new->count; i++) {
		if (find_same(old, &new->slot[i]))
			continue;
		while (taken[next])
			next++;
		new->slot[i].number = backend->can.memslots - 1 - next++;
	}
	free(taken);
	return 0;
}

static int make_slots(struct vkvm_backend *backend, const struct backend_memory *map, size_t count,
		      struct slots *slots)
{
	int error = 0;

	slots->slot = calloc(count + 1, sizeof(*slots->slot));
	if (!slots->slot || count > UINT32_MAX)
		return vsm_error(backend->log, ENOMEM,
				 "kvm: no memory for the list of memory slots");
	slots->count = (uint32_t)count;
	for (size_t i = 0; i < count && !error; i++) {
		struct vkvm_slot *slot = &slots->slot[i];

		*slot = (struct vkvm_slot){
			.gpn = map[i].gpn,
			.pages = map[i].pages,
			.readonly = map[i].readonly,
			.log = map[i].log,
			.smm = map[i].smm,
		};
		error = region_get(backend, &map[i], &slot->region);
		for (uint8_t vtl = 0; vtl < backend->vtl_count && !error; vtl++)
			if (backend->engine.ops->add_memory)
				error = backend->engine.ops->add_memory(backend, vtl, slot->gpn,
									slot->pages);
	}
	return error;
}

/* Removes slots that only @from has, then sets those that only @to has, or whose `log` differs. */
static int exchange_slots(struct vkvm_backend *backend, const struct slots *from,
			  const struct slots *to)
{
	int error = 0;

	for (uint32_t i = 0; i < from->count && !error; i++)
		if (!find_same(to, &from->slot[i]))
			error = slot_set(backend, &from->slot[i], false);
	for (uint32_t i = 0; i < to->count && !error; i++) {
		const struct vkvm_slot *same = find_same(from, &to->slot[i]);

		if (!same || same->log != to->slot[i].log)
			error = slot_set(backend, &to->slot[i], true);
	}
	return error;
}

static int remove_from_all(struct vkvm_backend *backend, const struct vkvm_slot *slot)
{
	int error = 0;

	for (uint8_t vtl = 0; vtl < backend->vtl_count && !error; vtl++)
		error = vkvm_slot_remove(backend, vtl, slot->number);
	return error;
}

/* After a failure some slots may be missing. */
static int restore_slots(struct vkvm_backend *backend, const struct slots *failed,
			 const struct slots *old)
{
	int error = 0;

	for (uint32_t i = 0; i < failed->count && !error; i++)
		if (!find_same(old, &failed->slot[i]))
			error = remove_from_all(backend, &failed->slot[i]);
	for (uint32_t i = 0; i < old->count && !error; i++) {
		if (!find_same(failed, &old->slot[i]))
			error = remove_from_all(backend, &old->slot[i]);
		if (!error)
			error = slot_set(backend, &old->slot[i], true);
	}
	if (!error)
		return 0;
	(void)vsm_error(backend->log, -error, "kvm: memory slots could not be restored: %s",
			strerror(-error));
	return -ENOTRECOVERABLE;
}

/* Removes the restrictions of memory that leaves the map, at its GPA and in its window. */
static int clear_rights(struct vkvm_backend *backend, const struct gpa_range *gone)
{
	const uint64_t end = gone->gpn + gone->pages;
	int error = 0;

	for (uint32_t i = 0; i < backend->slot_count && !error; i++) {
		const struct vkvm_slot *slot = &backend->slot[i];
		const uint64_t slot_end = slot->gpn + slot->pages;
		struct gpa_range range = *gone;

		if (slot->gpn >= end || gone->gpn >= slot_end)
			continue;
		if (slot->gpn > range.gpn)
			range.gpn = slot->gpn;
		range.pages = (slot_end < end ? slot_end : end) - range.gpn;
		for (uint8_t vtl = 0; vtl < backend->vtl_count && !error; vtl++)
			error = backend->engine.ops->protect(backend, vtl, &range, 1, GPA_ALL);
	}
	return error;
}

static int clear_all_rights(struct vkvm_backend *backend, const struct gpa_range *gone,
			    size_t count)
{
	int error = 0;

	pthread_mutex_lock(&backend->engine.lock);
	for (size_t i = 0; i < count && !error; i++)
		error = clear_rights(backend, &gone[i]);
	pthread_mutex_unlock(&backend->engine.lock);
	return error;
}

static void use_slots(struct vkvm_backend *backend, struct slots *slots)
{
	const struct slots old = {backend->slot, backend->slot_count};

	table_lock(backend);
	backend->slot = slots->slot;
	backend->slot_count = slots->count;
	table_unlock(backend);
	*slots = old;
}

int vkvm_memory_set(void *opaque, const struct backend_memory *map, size_t count,
		    const struct gpa_range *gone, size_t gone_count)
{
	struct vkvm_backend *backend = opaque;
	const struct slots old = {backend->slot, backend->slot_count};
	struct slots new = {0};
	int error = make_slots(backend, map, count, &new);

	if (!error)
		error = number_slots(backend, &old, &new);
	if (!error)
		error = clear_all_rights(backend, gone, gone_count);
	if (!error) {
		error = exchange_slots(backend, &old, &new);
		if (error && restore_slots(backend, &new, &old))
			error = -ENOTRECOVERABLE;
	}
	if (!error)
		use_slots(backend, &new);
	free(new.slot);
	/* KVM may still use a window of a slot that could not be removed. */
	if (error != -ENOTRECOVERABLE)
		drop_unused_regions(backend);
	return error;
}

/* Adds to @bitmap the pages that KVM has recorded for a slot; @written: a buffer of @words. */
static int take_dirty(const struct vkvm_backend *backend, uint8_t vtl, uint32_t slot,
		      uint64_t *written, uint64_t *bitmap, size_t words)
{
	struct kvm_dirty_log log = {.slot = slot, .dirty_bitmap = written};
	int error = vkvm_ioctl(backend->vm[vtl].fd, KVM_GET_DIRTY_LOG, &log);

	for (size_t i = 0; i < words && !error; i++)
		bitmap[i] |= written[i];
	return error;
}

int vkvm_memory_dirty(void *opaque, const struct backend_memory *run, uint64_t *bitmap)
{
	struct vkvm_backend *backend = opaque;
	const struct vkvm_slot *slot = vkvm_slot_find(backend, run->gpn);
	const size_t words = (run->pages + 63) / 64;
	uint64_t *written;
	int error = 0;

	/* KVM writes as many bits as the slot has pages. */
	if (!slot || slot->gpn != run->gpn || slot->pages != run->pages)
		return vsm_error(backend->log, EINVAL, "kvm: log of written pages: no such slot");
	written = calloc(words, sizeof(*written));
	if (!written)
		return vsm_error(backend->log, ENOMEM,
				 "kvm: no memory for the log of written pages");
	for (uint8_t vtl = slot->smm ? 1 : 0; vtl < backend->vtl_count && !error; vtl++)
		error = take_dirty(backend, vtl, slot->number, written, bitmap, words);
	if (!error && backend->smm)
		error = take_dirty(backend, 0, VKVM_SMM_SLOT(slot->number), written, bitmap, words);
	free(written);
	return error ? vsm_error(backend->log, -error, "kvm: log of written pages: %s",
				 strerror(-error))
		     : 0;
}

void vkvm_memory_destroy(struct vkvm_backend *backend)
{
	for (uint32_t i = 0; i < backend->region_count; i++)
		region_destroy(backend, backend->region[i]);
	free(backend->region);
	free(backend->slot);
}

const struct vkvm_slot *vkvm_slot_find(const struct vkvm_backend *backend, uint64_t gpn)
{
	return slot_find(backend->slot, backend->slot_count, gpn);
}

struct vkvm_region *vkvm_memory_find(struct vkvm_backend *backend, uint64_t gpn)
{
	const struct vkvm_slot *slot = vkvm_slot_find(backend, gpn);

	return slot ? slot->region : NULL;
}

bool vkvm_memory_read(struct vkvm_backend *backend, uint64_t gpa, void *data, size_t size)
{
	const struct vkvm_slot *slot;
	bool found = false;

	pthread_rwlock_rdlock(&backend->table_lock);
	slot = vkvm_slot_find(backend, gpa / VKVM_PAGE_SIZE);
	if (slot && size <= (slot->gpn + slot->pages) * VKVM_PAGE_SIZE - gpa) {
		found = true;
		memcpy(data, slot->region->host + (gpa - slot->region->gpn * VKVM_PAGE_SIZE), size);
	}
	pthread_rwlock_unlock(&backend->table_lock);
	return found;
}

bool vkvm_slot_is_visible(const struct vcpu *vcpu, const struct vkvm_slot *slot)
{
	return !slot->smm || vcpu->vtl || vcpu->run->flags & KVM_RUN_X86_SMM;
}

static bool is_denied(struct vkvm_backend *backend, const struct vkvm_slot *slot, uint8_t vtl,
		      uint64_t gpn)
{
	uint8_t denied;

	pthread_mutex_lock(&backend->engine.lock);
	denied = backend->engine.ops->denied(slot->region, vtl, gpn - slot->region->gpn);
	pthread_mutex_unlock(&backend->engine.lock);
	return denied & GPA_WRITE;
}

bool vkvm_memory_is_backed(const struct vcpu *vcpu, uint64_t gpa, bool write)
{
	struct vkvm_backend *backend = vcpu->vp->backend;
	const uint8_t vtl = vcpu->vtl;
	const uint64_t gpn = gpa / VKVM_PAGE_SIZE;
	const struct vkvm_slot *slot;
	bool found;

	pthread_rwlock_rdlock(&backend->table_lock);
	slot = vkvm_slot_find(backend, gpn);
	if (slot && !vkvm_slot_is_visible(vcpu, slot))
		slot = NULL;
	found = slot || vkvm_overlay_has_slot(backend, vtl, gpn);
	pthread_rwlock_unlock(&backend->table_lock);
	return slot && slot->readonly && write ? is_denied(backend, slot, vtl, gpn) : found;
}
