/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The record of written pages (VSM_MEMORY_LOG), a bit for each page of a file. Guests' writes are
 * read from the backend on request.
 */
#ifndef CORE_MEMORY_DIRTY_H
#define CORE_MEMORY_DIRTY_H

#include "core/memory/region_list.h"

int dirty_init(struct vsm_partition *partition);
void dirty_destroy(struct vsm_partition *partition);

/*
 * Records a write by the library to the page of @gpa. Called after the write, so that a thread that
 * takes the bit reads the new data. Memory lock held for reading.
 */
void dirty_note(const struct vsm_partition *partition, uint64_t gpa);
/*
 * Before the map changes from @old to @new: saves the records that the backend drops with the
 * change. VPs are held. Errors of the host are logged.
 */
int dirty_keep(struct vsm_partition *partition, const struct region_list *old,
	       const struct region_list *new);

#endif
