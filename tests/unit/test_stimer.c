/* SPDX-License-Identifier: BSD-2-Clause */
/* TLFS "Timers". The sim's TSC runs at 1 GHz: one unit of 100 ns is 100 ticks. */
#include "core_test.h"

#include "core/interrupt/stimer.h"
#include "vp_fixture.h"

#define SINT	2
#define VECTOR	0x80
#define CONFIG	HV_X64_MSR_STIMER0_CONFIG
#define COUNT	(HV_X64_MSR_STIMER0_CONFIG + 1)
#define UNIT	100u
#define MESSAGE (HV_STIMER_ENABLE | (uint64_t)SINT << HV_STIMER_SINT_SHIFT)
#define DIRECT \
	(HV_STIMER_ENABLE | HV_STIMER_DIRECT_MODE | (uint64_t)0x91 << HV_STIMER_APIC_VECTOR_SHIFT)

static struct vsm_vp *with_synic(struct vsm_vp *vp)
{
	set_if(vp, 0, true);
	enable_synic(vp, SINT, VECTOR);
	return vp;
}

static void free_slot(struct vsm_vp *vp)
{
	assert_int_equal(guest_write(vp, SIM_GPA(0) + 256 * SINT, 4, 0), GUEST_DONE);
	wrmsr(vp, HV_X64_MSR_EOM, 0);
}

/* TLFS "Partition Reference Counter": units of 100 ns since creation. */
/* shows: msr HV_X64_MSR_TIME_REF_COUNT */
static void the_reference_counter_counts_units_of_100_ns(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	uint64_t before = rdmsr(vp, HV_X64_MSR_TIME_REF_COUNT);

	sim_advance(partition, 1000000 * UNIT);
	/* The sim's clock also advances at each entry. */
	assert_in_range(rdmsr(vp, HV_X64_MSR_TIME_REF_COUNT) - before, 1000000, 1000010);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_TIME_REF_COUNT, 1), GUEST_FAULT);
}

/* TLFS "Reference TSC Page": the formula of the TLFS gives the exact value of the counter. */
/* shows: rule time-page; msr HV_X64_MSR_REFERENCE_TSC */
static void counter_and_reference_tsc_page_have_exactly_the_same_time(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	uint64_t scale, offset, sequence;

	wrmsr(vp, HV_X64_MSR_REFERENCE_TSC, 0x70001);
	assert_int_equal(guest_read(vp, 0x70000, 4, &sequence), GUEST_DONE);
	assert_int_not_equal(sequence, 0);
	assert_int_not_equal(sequence, 0xffffffff);
	assert_int_equal(guest_read(vp, 0x70008, 8, &scale), GUEST_DONE);
	assert_int_equal(guest_read(vp, 0x70010, 8, &offset), GUEST_DONE);
	for (unsigned int i = 0; i < 10000; i++) {
		uint64_t tsc, time;

		sim_advance(partition, i * 7919u % 100003u);
		tsc = vp_tsc(partition);
		time = (uint64_t)((unsigned __int128)tsc * scale >> 64) + offset;
		assert_int_equal(time, reftime_now(partition));
	}
	/* No VTL can write to it (P06). */
	assert_int_equal(guest_write(vp, 0x70000, 4, 0), GUEST_FAULT);
}

static void a_deadline_is_the_first_tick_at_which_its_time_is_reached(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	uint64_t now = reftime_now(partition);

	for (uint64_t i = 1; i < 5000; i++) {
		uint64_t target = now + i * 12347;
		uint64_t tsc = reftime_to_tsc(partition, target);
		uint64_t clock = vp_tsc(partition);

		sim_advance(partition, tsc - 1 - clock);
		assert_int_equal(reftime_now(partition), target - 1);
		sim_advance(partition, 1);
		assert_int_equal(reftime_now(partition), target);
	}
	assert_int_equal(reftime_to_tsc(partition, UINT64_MAX), UINT64_MAX);
	vsm_partition_destroy(partition);
}

static void set_timer(struct vsm_vp *vp, uint64_t count, uint64_t config)
{
	wrmsr(vp, COUNT, count);
	wrmsr(vp, CONFIG, config);
}

/* TLFS "Synthetic Timer Expiration": the message. */
/* shows: rule time-one-shot */
static void a_one_shot_timer_expires_once_with_its_message(void **state)
{
	struct vsm_vp *vp = with_synic(*state);
	struct vsm_partition *partition = vp->partition;
	uint64_t due = rdmsr(vp, HV_X64_MSR_TIME_REF_COUNT) + 1000;

	set_timer(vp, due, MESSAGE);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->interrupts, 0);
	assert_int_equal(rdmsr(vp, CONFIG), MESSAGE);
	sim_advance(partition, 2000 * UNIT);
	guest_run(vp);
	assert_true(was_delivered(vp, 0, VECTOR, 0));
	assert_int_equal(slot_field(vp, SINT, 0, 4), HV_MESSAGE_TYPE_TIMER_EXPIRED);
	assert_int_equal(slot_field(vp, SINT, 4, 1), 24);
	assert_int_equal(slot_field(vp, SINT, 8, 8), 0);
	assert_int_equal(slot_field(vp, SINT, 16, 4), 0);
	assert_int_equal(slot_field(vp, SINT, 24, 8), due);
	assert_true(slot_field(vp, SINT, 32, 8) >= due + 1000);
	assert_int_equal(rdmsr(vp, CONFIG), MESSAGE & ~HV_STIMER_ENABLE);
	free_slot(vp);
	sim_advance(partition, 100000 * UNIT);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->interrupts, 1);
}

/* shows: msr HV_X64_MSR_STIMER0_CONFIG to HV_X64_MSR_STIMER3_COUNT */
static void the_four_timers_are_independent(void **state)
{
	struct vsm_vp *vp = with_synic(*state);
	struct vsm_partition *partition = vp->partition;
	uint64_t now = rdmsr(vp, HV_X64_MSR_TIME_REF_COUNT);

	for (uint32_t i = 0; i < 4; i++) {
		wrmsr(vp, COUNT + 2 * i, now + 1000 * (4 - i));
		wrmsr(vp, CONFIG + 2 * i, MESSAGE);
	}
	for (uint32_t i = 4; i-- > 0;) {
		sim_advance(partition, 1000 * UNIT);
		guest_run(vp);
		assert_int_equal(slot_field(vp, SINT, 16, 4), i);
		eoi(vp);
		free_slot(vp);
	}
}

static void a_time_in_the_past_expires_at_once(void **state)
{
	struct vsm_vp *vp = with_synic(*state);
	struct vsm_partition *partition = vp->partition;

	sim_advance(partition, 1000000);
	set_timer(vp, 1, MESSAGE);
	guest_run(vp);
	assert_int_equal(slot_field(vp, SINT, 24, 8), 1);
}

static void count_zero_stops_and_auto_enable_starts(void **state)
{
	struct vsm_vp *vp = with_synic(*state);
	struct vsm_partition *partition = vp->partition;
	const uint64_t config = (MESSAGE & ~HV_STIMER_ENABLE) | HV_STIMER_AUTO_ENABLE;

	wrmsr(vp, CONFIG, config);
	wrmsr(vp, COUNT, 0);
	assert_int_equal(rdmsr(vp, CONFIG), config);
	wrmsr(vp, COUNT, rdmsr(vp, HV_X64_MSR_TIME_REF_COUNT) + 100000);
	assert_int_equal(rdmsr(vp, CONFIG), config | HV_STIMER_ENABLE);
	wrmsr(vp, COUNT, 0);
	assert_int_equal(rdmsr(vp, CONFIG), config);
	sim_advance(partition, 1000000 * UNIT);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->interrupts, 0);
	wrmsr(vp, CONFIG, MESSAGE & ~HV_STIMER_ENABLE);
	wrmsr(vp, COUNT, 1);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->interrupts, 0);
}

/* shows: rule time-periodic */
static void a_periodic_timer_expires_each_period(void **state)
{
	struct vsm_vp *vp = with_synic(*state);
	struct vsm_partition *partition = vp->partition;
	uint64_t first = 0;

	set_timer(vp, 10000, MESSAGE | HV_STIMER_PERIODIC);
	for (uint32_t i = 0; i < 20; i++) {
		sim_advance(partition, 10000 * UNIT);
		guest_run(vp);
		assert_int_equal(sim_state(vp, 0)->interrupts, i + 1);
		if (i == 0)
			first = slot_field(vp, SINT, 24, 8);
		assert_int_equal(slot_field(vp, SINT, 24, 8), first + i * UINT64_C(10000));
		eoi(vp);
		free_slot(vp);
	}
	assert_true(rdmsr(vp, CONFIG) & HV_STIMER_ENABLE);
}

static void periods_that_were_missed_are_skipped(void **state)
{
	struct vsm_vp *vp = with_synic(*state);
	struct vsm_partition *partition = vp->partition;

	for (unsigned int lazy = 0; lazy < 2; lazy++) {
		uint32_t before = sim_state(vp, 0)->interrupts;
		uint64_t due;

		set_timer(vp, 1000, MESSAGE | HV_STIMER_PERIODIC | (lazy ? HV_STIMER_LAZY : 0));
		sim_advance(partition, 10500 * UNIT);
		guest_run(vp);
		assert_int_equal(sim_state(vp, 0)->interrupts, before + 1);
		due = slot_field(vp, SINT, 24, 8);
		eoi(vp);
		free_slot(vp);
		sim_advance(partition, 1000 * UNIT);
		guest_run(vp);
		assert_int_equal((slot_field(vp, SINT, 24, 8) - due) % 1000, 0);
		wrmsr(vp, CONFIG, 0);
		eoi(vp);
		free_slot(vp);
	}
}

/* A period of 100 ns must not keep the VP in the hypervisor. */
static void expiries_of_a_very_short_period_are_limited(void **state)
{
	struct vsm_vp *vp = with_synic(*state);
	struct vsm_partition *partition = vp->partition;
	uint32_t fired;

	set_timer(vp, 1, DIRECT | HV_STIMER_PERIODIC);
	for (unsigned int i = 0; i < 1000; i++) {
		sim_advance(partition, UNIT);
		eoi(vp);
		guest_run(vp);
	}
	fired = sim_state(vp, 0)->interrupts;
	/* 1,000 units plus the ticks of the sim's entries; at most one expiry in 200 units. */
	assert_in_range(fired, 3, rdmsr(vp, HV_X64_MSR_TIME_REF_COUNT) / 200 + 1);
}

/* shows: rule time-direct; feature DirectSyntheticTimers */
static void direct_mode_raises_its_vector_and_posts_no_message(void **state)
{
	struct vsm_vp *vp = with_synic(*state);

	set_timer(vp, 1, DIRECT);
	guest_run(vp);
	assert_true(was_delivered(vp, 0, 0x91, 0));
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), 0x91);
	assert_int_equal(slot_field(vp, SINT, 0, 4), 0);
}

/* The message of a one-shot timer waits for a busy slot; that of a periodic one is dropped. */
static void a_one_shot_message_waits_for_its_slot(void **state)
{
	struct vsm_vp *vp = with_synic(*state);
	struct vsm_partition *partition = vp->partition;
	struct hv_message blocker = {.message_type = 1};

	assert_int_equal(vsm_message_post(partition, 0, 0, SINT, &blocker), 0);
	guest_run(vp);
	set_timer(vp, 5, MESSAGE);
	guest_run(vp);
	assert_int_equal(slot_field(vp, SINT, 0, 4), 1);
	assert_int_equal(slot_field(vp, SINT, 5, 1), HV_MESSAGE_FLAG_PENDING);
	eoi(vp);
	free_slot(vp);
	guest_run(vp);
	assert_int_equal(slot_field(vp, SINT, 0, 4), HV_MESSAGE_TYPE_TIMER_EXPIRED);
	assert_int_equal(slot_field(vp, SINT, 24, 8), 5);
	assert_int_equal(sim_state(vp, 0)->interrupts, 2);
}

/* The guest frees the slot without EOM. */
static void a_one_shot_message_is_delivered_without_an_eom(void **state)
{
	struct vsm_vp *vp = with_synic(*state);
	struct vsm_partition *partition = vp->partition;
	struct hv_message blocker = {.message_type = 1};

	assert_int_equal(vsm_message_post(partition, 0, 0, SINT, &blocker), 0);
	guest_run(vp);
	eoi(vp);
	set_timer(vp, 5, MESSAGE);
	guest_run(vp);
	assert_int_equal(guest_write(vp, SIM_GPA(0) + 256 * SINT, 4, 0), GUEST_DONE);
	guest_run(vp);
	assert_int_equal(slot_field(vp, SINT, 0, 4), HV_MESSAGE_TYPE_TIMER_EXPIRED);
}

/* TLFS "STIMERn_CONFIG" */
static void the_configuration_is_checked(void **state)
{
	struct vsm_vp *vp = with_synic(*state);

	assert_int_equal(guest_wrmsr(vp, CONFIG, UINT64_C(1) << 13), GUEST_FAULT);
	assert_int_equal(guest_wrmsr(vp, CONFIG, UINT64_C(1) << 20), GUEST_FAULT);
	assert_int_equal(guest_wrmsr(vp, CONFIG,
				     HV_STIMER_ENABLE | HV_STIMER_DIRECT_MODE |
					     15 << HV_STIMER_APIC_VECTOR_SHIFT),
			 GUEST_FAULT);
	/* SINT0 in message mode: the enable bit cannot be set. */
	wrmsr(vp, CONFIG, HV_STIMER_ENABLE);
	assert_int_equal(rdmsr(vp, CONFIG), 0);
}

/* Timers of inactive VTLs: an expiry enters a higher VTL; a lower VTL gets its message when it runs. */
static void timers_run_whichever_vtl_is_active(void **state)
{
	struct vsm_vp *vp = with_synic(*state);
	struct vsm_partition *partition = vp->partition;
	uint64_t now;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	now = rdmsr(vp, HV_X64_MSR_TIME_REF_COUNT);
	set_timer(vp, now + 1000, DIRECT);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	sim_advance(partition, 2000 * UNIT);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	set_if(vp, 1, true);
	guest_run(vp);
	assert_true(was_delivered(vp, 1, 0x91, 0));
	eoi(vp);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	set_timer(vp, rdmsr(vp, HV_X64_MSR_TIME_REF_COUNT) + 1000, DIRECT);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	sim_advance(partition, 2000 * UNIT);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(sim_state(vp, 0)->interrupts, 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	guest_run(vp);
	assert_true(was_delivered(vp, 0, 0x91, 0));
}

static void a_timer_ends_a_halt(void **state)
{
	struct vsm_vp *vp = with_synic(*state);
	struct vsm_partition *partition = vp->partition;
	uint64_t due = rdmsr(vp, HV_X64_MSR_TIME_REF_COUNT) + 123456;

	set_timer(vp, due, DIRECT);
	/* The sim's clock advances to the deadline of the wait. */
	assert_int_equal(guest_halt(vp), GUEST_DONE);
	guest_run(vp);
	assert_true(was_delivered(vp, 0, 0x91, 0));
	assert_in_range(reftime_now(partition), due, due + 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_reference_counter_counts_units_of_100_ns, 1, 1),
		TEST(counter_and_reference_tsc_page_have_exactly_the_same_time, 1, 1),
		cmocka_unit_test(a_deadline_is_the_first_tick_at_which_its_time_is_reached),
		TEST(a_one_shot_timer_expires_once_with_its_message, 1, 1),
		TEST(the_four_timers_are_independent, 1, 1),
		TEST(a_time_in_the_past_expires_at_once, 1, 1),
		TEST(count_zero_stops_and_auto_enable_starts, 1, 1),
		TEST(a_periodic_timer_expires_each_period, 1, 1),
		TEST(periods_that_were_missed_are_skipped, 1, 1),
		TEST(expiries_of_a_very_short_period_are_limited, 1, 1),
		TEST(direct_mode_raises_its_vector_and_posts_no_message, 1, 1),
		TEST(a_one_shot_message_waits_for_its_slot, 1, 1),
		TEST(a_one_shot_message_is_delivered_without_an_eom, 1, 1),
		TEST(the_configuration_is_checked, 1, 1),
		TEST(timers_run_whichever_vtl_is_active, 1, 1),
		TEST(a_timer_ends_a_halt, 1, 1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
