/* SPDX-License-Identifier: BSD-2-Clause */
/* Local APIC: the timer, SDM 11.5.4. */
#include "lapic_test.h"

#define PERIODIC (1u << 17)
#define DEADLINE (1u << 18)

/* The APIC of ready() has 10 TSC ticks for each clock of the timer with divider 1. */
enum {
	TICKS = 10
};

static void the_divider_is_that_of_the_sdm(void **state)
{
	/* SDM figure 11-10. */
	static const uint32_t divider[16] = {
		[0x0] = 2,  [0x1] = 4,	[0x2] = 8,   [0x3] = 16,
		[0x8] = 32, [0x9] = 64, [0xa] = 128, [0xb] = 1,
	};

	for (uint32_t i = 0; i < 16; i++) {
		struct vsm_lapic apic = ready();

		if (!divider[i])
			continue;
		wr(&apic, DIVIDE, i);
		wr_at(&apic, 1000, INITIAL_COUNT, 100);
		assert_int_equal(vsm_lapic_next_deadline(&apic), 1000 + 100 * divider[i] * TICKS);
		assert_int_equal(rd_at(&apic, 1000 + 40 * divider[i] * TICKS, CURRENT_COUNT), 60);
	}
}

static void a_one_shot_fires_once(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, DIVIDE, 0xb);
	wr(&apic, LVT_TIMER, 0x40);
	assert_true(wr_at(&apic, 0, INITIAL_COUNT, 50).flags & VSM_LAPIC_EFFECT_TIMER);
	assert_int_equal(vsm_lapic_next_deadline(&apic), 500);
	assert_int_equal(vsm_lapic_expire(&apic, 499), VSM_LAPIC_IGNORED);
	assert_int_equal(rd_at(&apic, 499, CURRENT_COUNT), 1);
	assert_int_equal(vsm_lapic_expire(&apic, 500), VSM_LAPIC_KICK);
	assert_int_equal(take(&apic), 0x40);
	assert_true(vsm_lapic_next_deadline(&apic) == VSM_LAPIC_NEVER);
	assert_int_equal(vsm_lapic_expire(&apic, 5000), VSM_LAPIC_IGNORED);
	assert_int_equal(rd_at(&apic, 600, CURRENT_COUNT), 0);
	assert_int_equal(rd_at(&apic, 600, INITIAL_COUNT), 50);
}

static void a_periodic_timer_never_drifts(void **state)
{
	struct vsm_lapic_config config = {
		.tsc_khz = 2893433, .timer_khz = 199999, .max_phys_bits = 40};
	struct vsm_lapic apic;
	uint64_t now = 12345, start;

	assert_int_equal(vsm_lapic_init(&apic, &config), 0);
	vsm_lapic_software_enable(&apic);
	wr(&apic, DIVIDE, 0xb);
	wr(&apic, LVT_TIMER, PERIODIC | 0x40);
	start = (uint64_t)((unsigned __int128)now * config.timer_khz / config.tsc_khz);
	wr_at(&apic, now, INITIAL_COUNT, 777);
	for (uint64_t n = 1; n <= 100000; n++) {
		/* The first TSC value at which n periods have passed, by 128-bit arithmetic. */
		unsigned __int128 clocks = start + n * 777;
		uint64_t due = (clocks * config.tsc_khz + config.timer_khz - 1) / config.timer_khz;

		assert_int_equal(vsm_lapic_next_deadline(&apic), due);
		now = due + n % 3;
		assert_int_not_equal(vsm_lapic_expire(&apic, now), VSM_LAPIC_IGNORED);
	}
}

static void missed_periods_are_one_interrupt(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, DIVIDE, 0xb);
	wr(&apic, LVT_TIMER, PERIODIC | 0x40);
	wr_at(&apic, 0, INITIAL_COUNT, 50);
	assert_int_equal(rd_at(&apic, 5270, CURRENT_COUNT), 23);
	assert_int_equal(vsm_lapic_expire(&apic, 5270), VSM_LAPIC_KICK);
	assert_int_equal(vsm_lapic_next_deadline(&apic), 5500);
	assert_int_equal(rd_at(&apic, 5270, CURRENT_COUNT), 23);
	assert_int_equal(take(&apic), 0x40);
	wr(&apic, EOI, 0);
	assert_int_equal(take(&apic), -1);
}

static void a_period_is_never_shorter_than_configured(void **state)
{
	struct vsm_lapic_config config = {
		.tsc_khz = 1000, .timer_khz = 1000, .min_period = 400, .max_phys_bits = 40};
	struct vsm_lapic apic;

	assert_int_equal(vsm_lapic_init(&apic, &config), 0);
	vsm_lapic_software_enable(&apic);
	wr(&apic, DIVIDE, 0xb);
	wr(&apic, LVT_TIMER, PERIODIC | 0x40);
	wr_at(&apic, 0, INITIAL_COUNT, 1);
	assert_int_equal(vsm_lapic_next_deadline(&apic), 400);
	vsm_lapic_expire(&apic, 400);
	assert_int_equal(vsm_lapic_next_deadline(&apic), 800);
	wr(&apic, LVT_TIMER, 0x40);
	wr_at(&apic, 900, INITIAL_COUNT, 1);
	assert_int_equal(vsm_lapic_next_deadline(&apic), 901);
}

static void a_count_of_zero_stops_the_timer(void **state)
{
	struct vsm_lapic apic = ready();

	wr_at(&apic, 0, INITIAL_COUNT, 50);
	wr_at(&apic, 10, INITIAL_COUNT, 0);
	assert_true(vsm_lapic_next_deadline(&apic) == VSM_LAPIC_NEVER);
}

/* SDM 11.5.4: masking stops the interrupt, not the count. */
static void a_masked_timer_counts_without_interrupts(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, DIVIDE, 0xb);
	wr(&apic, LVT_TIMER, PERIODIC | 0x10040);
	wr_at(&apic, 0, INITIAL_COUNT, 50);
	assert_int_equal(vsm_lapic_expire(&apic, 500), VSM_LAPIC_IGNORED);
	assert_int_equal(vsm_lapic_next_deadline(&apic), 1000);
	assert_int_equal(take(&apic), -1);
}

static void a_new_divider_continues_from_the_current_count(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, DIVIDE, 0xb);
	wr_at(&apic, 0, INITIAL_COUNT, 100);
	wr_at(&apic, 600, DIVIDE, 0);
	assert_int_equal(rd_at(&apic, 600, CURRENT_COUNT), 40);
	assert_int_equal(vsm_lapic_next_deadline(&apic), 600 + 40 * 2 * TICKS);
}

static void a_new_divider_does_not_drop_an_expiry(void **state)
{
	static const uint32_t modes[] = {0, PERIODIC};

	for (size_t i = 0; i < 2; i++) {
		struct vsm_lapic apic = ready();

		wr(&apic, DIVIDE, 0xb);
		wr(&apic, LVT_TIMER, modes[i] | 0x40);
		wr_at(&apic, 0, INITIAL_COUNT, 100);
		/* The count has expired at 1000, before vsm_lapic_expire(). */
		wr_at(&apic, 1010, DIVIDE, 0);
		assert_int_not_equal(vsm_lapic_expire(&apic, 1010), VSM_LAPIC_IGNORED);
		assert_int_equal(vsm_lapic_expire(&apic, 1020), VSM_LAPIC_IGNORED);
	}
}

/* SDM 11.5.4.1. */
static void tsc_deadline_mode_fires_at_the_deadline(void **state)
{
	struct vsm_lapic apic = ready();

	assert_true(wrmsr(&apic, VSM_LAPIC_MSR_TSC_DEADLINE, 777));
	assert_int_equal(rdmsr(&apic, VSM_LAPIC_MSR_TSC_DEADLINE), 0);
	wr(&apic, LVT_TIMER, DEADLINE | 0x40);
	assert_true(wrmsr(&apic, VSM_LAPIC_MSR_TSC_DEADLINE, 777));
	assert_int_equal(rdmsr(&apic, VSM_LAPIC_MSR_TSC_DEADLINE), 777);
	assert_int_equal(vsm_lapic_next_deadline(&apic), 777);
	/* The counter registers have no effect in this mode. */
	wr_at(&apic, 0, INITIAL_COUNT, 5);
	assert_int_equal(rd(&apic, INITIAL_COUNT), 0);
	assert_int_equal(rd_at(&apic, 3, CURRENT_COUNT), 0);
	assert_int_equal(vsm_lapic_next_deadline(&apic), 777);
	assert_int_equal(vsm_lapic_expire(&apic, 776), VSM_LAPIC_IGNORED);
	assert_int_equal(vsm_lapic_expire(&apic, 777), VSM_LAPIC_KICK);
	assert_int_equal(take(&apic), 0x40);
	assert_int_equal(rdmsr(&apic, VSM_LAPIC_MSR_TSC_DEADLINE), 0);
	assert_true(vsm_lapic_next_deadline(&apic) == VSM_LAPIC_NEVER);
	wrmsr(&apic, VSM_LAPIC_MSR_TSC_DEADLINE, 888);
	wrmsr(&apic, VSM_LAPIC_MSR_TSC_DEADLINE, 0);
	assert_true(vsm_lapic_next_deadline(&apic) == VSM_LAPIC_NEVER);
}

static void a_change_to_or_from_tsc_deadline_mode_disarms(void **state)
{
	struct vsm_lapic apic = ready();

	wr_at(&apic, 0, INITIAL_COUNT, 50);
	wr(&apic, LVT_TIMER, DEADLINE | 0x40);
	assert_true(vsm_lapic_next_deadline(&apic) == VSM_LAPIC_NEVER);
	assert_int_equal(rd(&apic, INITIAL_COUNT), 0);
	wrmsr(&apic, VSM_LAPIC_MSR_TSC_DEADLINE, 777);
	wr(&apic, LVT_TIMER, PERIODIC | 0x40);
	assert_true(vsm_lapic_next_deadline(&apic) == VSM_LAPIC_NEVER);
	/* A change between one-shot and periodic mode keeps the timer running. */
	wr_at(&apic, 0, INITIAL_COUNT, 50);
	wr(&apic, LVT_TIMER, 0x40);
	assert_int_equal(vsm_lapic_next_deadline(&apic), 50 * 2 * TICKS);
}

/* Both mode bits set is reserved: the timer has no deadline then (found by a fuzzer). */
static void the_reserved_mode_has_no_deadline(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, LVT_TIMER, DEADLINE | 0x40);
	wrmsr(&apic, VSM_LAPIC_MSR_TSC_DEADLINE, 777);
	wr(&apic, LVT_TIMER, DEADLINE | PERIODIC | 0x40);
	assert_int_equal(rdmsr(&apic, VSM_LAPIC_MSR_TSC_DEADLINE), 0);
	wr(&apic, LVT_TIMER, DEADLINE | 0x40);
	assert_true(vsm_lapic_next_deadline(&apic) == VSM_LAPIC_NEVER);
}

static void without_the_feature_there_is_no_deadline_msr(void **state)
{
	struct vsm_lapic apic;
	uint64_t value;

	power_up(&apic, 0, 0);
	assert_false(wrmsr(&apic, VSM_LAPIC_MSR_TSC_DEADLINE, 1));
	assert_false(vsm_lapic_msr_read(&apic, 0, VSM_LAPIC_MSR_TSC_DEADLINE, &value));
	wr(&apic, LVT_TIMER, DEADLINE | 0x10040);
	assert_int_equal(rd(&apic, LVT_TIMER), 0x10040);
}

static void a_jump_of_the_tsc_does_not_change_the_count(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, DIVIDE, 0xb);
	wr_at(&apic, 5000, INITIAL_COUNT, 100);
	vsm_lapic_tsc_moved(&apic, 5300, 300);
	assert_int_equal(rd_at(&apic, 300, CURRENT_COUNT), 70);
	assert_int_equal(vsm_lapic_next_deadline(&apic), 1000);
	wr(&apic, LVT_TIMER, DEADLINE | 0x40);
	wrmsr(&apic, VSM_LAPIC_MSR_TSC_DEADLINE, 777);
	vsm_lapic_tsc_moved(&apic, 300, 700);
	assert_int_equal(vsm_lapic_next_deadline(&apic), 777);
}

static void times_at_the_end_of_the_tsc_are_harmless(void **state)
{
	static const uint64_t times[] = {0, 1, UINT32_MAX, 1ull << 63, UINT64_MAX - 1, UINT64_MAX};
	struct vsm_lapic_config config = {
		.tsc_khz = 1, .timer_khz = UINT32_MAX, .max_phys_bits = 40};

	for (int swap = 0; swap < 2; swap++) {
		for (int i = 0; i < 36; i++) {
			uint64_t now = times[i / 6], later = times[i % 6];
			struct vsm_lapic apic;

			assert_int_equal(vsm_lapic_init(&apic, &config), 0);
			vsm_lapic_software_enable(&apic);
			wr(&apic, LVT_TIMER, PERIODIC | 0x40);
			wr_at(&apic, now, INITIAL_COUNT, UINT32_MAX);
			assert_true(rd_at(&apic, now, CURRENT_COUNT) <= UINT32_MAX);
			vsm_lapic_expire(&apic, later);
			rd_at(&apic, later, CURRENT_COUNT);
		}
		config.tsc_khz = UINT32_MAX;
		config.timer_khz = 1;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_divider_is_that_of_the_sdm),
		cmocka_unit_test(a_one_shot_fires_once),
		cmocka_unit_test(a_periodic_timer_never_drifts),
		cmocka_unit_test(missed_periods_are_one_interrupt),
		cmocka_unit_test(a_period_is_never_shorter_than_configured),
		cmocka_unit_test(a_count_of_zero_stops_the_timer),
		cmocka_unit_test(a_masked_timer_counts_without_interrupts),
		cmocka_unit_test(a_new_divider_continues_from_the_current_count),
		cmocka_unit_test(a_new_divider_does_not_drop_an_expiry),
		cmocka_unit_test(tsc_deadline_mode_fires_at_the_deadline),
		cmocka_unit_test(a_change_to_or_from_tsc_deadline_mode_disarms),
		cmocka_unit_test(the_reserved_mode_has_no_deadline),
		cmocka_unit_test(without_the_feature_there_is_no_deadline_msr),
		cmocka_unit_test(a_jump_of_the_tsc_does_not_change_the_count),
		cmocka_unit_test(times_at_the_end_of_the_tsc_are_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
