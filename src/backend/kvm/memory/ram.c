/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest RAM: one memory file per region, mapped once for the core and once, as a window, for each
 * VTL.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm/backend.h"

static uint64_t region_size(const struct vkvm_region *region)
{
	return region->pages * VKVM_PAGE_SIZE;
}

/*
 * KVM uses a large page only if host and guest address are congruent modulo its size. 2 MiB more
 * than needed are reserved, and the rest is unmapped.
 */
static uint8_t *map_aligned(const struct vkvm_region *region)
{
	uint64_t size = region_size(region);
	uint64_t phase = region->gpn * VKVM_PAGE_SIZE % VKVM_BLOCK_SIZE;
	uint8_t *area = mmap(NULL, size + VKVM_BLOCK_SIZE, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t lead;
	uint8_t *base;

	if (area == MAP_FAILED)
		return NULL;
	lead = (phase - (uintptr_t)area) % VKVM_BLOCK_SIZE;
	base = mmap(area + lead, size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED | MAP_NORESERVE, region->fd, (off_t)region->offset);
	if (base == MAP_FAILED) {
		munmap(area, size + VKVM_BLOCK_SIZE);
		return NULL;
	}
	if (lead)
		munmap(area, lead);
	if (lead < VKVM_BLOCK_SIZE)
		munmap(base + size, VKVM_BLOCK_SIZE - lead);
	madvise(base, size, MADV_HUGEPAGE);
	/* A child process of the VMM must not keep or read guest memory. */
	madvise(base, size, MADV_DONTFORK);
	return base;
}

/*
 * Creates the file of a region, if the VMM gives none. Its offset is congruent to the GPA as well.
 */
static int make_file(const struct vkvm_backend *backend, struct vkvm_region *region)
{
	int fd = memfd_create("guest-ram", MFD_CLOEXEC);
	int error;

	if (fd < 0)
		return vsm_error(backend->log, errno, "kvm: file for guest memory: %s",
				 strerror(errno));
	region->fd = fd;
	region->offset = region->gpn * VKVM_PAGE_SIZE % VKVM_BLOCK_SIZE;
	if (ftruncate(fd, (off_t)(region->offset + region_size(region)))) {
		error = errno;
		return vsm_error(backend->log, error, "kvm: %llu bytes of guest memory: %s",
				 (unsigned long long)region_size(region), strerror(error));
	}
	return 0;
}

static int take_file(const struct vkvm_backend *backend, struct vkvm_region *region, int fd,
		     uint64_t offset)
{
	region->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	region->offset = offset;
	if (region->fd < 0)
		return vsm_error(backend->log, errno, "kvm: memory file descriptor %d: %s", fd,
				 strerror(errno));
	return 0;
}

static void region_destroy(struct vkvm_backend *backend, struct vkvm_region *region)
{
	for (uint8_t vtl = 0; vtl < backend->vtl_count; vtl++) {
		backend->engine.ops->window_destroy(backend, region, vtl);
		if (region->window[vtl].base)
			munmap(region->window[vtl].base, region_size(region));
	}
	if (region->host)
		munmap(region->host, region_size(region));
	if (region->fd >= 0)
		close(region->fd);
	free(region);
}

static int region_map(struct vkvm_backend *backend, struct vkvm_region *region)
{
	region->host = map_aligned(region);
	for (uint8_t vtl = 0; vtl < backend->vtl_count && region->host; vtl++) {
		int error;

		region->window[vtl].base = map_aligned(region);
		if (!region->window[vtl].base)
			break;
		error = backend->engine.ops->window_init(backend, region, vtl);
		if (error)
			return error;
	}
	if (!region->host || !region->window[backend->vtl_count - 1].base)
		return vsm_error(backend->log, errno, "kvm: mapping %llu bytes of guest memory: %s",
				 (unsigned long long)region_size(region), strerror(errno));
	return 0;
}

/* Sets or clears (NULL) a region of the table. */
static void table_set(struct vkvm_backend *backend, uint32_t slot, struct vkvm_region *region)
{
	/* The event thread reads windows with this lock held. */
	pthread_mutex_lock(&backend->engine.lock);
	pthread_rwlock_wrlock(&backend->table_lock);
	backend->region[slot] = region;
	pthread_rwlock_unlock(&backend->table_lock);
	pthread_mutex_unlock(&backend->engine.lock);
}

int vkvm_memory_add(void *opaque, uint64_t gpa, uint64_t size, int fd, uint64_t offset, void **host)
{
	struct vkvm_backend *backend = opaque;
	struct vkvm_region *region;
	uint32_t slot = 0;
	uint8_t vtl = 0;
	int error;

	while (slot < VKVM_REGION_MAX && backend->region[slot])
		slot++;
	if (slot == VKVM_REGION_MAX)
		return vsm_error(backend->log, ENOSPC, "kvm: more than %u regions of memory",
				 VKVM_REGION_MAX);
	region = calloc(1, sizeof(*region));
	if (!region)
		return vsm_error(backend->log, ENOMEM, "kvm: region of memory");
	region->gpn = gpa / VKVM_PAGE_SIZE;
	region->pages = size / VKVM_PAGE_SIZE;
	region->slot = slot;
	region->fd = -1;
	error = fd < 0 ? make_file(backend, region) : take_file(backend, region, fd, offset);
	if (!error)
		error = region_map(backend, region);
	if (error) {
		region_destroy(backend, region);
		return error;
	}
	table_set(backend, slot, region);
	for (; vtl < backend->vtl_count && !error; vtl++)
		error = vkvm_slot_set(backend, vtl, slot, gpa, size, region->window[vtl].base);
	if (error) {
		/* The last slot was not created. */
		vtl--;
		while (vtl-- > 0)
			vkvm_slot_set(backend, vtl, slot, gpa, 0, NULL);
		table_set(backend, slot, NULL);
		region_destroy(backend, region);
		return error;
	}
	*host = region->host;
	return 0;
}

int vkvm_memory_remove(void *opaque, uint64_t gpa, uint64_t size)
{
	struct vkvm_backend *backend = opaque;
	struct vkvm_region *region = vkvm_memory_find(backend, gpa / VKVM_PAGE_SIZE);
	int error = 0;

	if (!region || region->gpn != gpa / VKVM_PAGE_SIZE || region_size(region) != size)
		return vsm_error(backend->log, ENOENT, "kvm: no memory of that size at %#llx",
				 (unsigned long long)gpa);
	for (uint8_t vtl = 0; vtl < backend->vtl_count && !error; vtl++)
		error = vkvm_slot_set(backend, vtl, region->slot, gpa, 0, NULL);
	if (error)
		return error;
	table_set(backend, region->slot, NULL);
	region_destroy(backend, region);
	return 0;
}

/*
 * Writes allocated pages only: holes read as zero and stay holes. No page is replaced, so the
 * windows keep their protections.
 */
static int zero(const struct vkvm_backend *backend, const struct vkvm_region *region)
{
	off_t end = (off_t)(region->offset + region_size(region));
	off_t at = (off_t)region->offset;

	while (at < end) {
		off_t data = lseek(region->fd, at, SEEK_DATA);
		off_t hole;

		if (data < 0 && errno == ENXIO)
			return 0;
		hole = data < 0 ? -1 : lseek(region->fd, data, SEEK_HOLE);
		if (hole < 0)
			return vsm_error(backend->log, errno,
					 "kvm: data of the guest memory file: %s", strerror(errno));
		if (data >= end)
			return 0;
		if (hole > end)
			hole = end;
		memset(region->host + (data - (off_t)region->offset), 0, (size_t)(hole - data));
		at = hole;
	}
	return 0;
}

int vkvm_memory_zero(struct vkvm_backend *backend)
{
	int error = 0;

	for (uint32_t slot = 0; slot < VKVM_REGION_MAX && !error; slot++)
		if (backend->region[slot])
			error = zero(backend, backend->region[slot]);
	return error;
}

void vkvm_memory_destroy(struct vkvm_backend *backend)
{
	for (uint32_t slot = 0; slot < VKVM_REGION_MAX; slot++)
		if (backend->region[slot])
			region_destroy(backend, backend->region[slot]);
}

struct vkvm_region *vkvm_memory_find(struct vkvm_backend *backend, uint64_t gpn)
{
	for (uint32_t slot = 0; slot < VKVM_REGION_MAX; slot++) {
		struct vkvm_region *region = backend->region[slot];

		if (region && gpn - region->gpn < region->pages)
			return region;
	}
	return NULL;
}

bool vkvm_memory_read(struct vkvm_backend *backend, uint64_t gpa, void *data, size_t size)
{
	const struct vkvm_region *region;
	bool found = false;

	pthread_rwlock_rdlock(&backend->table_lock);
	region = vkvm_memory_find(backend, gpa / VKVM_PAGE_SIZE);
	if (region) {
		uint64_t offset = gpa - region->gpn * VKVM_PAGE_SIZE;

		found = size <= region_size(region) - offset;
		if (found)
			memcpy(data, region->host + offset, size);
	}
	pthread_rwlock_unlock(&backend->table_lock);
	return found;
}

bool vkvm_memory_is_backed(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpa)
{
	uint64_t gpn = gpa / VKVM_PAGE_SIZE;
	bool found;

	pthread_rwlock_rdlock(&backend->table_lock);
	found = vkvm_memory_find(backend, gpn) || vkvm_overlay_has_slot(backend, vtl, gpn);
	pthread_rwlock_unlock(&backend->table_lock);
	return found;
}
