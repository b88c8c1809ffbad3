/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VPs of a lower VTL that change overlays all the time must not delay hypercalls of a higher VTL (P32). Each
 * change takes milliseconds here, like system calls that wait for vCPUs.
 */
#include "core_test.h"

#include "core/memory/turn.h"
#include "core/vp/request.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define MOVERS	  6u
#define CHANGE_NS 3000000
#define WATCH_NS  UINT64_C(1500000000)
/* The bound is one change, but the threads may wait for a CPU of the host. */
#define LONGEST_NS UINT64_C(400000000)
#define PAGES	   0x200000u
#define INPUT	   0x300000u

struct world {
	struct vsm_partition *partition;
	struct backend_ops slow;
	const struct backend_ops *fast;
	atomic_bool stop;
	_Atomic uint32_t moves;
	_Atomic uint64_t longest_move;
};

static struct world world;

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void spend(void)
{
	nanosleep(&(struct timespec){.tv_nsec = CHANGE_NS}, NULL);
}

static int slow_map(void *backend, uint8_t vtl, uint64_t gpn, uint32_t page, uint8_t access)
{
	spend();
	return world.fast->overlay_map(backend, vtl, gpn, page, access);
}

/* The sim backend's clock does not advance by itself: use the host's, in the same unit, nanoseconds. */
static uint64_t real_tsc(void *backend)
{
	return clock_ns();
}

/* Returns before the deadline, which a backend may do. */
static int short_wait(void *vp, uint64_t deadline)
{
	nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
	return 0;
}

static void create(uint32_t vps)
{
	static const struct sim_options options = {.threads = true};

	world = (struct world){.partition = guest_partition(vps, 1, RAM, &options)};
	guest_enable_vtl(world.partition, 1);
	world.fast = world.partition->ops;
	world.slow = *world.fast;
	world.slow.overlay_map = slow_map;
	world.slow.tsc = real_tsc;
	world.slow.vp_wait = short_wait;
	world.partition->ops = &world.slow;
}

static void destroy(void)
{
	world.partition->ops = world.fast;
	vsm_partition_destroy(world.partition);
}

/* Runs an instruction that waits for its turn until it completes. */
static void finish(struct vsm_vp *vp, enum guest_outcome outcome)
{
	while (outcome == GUEST_STOPPED && !atomic_load(&world.stop)) {
		guest_run(vp);
		outcome = sim_state(vp, 0)->done ? GUEST_DONE : GUEST_STOPPED;
	}
}

static void *move_overlay(void *opaque)
{
	struct vsm_vp *vp = opaque;

	for (uint64_t i = 0; !atomic_load(&world.stop); i++) {
		uint64_t gpa = PAGES + 0x10000u * vp->index + 0x1000u * (i & 1);
		uint64_t begin = clock_ns(), took;

		finish(vp, guest_wrmsr(vp, HV_X64_MSR_SIMP, gpa | 1));
		took = clock_ns() - begin;
		atomic_fetch_add(&world.moves, 1);
		if (took > atomic_load(&world.longest_move))
			atomic_store(&world.longest_move, took);
	}
	return NULL;
}

static uint64_t timed_call(struct vsm_vp *vp)
{
	struct {
		uint64_t partition_id;
		uint32_t vp_index;
		uint32_t input_vtl;
		uint32_t name[2];
	} input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = HV_VP_INDEX_SELF,
		.name = {HV_REGISTER_VSM_VP_STATUS},
	};
	uint64_t begin = clock_ns(), result = 1;

	memcpy(guest_ram(world.partition, INPUT), &input, sizeof(input));
	assert_int_equal(guest_hypercall(vp, HV_CALL_GET_VP_REGISTERS | UINT64_C(1) << 32, INPUT,
					 INPUT + 0x1000, &result),
			 GUEST_DONE);
	assert_int_equal((uint16_t)result, HV_STATUS_SUCCESS);
	return clock_ns() - begin;
}

static void p32_overlays_that_move_all_the_time_delay_vtl1_by_one_change_at_most(void **state)
{
	pthread_t thread[MOVERS];
	struct vsm_vp *vp;
	uint64_t begin, longest = 0;
	uint32_t calls = 0;

	create(MOVERS + 1);
	vp = vsm_partition_vp(world.partition, MOVERS);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	for (uint32_t i = 0; i < MOVERS; i++)
		pthread_create(&thread[i], NULL, move_overlay,
			       vsm_partition_vp(world.partition, i));
	begin = clock_ns();
	for (; clock_ns() - begin < WATCH_NS; calls++) {
		uint64_t took = timed_call(vp);

		longest = took > longest ? took : longest;
	}
	atomic_store(&world.stop, true);
	for (uint32_t i = 0; i < MOVERS; i++) {
		vsm_vp_kick(vsm_partition_vp(world.partition, i));
		pthread_join(thread[i], NULL);
	}
	print_message("# %u calls of VTL1, the longest %llu us; %u moves\n", calls,
		      (unsigned long long)longest / 1000, atomic_load(&world.moves));
	assert_true(longest < LONGEST_NS);
	/* VTL0 makes progress, too, but changes overlays for about half of the time at most. */
	assert_true(atomic_load(&world.moves) > 20);
	assert_true(atomic_load(&world.moves) < WATCH_NS / CHANGE_NS * 2 / 3);
	destroy();
}

static void count(struct vsm_vp *vp, void *argument)
{
	++*(uint32_t *)argument;
}

static void a_vp_that_waits_for_its_turn_serves_requests(void **state)
{
	struct vsm_vp *vp;
	struct memory_turn turn;
	pthread_t thread;
	uint32_t served = 0;

	create(2);
	vp = vsm_partition_vp(world.partition, 0);
	/* Another VP has the turn until this test ends it. */
	assert_true(memory_turn_begin(world.partition, 0, &turn));
	pthread_create(&thread, NULL, move_overlay, vp);
	for (uint32_t i = 0; i < 50; i++)
		assert_true(vp_call(NULL, vp, count, &served));
	assert_int_equal(served, 50);
	assert_int_equal(atomic_load(&world.moves), 0);
	memory_turn_end(world.partition, &turn);
	while (atomic_load(&world.moves) == 0)
		spend();
	atomic_store(&world.stop, true);
	vsm_vp_kick(vp);
	pthread_join(thread, NULL);
	destroy();
}

static void only_vtls_below_the_highest_wait_for_a_turn(void **state)
{
	struct memory_turn first, second;

	create(1);
	assert_true(memory_turn_begin(world.partition, 0, &first));
	assert_false(memory_turn_begin(world.partition, 0, &second));
	assert_true(second.retry_at > vp_tsc(world.partition));
	/* The highest VTL takes no turns. */
	assert_true(memory_turn_begin(world.partition, 1, &second));
	assert_false(second.held);
	spend();
	memory_turn_end(world.partition, &first);
	/* The pause is as long as the change was. */
	assert_false(memory_turn_begin(world.partition, 0, &second));
	assert_true(second.retry_at - first.begun >= 2 * (uint64_t)CHANGE_NS);
	destroy();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			p32_overlays_that_move_all_the_time_delay_vtl1_by_one_change_at_most),
		cmocka_unit_test(a_vp_that_waits_for_its_turn_serves_requests),
		cmocka_unit_test(only_vtls_below_the_highest_wait_for_a_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
