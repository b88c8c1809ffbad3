/* SPDX-License-Identifier: BSD-2-Clause */
/* One input: its rounds, and the threads of each. */
#include "storm.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "core/vp/vp.h"

bool storm_next_op(const uint8_t **data, size_t *size, struct storm_op *op)
{
	if (*size < sizeof(*op))
		return false;
	memcpy(op, *data, sizeof(*op));
	*data += sizeof(*op);
	*size -= sizeof(*op);
	return true;
}

/* Kicks halted VPs from time to time, so that they take their next operation. */
static void act_for_vmm(struct storm *storm, const uint8_t *data, size_t size)
{
	const uint8_t *at = data;
	size_t left = size;
	struct storm_op op;

	while (atomic_load(&storm->running)) {
		if (storm_next_op(&at, &left, &op)) {
			storm_host(storm, &op);
		} else {
			at = data;
			left = size;
			sched_yield();
		}
		for (uint32_t i = 0; i < storm->vps; i++)
			if (atomic_load(&storm->stop) || left % 3 == 0)
				vsm_vp_kick(vsm_partition_vp(storm->partition, i));
	}
}

static void run_round(struct storm *storm)
{
	const size_t share = storm->size / sizeof(struct storm_op) / (storm->vps + 1);
	const size_t bytes = (share < STORM_OPS ? share : STORM_OPS) * sizeof(struct storm_op);
	struct storm_vp vp[STORM_VPS] = {0};

	atomic_store(&storm->stop, false);
	atomic_store(&storm->running, storm->vps);
	for (uint32_t i = 0; i < storm->vps; i++) {
		vp[i] = (struct storm_vp){.storm = storm,
					  .vp = vsm_partition_vp(storm->partition, i),
					  .data = storm->data,
					  .size = bytes};
		storm->data += bytes;
		storm->size -= bytes;
		STORM_REQUIRE(pthread_create(&vp[i].thread, NULL, storm_vp_thread, &vp[i]) == 0);
	}
	act_for_vmm(storm, storm->data, bytes);
	storm->data += bytes;
	storm->size -= bytes;
	for (uint32_t i = 0; i < storm->vps; i++)
		pthread_join(vp[i].thread, NULL);
	storm_unmap_all(storm);
	storm_map_back(storm);
	storm_check(storm);
}

/*
 * libFuzzer learns the byte of secret pages by its comparisons; if VTL0 wrote eight such bytes
 * itself, the checks would report a leak.
 */
static uint8_t *copy_without_secret(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size);

	STORM_REQUIRE(copy);
	for (size_t i = 0; i < size; i++)
		copy[i] = data[i] == STORM_SECRET_BYTE ? data[i] ^ 1 : data[i];
	return copy;
}

void storm_run(const uint8_t *data, size_t size)
{
	struct storm storm = {0};
	unsigned int rounds;
	uint8_t *copy;

	if (size < sizeof(storm.config))
		return;
	copy = copy_without_secret(data, size);
	memcpy(&storm.config, copy, sizeof(storm.config));
	storm.data = copy + sizeof(storm.config);
	storm.size = size - sizeof(storm.config);
	storm.vps = 1 + storm.config.vps % STORM_VPS;
	storm.max_vtl = storm.config.flags & STORM_VTL2 ? 2 : 1;
	storm_create(&storm);
	rounds = 1 + storm.config.rounds % 3;
	for (unsigned int i = 0; i < rounds; i++) {
		run_round(&storm);
		if (storm.config.flags & STORM_RESET || atomic_load(&storm.reset_seen))
			storm_reset(&storm);
		else
			storm_move(&storm);
		atomic_store(&storm.reset_seen, false);
	}
	vsm_partition_destroy(storm.partition);
	free(copy);
}
