/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Turns of VTLs that change overlays or protections. Such a change blocks all accesses by the core,
 * and a VTL can make any number of them. To bound the delay of a higher VTL, VTLs below the highest
 * enabled one make only one change at a time on all VPs, and each change is followed by a pause of
 * the same length. The core's work for a higher VTL waits for at most one of them. Of the VTLs that
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
/* At the partition's reset: drops the pause, as the TSC may be set. No VP runs. */
void memory_turn_reset(struct vsm_partition *partition);
void memory_turn_destroy(struct vsm_partition *partition);

/*
 * Requests the turn for a change by @vtl. False: refused; the caller changes nothing and tries
 * again at turn->retry_at. True: memory_turn_end() must follow. Never waits. Any thread.
 */
bool memory_turn_begin(struct vsm_partition *partition, uint8_t vtl, struct memory_turn *turn);
void memory_turn_end(struct vsm_partition *partition, const struct memory_turn *turn);

#endif
