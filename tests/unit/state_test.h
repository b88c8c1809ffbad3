/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef STATE_TEST_H
#define STATE_TEST_H

#include <stdlib.h>

#include "core/partition.h"
#include "sim/sim_guest.h"

/* The caller frees the bytes. */
static inline struct guest_saved state_save(struct vsm_partition *partition)
{
	struct guest_saved file = {0};

	assert_int_equal(vsm_partition_save(partition, guest_save_write, &file), 0);
	return file;
}

static inline void state_restores_to_the_same(const struct guest_saved *first,
					      struct vsm_partition *other)
{
	struct guest_saved second;

	assert_int_equal(vsm_partition_restore(other, first->bytes, first->size), 0);
	second = state_save(other);
	assert_int_equal(first->size, second.size);
	assert_memory_equal(first->bytes, second.bytes, first->size);
	free(second.bytes);
}

#endif
