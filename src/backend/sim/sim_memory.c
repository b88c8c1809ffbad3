/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of the sim backend: RAM, and the rights of each VTL as the core last set them. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/sim_internal.h"

#define WORD_BITS 64u

static void *map(uint64_t size, int fd, uint64_t offset)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *memory =
		mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, (off_t)offset);

	return memory == MAP_FAILED ? NULL : memory;
}

static void region_free(struct sim_region *region)
{
	for (unsigned int vtl = 0; vtl < CORE_VTL_MAX; vtl++)
		if (region->denied[vtl])
			munmap(region->denied[vtl], region->pages);
	free(region->written);
}

void sim_hold(void *opaque)
{
	struct sim_backend *sim = opaque;

	pthread_rwlock_wrlock(&sim->lock);
	sim->held = true;
}

void sim_release(void *opaque)
{
	struct sim_backend *sim = opaque;

	sim->held = false;
	pthread_rwlock_unlock(&sim->lock);
}

/* The core serialises changes, so a lock taken by hold() is this thread's. */
static bool begin_change(struct sim_backend *sim)
{
	if (__atomic_load_n(&sim->held, __ATOMIC_RELAXED))
		return false;
	pthread_rwlock_wrlock(&sim->lock);
	return true;
}

static void end_change(struct sim_backend *sim, bool begun)
{
	if (begun)
		pthread_rwlock_unlock(&sim->lock);
}

/* Waits for the accesses of VPs. */
void sim_disable(void *opaque)
{
	struct sim_backend *sim = opaque;
	bool begun = begin_change(sim);

	atomic_store(&sim->disabled, true);
	end_change(sim, begun);
}

static void set_denied(struct sim_region *region, uint8_t vtl, uint64_t page, uint64_t pages,
		       uint8_t denied)
{
	if (pages == region->pages) {
		region->denied_default[vtl] = denied;
		madvise(region->denied[vtl], region->pages, MADV_DONTNEED);
	} else {
		memset(region->denied[vtl] + page, denied ^ region->denied_default[vtl], pages);
	}
}

static bool is_written(const struct sim_region *region, uint64_t page)
{
	return region->written &&
	       atomic_load(&region->written[page / WORD_BITS]) >> page % WORD_BITS & 1;
}

static void set_written(struct sim_region *region, uint64_t page)
{
	if (region->written)
		atomic_fetch_or(&region->written[page / WORD_BITS], UINT64_C(1)
									    << page % WORD_BITS);
}

/* Copies rights and the record of writes of pages that @old has unchanged at the same GPA. */
static void inherit(const struct sim_backend *sim, struct sim_region *region,
		    const struct sim_region *old)
{
	const uint64_t old_end = old->gpn + old->pages;
	uint64_t first = region->gpn > old->gpn ? region->gpn : old->gpn;
	uint64_t end = region->gpn + region->pages;

	if (old_end < end)
		end = old_end;
	if (region->readonly != old->readonly || region->smm != old->smm ||
	    region->host - region->gpn * CORE_PAGE_SIZE != old->host - old->gpn * CORE_PAGE_SIZE)
		return;
	for (; first < end; first++) {
		if (is_written(old, first - old->gpn))
			set_written(region, first - region->gpn);
		for (uint8_t vtl = 0; vtl < sim->vtl_count; vtl++)
			if (old->denied[vtl][first - old->gpn] ^ old->denied_default[vtl])
				region->denied[vtl][first - region->gpn] =
					old->denied[vtl][first - old->gpn] ^
					old->denied_default[vtl];
	}
}

static bool region_init(const struct sim_backend *sim, struct sim_region *region,
			const struct backend_memory *memory)
{
	region->gpn = memory->gpn;
	region->pages = memory->pages;
	region->host = memory->file->host + memory->page * CORE_PAGE_SIZE;
	region->readonly = memory->readonly;
	region->smm = memory->smm;
	if (memory->log) {
		region->written = calloc((region->pages + WORD_BITS - 1) / WORD_BITS,
					 sizeof(*region->written));
		if (!region->written)
			return false;
	}
	for (uint8_t vtl = 0; vtl < sim->vtl_count; vtl++) {
		region->denied[vtl] = map(region->pages, -1, 0);
		if (!region->denied[vtl])
			return false;
	}
	for (uint32_t i = 0; i < sim->region_count; i++)
		inherit(sim, region, &sim->region[i]);
	return true;
}

int sim_memory_set(void *opaque, const struct backend_memory *memory, size_t count,
		   const struct gpa_range *gone, size_t gone_count)
{
	struct sim_backend *sim = opaque;
	struct sim_region *region = calloc(count + 1, sizeof(*region));
	struct sim_region *old = sim->region;
	uint32_t old_count = sim->region_count;
	bool failed = !region;
	bool begun = begin_change(sim);

	(void)gone;
	(void)gone_count;
	for (size_t i = 1; i < count; i++)
		assert(memory[i - 1].gpn + memory[i - 1].pages <= memory[i].gpn);
	for (size_t i = 0; i < count && !failed; i++)
		failed = !region_init(sim, &region[i], &memory[i]);
	if (failed) {
		old = region;
		old_count = region ? (uint32_t)count : 0;
	} else {
		sim->region = region;
		sim->region_count = (uint32_t)count;
	}
	end_change(sim, begun);
	for (uint32_t i = 0; i < old_count; i++)
		region_free(&old[i]);
	free(old);
	return failed ? vsm_error(sim->log, ENOMEM, "sim: no memory for RAM") : 0;
}

static struct sim_region *find_region(struct sim_backend *sim, uint64_t gpn)
{
	for (uint32_t i = 0; i < sim->region_count; i++)
		if (gpn - sim->region[i].gpn < sim->region[i].pages)
			return &sim->region[i];
	return NULL;
}

void sim_note_written(struct sim_backend *sim, uint64_t gpa)
{
	const uint64_t gpn = gpa / CORE_PAGE_SIZE;
	struct sim_region *region = find_region(sim, gpn);

	if (region)
		set_written(region, gpn - region->gpn);
}

/* Exclusive lock: no write is in progress whose bit is not yet set. */
int sim_memory_dirty(void *opaque, const struct backend_memory *run, uint64_t *bitmap)
{
	struct sim_backend *sim = opaque;
	bool begun = begin_change(sim);
	struct sim_region *region = find_region(sim, run->gpn);

	for (uint64_t i = 0; i < (run->pages + WORD_BITS - 1) / WORD_BITS; i++)
		bitmap[i] |= atomic_exchange(&region->written[i], 0);
	end_change(sim, begun);
	return 0;
}

/* The range may extend over several regions. */
static int deny(struct sim_backend *sim, uint8_t vtl, struct gpa_range range, uint8_t denied)
{
	assert(range.pages > 0);
	while (range.pages) {
		struct sim_region *region = find_region(sim, range.gpn);
		uint64_t page = region ? range.gpn - region->gpn : 0;
		uint64_t pages;

		if (!region)
			return -EINVAL;
		pages = region->pages - page < range.pages ? region->pages - page : range.pages;
		set_denied(region, vtl, page, pages, denied);
		range.gpn += pages;
		range.pages -= pages;
	}
	return 0;
}

int sim_protect(void *opaque, uint8_t vtl, const struct gpa_range *ranges, size_t count,
		uint8_t access)
{
	struct sim_backend *sim = opaque;
	uint8_t denied = GPA_ALL & ~access;
	bool begun;
	int error = sim_call_error(sim, SIM_CALL_PROTECT);

	assert(count > 0);
	if (error)
		return error;
	sim->calls.protect++;
	sim->calls.protect_ranges += (uint32_t)count;
	/* GPA_READ in features.protect means denying all rights together. */
	if ((access ? denied : (uint8_t)GPA_READ) & sim->options.undeniable)
		return vsm_error(sim->log, ENOTSUP, "sim: rights %#x cannot be denied", denied);
	begun = begin_change(sim);
	for (size_t i = 0; i < count && !error; i++)
		error = deny(sim, vtl, ranges[i], denied);
	end_change(sim, begun);
	return error ? vsm_error(sim->log, -error, "sim: protect() of pages that are not RAM: %s",
				 strerror(-error))
		     : 0;
}

int sim_overlay_memory(void *opaque, uint32_t pages, void **host)
{
	struct sim_backend *sim = opaque;

	sim->overlay_memory = map((uint64_t)pages * CORE_PAGE_SIZE, -1, 0);
	if (!sim->overlay_memory)
		return vsm_error(sim->log, ENOMEM, "sim: no memory for %u overlay pages", pages);
	sim->overlay_pages = pages;
	for (uint8_t vtl = 0; vtl < sim->vtl_count; vtl++) {
		sim->overlay[vtl] = map(pages * sizeof(struct sim_overlay), -1, 0);
		if (!sim->overlay[vtl])
			return vsm_error(sim->log, ENOMEM, "sim: no memory for %u overlays", pages);
	}
	*host = sim->overlay_memory;
	return 0;
}

int sim_overlay_map(void *opaque, uint8_t vtl, uint64_t gpn, uint32_t page, uint8_t access)
{
	struct sim_backend *sim = opaque;
	uint8_t denied = GPA_ALL & ~access;
	const int error = sim_call_error(sim, SIM_CALL_OVERLAY);
	bool begun;

	sim->calls.overlay++;
	if (error && sim->overlay[vtl][page].gpn != gpn)
		sim->overlay[vtl][page].used = false;
	if (error)
		return error;
	if (denied & GPA_READ || (denied & GPA_EXECUTE & sim->options.undeniable))
		return vsm_error(sim->log, ENOTSUP, "sim: overlay rights %#x cannot be denied",
				 denied);
	begun = begin_change(sim);
	/* Replaces an overlay at this page, as mmap(MAP_FIXED) does. */
	for (uint32_t i = 0; i < sim->overlay_pages; i++)
		if (sim->overlay[vtl][i].used && sim->overlay[vtl][i].gpn == gpn)
			sim->overlay[vtl][i].used = false;
	sim->overlay[vtl][page] = (struct sim_overlay){gpn, page, access, true};
	end_change(sim, begun);
	return 0;
}

int sim_overlay_unmap(void *opaque, uint8_t vtl, uint64_t gpn)
{
	struct sim_backend *sim = opaque;
	const int error = sim_call_error(sim, SIM_CALL_OVERLAY);
	bool begun;

	sim->calls.overlay++;
	if (error)
		return error;
	begun = begin_change(sim);
	for (uint32_t i = 0; i < sim->overlay_pages; i++)
		if (sim->overlay[vtl][i].used && sim->overlay[vtl][i].gpn == gpn)
			sim->overlay[vtl][i].used = false;
	end_change(sim, begun);
	return 0;
}

enum sim_page sim_page(struct sim_backend *sim, uint8_t vtl, bool smm, uint64_t gpa, uint8_t access,
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
	if (!region || (region->smm && vtl == 0 && !smm))
		return SIM_PAGE_NONE;
	*host = region->host + (gpn - region->gpn) * CORE_PAGE_SIZE;
	denied = region->denied[vtl][gpn - region->gpn] ^ region->denied_default[vtl];
	if (access & denied)
		return SIM_PAGE_DENIED;
	return access & GPA_WRITE && region->readonly ? SIM_PAGE_NONE : SIM_PAGE_OK;
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
		if (sim_page(sim, vtl, false, gpa, right, &host) == SIM_PAGE_OK)
			access |= right;
	if (byte && access & GPA_READ)
		*byte = host[gpa % CORE_PAGE_SIZE];
	pthread_rwlock_unlock(&sim->lock);
	return access;
}

uint32_t sim_overlay(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn)
{
	struct sim_backend *sim = partition->backend;
	uint32_t page = SIM_NO_OVERLAY;

	pthread_rwlock_rdlock(&sim->lock);
	for (uint32_t i = 0; i < sim->overlay_pages; i++)
		if (sim->overlay[vtl][i].used && sim->overlay[vtl][i].gpn == gpn)
			page = i;
	pthread_rwlock_unlock(&sim->lock);
	return page;
}

void sim_memory_destroy(struct sim_backend *sim)
{
	for (uint32_t i = 0; i < sim->region_count; i++)
		region_free(&sim->region[i]);
	free(sim->region);
	if (sim->overlay_memory)
		munmap(sim->overlay_memory, (size_t)sim->overlay_pages * CORE_PAGE_SIZE);
	for (uint8_t vtl = 0; vtl < sim->vtl_count; vtl++)
		if (sim->overlay[vtl])
			munmap(sim->overlay[vtl], sim->overlay_pages * sizeof(struct sim_overlay));
}
