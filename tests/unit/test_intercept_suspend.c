/* SPDX-License-Identifier: BSD-2-Clause */
/* An intercept that cannot be delivered: the denying VTL has its SINT0 masked or its slot full, or
 * is not enabled on the VP. The VP sleeps between attempts. */
#include "core_test.h"

#include "core/memory/overlay.h"
#include "core/memory/protect.h"

#define DENIED	 0x300000u
#define ATTEMPTS 5u
#define VECTOR	 0x50u

/* The VMM kicks the VP after some sleeps, since vsm_vp_run() would not return otherwise. */
static struct vsm_vp *sleeper;
static unsigned int sleeps;
static uint64_t last_sleep; /* ticks */

static int count_sleep(void *vp, uint64_t deadline)
{
	if (deadline != UINT64_MAX)
		last_sleep = deadline - vp_tsc(sleeper->partition);
	if (++sleeps % ATTEMPTS == 0)
		vsm_vp_kick(sleeper);
	return sim_ops.vp_wait(vp, deadline);
}

static struct backend_ops ops;

/* VTL1, enabled on VP 0 with SINT0 masked, denies VTL0 the page at DENIED. Counts VP @index's
 * sleeps. */
static struct vsm_partition *denying(uint32_t index)
{
	struct vsm_partition *partition = guest_partition(2, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	const uint64_t gpn = DENIED / CORE_PAGE_SIZE;
	size_t done;

	assert_int_equal(enable_partition(vp, 1, 0), 0);
	assert_int_equal(enable_vp(vp, 0, 1), 0);
	assert_int_equal(protect_set(partition, 1, -1, &gpn, 1, 0, &done), 0);
	ops = sim_ops;
	ops.vp_wait = count_sleep;
	partition->ops = &ops;
	sleeper = vsm_partition_vp(partition, index);
	sleeps = 0;
	last_sleep = 0;
	return partition;
}

static void expect_suspended(struct vsm_vp *vp)
{
	const uint64_t exits = atomic_load(&vp->exits);
	const uint64_t start = vp_tsc(vp->partition);
	const uint64_t interval = vp->partition->features.tsc_hz / 1000;

	sleeps = 0;
	assert_int_equal(guest_write(vp, DENIED, 8, 1), GUEST_STOPPED);
	assert_int_equal(vp->active_vtl, 0);
	assert_int_equal(sleeps, ATTEMPTS);
	/* Each attempt is one exit; there is a millisecond between two attempts. */
	assert_true(atomic_load(&vp->exits) - exits <= ATTEMPTS + 1);
	assert_true(vp_tsc(vp->partition) - start >= (ATTEMPTS - 1) * interval);
	assert_true(last_sleep <= interval);
	assert_int_equal(host_get(vp, 0, HV_REGISTER_INTERNAL_ACTIVITY_STATE), 0);
}

static void open_sint0(struct vsm_vp *vp)
{
	host_set(vp, 1, HV_REGISTER_SIPP, SIM_GPA(1) | 1);
	host_set(vp, 1, HV_REGISTER_SINT0, VECTOR | HV_SYNIC_SINT_AUTO_EOI);
	host_set(vp, 1, HV_REGISTER_SCONTROL, 1);
}

static struct hv_message *slot(struct vsm_vp *vp)
{
	return (struct hv_message *)(void *)overlay_memory(vp->partition, OVERLAY_SIM, 1,
							   vp->index);
}

/* shows: rule intercept-suspend */
static void a_masked_sint0_suspends_the_vp_and_an_unmasked_one_receives_the_message(void **state)
{
	struct vsm_partition *partition = denying(0);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	expect_suspended(vp);
	open_sint0(vp);
	sleeps = 0;
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(slot(vp)->message_type, HV_MESSAGE_TYPE_GPA_INTERCEPT);
	assert_true(sleeps <= 1);
	vsm_partition_destroy(partition);
}

static void a_vp_without_the_denying_vtl_is_suspended_until_it_has_it(void **state)
{
	struct vsm_partition *partition = denying(1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 1);
	struct vsm_vp *other = vsm_partition_vp(partition, 0);

	expect_suspended(vp);
	assert_int_equal(guest_vtl_call(other), GUEST_DONE);
	assert_int_equal(enable_vp(other, 1, 1), 0);
	open_sint0(vp);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(slot(vp)->message_type, HV_MESSAGE_TYPE_GPA_INTERCEPT);
	vsm_partition_destroy(partition);
}

/* VTL1 masks its own interrupt by its TPR and leaves the message where it is. */
static void a_slot_that_is_not_freed_suspends_the_vp(void **state)
{
	struct vsm_partition *partition = denying(0);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	open_sint0(vp);
	host_set(vp, 1, HV_X64_REGISTER_CR8, 15);
	expect_suspended(vp);
	assert_int_equal(slot(vp)->message_type, HV_MESSAGE_TYPE_GPA_INTERCEPT);
	assert_int_equal(atomic_load(&vp->intercepts), 1);
	/* The slot is free, the TPR unchanged: the next attempt fills the slot again. */
	slot(vp)->message_type = HV_MESSAGE_TYPE_NONE;
	guest_run(vp);
	assert_int_equal(atomic_load(&vp->intercepts), 2);
	host_set(vp, 1, HV_X64_REGISTER_CR8, 0);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	set_if(vp, 1, true);
	guest_run(vp);
	slot(vp)->message_type = HV_MESSAGE_TYPE_NONE;
	sleeps = 0;
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	guest_run(vp);
	assert_int_equal(atomic_load(&vp->intercepts), 3);
	assert_int_equal(sleeps, 0);
	vsm_partition_destroy(partition);
}

static void a_grant_ends_the_suspension(void **state)
{
	struct vsm_partition *partition = denying(1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 1);
	const uint64_t gpn = DENIED / CORE_PAGE_SIZE;
	size_t done;

	expect_suspended(vp);
	assert_int_equal(protect_set(partition, 1, -1, &gpn, 1, GPA_ALL, &done), 0);
	guest_run(vp);
	assert_true(sim_state(vp, 0)->done);
	vsm_partition_destroy(partition);
}

static void a_suspended_vtl_still_takes_its_interrupts(void **state)
{
	struct vsm_partition *partition = denying(1);
	struct vsm_vp *vp = vsm_partition_vp(partition, 1);

	set_if(vp, 0, true);
	expect_suspended(vp);
	post(vp, 0, 0x60);
	sleeps = 0;
	guest_run(vp);
	assert_true(was_delivered(vp, 0, 0x60, 0));
	eoi(vp);
	/* An interrupt that VTL0 cannot accept does not cause endless retries. */
	set_if(vp, 0, false);
	post(vp, 0, 0x61);
	expect_suspended(vp);
	/* An NMI and an exception injected by a higher VTL end the sleep, too. */
	vsm_nmi(vp);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->nmis, 1);
	expect_suspended(vp);
	vp_inject_exception(vp, 0, X64_EXCEPTION_GP, true, 0, 0);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->exception_vector, X64_EXCEPTION_GP);
	vsm_partition_destroy(partition);
}

static void p13_an_interrupt_for_vtl1_ends_the_sleep(void **state)
{
	struct vsm_partition *partition = denying(0);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	expect_suspended(vp);
	post(vp, 1, 0x70);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_masked_sint0_suspends_the_vp_and_an_unmasked_one_receives_the_message),
		cmocka_unit_test(a_vp_without_the_denying_vtl_is_suspended_until_it_has_it),
		cmocka_unit_test(a_slot_that_is_not_freed_suspends_the_vp),
		cmocka_unit_test(a_grant_ends_the_suspension),
		cmocka_unit_test(a_suspended_vtl_still_takes_its_interrupts),
		cmocka_unit_test(p13_an_interrupt_for_vtl1_ends_the_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
