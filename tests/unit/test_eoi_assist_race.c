/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EOI assist while other threads send interrupts: a guest that follows the TLFS gets each of them, although
 * it skips EOIs and its processor spins without exits when it has nothing to do.
 */
#include "core_test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define ROUNDS	4000u
#define SENDERS 3u
#define SECONDS 60

static const uint8_t vector_of[SENDERS] = {0x41, 0x61, 0x81};

struct world {
	struct vsm_vp *vp;
	uint32_t *assist;
	uint8_t handler[SENDERS]; /* vectors whose handlers run, the innermost last */
	unsigned int depth;
	uint64_t random;
	uint32_t skipped;
	uint32_t eois;
	atomic_bool kicked;
	atomic_bool stop;
	atomic_uint delivered[SENDERS];
	atomic_uint finished;
};

static struct world world;

static uint32_t below(uint32_t bound)
{
	world.random = world.random * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(world.random >> 33) % bound;
}

static void begin_handler(uint8_t vector)
{
	for (unsigned int i = 0; i < SENDERS; i++)
		if (vector_of[i] == vector)
			atomic_fetch_add(&world.delivered[i], 1);
	world.handler[world.depth++] = vector;
}

/* The innermost handler ends. True: the guest exits with an EOI. */
static bool end_handler(struct backend_run *run)
{
	world.depth--;
	if (__atomic_exchange_n(world.assist, 0, __ATOMIC_ACQ_REL) &
	    HV_APIC_ASSIST_NO_EOI_REQUIRED) {
		world.skipped++;
		return false;
	}
	world.eois++;
	run->exit = BACKEND_EXIT_MSR_WRITE;
	run->msr.index = HV_X64_MSR_EOI;
	run->msr.data = 0;
	return true;
}

/* The guest: its handlers take a random time and exit for other reasons; without one it spins. */
static int spin(void *opaque, struct backend_run *run)
{
	if (run->inject >= 0 && world.depth == SENDERS)
		return -EINVAL; /* a vector whose handler runs was injected again */
	if (run->inject >= 0)
		begin_handler((uint8_t)run->inject);
	for (;;) {
		if (atomic_exchange(&world.kicked, false)) {
			run->exit = BACKEND_EXIT_INTERRUPTED;
			return 0;
		}
		if (world.depth && !below(4) && end_handler(run))
			return 0;
		if (world.depth && !below(8)) {
			run->exit = BACKEND_EXIT_MSR_READ;
			run->msr.index = HV_X64_MSR_TIME_REF_COUNT;
			return 0;
		}
		if (run->interrupt_window) {
			run->exit = BACKEND_EXIT_WINDOW;
			return 0;
		}
		if (atomic_load(&world.stop)) {
			run->exit = BACKEND_EXIT_YIELD;
			return 0;
		}
		sched_yield();
	}
}

static int answer(void *opaque, struct backend_run *run, enum backend_answer answer)
{
	return 0;
}

static void kick(void *opaque)
{
	atomic_store(&world.kicked, true);
}

static void *run_guest(void *opaque)
{
	const struct vsm_exit *exit;

	vsm_vp_run(world.vp, &exit);
	return NULL;
}

/* Sends one interrupt at a time, so that none merge. */
static void *send(void *opaque)
{
	const unsigned int sender = (unsigned int)(uintptr_t)opaque;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		interrupt_post(world.vp, 0, vector_of[sender], VSM_LAPIC_EDGE);
		while (atomic_load(&world.delivered[sender]) == i) {
			if (atomic_load(&world.stop))
				return NULL;
			sched_yield();
		}
	}
	atomic_fetch_add(&world.finished, 1);
	return NULL;
}

static void no_interrupt_is_lost_when_eois_are_skipped(void **state)
{
	struct vsm_partition *partition =
		guest_partition(1, 0, RAM, &(struct sim_options){.threads = true});
	const time_t end = time(NULL) + SECONDS;
	struct backend_ops ops = sim_ops;
	pthread_t guest, sender[SENDERS];

	world = (struct world){.vp = vsm_partition_vp(partition, 0), .random = 1};
	world.assist = (uint32_t *)(void *)enable_assist(world.vp);
	ops.vp_run = spin;
	ops.vp_kick = kick;
	ops.vp_answer = answer;
	partition->ops = &ops;
	pthread_create(&guest, NULL, run_guest, NULL);
	for (uintptr_t i = 0; i < SENDERS; i++)
		pthread_create(&sender[i], NULL, send, (void *)i);
	while (atomic_load(&world.finished) < SENDERS && time(NULL) < end)
		sched_yield();
	atomic_store(&world.stop, true);
	for (unsigned int i = 0; i < SENDERS; i++)
		pthread_join(sender[i], NULL);
	pthread_join(guest, NULL);
	assert_int_equal(atomic_load(&world.finished), SENDERS);
	assert_true(world.skipped > 0);
	assert_true(world.eois > 0);
	assert_true(world.skipped + world.eois + world.depth >= SENDERS * ROUNDS);
	partition->ops = &sim_ops;
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_interrupt_is_lost_when_eois_are_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
