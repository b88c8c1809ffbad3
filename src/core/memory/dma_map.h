/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mappings of guest memory for devices of the VMM, each valid while a VTL has the rights to it
 * (vsm_dma_map()).
 *
 * A change that removes a right first replaces the mapping by private memory. It does not wait for
 * the device, so a lower VTL's mappings cost a higher VTL one system call each; their number and
 * size are limited.
 */
#ifndef CORE_MEMORY_DMA_MAP_H
#define CORE_MEMORY_DMA_MAP_H

#include "core/core.h"

struct vsm_dma_map {
	struct vsm_partition *partition; /* c */
	struct vsm_dma_map *next;	 /* D: in memory.dma_map */
	/* c: address of the first page; an inaccessible page follows the last */
	uint8_t *host;
	uint64_t gpn;		  /* c */
	uint64_t pages;		  /* c */
	uint8_t vtl;		  /* c */
	uint8_t access;		  /* c: enum gpa_access */
	bool revoked;		  /* M */
	vsm_dma_revoked_fn *call; /* c: may be NULL */
	void *opaque;		  /* c */
};

int dma_map_init(struct vsm_partition *partition);
/* Frees the mappings that the VMM has not unmapped. */
void dma_map_destroy(struct vsm_partition *partition);

/*
 * Revokes @vtl's mappings that overlap @range and have more rights than @access (enum gpa_access).
 * Called before @vtl is restricted to @access, or gets other memory there (@access is 0); memory
 * lock held for writing. -errno of the host, logged: the change must not be made.
 */
int dma_map_revoke(struct vsm_partition *partition, uint8_t vtl, struct gpa_range range,
		   uint8_t access);
/* Revokes all mappings of every VTL: at a reset and a restore. Memory lock held for writing. */
int dma_map_revoke_all(struct vsm_partition *partition);

/* Records every page as written, if the device can write. Memory lock held. */
void dma_map_note_written(const struct vsm_dma_map *map);
size_t dma_map_length(const struct vsm_dma_map *map);
int dma_map_protection(const struct vsm_dma_map *map);
/* Frees a mapping that is in no list. */
void dma_map_free(struct vsm_dma_map *map);

#endif
