/* SPDX-License-Identifier: BSD-2-Clause */
/* No record is torn, and each is read or counted as lost. */
#include <pthread.h>
#include <stdlib.h>

#include "unit_test.h"
#include "core/trace/trace.h"
#include "core/vp/vp.h"
#include "sim/sim_guest.h"

#define WRITERS 3u
#define EACH	300000u

struct race {
	struct vsm_partition *partition;
	struct vsm_vp *vp;
	_Atomic unsigned int running;
};

struct writer {
	struct race *race;
	uint64_t number;
};

static void *write_many(void *opaque)
{
	const struct writer *writer = opaque;

	for (uint64_t i = 1; i <= EACH; i++) {
		const uint64_t value = writer->number << 32 | i;

		trace_about(writer->race->vp, 0, VSM_TRACE_MESSAGE, value, ~value, value * 3,
			    value);
	}
	atomic_fetch_sub(&writer->race->running, 1);
	return NULL;
}

struct tally {
	uint64_t read, lost;
	uint64_t last[WRITERS];
};

static void take(struct race *race, struct tally *tally)
{
	struct vsm_trace_record record[64];
	uint64_t lost;
	size_t count;

	do {
		count = vsm_trace_read(race->vp, record, 64, &lost);
		tally->read += count;
		tally->lost += lost;
		for (size_t i = 0; i < count; i++) {
			const uint64_t value = record[i].argument[0];
			const uint64_t writer = value >> 32;

			if (record[i].event != VSM_TRACE_MESSAGE) {
				tally->read--; /* the initial records */
				continue;
			}
			assert_true(writer < WRITERS);
			assert_int_equal(record[i].argument[1], ~value);
			assert_int_equal(record[i].argument[2], value * 3);
			assert_int_equal(record[i].argument[3], value);
			assert_true((uint32_t)value > tally->last[writer]);
			tally->last[writer] = (uint32_t)value;
		}
	} while (count);
}

static void run(uint32_t records)
{
	struct race race = {.partition = guest_partition(1, 1, 1u << 20, NULL), .running = WRITERS};
	struct writer writer[WRITERS];
	pthread_t thread[WRITERS];
	struct tally tally = {0};

	race.vp = vsm_partition_vp(race.partition, 0);
	assert_int_equal(vsm_trace_start(race.partition, records), 0);
	take(&race, &tally); /* the initial records are not counted */
	tally.lost = 0;
	for (uint64_t i = 0; i < WRITERS; i++) {
		writer[i] = (struct writer){&race, i};
		assert_int_equal(pthread_create(&thread[i], NULL, write_many, &writer[i]), 0);
	}
	while (atomic_load(&race.running))
		take(&race, &tally);
	for (unsigned int i = 0; i < WRITERS; i++)
		pthread_join(thread[i], NULL);
	take(&race, &tally);
	assert_int_equal(tally.read + tally.lost, (uint64_t)WRITERS * EACH);
	assert_true(tally.read > 0);
	vsm_partition_destroy(race.partition);
}

static void no_record_is_torn_in_a_small_ring(void **state)
{
	run(4);
}

static void no_record_is_torn_in_a_large_ring(void **state)
{
	run(65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_record_is_torn_in_a_small_ring),
		cmocka_unit_test(no_record_is_torn_in_a_large_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
