/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each self-test runs in a child process, so that a crash, a hang or a vCPU that never returns
 * becomes a result.
 */
#ifndef VSM_TOOL_PROBE_SELFTEST_H
#define VSM_TOOL_PROBE_SELFTEST_H

#include <stdbool.h>

struct probe_env;
struct probe_item;

enum selftest_outcome {
	SELFTEST_PASS,
	SELFTEST_FAIL,
	SELFTEST_SLOW, /* works, but only by the slow path */
	SELFTEST_DIED, /* the child ended without a result; set by the parent */
	SELFTEST_LATE, /* the test's own limit expired: it hangs, or the host is busy */
	SELFTEST_HUNG, /* as SELFTEST_LATE, but set by the parent: the child did not end in time */
};

/* Sent through a pipe in one write, so smaller than PIPE_BUF. */
struct selftest_result {
	enum selftest_outcome outcome;
	char text[512];
	bool stuck;		 /* set by the parent: SIGKILL does not end the child */
	unsigned int elapsed_ms; /* set by the parent */
};

struct selftest {
	struct probe_env *env;
	unsigned int timeout_ms; /* three quarters of the parent's limit */
	struct selftest_result result;
};

bool selftest_timed_out(const struct selftest_result *result);

/* Its duration shows whether time limits are meaningful now. */
void selftest_control(struct selftest *test);

/*
 * Implements probe_env.selftest. Kills the child if it has no result after @timeout_ms, or does not
 * end within the same time after its result. Always fills @result and returns.
 */
void selftest_run(struct probe_env *env, const struct probe_item *item, unsigned int timeout_ms,
		  struct selftest_result *result);

/* Later results replace earlier ones. */
void selftest_pass(struct selftest *test, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void selftest_slow(struct selftest *test, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Returns false, as selftest_fail(). */
bool selftest_late(struct selftest *test, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Returns false, for `return selftest_fail(...)`. */
bool selftest_fail(struct selftest *test, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* live_vcpu.c */
void selftest_port_7e(struct selftest *test);
void selftest_sync_regs(struct selftest *test);
void selftest_msr_filter(struct selftest *test);
void selftest_cpuid(struct selftest *test);
void selftest_apic_page(struct selftest *test);
void selftest_tsc_offset(struct selftest *test);
void selftest_hypercall(struct selftest *test);
/* live_restriction.c */
void selftest_restrictions(struct selftest *test);
/* live_nested.c */
void selftest_nested(struct selftest *test);
/* live_uffd.c */
void selftest_user_write_protect(struct selftest *test);
void selftest_user_minor(struct selftest *test);
void selftest_user_continue_protected(struct selftest *test);
/* live_violation.c */
void selftest_no_write(struct selftest *test);
void selftest_no_access(struct selftest *test);
void selftest_never_hang(struct selftest *test);

#endif
