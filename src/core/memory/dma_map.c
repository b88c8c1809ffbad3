/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/memory/dma_map.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "core/memory/dirty.h"

#define PAGE_SHIFT 12u

int dma_map_init(struct vsm_partition *partition)
{
	int error = pthread_mutex_init(&partition->memory.dma_lock, NULL);

	return error ? vsm_error(&partition->log, error,
				 "cannot initialize the lock of mappings of devices")
		     : 0;
}

size_t dma_map_length(const struct vsm_dma_map *map)
{
	return (size_t)map->pages << PAGE_SHIFT;
}

void dma_map_free(struct vsm_dma_map *map)
{
	if (map->host)
		munmap(map->host, dma_map_length(map) + CORE_PAGE_SIZE);
	free(map);
}

void dma_map_destroy(struct vsm_partition *partition)
{
	struct vsm_dma_map *map = partition->memory.dma_map;

	while (map) {
		struct vsm_dma_map *next = map->next;

		dma_map_free(map);
		map = next;
	}
	partition->memory.dma_map = NULL;
	pthread_mutex_destroy(&partition->memory.dma_lock);
}

int dma_map_protection(const struct vsm_dma_map *map)
{
	return map->access & GPA_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
}

void dma_map_note_written(const struct vsm_dma_map *map)
{
	for (uint64_t i = 0; i < map->pages && map->access & GPA_WRITE; i++)
		dirty_note(map->partition, (map->gpn + i) << PAGE_SHIFT);
}

/*
 * MAP_FIXED replaces the mapping atomically: a concurrent access of the device reaches guest
 * memory, or the new private memory. Memory lock held for writing.
 */
static int revoke(struct vsm_dma_map *map)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;

	if (mmap(map->host, dma_map_length(map), dma_map_protection(map), flags, -1, 0) ==
	    MAP_FAILED)
		return vsm_error(&map->partition->log, errno,
				 "VTL%u: the mapping of a device at page %#llx cannot be revoked",
				 map->vtl, (unsigned long long)map->gpn);
	map->revoked = true;
	dma_map_note_written(map);
	if (map->call)
		map->call(map->opaque);
	return 0;
}

int dma_map_revoke(struct vsm_partition *partition, uint8_t vtl, struct gpa_range range,
		   uint8_t access)
{
	int error = 0;

	for (struct vsm_dma_map *map = partition->memory.dma_map; map && !error; map = map->next) {
		if (map->revoked || map->vtl != vtl || !(map->access & ~access))
			continue;
		if (map->gpn < range.gpn ? range.gpn - map->gpn < map->pages
					 : map->gpn - range.gpn < range.pages)
			error = revoke(map);
	}
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
