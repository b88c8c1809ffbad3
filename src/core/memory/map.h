/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of the map of guest memory.
 * A change computes the new list of regions, and the pieces in which it differs. VPs are held while
 * overlays over these pieces are hidden, the backend takes the new map, rights are set by GPA, and
 * overlays are shown again. So guests never see a part of a change, nor new memory without the
 * restrictions of its GPA.
 */
#ifndef CORE_MEMORY_MAP_H
#define CORE_MEMORY_MAP_H

#include "core/core.h"

/* The arguments were checked. Memory lock held for writing. */
int memory_map_add(struct vsm_partition *partition, const struct vsm_memory_change *change,
		   void **host);
int memory_map_update(struct vsm_partition *partition, const struct vsm_memory_change *changes,
		      size_t count);
/*
 * For a restore: assigns page numbers to GPAs that had memory in the saved partition, so that
 * protections can be set there. Takes the memory lock for writing.
 */
int memory_map_number_pages(struct vsm_partition *partition, uint64_t gpn, uint64_t pages);
/*
 * For a reset, without protections: drops the records of GPAs that have no RAM, and guards only the
 * VMM's mappings of RAM in the map. Takes the memory lock for writing.
 */
int memory_map_reset(struct vsm_partition *partition);

#endif
