/* SPDX-License-Identifier: BSD-2-Clause */
/* Turns (core/memory/turn.h): VTL0 delays a change of VTL1 by one change at most, also if VTL1
 * needs turns itself (P32). */
#include "core_test.h"
#include "core/memory/turn.h"

#include "fixture.h"

#define CHANGE_NS 700u /* a tick of the sim's clock is 1 ns */

static int setup(void **state)
{
	fixture(2, 2);
	sim_clock_step(partition, 0);
	guest_enable_vtl(partition, 1);
	return 0;
}

static bool begin(uint8_t vtl, struct memory_turn *turn)
{
	return memory_turn_begin(partition, vtl, turn);
}

static void change(uint8_t vtl)
{
	struct memory_turn turn;

	assert_true(begin(vtl, &turn));
	sim_advance(partition, CHANGE_NS);
	memory_turn_end(partition, &turn);
}

static void p32_the_highest_vtl_does_not_wait_for_a_turn(void **state)
{
	struct memory_turn lower, turn;

	assert_true(begin(0, &lower));
	assert_true(begin(1, &turn));
	assert_false(turn.held);
	memory_turn_end(partition, &turn);
	memory_turn_end(partition, &lower);
}

static void p32_each_change_of_a_lower_vtl_is_followed_by_a_pause(void **state)
{
	const uint64_t begun = vp_tsc(partition);
	struct memory_turn turn;

	change(0);
	assert_false(begin(0, &turn));
	assert_int_equal(turn.retry_at, begun + 2 * CHANGE_NS);
	sim_advance(partition, CHANGE_NS - 1);
	assert_false(begin(0, &turn));
	sim_advance(partition, 1);
	change(0);
}

/* All VPs of VTL0 request a turn as soon as the pause is over; a VP of VTL1 requests one after them. */
static void p32_vtl0_gets_no_turn_while_vtl1_waits_for_one(void **state)
{
	struct memory_turn lower, turn;

	atomic_fetch_or(&partition->enabled_vtls, vtl_bit(2));
	assert_true(begin(0, &lower));
	sim_advance(partition, CHANGE_NS);
	assert_false(begin(1, &turn));
	memory_turn_end(partition, &lower);
	sim_advance(partition, CHANGE_NS);
	for (unsigned int i = 0; i < 8; i++) {
		assert_false(begin(0, &lower));
		assert_true(lower.retry_at > vp_tsc(partition));
	}
	sim_advance(partition, turn.retry_at - vp_tsc(partition));
	assert_false(begin(0, &lower));
	assert_true(begin(1, &turn));
	/* This time the turn is refused because of the pause. */
	sim_advance(partition, CHANGE_NS);
	memory_turn_end(partition, &turn);
	assert_false(begin(1, &turn));
	sim_advance(partition, turn.retry_at - vp_tsc(partition));
	assert_false(begin(0, &lower));
	change(1);
	sim_advance(partition, CHANGE_NS);
	change(0);
}

static void a_turn_is_not_reserved_for_a_vtl_that_does_not_retry(void **state)
{
	struct memory_turn lower, turn;

	atomic_fetch_or(&partition->enabled_vtls, vtl_bit(2));
	assert_true(begin(0, &lower));
	assert_false(begin(1, &turn));
	memory_turn_end(partition, &lower);
	sim_advance(partition, turn.retry_at - vp_tsc(partition));
	assert_false(begin(0, &lower));
	sim_advance(partition, 1000000);
	change(0);
}

/* Writes of the TSC update the reference TSC page with the partition's lock held. */
static void p32_writes_of_the_tsc_take_turns(void **state)
{
	static const uint32_t msr[] = {X64_MSR_TSC, X64_MSR_TSC_ADJUST};

	for (size_t i = 0; i < sizeof(msr) / sizeof(msr[0]); i++) {
		const uint64_t begun = vp_tsc(partition);

		change(0);
		wrmsr(vp, msr[i], 12345);
		assert_true(vp_tsc(partition) >= begun + 2 * CHANGE_NS);
		sim_advance(partition, 1000000);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(p32_the_highest_vtl_does_not_wait_for_a_turn),
		TEST(p32_each_change_of_a_lower_vtl_is_followed_by_a_pause),
		TEST(p32_vtl0_gets_no_turn_while_vtl1_waits_for_one),
		TEST(a_turn_is_not_reserved_for_a_vtl_that_does_not_retry),
		TEST(p32_writes_of_the_tsc_take_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
