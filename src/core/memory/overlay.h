/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overlay pages (TLFS, "GPA Overlay Pages").
 *
 * They are separate pages, so that the RAM below keeps its contents, and only the owning VTL sees
 * them. A VTL has those of an overlay's rights that the higher VTLs also give at its GPA (P06,
 * P30):
 *
 * 	placing		needs the right to read and to write that GPA, else -EACCES
 * 			(readonly memory gives no right to write)
 * 	visible		pages whose bytes the VTL can choose (assist, SIEF, SIM by writing to them,
 * 			the TSC page by IA32_TSC) while it may read and write that GPA;
 * 			the hypercall page while it may read it
 * 	otherwise	the RAM is visible, with its restricted rights, until the rights return
 */
#ifndef CORE_OVERLAY_H
#define CORE_OVERLAY_H

#include "core/core.h"

/* Allocates the pages of all possible overlays, once, at creation. */
int overlay_init(struct vsm_partition *partition);
void overlay_destroy(struct vsm_partition *partition);

/* The core's address of an overlay's page, constant even while the overlay is not mapped. */
uint8_t *overlay_memory(struct vsm_partition *partition, enum overlay_kind kind, uint8_t vtl,
			uint32_t vp);
/* The same page to read, or NULL if it is empty: not used since the last reset. */
const uint8_t *overlay_contents(const struct vsm_partition *partition, enum overlay_kind kind,
				uint8_t vtl, uint32_t vp);

/*
 * Maps the overlay at @gpn for @vtl, or moves it there; an unchanged location always succeeds.
 * -EINVAL: beyond the GPA space. -EACCES: @vtl may not read and write there. -ENOSPC: an earlier
 * move failed. Also errors of the backend and of dma_map_revoke(). In force on every VP when it
 * returns. Takes the memory lock for writing.
 */
int overlay_map(struct vsm_partition *partition, enum overlay_kind kind, uint8_t vtl, uint32_t vp,
		uint64_t gpn);
int overlay_unmap(struct vsm_partition *partition, enum overlay_kind kind, uint8_t vtl,
		  uint32_t vp);
/*
 * overlay_map() without a check of rights, which may have been restricted since the first mapping.
 */
int overlay_restore(struct vsm_partition *partition, enum overlay_kind kind, uint8_t vtl,
		    uint32_t vp, uint64_t gpn);
/*
 * Returns the overlay that @vtl sees at @gpn if the higher VTLs give it the rights @allowed: the
 * first one that may be shown, in the order of enum overlay_kind, then of VPs. NULL: none. Memory
 * lock held for reading.
 */
const struct overlay *overlay_shown(const struct vsm_partition *partition, uint8_t vtl,
				    uint64_t gpn, uint8_t allowed);
/* Memory lock held for reading. */
bool overlay_is_shown_in(const struct vsm_partition *partition, uint8_t vtl, uint64_t gpn,
			 uint64_t pages);
/*
 * Makes the backend show at @gpn, or in the range, the result of gpa_view(). Called after every
 * change of its inputs. Memory lock held for writing. If the backend fails, its mapping is
 * unchanged.
 */
int overlay_show(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn);
int overlay_show_range(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn, uint64_t pages);
/* Hides all overlays in the range while the memory below changes, until overlay_show_range(). */
int overlay_hide_range(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn, uint64_t pages);
int overlay_reset(struct vsm_partition *partition);

#endif
