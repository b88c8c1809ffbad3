/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overlay pages (TLFS 5.2.1): hypercall page, reference TSC page, SynIC pages, VP assist page.
 *
 * They have pages of their own, so that the RAM below keeps its contents, and rights of their own: no
 * VTL protection applies to them, and only the owning VTL sees them (P05, P06).
 */
#ifndef CORE_OVERLAY_H
#define CORE_OVERLAY_H

#include "core/core.h"

/* Allocates the pages of every overlay that can exist. Once, at creation, after the VPs are counted. */
int overlay_init(struct vsm_partition *partition);
void overlay_destroy(struct vsm_partition *partition);

/* The memory of an overlay's page, whether it is mapped or not. Constant for its life. */
uint8_t *overlay_memory(struct vsm_partition *partition, enum overlay_kind kind, uint8_t vtl,
			uint32_t vp);

/*
 * Maps the overlay over @gpn for @vtl (moving it if it is elsewhere). -EINVAL: beyond the GPA space.
 * In force on every VP when it returns. Takes the memory lock for writing.
 */
int overlay_map(struct vsm_partition *partition, enum overlay_kind kind, uint8_t vtl, uint32_t vp,
		uint64_t gpn);
int overlay_unmap(struct vsm_partition *partition, enum overlay_kind kind, uint8_t vtl,
		  uint32_t vp);
/* The overlay that covers @gpn for @vtl, or NULL. Memory lock held for reading. */
const struct overlay *overlay_find(const struct vsm_partition *partition, uint8_t vtl,
				   uint64_t gpn);
/* Unmaps all and zeroes their pages (partition reset). */
int overlay_reset(struct vsm_partition *partition);

#endif
