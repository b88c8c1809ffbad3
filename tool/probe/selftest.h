/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Self-tests: what a kernel says that it can do is one thing, what it does another. Each test is a
 * function that runs in a child process of its own, so that a crash, a hang or a kernel that keeps the
 * vCPU for ever is a finding and not our end.
 */
#ifndef VSM_TOOL_PROBE_SELFTEST_H
#define VSM_TOOL_PROBE_SELFTEST_H

#include <stdbool.h>
#include <stdint.h>

struct probe_env;
struct probe_item;

enum selftest_outcome {
	SELFTEST_PASS,
	SELFTEST_FAIL,
	SELFTEST_SLOW, /* works, but only on the slow way */
	SELFTEST_DIED, /* the child crashed; decided by the parent */
	SELFTEST_LATE, /* the test's own limit of time was up: it hangs, or the host is busy */
	SELFTEST_HUNG, /* the child did not end in time; decided by the parent, with the same doubt */
};

/* Travels through a pipe in one write, so it stays below PIPE_BUF. */
struct selftest_result {
	enum selftest_outcome outcome;
	char text[200];
	bool stuck;		 /* the parent's: even SIGKILL does not end the child */
	unsigned int elapsed_ms; /* the parent's */
};

struct selftest {
	struct probe_env *env;
	unsigned int timeout_ms; /* the test gives up by itself a little before the parent does */
	struct selftest_result result;
};

/* Whether the outcome says no more than that time was up. */
bool selftest_timed_out(const struct selftest_result *result);

/*
 * What a self-test needs of the host, whatever its kernel can do: processes, threads that wait for each other, and the
 * processor. How long it takes at this moment says what a limit of time is worth.
 */
void selftest_control(struct selftest *test);

/*
 * The implementation of probe_env.selftest: forks, runs item->selftest, waits for at most @timeout_ms
 * and then kills the child. Always fills @result and always returns.
 */
void selftest_run(struct probe_env *env, const struct probe_item *item, unsigned int timeout_ms,
		  struct selftest_result *result);

/* For tests: sets the result. The last one counts. */
void selftest_pass(struct selftest *test, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void selftest_slow(struct selftest *test, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* For a limit of time that was up. Returns false. */
bool selftest_late(struct selftest *test, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Returns false, for `return selftest_fail(...)` and `if (!step(...)) return;`. */
bool selftest_fail(struct selftest *test, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* guest tests (live_vcpu.c) */
void selftest_port_7e(struct selftest *test);
void selftest_sync_regs(struct selftest *test);
void selftest_msr_filter(struct selftest *test);
void selftest_cpuid(struct selftest *test);
void selftest_apic_page(struct selftest *test);
void selftest_tsc_offset(struct selftest *test);
void selftest_hypercall(struct selftest *test);
/* our kernel part under a running vCPU (live_restriction.c) */
void selftest_restrictions(struct selftest *test);
/* userfaultfd in user space (live_uffd.c) */
void selftest_user_write_protect(struct selftest *test);
void selftest_user_minor(struct selftest *test);
void selftest_user_continue_protected(struct selftest *test);
/* userfaultfd under a running vCPU (live_violation.c) */
void selftest_no_write(struct selftest *test);
void selftest_no_access(struct selftest *test);
void selftest_never_hang(struct selftest *test);

#endif
