/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access to guest memory by the VMM: for devices with the rights of VTL0 (TLFS "Virtual Secure
 * Mode"), for migration and dumps with all rights.
 */
#include <errno.h>
#include <string.h>

#include "core/memory/dirty.h"
#include "core/memory/gpa.h"

static int error_of(struct vsm_partition *partition, enum gpa_result result, uint64_t gpa,
		    const char *what)
{
	switch (result) {
	case GPA_OK:
		return 0;
	case GPA_UNMAPPED:
		vsm_log(&partition->log, VSM_LOG_DEBUG, "%s at %#llx: no memory", what,
			(unsigned long long)gpa);
		return -EFAULT;
	case GPA_DENIED:
	case GPA_OVERLAY:
		break;
	}
	vsm_log(&partition->log, VSM_LOG_DEBUG, "%s at %#llx: denied to VTL0", what,
		(unsigned long long)gpa);
	return -EACCES;
}

/* Reads into @out or writes from @in, of which one is NULL, within a page. */
typedef int access_page(struct vsm_partition *partition, uint64_t gpa, uint8_t *out,
			const uint8_t *in, size_t size);

/* A long transfer holds the memory lock for one page at a time. */
static int access_pages(struct vsm_partition *partition, uint64_t gpa, uint8_t *out,
			const uint8_t *in, size_t size, access_page *access)
{
	while (size) {
		const size_t left = CORE_PAGE_SIZE - (size_t)(gpa % CORE_PAGE_SIZE);
		const size_t part = size < left ? size : left;
		const int error = access(partition, gpa, out, in, part);

		if (error)
			return error;
		gpa += part;
		size -= part;
		if (out)
			out += part;
		else
			in += part;
	}
	return 0;
}

static int access_as_vtl0(struct vsm_partition *partition, uint64_t gpa, uint8_t *out,
			  const uint8_t *in, size_t size)
{
	const enum gpa_result result = out ? gpa_read(partition, 0, gpa, out, size, NULL)
					   : gpa_write(partition, 0, gpa, in, size, NULL);

	return result == GPA_OK ? 0
				: error_of(partition, result, gpa, out ? "DMA read" : "DMA write");
}

int vsm_dma_read(struct vsm_partition *partition, uint64_t gpa, void *data, size_t size)
{
	return access_pages(partition, gpa, data, NULL, size, access_as_vtl0);
}

int vsm_dma_write(struct vsm_partition *partition, uint64_t gpa, const void *data, size_t size)
{
	return access_pages(partition, gpa, NULL, data, size, access_as_vtl0);
}

/* Ignores rights and overlays. */
static int access_as_host(struct vsm_partition *partition, uint64_t gpa, uint8_t *out,
			  const uint8_t *in, size_t size)
{
	const struct ram_region *region;
	uint8_t *host = NULL;

	pthread_rwlock_rdlock(&partition->memory.lock);
	region = memory_find(partition, gpa / CORE_PAGE_SIZE);
	if (region)
		host = region->host + (gpa - region->gpn * CORE_PAGE_SIZE);
	if (host && out)
		memcpy(out, host, size);
	else if (host)
		memcpy(host, in, size);
	if (host && in)
		dirty_note(partition, gpa);
	pthread_rwlock_unlock(&partition->memory.lock);
	return host ? 0 : error_of(partition, GPA_UNMAPPED, gpa, out ? "peek" : "poke");
}

int vsm_memory_peek(struct vsm_partition *partition, uint64_t gpa, void *data, size_t size)
{
	return access_pages(partition, gpa, data, NULL, size, access_as_host);
}

int vsm_memory_poke(struct vsm_partition *partition, uint64_t gpa, const void *data, size_t size)
{
	return access_pages(partition, gpa, NULL, data, size, access_as_host);
}
