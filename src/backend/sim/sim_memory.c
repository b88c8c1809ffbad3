/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of the sim backend: RAM, and the rights of each VTL as the core last set them.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/sim_internal.h"

static void *map(uint64_t size, int fd, uint64_t offset)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *memory =
		mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, (off_t)offset);

	return memory == MAP_FAILED ? NULL : memory;
}

static void region_free(struct sim_region *region)
{
	munmap(region->host, region->pages * CORE_PAGE_SIZE);
	for (unsigned int vtl = 0; vtl < CORE_VTL_MAX; vtl++)
		if (region->denied[vtl])
			munmap(region->denied[vtl], region->pages);
}

int sim_memory_add(void *opaque, uint64_t gpa, uint64_t size, int fd, uint64_t offset, void **host)
{
	struct sim_backend *sim = opaque;
	struct sim_region region = {.gpn = gpa / CORE_PAGE_SIZE, .pages = size / CORE_PAGE_SIZE};
	bool failed = false;

	region.host = map(size, fd, offset);
	if (!region.host)
		return vsm_error(sim->log, ENOMEM, "sim: %llu bytes of RAM",
				 (unsigned long long)size);
	for (uint8_t vtl = 0; vtl < sim->vtl_count; vtl++) {
		region.denied[vtl] = map(region.pages, -1, 0);
		failed |= !region.denied[vtl];
	}
	pthread_rwlock_wrlock(&sim->lock);
	failed |= sim->region_count == SIM_REGION_MAX;
	if (!failed)
		sim->region[sim->region_count++] = region;
	pthread_rwlock_unlock(&sim->lock);
	if (failed) {
		region_free(&region);
		return vsm_error(sim->log, ENOMEM, "sim: too much memory");
	}
	*host = region.host;
	return 0;
}

int sim_memory_remove(void *opaque, uint64_t gpa, uint64_t size)
{
	struct sim_backend *sim = opaque;
	int error = -ENOENT;

	pthread_rwlock_wrlock(&sim->lock);
	for (uint32_t i = 0; i < sim->region_count; i++) {
		struct sim_region *region = &sim->region[i];

		if (region->gpn == gpa / CORE_PAGE_SIZE && region->pages == size / CORE_PAGE_SIZE) {
			region_free(region);
			*region = sim->region[--sim->region_count];
			error = 0;
			break;
		}
	}
	pthread_rwlock_unlock(&sim->lock);
	return error;
}

int sim_memory_zero(void *opaque)
{
	struct sim_backend *sim = opaque;

	pthread_rwlock_wrlock(&sim->lock);
	for (uint32_t i = 0; i < sim->region_count; i++)
		memset(sim->region[i].host, 0, sim->region[i].pages * CORE_PAGE_SIZE);
	pthread_rwlock_unlock(&sim->lock);
	return 0;
}

static struct sim_region *find_region(struct sim_backend *sim, uint64_t gpn)
{
	for (uint32_t i = 0; i < sim->region_count; i++)
		if (gpn - sim->region[i].gpn < sim->region[i].pages)
			return &sim->region[i];
	return NULL;
}

int sim_protect(void *opaque, uint8_t vtl, const struct gpa_range *ranges, size_t count,
		uint8_t access)
{
	struct sim_backend *sim = opaque;
	uint8_t denied = GPA_ALL & ~access;
	int error = 0;

	/* Denying everything differs from denying one right (features.protect). */
	if ((access ? denied : (uint8_t)GPA_READ) & sim->options.undeniable)
		return vsm_error(sim->log, ENOTSUP, "sim: rights %#x cannot be denied", denied);
	pthread_rwlock_wrlock(&sim->lock);
	for (size_t i = 0; i < count && !error; i++) {
		struct sim_region *region = find_region(sim, ranges[i].gpn);
		uint64_t first = region ? ranges[i].gpn - region->gpn : 0;

		if (!region || ranges[i].pages > region->pages - first) {
			error = -EINVAL;
		} else if (ranges[i].pages == region->pages) {
			region->denied_default[vtl] = denied;
			madvise(region->denied[vtl], region->pages, MADV_DONTNEED);
		} else {
			memset(region->denied[vtl] + first, denied ^ region->denied_default[vtl],
			       ranges[i].pages);
		}
	}
	pthread_rwlock_unlock(&sim->lock);
	return error ? vsm_error(sim->log, -error, "sim: protect() of what is not RAM: %s",
				 strerror(-error))
		     : 0;
}

int sim_overlay_memory(void *opaque, uint32_t pages, void **host)
{
	struct sim_backend *sim = opaque;

	sim->overlay_memory = map((uint64_t)pages * CORE_PAGE_SIZE, -1, 0);
	if (!sim->overlay_memory)
		return vsm_error(sim->log, ENOMEM, "sim: %u overlay pages", pages);
	sim->overlay_pages = pages;
	for (uint8_t vtl = 0; vtl < sim->vtl_count; vtl++) {
		sim->overlay[vtl] = map(pages * sizeof(struct sim_overlay), -1, 0);
		if (!sim->overlay[vtl])
			return vsm_error(sim->log, ENOMEM, "sim: %u overlays", pages);
	}
	*host = sim->overlay_memory;
	return 0;
}

int sim_overlay_map(void *opaque, uint8_t vtl, uint64_t gpn, uint32_t page, uint8_t access)
{
	struct sim_backend *sim = opaque;
	uint8_t denied = GPA_ALL & ~access;

	if (denied & GPA_READ || (denied & GPA_EXECUTE & sim->options.undeniable))
		return vsm_error(sim->log, ENOTSUP, "sim: overlay rights %#x cannot be denied",
				 denied);
	pthread_rwlock_wrlock(&sim->lock);
	/* An overlay that covered the page before is covered itself, as with mmap(MAP_FIXED). */
	for (uint32_t i = 0; i < sim->overlay_pages; i++)
		if (sim->overlay[vtl][i].used && sim->overlay[vtl][i].gpn == gpn)
			sim->overlay[vtl][i].used = false;
	sim->overlay[vtl][page] = (struct sim_overlay){gpn, page, access, true};
	pthread_rwlock_unlock(&sim->lock);
	return 0;
}

int sim_overlay_unmap(void *opaque, uint8_t vtl, uint64_t gpn)
{
	struct sim_backend *sim = opaque;

	pthread_rwlock_wrlock(&sim->lock);
	for (uint32_t i = 0; i < sim->overlay_pages; i++)
		if (sim->overlay[vtl][i].used && sim->overlay[vtl][i].gpn == gpn)
			sim->overlay[vtl][i].used = false;
	pthread_rwlock_unlock(&sim->lock);
	return 0;
}

enum sim_page sim_page(struct sim_backend *sim, uint8_t vtl, uint64_t gpa, uint8_t access,
		       uint8_t **host)
{
	uint64_t gpn = gpa / CORE_PAGE_SIZE;
	const struct sim_region *region;
	uint8_t denied;

	for (uint32_t i = 0; i < sim->overlay_pages; i++) {
		const struct sim_overlay *overlay = &sim->overlay[vtl][i];

		if (overlay->used && overlay->gpn == gpn) {
			*host = sim->overlay_memory + (size_t)overlay->page * CORE_PAGE_SIZE;
			return access & ~overlay->access ? SIM_PAGE_DENIED : SIM_PAGE_OK;
		}
	}
	region = find_region(sim, gpn);
	if (!region)
		return SIM_PAGE_NONE;
	*host = region->host + (gpn - region->gpn) * CORE_PAGE_SIZE;
	denied = region->denied[vtl][gpn - region->gpn] ^ region->denied_default[vtl];
	return access & denied ? SIM_PAGE_DENIED : SIM_PAGE_OK;
}

uint8_t sim_access(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn)
{
	struct sim_backend *sim = partition->backend;
	const struct sim_region *region;
	uint8_t access = 0;

	pthread_rwlock_rdlock(&sim->lock);
	region = find_region(sim, gpn);
	if (region)
		access = GPA_ALL &
			 ~(region->denied[vtl][gpn - region->gpn] ^ region->denied_default[vtl]);
	pthread_rwlock_unlock(&sim->lock);
	return access;
}

uint8_t sim_view(struct vsm_partition *partition, uint8_t vtl, uint64_t gpa, uint8_t *byte)
{
	struct sim_backend *sim = partition->backend;
	uint8_t access = 0;
	uint8_t *host = NULL;

	pthread_rwlock_rdlock(&sim->lock);
	for (uint8_t right = 1; right & GPA_ALL; right = (uint8_t)(right << 1))
		if (sim_page(sim, vtl, gpa, right, &host) == SIM_PAGE_OK)
			access |= right;
	if (byte && access & GPA_READ)
		*byte = host[gpa % CORE_PAGE_SIZE];
	pthread_rwlock_unlock(&sim->lock);
	return access;
}

void sim_memory_destroy(struct sim_backend *sim)
{
	for (uint32_t i = 0; i < sim->region_count; i++)
		region_free(&sim->region[i]);
	if (sim->overlay_memory)
		munmap(sim->overlay_memory, (size_t)sim->overlay_pages * CORE_PAGE_SIZE);
	for (uint8_t vtl = 0; vtl < sim->vtl_count; vtl++)
		if (sim->overlay[vtl])
			munmap(sim->overlay[vtl], sim->overlay_pages * sizeof(struct sim_overlay));
}
