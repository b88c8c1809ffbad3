/* SPDX-License-Identifier: BSD-2-Clause */
/* Page numbers. A GPA gets one when it first has RAM, and keeps it until the reset. */
#ifndef CORE_MEMORY_SPAN_H
#define CORE_MEMORY_SPAN_H

#include "core/core.h"

struct span_list {
	struct ram_span *span;
	uint32_t count;
	uint64_t pages;
};

/*
 * Sets @list to the partition's spans plus new ones for pages of the regions that are in no span.
 * -ENOMEM; -ENOSPC: too many spans.
 */
int span_list_extend(struct vsm_partition *partition, const struct ram_region *region,
		     uint32_t count, struct span_list *list);
/* Exchanges the partition's spans and @list. */
void span_list_swap(struct vsm_partition *partition, struct span_list *list);

#endif
