/* SPDX-License-Identifier: BSD-2-Clause */
/* A GPA gets a page number when it first has RAM, and keeps it until the reset. */
#ifndef CORE_MEMORY_SPAN_H
#define CORE_MEMORY_SPAN_H

#include "core/core.h"

struct span_list {
	struct ram_span *span;
	uint32_t count;
	uint64_t pages;
};

/* Sets @list to the partition's spans and new ones for other pages of the regions. */
int span_list_extend(struct vsm_partition *partition, const struct ram_region *region,
		     uint32_t count, struct span_list *list);
void span_list_swap(struct vsm_partition *partition, struct span_list *list);

#endif
