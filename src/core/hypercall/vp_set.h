/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of VPs, as a mask of 64 VPs or as HV_VP_SET (TLFS "Virtual processor set"). */
#ifndef CORE_VP_SET_H
#define CORE_VP_SET_H

#include "core/hypercall/hypercall.h"

#define VP_SET_BANKS (CORE_VP_MAX / HV_VP_SET_VPS_PER_BANK)

struct vp_set {
	uint64_t bank[VP_SET_BANKS]; /* only VPs that exist */
};

void vp_set_all(const struct vsm_partition *partition, struct vp_set *set);
/* @mask: a bit for each of VPs 0 to 63. */
void vp_set_from_mask(const struct vsm_partition *partition, uint64_t mask, struct vp_set *set);

/*
 * Parses the HV_VP_SET of @call, whose header is the last part of the fixed input. VPs that do not
 * exist are left out.
 *
 * The number of banks is taken from the set itself: some guests state another size of the variable
 * header. INVALID_PARAMETER: unknown format, or banks that are not in the input.
 */
uint16_t vp_set_parse(const struct hypercall *call, struct vp_set *set);

static inline bool vp_set_has(const struct vp_set *set, uint32_t vp)
{
	return set->bank[vp / HV_VP_SET_VPS_PER_BANK] >> (vp % HV_VP_SET_VPS_PER_BANK) & 1;
}

#endif
