/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mappings of guest memory for devices of the VMM, each valid while a VTL has the rights to it.
 *
 * A change that removes a right first replaces the mapping by private memory, without a wait for
 * the device: each mapping of a lower VTL costs a higher VTL one system call.
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
void dma_map_destroy(struct vsm_partition *partition);

/*
 * Revokes @vtl's mappings that overlap @range and have more rights than @access. Called before @vtl
 * is restricted to @access, or gets other memory in @range (@access is 0); memory lock held for
 * writing. After an error the change must not be made.
 */
int dma_map_revoke(struct vsm_partition *partition, uint8_t vtl, struct gpa_range range,
		   uint8_t access);
/* Memory lock held for writing. */
int dma_map_revoke_all(struct vsm_partition *partition);

/* Records every page as written, if the device can write. Memory lock held. */
void dma_map_note_written(const struct vsm_dma_map *map);
size_t dma_map_length(const struct vsm_dma_map *map);
int dma_map_protection(const struct vsm_dma_map *map);
/* Frees a mapping that is in no list. */
void dma_map_free(struct vsm_dma_map *map);

#endif
