/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory of the partition: creation, destruction, and the calls that change its map. */
#include <errno.h>
#include <stdlib.h>

#include "core/lock.h"
#include "core/memory/dirty.h"
#include "core/memory/dma_map.h"
#include "core/memory/file.h"
#include "core/memory/gpa.h"
#include "core/memory/map.h"
#include "core/memory/turn.h"

int memory_init(struct vsm_partition *partition)
{
	/*
	 * Readers of lower VTLs must not delay a higher VTL that protects its memory; memory/turn.h
	 * limits writers.
	 */
	int error = rwlock_init_writers_first(&partition->memory.lock);

	if (error)
		return vsm_error(&partition->log, error,
				 "cannot initialize the lock of guest memory");
	error = memory_turn_init(partition);
	if (!error)
		error = dma_map_init(partition);
	if (!error)
		error = dirty_init(partition);
	return error;
}

void memory_destroy(struct vsm_partition *partition)
{
	struct memory *memory = &partition->memory;

	dma_map_destroy(partition);
	free(memory->region);
	memory->region = NULL;
	memory->region_count = 0;
	free(memory->former);
	memory->former = NULL;
	memory->former_count = 0;
	free(memory->span);
	memory->span = NULL;
	memory->span_count = 0;
	memory->page_count = 0;
	ram_files_destroy(partition);
	memory_turn_destroy(partition);
	dirty_destroy(partition);
	pthread_rwlock_destroy(&memory->lock);
}

/* The APIC's page after reset: RAM there would hide it from the guest. */
static bool covers_apic(uint64_t gpa, uint64_t size)
{
	return gpa < VSM_LAPIC_DEFAULT_BASE + CORE_PAGE_SIZE && VSM_LAPIC_DEFAULT_BASE - gpa < size;
}

static int check_change(struct vsm_partition *partition, const struct vsm_memory_change *change,
			bool adds)
{
	const uint64_t limit = UINT64_C(1) << partition->features.gpa_bits;
	const unsigned long long gpa = change->gpa;
	const unsigned long long size = change->size;
	const uint32_t flags =
		VSM_MEMORY_READONLY | VSM_MEMORY_LOG | (partition->config.smm ? VSM_MEMORY_SMM : 0);

	/* Other negative values are refused: probably an unchecked -errno. */
	if (change->fd < -1)
		return vsm_error(&partition->log, EBADF, "RAM at %#llx: file descriptor %d", gpa,
				 change->fd);
	if ((gpa | size | change->offset) % CORE_PAGE_SIZE || size == 0)
		return vsm_error(&partition->log, EINVAL,
				 "RAM at %#llx, %#llx bytes from offset %#llx: not whole pages",
				 gpa, size, (unsigned long long)change->offset);
	if (size > limit || gpa > limit - size)
		return vsm_error(&partition->log, EINVAL,
				 "RAM at %#llx, %#llx bytes: beyond %u address bits", gpa, size,
				 partition->features.gpa_bits);
	if (change->offset > INT64_MAX - size)
		return vsm_error(&partition->log, EINVAL, "RAM at %#llx: offset %#llx", gpa,
				 (unsigned long long)change->offset);
	if (change->flags & ~flags || change->reserved[0] || change->reserved[1])
		return vsm_error(&partition->log, EINVAL,
				 "RAM at %#llx: unknown flags %#x, or a reserved field is not 0",
				 gpa, change->flags);
	if (adds && covers_apic(change->gpa, change->size))
		return vsm_error(&partition->log, EINVAL,
				 "RAM at %#llx, %#llx bytes: covers the page of the local APICs",
				 gpa, size);
	if (change->host && !partition->ops->guard_add)
		return vsm_error(&partition->log, ENOTSUP,
				 "RAM at %#llx: a mapping of the VMM cannot be guarded here", gpa);
	if ((uintptr_t)change->host % CORE_PAGE_SIZE)
		return vsm_error(&partition->log, EINVAL,
				 "RAM at %#llx: the VMM's mapping is not at a page", gpa);
	return 0;
}

int vsm_memory_add(struct vsm_partition *partition, uint64_t gpa, uint64_t size, int fd,
		   uint64_t offset, void **host)
{
	struct vsm_memory_change change = {.gpa = gpa, .size = size, .fd = fd, .offset = offset};
	int error = check_change(partition, &change, true);

	if (error)
		return error;
	pthread_rwlock_wrlock(&partition->memory.lock);
	error = memory_map_add(partition, &change, host);
	pthread_rwlock_unlock(&partition->memory.lock);
	return error;
}

int vsm_memory_update(struct vsm_partition *partition, const struct vsm_memory_change *changes,
		      size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++)
		error = check_change(partition, &changes[i], changes[i].fd >= 0);
	if (error || !count)
		return error;
	pthread_rwlock_wrlock(&partition->memory.lock);
	error = memory_map_update(partition, changes, count);
	pthread_rwlock_unlock(&partition->memory.lock);
	return error;
}
