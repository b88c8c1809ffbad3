/* SPDX-License-Identifier: BSD-2-Clause */
#include "core_test.h"

#include <stdlib.h>

#include "core/vp/request.h"
#include "vp_fixture.h"

#define PAUSE 5000000000u /* ticks of 1 ns */

static uint64_t reference_time(struct vsm_vp *vp)
{
	return rdmsr(vp, HV_X64_MSR_TIME_REF_COUNT);
}

static void a_pause_is_not_in_the_guests_time(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	uint64_t reference, tsc, moved;

	guest_enable_vtl(partition, 1);
	/* VTL0 has written its TSC, and must keep the offset. */
	wrmsr(vp, X64_MSR_TSC, UINT64_C(1) << 40);
	reference = reference_time(vp);
	tsc = host_get(vp, 1, HV_X64_REGISTER_TSC);
	moved = host_get(vp, 0, HV_X64_REGISTER_TSC) - tsc;
	assert_int_equal(vsm_time_stop(partition), 0);
	sim_advance(partition, PAUSE);
	/* The VMM reads a stopped TSC, too. */
	assert_in_range(host_get(vp, 1, HV_X64_REGISTER_TSC) - tsc, 0, 10000);
	assert_int_equal(vsm_time_start(partition), 0);
	assert_in_range(reference_time(vp) - reference, 0, 100);
	assert_in_range(host_get(vp, 1, HV_X64_REGISTER_TSC) - tsc, 0, 10000);
	assert_int_equal(
		host_get(vp, 0, HV_X64_REGISTER_TSC) - host_get(vp, 1, HV_X64_REGISTER_TSC), moved);
	sim_advance(partition, 1000000);
	assert_in_range(reference_time(vp) - reference, 10000, 10100);
}

static void a_timer_expires_later_by_the_length_of_the_pause(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	uint32_t before;

	set_if(vp, 0, true);
	enable_synic(vp, 2, 0x60);
	wrmsr(vp, HV_X64_MSR_STIMER0_CONFIG, 2u << 16 | 1u << 3);
	wrmsr(vp, HV_X64_MSR_STIMER0_COUNT, reference_time(vp) + 10000);
	before = sim_state(vp, 0)->interrupts;
	assert_int_equal(vsm_time_stop(partition), 0);
	sim_advance(partition, PAUSE);
	assert_int_equal(vsm_time_start(partition), 0);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_false(was_delivered(vp, 0, 0x60, before));
	sim_advance(partition, 1000000);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	guest_run(vp);
	assert_true(was_delivered(vp, 0, 0x60, before));
}

static void no_guest_code_runs_while_time_is_stopped(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	const struct vsm_exit *exit;

	sim_next(vp, 0, &(struct sim_action){.kind = SIM_OUT, .address = 0x3f8, .size = 1});
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_IO);
	assert_int_equal(vsm_time_stop(partition), 0);
	/* The exit is completed, but no instruction executes. */
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_INTERRUPTED);
	assert_true(sim_state(vp, 0)->done);
	sim_next(vp, 0, &(struct sim_action){.kind = SIM_NOP});
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_INTERRUPTED);
	assert_false(sim_state(vp, 0)->done);
	assert_int_equal(vsm_time_start(partition), 0);
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_true(sim_state(vp, 0)->done);
}

static void a_saved_state_has_the_time_of_the_stop(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct guest_saved saved = {0};
	uint64_t reference = reference_time(vp);

	assert_int_equal(vsm_time_stop(partition), 0);
	sim_advance(partition, PAUSE);
	assert_int_equal(vsm_partition_save(partition, guest_save_write, &saved), 0);
	sim_advance(partition, PAUSE);
	/* Restored while stopped, as on the target of a migration. */
	assert_int_equal(vsm_partition_restore(partition, saved.bytes, saved.size), 0);
	sim_advance(partition, PAUSE);
	assert_int_equal(vsm_time_start(partition), 0);
	assert_in_range(reference_time(vp) - reference, 0, 100);
	free(saved.bytes);
}

static void misuse_is_refused(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);

	assert_int_equal(vsm_time_start(partition), -EALREADY);
	assert_int_equal(vsm_time_stop(partition), 0);
	assert_int_equal(vsm_time_stop(partition), -EALREADY);
	assert_int_equal(vsm_partition_reset(partition), 0);
	assert_int_equal(vsm_time_stop(partition), -EALREADY);
	assert_int_equal(vsm_time_start(partition), 0);
	assert_int_equal(vp_own(vsm_partition_vp(partition, 0)), 0);
	assert_int_equal(vsm_time_stop(partition), -EBUSY);
	vp_disown(vsm_partition_vp(partition, 0), false);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_pause_is_not_in_the_guests_time, 1, 1),
		TEST(a_timer_expires_later_by_the_length_of_the_pause, 1, 1),
		TEST(no_guest_code_runs_while_time_is_stopped, 1, 1),
		TEST(a_saved_state_has_the_time_of_the_stop, 1, 1),
		cmocka_unit_test(misuse_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
