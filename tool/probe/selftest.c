/* SPDX-License-Identifier: BSD-2-Clause */
#include "selftest.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

static void set(struct selftest_result *result, enum selftest_outcome outcome, const char *format,
		va_list args)
{
	result->outcome = outcome;
	vsnprintf(result->text, sizeof(result->text), format, args);
}

void selftest_pass(struct selftest *test, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set(&test->result, SELFTEST_PASS, format, args);
	va_end(args);
}

void selftest_slow(struct selftest *test, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set(&test->result, SELFTEST_SLOW, format, args);
	va_end(args);
}

bool selftest_fail(struct selftest *test, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set(&test->result, SELFTEST_FAIL, format, args);
	va_end(args);
	return false;
}

bool selftest_late(struct selftest *test, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set(&test->result, SELFTEST_LATE, format, args);
	va_end(args);
	return false;
}

bool selftest_timed_out(const struct selftest_result *result)
{
	return result->outcome == SELFTEST_LATE || result->outcome == SELFTEST_HUNG;
}

static void conclude(struct selftest_result *result, enum selftest_outcome outcome,
		     const char *format, ...) __attribute__((format(printf, 3, 4)));

static void conclude(struct selftest_result *result, enum selftest_outcome outcome,
		     const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set(result, outcome, format, args);
	va_end(args);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void child(struct probe_env *env, const struct probe_item *item, unsigned int timeout_ms,
		  pid_t parent, int pipe_fd)
{
	struct selftest test = {
		.env = env,
		.timeout_ms = timeout_ms - timeout_ms / 4,
		.result = {.outcome = SELFTEST_FAIL, .text = "the test came to no result"},
	};

	/* No vCPU may spin after the parent was killed. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	item->selftest(&test);
	if (write(pipe_fd, &test.result, sizeof(test.result)) != sizeof(test.result))
		_exit(1);
	_exit(0);
}

static bool await(int fd, int64_t deadline, struct selftest_result *result)
{
	for (;;) {
		int64_t left = deadline - now_ms();
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int n = poll(&p, 1, left > 0 ? (int)left : 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		return read(fd, result, sizeof(*result)) == sizeof(*result);
	}
}

/* Returns whether the child has ended. */
static bool ended(pid_t pid, int64_t deadline, int *status)
{
	for (;;) {
		pid_t got = waitpid(pid, status, WNOHANG);
		const struct timespec pause = {.tv_nsec = 2000000};

		if (got == pid)
			return true;
		if ((got < 0 && errno != EINTR) || now_ms() >= deadline)
			return false;
		nanosleep(&pause, NULL);
	}
}

static void run(struct probe_env *env, const struct probe_item *item, unsigned int timeout_ms,
		struct selftest_result *result)
{
	int64_t deadline = now_ms() + timeout_ms;
	pid_t parent = getpid(), pid;
	int fd[2], status = 0;
	bool answered, gone;

	if (pipe(fd)) {
		conclude(result, SELFTEST_FAIL, "pipe: %s", strerror(errno));
		return;
	}
	fflush(NULL); /* the child inherits the buffers */
	pid = fork();
	if (pid < 0) {
		conclude(result, SELFTEST_FAIL, "fork: %s", strerror(errno));
		close(fd[0]);
		close(fd[1]);
		return;
	}
	if (pid == 0) {
		close(fd[0]);
		child(env, item, timeout_ms, parent, fd[1]);
	}
	close(fd[1]);
	answered = await(fd[0], deadline, result);
	close(fd[0]);
	/* After its result the child gets the same time again to exit. */
	gone = ended(pid, answered ? now_ms() + timeout_ms : deadline, &status);
	if (gone && answered)
		return;
	if (gone && WIFSIGNALED(status)) {
		conclude(result, SELFTEST_DIED, "the test process was killed by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
		return;
	}
	if (gone) {
		conclude(result, SELFTEST_DIED,
			 "the test process ended without a result (status %d)",
			 WEXITSTATUS(status));
		return;
	}
	kill(pid, SIGKILL);
	if (ended(pid, now_ms() + timeout_ms, &status)) {
		conclude(result, SELFTEST_HUNG, "no end within %u ms; killed", timeout_ms);
		return;
	}
	conclude(result, SELFTEST_HUNG, "no end within %u ms, and process %d cannot be killed",
		 timeout_ms, (int)pid);
	result->stuck = true;
}

void selftest_run(struct probe_env *env, const struct probe_item *item, unsigned int timeout_ms,
		  struct selftest_result *result)
{
	const int64_t begin = now_ms();

	*result = (struct selftest_result){.outcome = SELFTEST_DIED};
	run(env, item, timeout_ms, result);
	result->elapsed_ms = (unsigned int)(now_ms() - begin);
}
