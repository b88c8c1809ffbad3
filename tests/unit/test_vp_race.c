/* SPDX-License-Identifier: BSD-2-Clause */
/* VPs on their own threads, also under ThreadSanitizer. */
#include "core_test.h"

#include "core/vp/request.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define ROUNDS 300u
#define PAGE   0x200000u

struct world {
	struct vsm_partition *partition;
	atomic_bool stop;
	atomic_uint ready;
	pthread_barrier_t start;
};

static const struct sim_options threads = {.threads = true};

/* An endless wait fails the test with its condition instead of a timeout of the test. */
static time_t deadline(void)
{
	return time(NULL) + 300;
}

#define WAIT_UNTIL(condition)                                      \
	do {                                                       \
		time_t end_ = deadline();                          \
		while (!(condition)) {                             \
			if (time(NULL) > end_)                     \
				fail_msg("never: %s", #condition); \
			sched_yield();                             \
		}                                                  \
	} while (0)

struct requester {
	struct world *world;
	uint32_t index;
	uint32_t failures;
	pthread_t thread;
};

/* A separate input page for each VP, since guest_call() uses one for all. */
static uint64_t call_at(struct vsm_vp *vp, uint64_t gpa, uint64_t control, const void *input,
			size_t size)
{
	uint64_t result = 0;
	enum guest_outcome outcome;

	memcpy(guest_ram(vp->partition, gpa), input, size);
	outcome = guest_hypercall(vp, control, gpa, gpa + 0x1000, &result);
	while (outcome == GUEST_STOPPED) {
		guest_run(vp);
		outcome = sim_state(vp, vp->active_vtl)->done ? GUEST_DONE : GUEST_STOPPED;
		result = guest_gpr(vp, vp->active_vtl, GPR_RAX);
	}
	return outcome == GUEST_DONE ? result : UINT64_MAX;
}

struct get_input {
	uint64_t partition_id;
	uint32_t vp_index;
	uint8_t input_vtl;
	uint8_t reserved[3];
	uint32_t name[2];
};

/* VTL1 of each VP reads registers of VTL0 of the next, all at once. */
static void *read_registers(void *opaque)
{
	struct requester *asker = opaque;
	struct vsm_partition *partition = asker->world->partition;
	struct vsm_vp *vp = vsm_partition_vp(partition, asker->index);
	uint64_t gpa = 0x100000 + 0x4000 * asker->index;
	struct get_input input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = (asker->index + 1) % partition->vp_count,
		.input_vtl = HV_INPUT_VTL_USE_TARGET,
		.name = {HV_X64_REGISTER_RIP, HV_X64_REGISTER_RFLAGS},
	};

	pthread_barrier_wait(&asker->world->start);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t result = call_at(vp, gpa, HV_CALL_GET_VP_REGISTERS | UINT64_C(2) << 32,
					  &input, sizeof(input));

		if ((uint16_t)result != 0 || (result >> 32 & 0xfff) != 2)
			asker->failures++;
	}
	/* Other VPs may still send requests to this one. */
	atomic_fetch_add(&asker->world->ready, 1);
	while (atomic_load(&asker->world->ready) < partition->vp_count)
		guest_nop(vp);
	return NULL;
}

static void requests_of_vps_to_each_other_all_complete(void **state)
{
	struct world world = {.partition = guest_partition(3, 1, 16u << 20, &threads)};
	struct requester asker[3];

	guest_enable_vtl(world.partition, 1);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(guest_vtl_call(vsm_partition_vp(world.partition, i)), GUEST_DONE);
	pthread_barrier_init(&world.start, NULL, 3);
	for (uint32_t i = 0; i < 3; i++) {
		asker[i] = (struct requester){.world = &world, .index = i};
		pthread_create(&asker[i].thread, NULL, read_registers, &asker[i]);
	}
	for (uint32_t i = 0; i < 3; i++) {
		pthread_join(asker[i].thread, NULL);
		assert_int_equal(asker[i].failures, 0);
	}
	pthread_barrier_destroy(&world.start);
	vsm_partition_destroy(world.partition);
}

static void count_call(struct vsm_vp *vp, void *argument)
{
	unsigned int *counter = argument;

	++*counter;
}

struct host {
	struct vsm_vp *vp;
	atomic_bool stop;
	uint32_t busy;
};

static void *run_often(void *opaque)
{
	struct host *host = opaque;
	const struct vsm_exit *exit;

	while (!atomic_load(&host->stop))
		if (vsm_vp_run(host->vp, &exit) != 0)
			host->busy++;
	return NULL;
}

static void a_thread_that_acts_for_a_vp_causes_no_error_of_its_own_thread(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, &threads);
	struct host host = {.vp = vsm_partition_vp(partition, 0)};
	unsigned int calls = 0;
	pthread_t thread;

	pthread_create(&thread, NULL, run_often, &host);
	for (unsigned int i = 0; i < 10 * ROUNDS; i++)
		vp_call(NULL, host.vp, count_call, &calls);
	atomic_store(&host.stop, true);
	vsm_vp_kick(host.vp);
	pthread_join(thread, NULL);
	assert_int_equal(calls, 10 * ROUNDS);
	assert_int_equal(host.busy, 0);
	vsm_partition_destroy(partition);
}

struct chain {
	struct vsm_vp *from;
	struct vsm_vp *to;
	unsigned int calls;
	atomic_bool done;
};

static void *call_from(void *opaque)
{
	struct chain *chain = opaque;

	assert_int_equal(vp_own(chain->from), 0);
	vp_call(chain->from, chain->to, count_call, &chain->calls);
	vp_disown(chain->from, false);
	atomic_store(&chain->done, true);
	return NULL;
}

/*
 * VP A waits for VP B, whose VMM delays the completion of an exit. A must serve a request of the VMM without
 * waiting for B.
 */
static void a_vp_that_waits_serves_requests(void **state)
{
	struct vsm_partition *partition = guest_partition(2, 1, RAM, &threads);
	struct chain chain = {.from = vsm_partition_vp(partition, 0),
			      .to = vsm_partition_vp(partition, 1)};
	const struct vsm_exit *exit;
	unsigned int calls = 0;
	pthread_t thread;

	sim_next(chain.to, 0, &(struct sim_action){.kind = SIM_IN, .address = 0x60, .size = 1});
	assert_int_equal(vsm_vp_run(chain.to, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_IO);
	pthread_create(&thread, NULL, call_from, &chain);
	WAIT_UNTIL(atomic_load(&chain.to->request_waiting));
	vp_query(NULL, chain.from, count_call, &calls);
	assert_int_equal(calls, 1);
	assert_false(atomic_load(&chain.done));
	guest_run(chain.to);
	pthread_join(thread, NULL);
	assert_int_equal(chain.calls, 1);
	vsm_partition_destroy(partition);
}

static void *spin(void *opaque)
{
	struct requester *asker = opaque;
	struct vsm_vp *vp = vsm_partition_vp(asker->world->partition, asker->index);

	atomic_fetch_add(&asker->world->ready, 1);
	while (!atomic_load(&asker->world->stop)) {
		if (!(atomic_load(&vp->enabled_vtls) & vtl_bit(vp->active_vtl)))
			asker->failures++;
		if (guest_do(vp, (struct sim_action){.kind = SIM_NOP}, NULL) == GUEST_FAULT)
			asker->failures++;
	}
	return NULL;
}

static void p01_a_vtl_is_enabled_on_a_vp_that_runs(void **state)
{
	for (unsigned int i = 0; i < 10; i++) {
		struct world world = {.partition = guest_partition(2, 1, RAM, &threads)};
		struct vsm_vp *vp = vsm_partition_vp(world.partition, 0);
		struct vsm_vp *other = vsm_partition_vp(world.partition, 1);
		struct requester spinner = {.world = &world, .index = 1};

		pthread_create(&spinner.thread, NULL, spin, &spinner);
		WAIT_UNTIL(atomic_load(&world.ready));
		assert_int_equal(enable_partition(vp, 1, 0), 0);
		assert_int_equal(enable_vp(vp, 0, 1), 0);
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		assert_int_equal(enable_vp(vp, 1, 1), 0);
		assert_int_equal(atomic_load(&other->enabled_vtls), 3);
		assert_int_equal(atomic_load(&vp->enabled_vtls), 3);
		interrupt_post(other, 1, 0x40, VSM_LAPIC_EDGE);
		atomic_store(&world.stop, true);
		pthread_join(spinner.thread, NULL);
		guest_run(other);
		assert_int_equal(other->active_vtl, 1);
		assert_int_equal(spinner.failures, 0);
		vsm_partition_destroy(world.partition);
	}
}

static void a_vp_that_runs_is_started_again(void **state)
{
	struct world world = {.partition = guest_partition(2, 1, RAM, &threads)};
	struct vsm_vp *vp = vsm_partition_vp(world.partition, 0);
	struct vsm_vp *other = vsm_partition_vp(world.partition, 1);
	struct requester spinner = {.world = &world, .index = 1};

	pthread_create(&spinner.thread, NULL, spin, &spinner);
	WAIT_UNTIL(atomic_load(&world.ready));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct hv_initial_vp_context context =
			guest_context(0x1000000 + 0x100000 * i, 0x7000);

		assert_int_equal(context_call(vp, HV_CALL_START_VIRTUAL_PROCESSOR, 1, 0, &context),
				 0);
	}
	atomic_store(&world.stop, true);
	pthread_join(spinner.thread, NULL);
	assert_true(vcpu_get(other, 0, VCPU_GPR)->rip >= 0x1000000 + 0x100000 * (ROUNDS - 1));
	assert_int_equal(spinner.failures, 0);
	vsm_partition_destroy(world.partition);
}

struct halter {
	struct vsm_vp *vp;
	atomic_uint seen;
	atomic_bool stop;
	pthread_t thread;
};

/*
 * Sleeps, counts the interrupts that end the sleep, and completes each. VTL0 sleeps with IF clear, since
 * otherwise an interrupt could be delivered between the check and the sleep.
 */
static void *idle_and_count(void *opaque)
{
	struct halter *halter = opaque;
	struct vsm_vp *vp = halter->vp;

	while (!atomic_load(&halter->stop)) {
		uint64_t value;

		set_if(vp, 0, false);
		if (vsm_lapic_highest_isr(&vp->vtl[vp->active_vtl].lapic) >= 0)
			guest_wrmsr(vp, HV_X64_MSR_EOI, 0);
		else if (vp->active_vtl == 1)
			guest_vtl_return(vp, true); /* into VTL0, which still sleeps */
		else if (vsm_lapic_pending(&vp->vtl[0].lapic) < 0)
			guest_rdmsr(vp, HV_X64_MSR_GUEST_IDLE, &value);
		set_if(vp, 0, true);
		if (vp->active_vtl == 0)
			guest_nop(vp);
		atomic_store(&halter->seen,
			     sim_state(vp, 0)->interrupts + sim_state(vp, 1)->interrupts);
	}
	return NULL;
}

/* P13, P14: sends one interrupt at a time, so that none merge; after a lost one the test would wait forever. */
static void p13_no_interrupt_for_a_vp_that_sleeps_is_lost(void **state)
{
	struct vsm_partition *partition = guest_partition(2, 1, RAM, &threads);
	struct halter halter = {.vp = vsm_partition_vp(partition, 1)};

	guest_enable_vtl(partition, 1);
	set_if(halter.vp, 1, true);
	pthread_create(&halter.thread, NULL, idle_and_count, &halter);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		interrupt_post(halter.vp, i & 1, (uint8_t)(0x40 + i % 100), VSM_LAPIC_EDGE);
		WAIT_UNTIL(atomic_load(&halter.seen) == i + 1);
	}
	atomic_store(&halter.stop, true);
	vsm_vp_kick(halter.vp);
	interrupt_post(halter.vp, 0, 0xf0, VSM_LAPIC_EDGE);
	pthread_join(halter.thread, NULL);
	vsm_partition_destroy(partition);
}

struct poster {
	struct vsm_partition *partition;
	unsigned int posted;
	pthread_t thread;
};

static void *post_messages(void *opaque)
{
	struct poster *poster = opaque;
	struct hv_message message = {.message_type = 1, .payload_size = 8};

	while (poster->posted < 4 * ROUNDS) {
		message.payload[0] = poster->posted;
		if (vsm_message_post(poster->partition, 0, 0, 3, &message) == 0)
			poster->posted++;
		else
			sched_yield();
	}
	return NULL;
}

/* Only a kick ends this sleep. The sim's own wait checks once a millisecond, which would hide a lost kick. */
static atomic_bool kicked;

static void kick_sleeper(void *vp)
{
	atomic_store(&kicked, true);
	sim_ops.vp_kick(vp);
}

static int sleep_until_kicked(void *vp, uint64_t tsc)
{
	WAIT_UNTIL(atomic_exchange(&kicked, false));
	return 0;
}

/* Enters VTL1, returns, and sleeps until VTL0 has accepted one interrupt. */
static void *enter_vtl1_and_count(void *opaque)
{
	struct halter *halter = opaque;
	struct vsm_vp *vp = halter->vp;

	while (!atomic_load(&halter->stop)) {
		uint64_t value;

		set_if(vp, 0, false);
		guest_vtl_call(vp);
		for (unsigned int i = 0; i < 4; i++)
			guest_nop(vp);
		guest_vtl_return(vp, true);
		if (vsm_lapic_pending(&vp->vtl[0].lapic) < 0)
			guest_rdmsr(vp, HV_X64_MSR_GUEST_IDLE, &value);
		set_if(vp, 0, true);
		guest_nop(vp);
		guest_wrmsr(vp, HV_X64_MSR_EOI, 0);
		atomic_store(&halter->seen, sim_state(vp, 0)->interrupts);
	}
	return NULL;
}

/* P14: an interrupt for VTL0 does not stop VTL1, but must wake the VP when VTL0 sleeps. */
static void p14_no_interrupt_is_lost_during_a_vtl_return(void **state)
{
	struct vsm_partition *partition = guest_partition(2, 1, RAM, &threads);
	struct halter halter = {.vp = vsm_partition_vp(partition, 1)};
	struct backend_ops ops = sim_ops;

	ops.vp_kick = kick_sleeper;
	ops.vp_wait = sleep_until_kicked;
	guest_enable_vtl(partition, 1);
	partition->ops = &ops;
	pthread_create(&halter.thread, NULL, enter_vtl1_and_count, &halter);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		interrupt_post(halter.vp, 0, (uint8_t)(0x40 + i % 100), VSM_LAPIC_EDGE);
		WAIT_UNTIL(atomic_load(&halter.seen) == i + 1);
	}
	atomic_store(&halter.stop, true);
	interrupt_post(halter.vp, 0, 0xf0, VSM_LAPIC_EDGE);
	pthread_join(halter.thread, NULL);
	vsm_partition_destroy(partition);
}

static void posted_messages_are_delivered_once_and_in_order(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, &threads);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct poster poster = {.partition = partition};
	time_t end = deadline();
	uint64_t value;

	enable_synic(vp, 3, 0x70 | HV_SYNIC_SINT_AUTO_EOI);
	pthread_create(&poster.thread, NULL, post_messages, &poster);
	for (unsigned int next = 0; next < 4 * ROUNDS;) {
		assert_true(time(NULL) < end);
		assert_int_equal(guest_read(vp, SIM_GPA(0) + 256 * 3, 4, &value), GUEST_DONE);
		if (value == 0)
			continue;
		assert_int_equal(guest_read(vp, SIM_GPA(0) + 256 * 3 + 16, 8, &value), GUEST_DONE);
		assert_int_equal(value, next++);
		assert_int_equal(guest_write(vp, SIM_GPA(0) + 256 * 3, 4, 0), GUEST_DONE);
		if (next & 1)
			assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_EOM, 0), GUEST_DONE);
	}
	pthread_join(poster.thread, NULL);
	vsm_partition_destroy(partition);
}

struct writer {
	struct vsm_vp *vp;
	atomic_uint written;
	atomic_bool stop;
	pthread_t thread;
};

/* VTL0 increments a value in a page while it may; an intercept enters VTL1, which returns at once. */
static void *write_often(void *opaque)
{
	struct writer *writer = opaque;

	for (unsigned int i = 1; !atomic_load(&writer->stop); i++) {
		if (writer->vp->active_vtl == 1) {
			guest_vtl_return(writer->vp, true);
			continue;
		}
		guest_write(writer->vp, PAGE, 4, i);
		atomic_store(&writer->written, i);
	}
	return NULL;
}

/* shows: hypercall HvCallModifyVtlProtectionMask; rule protect-modify */
static void no_write_takes_place_after_a_protection_has_returned(void **state)
{
	struct vsm_partition *partition = guest_partition(2, 1, RAM, &threads);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct writer writer = {.vp = vsm_partition_vp(partition, 1)};
	uint32_t *page = (uint32_t *)(void *)guest_ram(partition, PAGE);

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_PARTITION_CONFIG, 0x3f), 0);
	pthread_create(&writer.thread, NULL, write_often, &writer);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint32_t seen;

		assert_int_equal(guest_protect(vp, 0, MAP_READ_EXECUTE, PAGE), 0);
		seen = __atomic_load_n(page, __ATOMIC_SEQ_CST);
		for (unsigned int j = 0; j < 20; j++) {
			sched_yield();
			assert_int_equal(__atomic_load_n(page, __ATOMIC_SEQ_CST), seen);
		}
		assert_int_equal(guest_protect(vp, 0, MAP_ALL, PAGE), 0);
		seen = atomic_load(&writer.written);
		WAIT_UNTIL(atomic_load(&writer.written) != seen);
	}
	atomic_store(&writer.stop, true);
	pthread_join(writer.thread, NULL);
	vsm_partition_destroy(partition);
}

static void flushes_of_a_vp_that_runs_return_and_are_made(void **state)
{
	struct world world = {.partition = guest_partition(2, 1, RAM, &threads)};
	struct vsm_vp *vp = vsm_partition_vp(world.partition, 0);
	struct requester spinner = {.world = &world, .index = 1};
	struct hv_flush_virtual_address_input flush = {.processor_mask = 2};

	pthread_create(&spinner.thread, NULL, spin, &spinner);
	WAIT_UNTIL(atomic_load(&world.ready));
	for (unsigned int i = 0; i < ROUNDS; i++)
		assert_int_equal((uint16_t)guest_call(vp, HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE,
						      &flush, sizeof(flush), NULL, 0),
				 0);
	atomic_store(&world.stop, true);
	pthread_join(spinner.thread, NULL);
	guest_nop(vsm_partition_vp(world.partition, 1));
	assert_true(sim_state(vsm_partition_vp(world.partition, 1), 0)->tlb_flushes > 0);
	vsm_partition_destroy(world.partition);
}

struct flusher {
	struct vsm_vp *vp;
	atomic_uint flushes;
	unsigned int wanted;
	pthread_t thread;
};

static void *flush_often(void *opaque)
{
	struct flusher *flusher = opaque;
	struct hv_flush_virtual_address_input flush = {.processor_mask = 1};

	while (atomic_load(&flusher->flushes) < flusher->wanted) {
		if ((uint16_t)call_at(flusher->vp, 0x180000, HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE,
				      &flush, sizeof(flush)) == 0)
			atomic_fetch_add(&flusher->flushes, 1);
	}
	return NULL;
}

/* shows: rule secure-config-tlb */
static void p09_a_tlb_lock_blocks_a_flush_until_it_is_released(void **state)
{
	struct vsm_partition *partition = guest_partition(2, 1, RAM, &threads);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct flusher flusher = {.vp = vsm_partition_vp(partition, 1), .wanted = 50};

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL0, 2), 0);
	pthread_create(&flusher.thread, NULL, flush_often, &flusher);
	for (unsigned int i = 0; i < flusher.wanted; i++) {
		unsigned int before;

		/* The lock is held: at most the current flush completes. */
		WAIT_UNTIL(atomic_load(&flusher.vp->partition->vp[1]->exits) > 0);
		sched_yield();
		before = atomic_load(&flusher.flushes);
		for (unsigned int j = 0; j < 50; j++)
			sched_yield();
		assert_true(atomic_load(&flusher.flushes) <= before + 1);
		assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
		WAIT_UNTIL(atomic_load(&flusher.flushes) > before ||
			   atomic_load(&flusher.flushes) == flusher.wanted);
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		assert_int_equal(
			guest_set_register(vp, 0, 0, HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL0, 2), 0);
	}
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	pthread_join(flusher.thread, NULL);
	vsm_partition_destroy(partition);
}

/* shows: rule one-active-vtl */
static void p26_one_vtl_at_a_time(void **state)
{
	struct world world = {.partition = guest_partition(2, 2, RAM, &threads)};
	struct vsm_vp *other = vsm_partition_vp(world.partition, 1);
	struct requester spinner = {.world = &world, .index = 1};
	unsigned int calls = 0;

	guest_enable_vtl(world.partition, 1);
	assert_int_equal(guest_vtl_call(vsm_partition_vp(world.partition, 0)), GUEST_DONE);
	guest_enable_vtl(world.partition, 2);
	pthread_create(&spinner.thread, NULL, spin, &spinner);
	WAIT_UNTIL(atomic_load(&world.ready));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		interrupt_post(other, i % 3, (uint8_t)(0x20 + i % 200), VSM_LAPIC_EDGE);
		vsm_vp_kick(other);
		vp_call(NULL, other, count_call, &calls);
	}
	atomic_store(&world.stop, true);
	pthread_join(spinner.thread, NULL);
	assert_int_equal(spinner.failures, 0);
	assert_int_equal(calls, ROUNDS);
	vsm_partition_destroy(world.partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_of_vps_to_each_other_all_complete),
		cmocka_unit_test(a_thread_that_acts_for_a_vp_causes_no_error_of_its_own_thread),
		cmocka_unit_test(a_vp_that_waits_serves_requests),
		cmocka_unit_test(p01_a_vtl_is_enabled_on_a_vp_that_runs),
		cmocka_unit_test(a_vp_that_runs_is_started_again),
		cmocka_unit_test(p13_no_interrupt_for_a_vp_that_sleeps_is_lost),
		cmocka_unit_test(p14_no_interrupt_is_lost_during_a_vtl_return),
		cmocka_unit_test(posted_messages_are_delivered_once_and_in_order),
		cmocka_unit_test(no_write_takes_place_after_a_protection_has_returned),
		cmocka_unit_test(flushes_of_a_vp_that_runs_return_and_are_made),
		cmocka_unit_test(p09_a_tlb_lock_blocks_a_flush_until_it_is_released),
		cmocka_unit_test(p26_one_vtl_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
