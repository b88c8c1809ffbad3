/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's crash report (TLFS "Partition Crash Enlightenment"). */
#include "core_test.h"

#include "fixture.h"

#define TEXT_GPA 0x60ff0u /* crosses a page */
#define VTL1	 (HV_INPUT_VTL_USE_TARGET | 1u)

static const char text[] = "Kernel panic - not syncing: Fatal exception";

static int setup_text(void **state)
{
	fixture_in_vtl1(2, 1);
	memcpy(guest_ram(partition, TEXT_GPA), text, sizeof(text));
	return 0;
}

/* The active VTL writes @control; returns the exit for the VMM. */
static const struct vsm_exit *report(uint64_t control)
{
	const struct vsm_exit *exit;

	sim_next(vp, vp->active_vtl,
		 &(struct sim_action){
			 .kind = SIM_WRMSR, .address = HV_X64_MSR_CRASH_CTL, .value = control});
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	return exit;
}

static const struct vsm_exit *report_text(uint64_t gpa, uint64_t size)
{
	const struct vsm_exit *exit;

	wrmsr(vp, HV_X64_MSR_CRASH_P0 + 3, gpa);
	wrmsr(vp, HV_X64_MSR_CRASH_P0 + 4, size);
	exit = report(HV_CRASH_CTL_NOTIFY | HV_CRASH_CTL_MESSAGE);
	assert_int_equal(exit->reason, VSM_EXIT_CRASH);
	assert_int_equal(exit->crash.parameter[3], gpa);
	assert_int_equal(exit->crash.parameter[4], size);
	return exit;
}

/* shows: crash HV_CRASH_CTL_NOTIFY; msr HV_X64_MSR_CRASH_P0, HV_X64_MSR_CRASH_CTL; feature GuestCrashRegs */
static void the_vmm_gets_the_parameters_of_a_crash(void **state)
{
	const struct vsm_exit *exit;

	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_CRASH_P0 + i, 0xc0 + i), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_CRASH_CTL, 0), GUEST_DONE);
	exit = report(HV_CRASH_CTL_NOTIFY);
	assert_int_equal(exit->reason, VSM_EXIT_CRASH);
	assert_int_equal(exit->crash.control, HV_CRASH_CTL_NOTIFY);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(exit->crash.parameter[i], 0xc0 + i);
	assert_int_equal(exit->crash.message_size, 0);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
}

/* shows: crash HV_CRASH_CTL_NOTIFY, HV_CRASH_CTL_MESSAGE; register HvRegisterGuestCrashCtl; msr
 * HV_X64_MSR_CRASH_CTL refuses: crash HV_CRASH_CTL_NO_DUMP, HV_CRASH_CTL_PRE_OS_ID_SHIFT
 */
static void crash_ctl_reads_as_notification_and_message(void **state)
{
	const uint64_t offered = HV_CRASH_CTL_NOTIFY | HV_CRASH_CTL_MESSAGE;
	const uint64_t others = HV_CRASH_CTL_NO_DUMP | UINT64_C(7) << HV_CRASH_CTL_PRE_OS_ID_SHIFT;
	uint64_t value;

	assert_int_equal(guest_get_register(vp, 0, 0, HV_REGISTER_GUEST_CRASH_CTL, &value), 0);
	assert_int_equal(value, offered);
	/* Without the notification nothing happens. */
	wrmsr(vp, HV_X64_MSR_CRASH_CTL, others | HV_CRASH_CTL_MESSAGE);
	assert_int_equal(rdmsr(vp, HV_X64_MSR_CRASH_CTL), offered);
	assert_int_equal(report(HV_CRASH_CTL_NOTIFY | others)->crash.control,
			 HV_CRASH_CTL_NOTIFY | others);
}

/* shows: crash HV_CRASH_CTL_MESSAGE */
static void the_vmm_gets_the_text_of_a_crash(void **state)
{
	const struct vsm_exit *exit = report_text(TEXT_GPA, sizeof(text) - 1);

	assert_int_equal(exit->crash.message_size, sizeof(text) - 1);
	assert_memory_equal(exit->crash.message, text, sizeof(text) - 1);
	assert_int_equal(report(HV_CRASH_CTL_NOTIFY)->crash.message_size, 0);
}

static void a_text_has_at_most_one_page(void **state)
{
	assert_int_equal(report_text(TEXT_GPA, 4096)->crash.message_size, 4096);
	assert_int_equal(report_text(TEXT_GPA, 4097)->crash.message_size, 0);
	assert_int_equal(report_text(TEXT_GPA, UINT64_MAX)->crash.message_size, 0);
	assert_int_equal(report_text(RAM - 8, 9)->crash.message_size, 0);
	assert_int_equal(report_text(UINT64_MAX, 1)->crash.message_size, 0);
}

/* VTL0 names VTL1's page: the report must not carry the secret to the VMM's log. */
static void a_text_is_read_with_the_rights_of_the_vtl_that_reports(void **state)
{
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_PARTITION_CONFIG, 0x1f), 0);
	assert_int_equal(guest_protect(vp, VTL1, MAP_NONE, TEXT_GPA + 4096), HV_STATUS_SUCCESS);
	assert_int_equal(report_text(TEXT_GPA, sizeof(text))->crash.message_size, sizeof(text));
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(report_text(TEXT_GPA, sizeof(text))->crash.message_size, 0);
	assert_int_equal(report_text(TEXT_GPA, 16)->crash.message_size, 16);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_text, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_vmm_gets_the_parameters_of_a_crash),
		TEST(crash_ctl_reads_as_notification_and_message),
		TEST(the_vmm_gets_the_text_of_a_crash),
		TEST(a_text_has_at_most_one_page),
		TEST(a_text_is_read_with_the_rights_of_the_vtl_that_reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
