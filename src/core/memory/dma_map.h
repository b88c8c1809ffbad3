/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mappings of guest memory for devices of the VMM, with a VTL's rights as long as they are held
 * (vsm_dma_map()).
 *
 * A change that takes a right away replaces the mapping by memory of its own before the change is
 * in force. It waits for no device, so that what a VTL's device does costs a higher VTL no more than
 * a system call for each mapping; their number and size are limited.
 */
#ifndef CORE_MEMORY_DMA_MAP_H
#define CORE_MEMORY_DMA_MAP_H

#include "core/core.h"

struct vsm_dma_map {
	struct vsm_partition *partition; /* c */
	struct vsm_dma_map *next;	 /* D: in memory.dma_map */
	uint8_t *host;			 /* c: of the first page; a page without access follows */
	uint64_t gpn;			 /* c */
	uint64_t pages;			 /* c */
	uint8_t vtl;			 /* c */
	uint8_t access;			 /* c: enum gpa_access */
	bool revoked;			 /* M */
	vsm_dma_revoked_fn *call;	 /* c: may be NULL */
	void *opaque;			 /* c */
};

int dma_map_init(struct vsm_partition *partition);
/* Frees the mappings that the VMM left. */
void dma_map_destroy(struct vsm_partition *partition);

/*
 * Before a change leaves @vtl only @access (enum gpa_access) to memory of @range, or shows it other
 * memory there (@access is 0): revokes what has more. Memory lock held for writing. -errno of the
 * host, logged: the change must not be made.
 */
int dma_map_revoke(struct vsm_partition *partition, uint8_t vtl, struct gpa_range range,
		   uint8_t access);
/* The same for every VTL and all memory: at a reset and a restore. */
int dma_map_revoke_all(struct vsm_partition *partition);

/* A device may have written to each page until now. Memory lock held. */
void dma_map_note_written(const struct vsm_dma_map *map);
size_t dma_map_length(const struct vsm_dma_map *map);
int dma_map_protection(const struct vsm_dma_map *map);
/* Of a mapping that is in no list. */
void dma_map_free(struct vsm_dma_map *map);

#endif
