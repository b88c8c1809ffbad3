/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Protections and overlays change while other threads access the memory on behalf of a guest. After a change
 * has returned, no access that it denies may take place.
 */
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"
#include "core/memory/overlay.h"
#include "core/memory/protect.h"
#include "bare.h"

#define ROUNDS 200
#define PAGE   5u

struct race {
	struct bare *bare;
	_Atomic bool stop;
	_Atomic uint64_t writes; /* permitted writes */
	_Atomic uint64_t refusals;
};

static void *write_on(void *argument)
{
	struct race *race = argument;
	uint64_t value = 0;

	while (!atomic_load(&race->stop)) {
		value++;
		if (gpa_write(race->bare->partition, 0, PAGE << 12, &value, sizeof(value), NULL) ==
		    GPA_OK)
			atomic_fetch_add(&race->writes, 1);
		else
			atomic_fetch_add(&race->refusals, 1);
	}
	return NULL;
}

static void wait_for(_Atomic uint64_t *counter)
{
	uint64_t before = atomic_load(counter);

	while (atomic_load(counter) == before)
		sched_yield();
}

static uint64_t peek(const uint8_t *ram)
{
	uint64_t value;

	memcpy(&value, ram + (PAGE << 12), sizeof(value));
	return value;
}

static void test_no_write_happens_after_protect_has_returned(void **state)
{
	struct race race = {.bare = bare_create(2)};
	uint8_t *ram = bare_ram(race.bare, 0, 16);
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, write_on, &race), 0);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t frozen;

		wait_for(&race.writes);
		assert_int_equal(bare_protect(race.bare, 1, -1, PAGE, GPA_READ | GPA_EXECUTE),
				 HV_STATUS_SUCCESS);
		frozen = peek(ram);
		wait_for(&race.refusals);
		wait_for(&race.refusals);
		assert_int_equal(peek(ram), frozen);
		assert_int_equal(bare_protect(race.bare, 1, -1, PAGE, GPA_ALL), HV_STATUS_SUCCESS);
	}
	atomic_store(&race.stop, true);
	pthread_join(thread, NULL);
	bare_destroy(race.bare);
}

static void test_ram_under_an_overlay_is_not_accessed_while_the_overlay_is_enabled(void **state)
{
	struct race race = {.bare = bare_create(2)};
	uint8_t *ram = bare_ram(race.bare, 0, 16);
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, write_on, &race), 0);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t frozen;

		wait_for(&race.writes);
		assert_int_equal(overlay_map(race.bare->partition, OVERLAY_SIM, 0, 0, PAGE), 0);
		frozen = peek(ram);
		wait_for(&race.writes);
		wait_for(&race.writes);
		assert_int_equal(peek(ram), frozen);
		assert_int_equal(overlay_unmap(race.bare->partition, OVERLAY_SIM, 0, 0), 0);
	}
	atomic_store(&race.stop, true);
	pthread_join(thread, NULL);
	bare_destroy(race.bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_write_happens_after_protect_has_returned),
		cmocka_unit_test(
			test_ram_under_an_overlay_is_not_accessed_while_the_overlay_is_enabled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
