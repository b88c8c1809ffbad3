/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/memory/turn.h"

#include "core/vp/vp.h"

#define RETRY_HZ 20000u /* how often a VP checks whether a change of another VP has ended */
#define KEPT_HZ	 1000u	/* how long a turn is reserved for a VTL after its next attempt is due */

int memory_turn_init(struct vsm_partition *partition)
{
	int error = pthread_mutex_init(&partition->memory.turn_lock, NULL);

	return error ? vsm_error(&partition->log, error,
				 "cannot initialize the lock of changes of memory")
		     : 0;
}

void memory_turn_reset(struct vsm_partition *partition)
{
	partition->memory.turn_not_before = 0;
	partition->memory.turn_reserved_until = 0;
}

void memory_turn_destroy(struct vsm_partition *partition)
{
	pthread_mutex_destroy(&partition->memory.turn_lock);
}

/* Time of the next attempt of @vtl; 0: it has the turn now. Turn lock held. */
static uint64_t next_attempt(struct vsm_partition *partition, uint8_t vtl, uint64_t now)
{
	struct memory *memory = &partition->memory;
	const uint64_t soon = now + partition->features.tsc_hz / RETRY_HZ;
	uint64_t at = 0;

	if (memory->turn_taken)
		at = soon;
	else if (now < memory->turn_not_before)
		at = memory->turn_not_before;
	if (now < memory->turn_reserved_until && vtl < memory->turn_waiter)
		return at ? at : soon;
	memory->turn_waiter = vtl;
	memory->turn_reserved_until = at ? at + partition->features.tsc_hz / KEPT_HZ : 0;
	return at;
}

bool memory_turn_begin(struct vsm_partition *partition, uint8_t vtl, struct memory_turn *turn)
{
	struct memory *memory = &partition->memory;
	uint64_t now;

	*turn = (struct memory_turn){0};
	if (!(atomic_load(&partition->enabled_vtls) & vtls_above(vtl)))
		return true;
	now = vp_tsc(partition);
	pthread_mutex_lock(&memory->turn_lock);
	turn->retry_at = next_attempt(partition, vtl, now);
	turn->held = !turn->retry_at;
	turn->begun = now;
	memory->turn_taken |= turn->held;
	pthread_mutex_unlock(&memory->turn_lock);
	return turn->held;
}

void memory_turn_end(struct vsm_partition *partition, const struct memory_turn *turn)
{
	struct memory *memory = &partition->memory;
	uint64_t now;

	if (!turn->held)
		return;
	now = vp_tsc(partition);
	pthread_mutex_lock(&memory->turn_lock);
	memory->turn_taken = false;
	/* If the clock was set back, there is no pause. */
	memory->turn_not_before = now > turn->begun ? now + (now - turn->begun) : 0;
	pthread_mutex_unlock(&memory->turn_lock);
}
