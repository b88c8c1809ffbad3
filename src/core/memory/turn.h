/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Turns of VTLs that change overlays or protections. Such changes block all accesses by the core
 * while they last, and a VTL can make them without end. So that they cannot delay a higher VTL,
 * changes by VTLs below the highest enabled one take turns: one at a time on all VPs, each followed
 * by a pause as long as it took. The core's work for a higher VTL waits for at most one of them,
 * and has half of the time. Of the VTLs that wait for a turn, the highest has the next.
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
/* Drops the pause, since the clock may be set: at the partition's reset. No VP runs. */
void memory_turn_reset(struct vsm_partition *partition);
void memory_turn_destroy(struct vsm_partition *partition);

/*
 * Before a change by @vtl. False: it is not its turn, nothing may be changed, and turn->retry_at is
 * the time of the next attempt. True: memory_turn_end() must follow. Never waits. Any thread.
 */
bool memory_turn_begin(struct vsm_partition *partition, uint8_t vtl, struct memory_turn *turn);
void memory_turn_end(struct vsm_partition *partition, const struct memory_turn *turn);

#endif
