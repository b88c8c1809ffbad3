/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RAM of the partition.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory/gpa.h"
#include "core/memory/turn.h"
#include "core/memory/overlay.h"
#include "core/memory/protect.h"
#include "core/trace/trace.h"

#define PAGE_SHIFT 12u

int memory_init(struct vsm_partition *partition)
{
	pthread_rwlockattr_t attributes;
	int error = pthread_rwlockattr_init(&attributes);

	/*
	 * Writers first: readers of lower VTLs must not delay a higher VTL that protects its
	 * memory. Writes of lower VTLs are limited by memory/turn.h.
	 */
	if (!error)
		error = pthread_rwlockattr_setkind_np(&attributes,
						      PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	if (!error)
		error = pthread_rwlock_init(&partition->memory.lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	if (error)
		return vsm_error(&partition->log, error, "no lock for guest memory");
	error = memory_turn_init(partition);
	if (error)
		pthread_rwlock_destroy(&partition->memory.lock);
	return error;
}

void memory_destroy(struct vsm_partition *partition)
{
	struct memory *memory = &partition->memory;

	free(memory->region);
	memory->region = NULL;
	memory->region_count = 0;
	memory->page_count = 0;
	memory_turn_destroy(partition);
	pthread_rwlock_destroy(&memory->lock);
}

static void remove_region(struct vsm_partition *partition, uint32_t index)
{
	struct memory *memory = &partition->memory;

	memory->region_count--;
	memory->page_count -= memory->region[index].pages;
	memmove(&memory->region[index], &memory->region[index + 1],
		(memory->region_count - index) * sizeof(memory->region[0]));
}

/* Memory lock held for writing. There is room for one more region. */
static int insert_region(struct vsm_partition *partition, uint32_t index,
			 const struct ram_region *region)
{
	struct memory *memory = &partition->memory;
	size_t behind = (memory->region_count - index) * sizeof(*region);
	int error;

	memmove(&memory->region[index + 1], &memory->region[index], behind);
	memory->region[index] = *region;
	memory->region_count++;
	memory->page_count += region->pages;
	error = protect_ram_added(partition, region);
	if (error)
		remove_region(partition, index);
	return error;
}

static int hide_overlays(struct vsm_partition *partition, const struct ram_region *region)
{
	int error = 0;

	for (uint8_t vtl = 0; vtl < partition->vtl_count && !error; vtl++)
		error = overlay_hide_range(partition, vtl, region->gpn, region->pages);
	return error;
}

static int show_overlays(struct vsm_partition *partition, const struct ram_region *region)
{
	int error = 0;

	for (uint8_t vtl = 0; vtl < partition->vtl_count && !error; vtl++)
		error = overlay_show_range(partition, vtl, region->gpn, region->pages);
	return error;
}

/* Overlays that exist already cover the new RAM, where default protections allow it. */
static int insert_below_overlays(struct vsm_partition *partition, uint32_t index,
				 struct ram_region *region, int fd, uint64_t offset)
{
	const uint64_t gpa = region->gpn << PAGE_SHIFT;
	const uint64_t size = region->pages << PAGE_SHIFT;
	void *host;
	int error = partition->ops->memory_add(partition->backend, gpa, size, fd, offset, &host);

	if (error)
		return error;
	region->host = host;
	error = insert_region(partition, index, region);
	if (!error)
		error = show_overlays(partition, region);
	if (!error)
		return 0;
	if (index < partition->memory.region_count &&
	    partition->memory.region[index].gpn == region->gpn)
		remove_region(partition, index);
	if (!hide_overlays(partition, region))
		partition->ops->memory_remove(partition->backend, gpa, size);
	return error;
}

/* Memory lock held for writing; the arguments were checked. */
static int add_region(struct vsm_partition *partition, uint64_t gpa, uint64_t size, int fd,
		      uint64_t offset, void **host)
{
	struct memory *memory = &partition->memory;
	struct ram_region region = {
		.gpn = gpa >> PAGE_SHIFT,
		.pages = size >> PAGE_SHIFT,
		.first = memory->page_count,
	};
	uint32_t index = memory_region_index(memory, region.gpn);
	struct ram_region *room;
	int error;

	if (index < memory->region_count && memory->region[index].gpn < region.gpn + region.pages)
		return vsm_error(&partition->log, EEXIST, "RAM at %#llx, %#llx bytes: overlaps RAM",
				 (unsigned long long)gpa, (unsigned long long)size);
	room = realloc(memory->region, (memory->region_count + 1) * sizeof(*room));
	if (!room)
		return vsm_error(&partition->log, ENOMEM, "no memory to describe RAM at %#llx",
				 (unsigned long long)gpa);
	memory->region = room;
	error = hide_overlays(partition, &region);
	if (!error)
		error = insert_below_overlays(partition, index, &region, fd, offset);
	if (error && show_overlays(partition, &region))
		vsm_error(&partition->log, EIO, "overlays at %#llx could not be shown again",
			  (unsigned long long)gpa);
	*host = region.host;
	return error;
}

int vsm_memory_add(struct vsm_partition *partition, uint64_t gpa, uint64_t size, int fd,
		   uint64_t offset, void **host)
{
	uint64_t limit = UINT64_C(1) << partition->features.gpa_bits;
	void *mapping = NULL;
	int error;

	if ((gpa | size | offset) % CORE_PAGE_SIZE || size == 0)
		return vsm_error(&partition->log, EINVAL,
				 "RAM at %#llx, %#llx bytes from offset %#llx: not whole pages",
				 (unsigned long long)gpa, (unsigned long long)size,
				 (unsigned long long)offset);
	if (size > limit || gpa > limit - size)
		return vsm_error(&partition->log, EINVAL,
				 "RAM at %#llx, %#llx bytes: beyond %u address bits",
				 (unsigned long long)gpa, (unsigned long long)size,
				 partition->features.gpa_bits);
	pthread_rwlock_wrlock(&partition->memory.lock);
	error = add_region(partition, gpa, size, fd, offset, &mapping);
	pthread_rwlock_unlock(&partition->memory.lock);
	if (!error)
		trace_about(partition->vp[0], 0, VSM_TRACE_MEMORY, gpa >> PAGE_SHIFT,
			    size >> PAGE_SHIFT, 0, 0);
	if (!error && host)
		*host = mapping;
	return error;
}
