/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A change of overlays or protections blocks all accesses by the core, and a VTL can make any
 * number of changes. To bound the delay of a higher VTL, VTLs below the highest enabled one take
 * turns: one change at a time on all VPs, followed by a pause of the same length. Of the VTLs that
 * wait for a turn, the highest is next.
 */
#ifndef CORE_MEMORY_TURN_H
#define CORE_MEMORY_TURN_H

#include "core/core.h"

struct memory_turn {
	bool held;
	uint64_t begun;	   /* TSC */
	uint64_t retry_at; /* TSC of the next attempt, if the turn was refused */
};

int memory_turn_init(struct vsm_partition *partition);
/* Drops the pause, as the TSC may be set. No VP runs. */
void memory_turn_reset(struct vsm_partition *partition);
void memory_turn_destroy(struct vsm_partition *partition);

/*
 * Requests the turn for a change by @vtl, without waiting. False: refused; the caller changes
 * nothing and tries again at turn->retry_at. True: memory_turn_end() must follow. Any thread.
 */
bool memory_turn_begin(struct vsm_partition *partition, uint8_t vtl, struct memory_turn *turn);
void memory_turn_end(struct vsm_partition *partition, const struct memory_turn *turn);

#endif
