/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device access to guest memory: devices have the rights of VTL0 (TLFS "Virtual Secure Mode").
 */
#include <errno.h>

#include "core/memory/gpa.h"

static int error_of(struct vsm_partition *partition, enum gpa_result result, uint64_t gpa,
		    const char *what)
{
	switch (result) {
	case GPA_OK:
		return 0;
	case GPA_UNMAPPED:
		vsm_log(&partition->log, VSM_LOG_DEBUG, "DMA %s at %#llx: no memory", what,
			(unsigned long long)gpa);
		return -EFAULT;
	case GPA_DENIED:
	case GPA_OVERLAY:
		break;
	}
	vsm_log(&partition->log, VSM_LOG_DEBUG, "DMA %s at %#llx: denied to VTL0", what,
		(unsigned long long)gpa);
	return -EACCES;
}

/* Page by page, so that a long transfer holds the memory lock for one page at a time. */
static size_t first_part(uint64_t gpa, size_t size)
{
	size_t left = CORE_PAGE_SIZE - (size_t)(gpa % CORE_PAGE_SIZE);

	return size < left ? size : left;
}

int vsm_dma_read(struct vsm_partition *partition, uint64_t gpa, void *data, size_t size)
{
	uint8_t *out = data;

	while (size) {
		size_t part = first_part(gpa, size);
		enum gpa_result result = gpa_read(partition, 0, gpa, out, part, NULL);

		if (result != GPA_OK)
			return error_of(partition, result, gpa, "read");
		gpa += part;
		out += part;
		size -= part;
	}
	return 0;
}

int vsm_dma_write(struct vsm_partition *partition, uint64_t gpa, const void *data, size_t size)
{
	const uint8_t *in = data;

	while (size) {
		size_t part = first_part(gpa, size);
		enum gpa_result result = gpa_write(partition, 0, gpa, in, part, NULL);

		if (result != GPA_OK)
			return error_of(partition, result, gpa, "write");
		gpa += part;
		in += part;
		size -= part;
	}
	return 0;
}
