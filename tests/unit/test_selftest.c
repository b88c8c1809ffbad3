/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unit_test.h"
#include "../../tool/probe/guest.h"
#include "../../tool/probe/probe.h"

static void passes(struct selftest *test)
{
	selftest_fail(test, "not this");
	selftest_pass(test, "well %d", 5);
}

static void dies(struct selftest *test)
{
	selftest_pass(test, "not reached");
	signal(SIGSEGV, SIG_DFL); /* replaces the handler of a sanitizer */
	raise(SIGSEGV);
}

static void hangs(struct selftest *test)
{
	signal(SIGTERM, SIG_IGN);
	for (;;)
		pause();
}

static void leaves(struct selftest *test)
{
	_exit(3);
}

static void has_no_text(struct selftest *test)
{
}

/* A guest that never leaves by itself. */
static void spins(struct selftest *test)
{
	static const struct guest_program forever = {2, {0xeb, 0xfe}}; /* jmp . */
	struct probe_guest guest;

	if (guest_make(&guest, test, &forever))
		guest_expect_done(&guest, "a loop");
}

/* Far more than a self-test takes on a busy host; only one that hangs takes its whole time. */
#define TIMEOUT_MS 60000

static struct selftest_result run(selftest_fn *test, unsigned int timeout_ms)
{
	struct probe_item item = {.id = "test", .selftest = test};
	struct selftest_result result;
	struct probe_env env;

	probe_env_live(&env);
	memset(&result, 0x55, sizeof(result));
	selftest_run(&env, &item, timeout_ms, &result);
	return result;
}

static void the_last_reported_result_of_a_self_test_is_used(void **state)
{
	struct selftest_result result = run(passes, TIMEOUT_MS);

	assert_int_equal(result.outcome, SELFTEST_PASS);
	assert_string_equal(result.text, "well 5");
}

static void a_crash_is_a_finding(void **state)
{
	struct selftest_result result = run(dies, TIMEOUT_MS);

	assert_int_equal(result.outcome, SELFTEST_DIED);
	assert_non_null(strstr(result.text, "signal 11"));
}

static void an_end_without_a_result_is_a_finding(void **state)
{
	struct selftest_result result = run(leaves, TIMEOUT_MS);

	assert_int_equal(result.outcome, SELFTEST_DIED);
	assert_non_null(strstr(result.text, "status 3"));
}

static void a_test_without_a_text_has_failed(void **state)
{
	assert_int_equal(run(has_no_text, TIMEOUT_MS).outcome, SELFTEST_FAIL);
}

static void a_hang_is_ended_by_the_timeout(void **state)
{
	struct timespec begin, end;
	struct selftest_result result;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	result = run(hangs, 300);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_int_equal(result.outcome, SELFTEST_HUNG);
	assert_string_equal(result.text, "no end within 300 ms; killed");
	assert_true(end.tv_sec - begin.tv_sec < TIMEOUT_MS / 1000);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void skip_without_kvm(void)
{
	const int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0) {
		print_message("no access to /dev/kvm\n");
		skip();
	}
	close(kvm);
}

static void a_guest_that_never_leaves_is_ended_by_the_watchdog(void **state)
{
	struct selftest_result result;

	skip_without_kvm();
	result = run(spins, 2000);
	/* The watchdog ends the test with the text of the test; the process is not killed. */
	assert_int_equal(result.outcome, SELFTEST_LATE);
	assert_string_equal(result.text, "a loop: the guest does not exit");
}

/* A separate function, so that its stack frame has ended when the watchdog's thread begins. */
static __attribute__((noinline)) bool makes_a_guest(struct selftest *test)
{
	static const struct guest_program nothing = {1, {0xf4}};
	struct probe_guest guest;

	return guest_make(&guest, test, &nothing);
}

static void ends_at_once(struct selftest *test)
{
	volatile uint8_t frame[16384];

	if (!makes_a_guest(test))
		return;
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = 0;
	usleep(2000);
	selftest_pass(test, "done");
}

static void a_test_with_a_guest_may_end_before_its_watchdog_begins(void **state)
{
	skip_without_kvm();
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(run(ends_at_once, TIMEOUT_MS).outcome, SELFTEST_PASS);
}

#define SPINNERS 24
#define LIMIT_MS 300u

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Needs 100 ms of CPU time, and has a time limit like the tests with guests. */
static void works(struct selftest *test)
{
	const uint64_t begin = now_ns(CLOCK_MONOTONIC);

	while (now_ns(CLOCK_THREAD_CPUTIME_ID) < 100000000)
		if (now_ns(CLOCK_MONOTONIC) - begin > test->timeout_ms * 1000000ull) {
			selftest_late(test, "not done in time");
			return;
		}
	selftest_pass(test, "done");
}

/* Starts processes that spin on one CPU, to which this process is bound, too. */
static void make_busy(pid_t spinner[SPINNERS])
{
	cpu_set_t set;
	int first = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	while (!CPU_ISSET(first, &set))
		first++;
	CPU_ZERO(&set);
	CPU_SET(first, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
	for (int i = 0; i < SPINNERS; i++) {
		spinner[i] = fork();
		assert_true(spinner[i] >= 0);
		if (spinner[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				continue;
		}
	}
}

static enum probe_status status_of(selftest_fn *test)
{
	const struct probe_item item = {.id = "test", .selftest = test};
	struct probe_finding finding = {.item = &item};
	struct probe probe = {.live = true, .timeout_ms = LIMIT_MS};
	struct probe_env env;

	probe_env_live(&env);
	probe.env = &env;
	check_live(&probe, &finding);
	return finding.status;
}

/* Beside 24 other processes works() takes more than two seconds, longer than its timeouts. */
static void a_busy_host_makes_no_item_missing(void **state)
{
	pid_t spinner[SPINNERS];
	cpu_set_t before;
	enum probe_status status[2];

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	make_busy(spinner);
	status[0] = status_of(works);
	status[1] = status_of(hangs);
	for (int i = 0; i < SPINNERS; i++) {
		kill(spinner[i], SIGKILL);
		waitpid(spinner[i], NULL, 0);
	}
	sched_setaffinity(0, sizeof(before), &before);
	assert_true(status[0] == PROBE_OK || status[0] == PROBE_BUSY);
	assert_int_equal(status[1], PROBE_BUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_reported_result_of_a_self_test_is_used),
		cmocka_unit_test(a_crash_is_a_finding),
		cmocka_unit_test(an_end_without_a_result_is_a_finding),
		cmocka_unit_test(a_test_without_a_text_has_failed),
		cmocka_unit_test(a_hang_is_ended_by_the_timeout),
		cmocka_unit_test(a_busy_host_makes_no_item_missing),
		cmocka_unit_test(a_guest_that_never_leaves_is_ended_by_the_watchdog),
		cmocka_unit_test(a_test_with_a_guest_may_end_before_its_watchdog_begins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
