/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mappings of the VMM that are guarded: those of the regions in the map, and those of
 * restricted memory that left it, since a device may still use such a mapping.
 */
#ifndef CORE_MEMORY_GUARD_H
#define CORE_MEMORY_GUARD_H

#include "core/memory/region_list.h"

struct guard_set {
	const struct region_list *present;
	const struct region_list *former;
};

/*
 * Guards mappings that only @to has, with all rights, and stops guarding those that only @from has.
 * An address that several regions have is guarded once. Memory lock held for writing.
 */
int guard_change(struct vsm_partition *partition, const struct guard_set *from,
		 const struct guard_set *to);

/*
 * @active: guards all mappings with the present rights; otherwise suspends the guard. VPs are
 * stopped, memory lock held for writing. -EALREADY: nothing to change. After another error the
 * guard is in its previous state.
 */
int guard_set_active(struct vsm_partition *partition, bool active);

#endif
