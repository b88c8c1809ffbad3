/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/memory/dma_map.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "core/memory/dirty.h"
#include "core/memory/file.h"
#include "core/memory/gpa.h"
#include "core/memory/overlay.h"
#include "core/memory/protect.h"

#define PAGE_SHIFT 12u
/* They bound what one change by a higher VTL costs: 1,024 system calls, and 65,536 pages to unmap. */
#define MAPS_MAX  1024u
#define TOTAL_MAX (UINT64_C(256) << 20)

struct vsm_dma_map {
	struct vsm_partition *partition; /* c */
	struct vsm_dma_map *next;	 /* D: in memory.dma_map */
	uint8_t *host;			 /* c: of the first page; a page without access follows */
	uint64_t gpn;			 /* c */
	uint64_t pages;			 /* c */
	uint8_t vtl;			 /* c */
	uint8_t access;			 /* c: enum gpa_access */
	bool revoked;			 /* D */
	vsm_dma_revoked_fn *call;	 /* c: with dma_lock held; may be NULL */
	void *opaque;			 /* c */
};

int dma_map_init(struct vsm_partition *partition)
{
	int error = pthread_mutex_init(&partition->memory.dma_lock, NULL);

	return error ? vsm_error(&partition->log, error, "no lock for mappings of devices") : 0;
}

static size_t length(const struct vsm_dma_map *map)
{
	return (size_t)map->pages << PAGE_SHIFT;
}

static void map_free(struct vsm_dma_map *map)
{
	if (map->host)
		munmap(map->host, length(map) + CORE_PAGE_SIZE);
	free(map);
}

void dma_map_destroy(struct vsm_partition *partition)
{
	struct vsm_dma_map *map = partition->memory.dma_map;

	while (map) {
		struct vsm_dma_map *next = map->next;

		map_free(map);
		map = next;
	}
	partition->memory.dma_map = NULL;
	pthread_mutex_destroy(&partition->memory.dma_lock);
}

/* ------------------------------------------------------------------ revoking */

static int protection_of(const struct vsm_dma_map *map)
{
	return map->access & GPA_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
}

/* A device may have written to each page until now. Memory lock held. */
static void note_written(const struct vsm_dma_map *map)
{
	for (uint64_t i = 0; i < map->pages && map->access & GPA_WRITE; i++)
		dirty_note(map->partition, (map->gpn + i) << PAGE_SHIFT);
}

/*
 * Atomic for the threads of the process: an access is made to guest memory before mmap() returns, or
 * to the new memory, which nothing else uses. DMA lock held.
 */
static int revoke(struct vsm_dma_map *map)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;

	if (mmap(map->host, length(map), protection_of(map), flags, -1, 0) == MAP_FAILED)
		return vsm_error(&map->partition->log, errno,
				 "VTL%u: the mapping of a device at page %#llx cannot be revoked",
				 map->vtl, (unsigned long long)map->gpn);
	map->revoked = true;
	note_written(map);
	if (map->call)
		map->call(map->opaque);
	return 0;
}

int dma_map_revoke(struct vsm_partition *partition, uint8_t vtl, struct gpa_range range,
		   uint8_t access)
{
	int error = 0;

	pthread_mutex_lock(&partition->memory.dma_lock);
	for (struct vsm_dma_map *map = partition->memory.dma_map; map && !error; map = map->next) {
		if (map->revoked || map->vtl != vtl || !(map->access & ~access))
			continue;
		if (map->gpn < range.gpn ? range.gpn - map->gpn < map->pages
					 : map->gpn - range.gpn < range.pages)
			error = revoke(map);
	}
	pthread_mutex_unlock(&partition->memory.dma_lock);
	return error;
}

int dma_map_revoke_all(struct vsm_partition *partition)
{
	const struct gpa_range all = {.gpn = 0, .pages = UINT64_MAX};
	int error = 0;

	for (uint8_t vtl = 0; vtl < partition->vtl_count && !error; vtl++)
		error = dma_map_revoke(partition, vtl, all, 0);
	return error;
}

/* ------------------------------------------------------------------ mapping */

/*
 * Checks the rights, and maps each piece that is in one region. Memory lock held for reading: a
 * change comes before all of this, or revokes the mapping.
 */
static int map_pieces(struct vsm_dma_map *map)
{
	struct vsm_partition *partition = map->partition;
	const uint64_t end = map->gpn + map->pages;

	if (overlay_is_shown_in(partition, map->vtl, map->gpn, map->pages))
		return -EBUSY;
	for (uint64_t gpn = map->gpn, run; gpn < end; gpn += run) {
		const struct gpa_view view = gpa_view(partition, map->vtl, gpn);
		uint8_t *host = map->host + ((gpn - map->gpn) << PAGE_SHIFT);
		uint64_t page;

		if (!view.region || map->access & ~memory_rights(view.region))
			return -EFAULT;
		if (map->access & ~view.access)
			return -EACCES;
		run = protect_run(partition, map->vtl, gpn, end - gpn);
		page = view.region->page + (gpn - view.region->gpn);
		if (mmap(host, (size_t)run << PAGE_SHIFT, protection_of(map),
			 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, view.region->file->backend.fd,
			 (off_t)(page << PAGE_SHIFT)) == MAP_FAILED)
			return -errno;
	}
	/* A child of the VMM would keep what is revoked here. */
	return madvise(map->host, length(map), MADV_DONTFORK) < 0 ? -errno : 0;
}

/* -ENOSPC: too many, or too much. */
static int insert(struct vsm_dma_map *map)
{
	struct memory *memory = &map->partition->memory;
	int error = -ENOSPC;

	pthread_mutex_lock(&memory->dma_lock);
	if (memory->dma_count < MAPS_MAX &&
	    memory->dma_pages + map->pages <= TOTAL_MAX >> PAGE_SHIFT) {
		memory->dma_count++;
		memory->dma_pages += map->pages;
		map->next = memory->dma_map;
		memory->dma_map = map;
		error = 0;
	}
	pthread_mutex_unlock(&memory->dma_lock);
	return error;
}

/* The page behind it keeps neighbours in other areas of the kernel, and catches an overrun. */
static int reserve(struct vsm_dma_map *map)
{
	uint8_t *area = (uint8_t *)mmap(NULL, length(map) + CORE_PAGE_SIZE, PROT_NONE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED)
		return -errno;
	map->host = area;
	return 0;
}

int vsm_dma_map(struct vsm_partition *partition, const struct vsm_dma_request *request,
		struct vsm_dma_map **out, void **host)
{
	const uint64_t last = request->gpa + (request->size - 1);
	struct vsm_dma_map *map;
	int error;

	if (request->size == 0 || request->size > VSM_DMA_MAP_MAX || last < request->gpa ||
	    request->vtl >= partition->vtl_count || request->reserved[0] || request->reserved[1])
		return vsm_error(&partition->log, EINVAL,
				 "mapping of VTL%u at %#llx, %#llx bytes: no such range or VTL, or "
				 "a reserved field is not 0",
				 request->vtl, (unsigned long long)request->gpa,
				 (unsigned long long)request->size);
	map = calloc(1, sizeof(*map));
	if (!map)
		return -ENOMEM;
	map->partition = partition;
	map->gpn = request->gpa >> PAGE_SHIFT;
	map->pages = (last >> PAGE_SHIFT) - map->gpn + 1;
	map->vtl = request->vtl;
	map->access = request->write ? GPA_READ | GPA_WRITE : GPA_READ;
	map->call = request->revoked;
	map->opaque = request->opaque;
	error = reserve(map);
	if (!error) {
		pthread_rwlock_rdlock(&partition->memory.lock);
		error = map_pieces(map);
		if (!error)
			error = insert(map);
		pthread_rwlock_unlock(&partition->memory.lock);
	}
	if (error) {
		vsm_log(&partition->log, VSM_LOG_DEBUG, "VTL%u: no mapping at %#llx: error %d",
			map->vtl, (unsigned long long)request->gpa, -error);
		map_free(map);
		return error;
	}
	*out = map;
	*host = map->host + request->gpa % CORE_PAGE_SIZE;
	return 0;
}

int vsm_dma_unmap(struct vsm_dma_map *map)
{
	struct memory *memory = &map->partition->memory;
	struct vsm_dma_map **link = &memory->dma_map;
	bool revoked;

	pthread_rwlock_rdlock(&memory->lock);
	pthread_mutex_lock(&memory->dma_lock);
	while (*link != map)
		link = &(*link)->next;
	*link = map->next;
	memory->dma_count--;
	memory->dma_pages -= map->pages;
	revoked = map->revoked;
	pthread_mutex_unlock(&memory->dma_lock);
	if (!revoked)
		note_written(map);
	pthread_rwlock_unlock(&memory->lock);
	map_free(map);
	return revoked ? -ESTALE : 0;
}
