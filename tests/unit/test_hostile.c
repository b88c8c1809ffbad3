/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of lower VTLs that must not affect higher ones, and unusual calls of the VMM. */
#include "core_test.h"

#include "core/interrupt/connection.h"
#include "sim/sim_internal.h"
#include "needs.h"
#include "vp_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define WAIT_UNTIL(condition)                                      \
	do {                                                       \
		time_t end_ = time(NULL) + 20;                     \
		while (!(condition)) {                             \
			if (time(NULL) > end_)                     \
				fail_msg("never: %s", #condition); \
			sched_yield();                             \
		}                                                  \
	} while (0)

static const struct sim_options threads = {.threads = true};

static void wait_for_in(struct vsm_vp *vp)
{
	const struct vsm_exit *exit;

	sim_next(vp, vp->active_vtl,
		 &(struct sim_action){.kind = SIM_IN, .address = 0x60, .size = 1});
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_IO);
}

struct runner {
	struct vsm_vp *vp;
	enum vsm_exit_reason reason;
	atomic_bool done;
	pthread_t thread;
};

static void *run_once(void *opaque)
{
	struct runner *runner = opaque;
	const struct vsm_exit *exit;

	if (vsm_vp_run(runner->vp, &exit) == 0)
		runner->reason = exit->reason;
	atomic_store(&runner->done, true);
	return NULL;
}

/* VP 1, whose exit is not completed, cannot answer VP 0's request for registers. The VMM must still
 * be able to stop VP 0. When both VPs run again, the hypercall is executed exactly once. */
static void a_vp_that_waits_for_another_can_be_stopped(void **state)
{
	struct vsm_partition *partition = guest_partition(2, 1, RAM, &threads);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct vsm_vp *other = vsm_partition_vp(partition, 1);
	struct runner runner = {.vp = vp, .reason = VSM_EXIT_ERROR};
	struct {
		struct hv_vp_registers_input header;
		uint32_t name[2];
	} input = {{.partition_id = HV_PARTITION_ID_SELF,
		    .vp_index = 1,
		    .input_vtl = HV_INPUT_VTL_USE_TARGET},
		   {HV_X64_REGISTER_RIP}};
	uint64_t rip;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	wait_for_in(other);
	memcpy(guest_ram(partition, 0x6000), &input, sizeof(input));
	guest_set_gpr(vp, 1, GPR_RCX, HV_CALL_GET_VP_REGISTERS | UINT64_C(1) << 32);
	guest_set_gpr(vp, 1, GPR_RDX, 0x6000);
	guest_set_gpr(vp, 1, GPR_R8, 0x7000);
	rip = vcpu_get(vp, 1, VCPU_GPR)->rip;
	sim_next(vp, 1, &(struct sim_action){.kind = SIM_HYPERCALL});
	pthread_create(&runner.thread, NULL, run_once, &runner);
	WAIT_UNTIL(atomic_load(&other->request_waiting));
	vsm_vp_kick(vp);
	WAIT_UNTIL(atomic_load(&runner.done));
	pthread_join(runner.thread, NULL);
	assert_int_equal(runner.reason, VSM_EXIT_INTERRUPTED);
	assert_int_equal(vcpu_get(vp, 1, VCPU_GPR)->rip, rip);
	assert_false(atomic_load(&other->request_waiting));
	guest_run(other);
	guest_run(vp);
	assert_int_equal(vcpu_get(vp, 1, VCPU_GPR)->rip, rip + SIM_INSTRUCTION_LENGTH);
	assert_int_equal(guest_gpr(vp, 1, GPR_RAX), hv_hypercall_result(HV_STATUS_SUCCESS, 1));
	vsm_partition_destroy(partition);
}

/* VP 1 cannot be started before its exit is completed. Meanwhile VTL1's configuration denies starts, which must
 * also apply to the pending one (P04). */
static void a_pending_start_is_denied_by_a_later_deny_lower_vtl_startup(void **state)
{
	struct vsm_partition *partition = guest_partition(3, 1, RAM, &threads);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct vsm_vp *other = vsm_partition_vp(partition, 1);
	struct runner runner = {.vp = vp, .reason = VSM_EXIT_ERROR};
	const struct hv_enable_vp_vtl_input input = {.partition_id = HV_PARTITION_ID_SELF,
						     .vp_index = 1,
						     .context = guest_context(0x30000, 0x9000)};

	guest_enable_vtl(partition, 1);
	wait_for_in(other);
	memcpy(guest_ram(partition, 0x6000), &input, sizeof(input));
	guest_set_gpr(vp, 0, GPR_RCX, HV_CALL_START_VIRTUAL_PROCESSOR);
	guest_set_gpr(vp, 0, GPR_RDX, 0x6000);
	guest_set_gpr(vp, 0, GPR_R8, 0);
	sim_next(vp, 0, &(struct sim_action){.kind = SIM_HYPERCALL});
	pthread_create(&runner.thread, NULL, run_once, &runner);
	WAIT_UNTIL(atomic_load(&other->request_waiting));
	host_set(vsm_partition_vp(partition, 2), 1, HV_REGISTER_VSM_PARTITION_CONFIG,
		 HV_VSM_PARTITION_CONFIG_DENY_LOWER_VTL_STARTUP | 0x1e);
	guest_run(other);
	WAIT_UNTIL(!atomic_load(&other->request_waiting));
	vsm_vp_kick(vp);
	pthread_join(runner.thread, NULL);
	assert_int_equal(guest_gpr(vp, 0, GPR_RAX), HV_STATUS_ACCESS_DENIED);
	assert_int_not_equal(vcpu_get(other, 0, VCPU_GPR)->rip, 0x30000);
	vsm_partition_destroy(partition);
}

static void set_rip(struct vsm_vp *vp, void *argument)
{
	atomic_bool *done = argument;

	vcpu_edit(vp, 0, VCPU_GPR)->rip = 0x123000;
	atomic_store(done, true);
}

struct requester {
	struct vsm_vp *vp;
	atomic_bool done;
	pthread_t thread;
};

static void *ask(void *opaque)
{
	struct requester *asker = opaque;

	vp_call(NULL, asker->vp, set_rip, &asker->done);
	return NULL;
}

/* A VMM that reads registers while it handles an exit must not execute requests that wait for the VP. */
static void a_read_of_registers_during_an_exit_executes_no_request(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 0, RAM, &threads);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct requester asker = {.vp = vp};
	const uint32_t name = HV_X64_REGISTER_RIP;
	union hv_register_value value;

	wait_for_in(vp);
	pthread_create(&asker.thread, NULL, ask, &asker);
	WAIT_UNTIL(atomic_load(&vp->request_waiting));
	assert_int_equal(vsm_vp_get_registers(vp, 0, &name, &value, 1), 1);
	assert_false(atomic_load(&asker.done));
	assert_int_not_equal(value.reg64, 0x123000);
	guest_run(vp);
	pthread_join(asker.thread, NULL);
	assert_true(atomic_load(&asker.done));
	assert_int_equal(vcpu_get(vp, 0, VCPU_GPR)->rip, 0x123000);
	vsm_partition_destroy(partition);
}

static void read_own_register(void *opaque, uint32_t id, uint32_t type, const void *data,
			      size_t size)
{
	struct vsm_vp *vp = opaque;
	const uint32_t name = HV_REGISTER_VP_INDEX;
	union hv_register_value value;

	assert_int_equal(vsm_vp_get_registers(vp, 0, &name, &value, 1), 1);
}

static void a_callback_may_read_registers_of_the_vp_that_signals(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 0, RAM, &threads);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct vsm_connection connection = {
		.id = 7, .kind = VSM_CONNECTION_EVENT, .fn = read_own_register, .opaque = vp};
	struct hv_signal_event_input input = {.connection_id = 7};

	assert_int_equal(vsm_connection_add(partition, &connection), 0);
	assert_int_equal(guest_call(vp, HV_CALL_SIGNAL_EVENT, &input, sizeof(input), NULL, 0), 0);
	vsm_partition_destroy(partition);
}

/* An instruction that waits for its data must not end after the registers were restored. */
static void a_restore_ends_an_exit_that_was_not_completed(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct sim_vp *cpu = vp->backend;
	struct guest_saved saved = {0};

	assert_int_equal(vsm_partition_save(partition, guest_save_write, &saved), 0);
	wait_for_in(vp);
	assert_true(cpu->answer_wanted);
	assert_int_equal(vsm_partition_restore(partition, saved.bytes, saved.size), 0);
	assert_false(cpu->answer_wanted);
	free(saved.bytes);
}

struct signaller {
	struct vsm_partition *partition;
	atomic_uint posts;
	atomic_bool stop;
	pthread_t thread[2];
};

static void be_slow(void *opaque, uint32_t id, uint32_t type, const void *data, size_t size)
{
	const struct timespec a_while = {.tv_nsec = 2000000};
	struct signaller *poster = opaque;

	atomic_fetch_add(&poster->posts, 1);
	nanosleep(&a_while, NULL);
}

static void *signal_often(void *opaque)
{
	struct signaller *poster = opaque;

	while (!atomic_load(&poster->stop) && atomic_load(&poster->posts) < 3000)
		connection_signal(poster->partition, 7, 0);
	return NULL;
}

static void a_connection_can_be_removed_while_threads_signal_it(void **state)
{
	struct signaller poster = {.partition = guest_partition(1, 0, RAM, &threads)};
	struct vsm_connection connection = {
		.id = 7, .kind = VSM_CONNECTION_EVENT, .fn = be_slow, .opaque = &poster};

	assert_int_equal(vsm_connection_add(poster.partition, &connection), 0);
	for (unsigned int i = 0; i < 2; i++)
		pthread_create(&poster.thread[i], NULL, signal_often, &poster);
	WAIT_UNTIL(atomic_load(&poster.posts) > 20);
	assert_int_equal(vsm_connection_remove(poster.partition, VSM_CONNECTION_EVENT, 7), 0);
	assert_true(atomic_load(&poster.posts) < 1000);
	atomic_store(&poster.stop, true);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(poster.thread[i], NULL);
	vsm_partition_destroy(poster.partition);
}

static void a_flush_of_vtl0_does_not_stop_a_vp_that_runs_vtl1(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct vsm_vp *other = vsm_partition_vp(partition, 1);
	struct sim_vp *cpu = other->backend;
	struct hv_flush_virtual_address_input input = {.processor_mask = 2};

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(other), GUEST_DONE);
	cpu->kicked = false;
	atomic_store(&other->flush_wanted, 0);
	/* As if the VP's thread were in the guest. */
	atomic_store(&other->in_guest, vtl_bit(1));
	assert_int_equal(
		guest_call(vp, HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE, &input, sizeof(input), NULL, 0),
		0);
	assert_false(cpu->kicked);
	assert_int_equal(atomic_load(&other->flush_wanted), vtl_bit(0));
	atomic_store(&other->in_guest, 0);
}

static void timers_of_vtl0_leave_vtl1_time_to_run(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	const uint64_t slice = partition->features.tsc_hz / 20000;

	guest_enable_vtl(partition, 1);
	for (uint32_t i = 0; i < 4; i++) {
		/* Direct mode, vector 0x50, periodic, enabled: every 20 us. */
		assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_STIMER0_COUNT + 2 * i, 200),
				 GUEST_DONE);
		assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_STIMER0_CONFIG + 2 * i, 0x1503),
				 GUEST_DONE);
	}
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	for (unsigned int i = 0; i < 10; i++) {
		assert_int_equal(guest_nop(vp), GUEST_DONE);
		assert_true(vp->run.deadline >= vp_tsc(partition) + slice);
		sim_advance(partition, 7000);
	}
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_STIMER0_COUNT, 200), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_STIMER0_CONFIG, 0x1503), GUEST_DONE);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_true(vp->run.deadline <= vp_tsc(partition) + 21000);
}

/* Another VP may be executing the page: writing the same value to the MSR must not write the page. */
static void an_enabled_hypercall_page_is_not_written_again(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	uint8_t *page;

	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_GUEST_OS_ID, 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_HYPERCALL, 0x80001), GUEST_DONE);
	page = partition->memory.overlay_page +
	       (size_t)partition->memory.overlay[0].entry[0].page * CORE_PAGE_SIZE;
	page[CORE_PAGE_SIZE - 1] = 0x5a;
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_HYPERCALL, 0x80001), GUEST_DONE);
	assert_int_equal(page[CORE_PAGE_SIZE - 1], 0x5a);
}

/* The MSR and the register have one value, and each VTL its own. */
/* shows: rule private-misc-enable; register HvX64RegisterMsrIa32MiscEnable */
static void misc_enable_is_one_value_for_msr_and_register_of_a_vtl(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	uint64_t value;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_rdmsr(vp, X64_MSR_MISC_ENABLE, &value), GUEST_DONE);
	assert_int_equal(value, host_get(vp, 0, HV_X64_REGISTER_MSR_IA32_MISC_ENABLE));
	assert_int_equal(guest_wrmsr(vp, X64_MSR_MISC_ENABLE, 0x41801), GUEST_DONE);
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_MSR_IA32_MISC_ENABLE), 0x41801);
	assert_int_equal(host_get(vp, 1, HV_X64_REGISTER_MSR_IA32_MISC_ENABLE), 0x1801);
	/* Defined bits are stored without effect; reserved bits raise #GP. */
	assert_int_equal(guest_wrmsr(vp, X64_MSR_MISC_ENABLE, UINT64_C(0x400c51889)), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, X64_MSR_MISC_ENABLE, UINT64_C(1) << 33), GUEST_FAULT);
	assert_int_equal(sim_state(vp, 0)->exception_vector, X64_EXCEPTION_GP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vp_that_waits_for_another_can_be_stopped),
		cmocka_unit_test(a_pending_start_is_denied_by_a_later_deny_lower_vtl_startup),
		cmocka_unit_test(a_read_of_registers_during_an_exit_executes_no_request),
		cmocka_unit_test(a_callback_may_read_registers_of_the_vp_that_signals),
		TEST_NEEDS_VP(NEED_SIM, a_restore_ends_an_exit_that_was_not_completed, 1, 1),
		cmocka_unit_test(a_connection_can_be_removed_while_threads_signal_it),
		TEST_NEEDS_VP(NEED_SIM, a_flush_of_vtl0_does_not_stop_a_vp_that_runs_vtl1, 2, 1),
		TEST(timers_of_vtl0_leave_vtl1_time_to_run, 1, 1),
		TEST(an_enabled_hypercall_page_is_not_written_again, 1, 0),
		TEST(misc_enable_is_one_value_for_msr_and_register_of_a_vtl, 1, 1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
