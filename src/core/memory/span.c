/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/memory/span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bounds the spans that a guest makes by moving a BAR to new GPAs. */
#define SPANS_MAX 65536u

/* Assigns numbers to @pages pages: extends the span before index @at, or inserts a span there. */
static int append(const struct vsm_partition *partition, struct span_list *list, uint32_t at,
		  uint64_t gpn, uint64_t pages)
{
	struct ram_span *before = at ? &list->span[at - 1] : NULL;

	if (before && before->gpn + before->pages == gpn &&
	    before->first + before->pages == list->pages) {
		before->pages += pages;
		list->pages += pages;
		return 0;
	}
	if (list->count == SPANS_MAX)
		return vsm_error(&partition->log, ENOSPC,
				 "RAM was at %u separate places since the last reset", SPANS_MAX);
	memmove(&list->span[at + 1], &list->span[at], (list->count - at) * sizeof(list->span[0]));
	list->span[at] = (struct ram_span){.gpn = gpn, .pages = pages, .first = list->pages};
	list->count++;
	list->pages += pages;
	return 0;
}

static bool make_room(struct span_list *list)
{
	struct ram_span *span = realloc(list->span, (list->count + 1) * sizeof(*span));

	if (span)
		list->span = span;
	return span;
}

static int cover(const struct vsm_partition *partition, struct span_list *list,
		 const struct ram_region *region)
{
	const uint64_t end = region->gpn + region->pages;
	uint64_t gpn = region->gpn;
	uint32_t at = 0;

	while (gpn < end) {
		uint64_t stop = end;
		int error;

		while (at < list->count && list->span[at].gpn + list->span[at].pages <= gpn)
			at++;
		if (at < list->count && list->span[at].gpn <= gpn) {
			gpn = list->span[at].gpn + list->span[at].pages;
			continue;
		}
		if (at < list->count && list->span[at].gpn < stop)
			stop = list->span[at].gpn;
		if (!make_room(list))
			return vsm_error(&partition->log, ENOMEM, "no memory to describe RAM");
		error = append(partition, list, at, gpn, stop - gpn);
		if (error)
			return error;
		gpn = stop;
	}
	return 0;
}

int span_list_extend(struct vsm_partition *partition, const struct ram_region *region,
		     uint32_t count, struct span_list *list)
{
	const struct memory *memory = &partition->memory;
	int error = 0;

	list->count = memory->span_count;
	list->pages = memory->page_count;
	list->span = malloc((list->count + 1) * sizeof(*list->span));
	if (!list->span)
		return vsm_error(&partition->log, ENOMEM, "no memory to describe RAM");
	if (list->count)
		memcpy(list->span, memory->span, list->count * sizeof(*list->span));
	for (uint32_t i = 0; i < count && !error; i++)
		error = cover(partition, list, &region[i]);
	if (error) {
		free(list->span);
		list->span = NULL;
	}
	return error;
}

void span_list_swap(struct vsm_partition *partition, struct span_list *list)
{
	struct memory *memory = &partition->memory;
	const struct span_list old = {memory->span, memory->span_count, memory->page_count};

	memory->span = list->span;
	memory->span_count = list->count;
	memory->page_count = list->pages;
	*list = old;
}
