/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of what VTLs see of memory (overlays, protections) stop every access by the core while they last, and a VTL can
 * make them without end. So that no VTL delays a higher one with that, changes by VTLs below the highest one that is
 * enabled take turns: one at a time on all VPs, each followed by a pause as long as it took. What the core does for a
 * higher VTL waits for one of them at most, and has half of the time to itself.
 */
#ifndef CORE_MEMORY_TURN_H
#define CORE_MEMORY_TURN_H

#include "core/core.h"

struct memory_turn {
	bool held;
	uint64_t begun;	   /* TSC */
	uint64_t retry_at; /* TSC: when it was not its turn, the time of the next attempt */
};

int memory_turn_init(struct vsm_partition *partition);
/* No pause is left over, for the clock may be set: with the partition's reset. No VP runs. */
void memory_turn_reset(struct vsm_partition *partition);
void memory_turn_destroy(struct vsm_partition *partition);

/*
 * Before a change that @vtl asks for. False: it is not its turn, nothing may be changed, and turn->retry_at says when to
 * ask again. True: memory_turn_end() follows. Never waits. Any thread.
 */
bool memory_turn_begin(struct vsm_partition *partition, uint8_t vtl, struct memory_turn *turn);
void memory_turn_end(struct vsm_partition *partition, const struct memory_turn *turn);

#endif
