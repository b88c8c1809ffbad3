/* SPDX-License-Identifier: BSD-2-Clause */
/* vsm_dma_map() and vsm_dma_unmap(): the check of rights, and the mapping. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "core/memory/dma_map.h"
#include "core/memory/file.h"
#include "core/memory/gpa.h"
#include "core/memory/map_file.h"
#include "core/memory/overlay.h"
#include "core/memory/protect.h"

#define PAGE_SHIFT 12u
/* Bound the cost of a change by a higher VTL to 1,024 system calls and 65,536 pages to unmap. */
#define MAPS_MAX  1024u
#define TOTAL_MAX (UINT64_C(256) << 20)

/* Memory lock held for reading until insert(), so that no later change misses the mapping. */
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

		if (!view.region || map->access & ~memory_rights(view.region, map->vtl))
			return -EFAULT;
		if (map->access & ~view.access)
			return -EACCES;
		run = protect_run(partition, map->vtl, gpn, end - gpn);
		page = view.region->page + (gpn - view.region->gpn);
		if (mmap(host, (size_t)run << PAGE_SHIFT, PROT_NONE,
			 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, view.region->file->backend.fd,
			 (off_t)(page << PAGE_SHIFT)) == MAP_FAILED)
			return -errno;
	}
	/* A child process must not inherit the mapping: a revocation would not reach it. */
	return map_file_open(map->host, dma_map_length(map), dma_map_protection(map));
}

/* -ENOSPC: the list would exceed MAPS_MAX or TOTAL_MAX. */
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

/* The inaccessible last page keeps the kernel from merging mappings, and catches an overrun. */
static int reserve(struct vsm_dma_map *map)
{
	uint8_t *area = (uint8_t *)mmap(NULL, dma_map_length(map) + CORE_PAGE_SIZE, PROT_NONE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED)
		return -errno;
	map->host = area;
	return 0;
}

static const char *fault_of(const struct vsm_partition *partition,
			    const struct vsm_dma_request *request)
{
	if (request->size == 0 || request->size > VSM_DMA_MAP_MAX)
		return "the size is 0 or above VSM_DMA_MAP_MAX";
	if (request->vtl >= partition->vtl_count)
		return "there is no such VTL";
	if (request->reserved[0] || request->reserved[1])
		return "a reserved field is not 0";
	return "the range wraps around";
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
				 "mapping of VTL%u at %#llx, %#llx bytes: %s", request->vtl,
				 (unsigned long long)request->gpa,
				 (unsigned long long)request->size, fault_of(partition, request));
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
		dma_map_free(map);
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
		dma_map_note_written(map);
	pthread_rwlock_unlock(&memory->lock);
	dma_map_free(map);
	return revoked ? -ESTALE : 0;
}
