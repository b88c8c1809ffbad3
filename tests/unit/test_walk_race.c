/* SPDX-License-Identifier: BSD-2-Clause */
/* Also built under ThreadSanitizer. */
#include "walk_test.h"

#include <pthread.h>
#include <stdatomic.h>

/* A guest that changes the PTE while it is walked: another page, with A and D clear. */
struct race {
	struct walk_test *test;
	atomic_bool stop;
	atomic_uint turns;
	unsigned int lost;
};

static void *guest_thread(void *arg)
{
	struct race *race = arg;
	uint64_t *pte = (uint64_t *)(race->test->ram + PTE);
	uint64_t page = 0;

	while (!race->stop) {
		uint64_t old;

		page = page ? 0 : 0x1000;
		race->turns++;
		old = __atomic_exchange_n(pte, (0x9000 + page) | RW | P, __ATOMIC_RELAXED);
		/* The old value is what this thread wrote, except for A and D. */
		if ((old & ~(uint64_t)(A | D)) != ((0xa000 - page) | RW | P))
			race->lost++;
		if (old & D && !(old & A))
			race->lost++;
	}
	return NULL;
}

static void a_running_guest_never_loses_an_entry(void **state)
{
	struct race race = {.test = four_level(0x9000 | RW | P)};
	struct walk_test *test = race.test;
	pthread_t thread;
	unsigned int again = 0, done = 0;

	assert_int_equal(pthread_create(&thread, NULL, guest_thread, &race), 0);
	for (unsigned int i = 0; i < 200000 || race.turns < 1000; i++) {
		enum vsm_walk_reason reason = walk_ad(test, GVA, W, 0, VSM_WALK_AD_SET);

		if (reason == VSM_WALK_TRY_AGAIN)
			again++;
		else if (reason != VSM_WALK_OK || (test->result.gpa & ~UINT64_C(0x3000)) != 0x8567)
			break;
		else
			done++;
	}
	race.stop = true;
	pthread_join(thread, NULL);
	assert_true(test->result.reason == VSM_WALK_OK ||
		    test->result.reason == VSM_WALK_TRY_AGAIN);
	assert_true(done > 0);
	assert_int_equal(race.lost, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_running_guest_never_loses_an_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
