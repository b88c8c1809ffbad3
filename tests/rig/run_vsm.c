/* SPDX-License-Identifier: BSD-2-Clause */
#include "run_vsm.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define WORDS_MAX    24
#define UNPRIVILEGED 65534

const char *const clock_line[2] = {"\nTIME ", "\nLATER "};
const char *vsm, *kernel, *linux_image, *initrd, *vmlinux;
struct result result;

double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void split(char *text, char *words[WORDS_MAX], int count)
{
	for (char *word = strtok(text, " "); word && count < WORDS_MAX - 1;
	     word = strtok(NULL, " ")) {
		if (!strcmp(word, "K"))
			word = (char *)(uintptr_t)kernel;
		else if (!strcmp(word, "L"))
			word = (char *)(uintptr_t)linux_image;
		else if (!strcmp(word, "I"))
			word = (char *)(uintptr_t)initrd;
		else if (!strcmp(word, "V"))
			word = (char *)(uintptr_t)vmlinux;
		if (!word)
			break; /* without this file its cases are skipped */
		/* The value of --append or --initrd: commas become spaces. */
		for (char *comma = word; count > 2 &&
					 (!strcmp(words[count - 1], "--append") ||
					  !strcmp(words[count - 1], "--initrd")) &&
					 (comma = strchr(comma, ','));)
			*comma = ' ';
		words[count++] = word;
	}
	words[count] = NULL;
}

void become_vsm(const struct test *test, int in, int out, int err)
{
	char *words[WORDS_MAX] = {(char *)(uintptr_t)vsm, (char *)(uintptr_t) "run"};

	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	closefrom(3);
	setsid();
	if (test->unprivileged && (setgid(UNPRIVILEGED) || setuid(UNPRIVILEGED)))
		_exit(125);
	split(strdup(test->arguments), words, 2);
	execv(vsm, words);
	_exit(126);
}

static void run_also(const char *arguments)
{
	char *words[WORDS_MAX] = {(char *)(uintptr_t)vsm};
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		split(strdup(arguments), words, 1);
		execv(vsm, words);
		_exit(126);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		printf("# vsm %s: status %d\n", arguments, WEXITSTATUS(status));
}

/* Appends available output to @text. Returns false at the end of the file. */
static bool collect(int fd, char *text)
{
	const size_t used = strlen(text);
	const ssize_t got = read(fd, text + used, OUTPUT_MAX - 1 - used);

	if (got > 0)
		text[used + (size_t)got] = 0;
	return got > 0;
}

void send_keys(int fd, const char *keys)
{
	if (write(fd, keys, strlen(keys)) < 0)
		printf("# the keys cannot be sent\n");
}

/* Ends when stderr is closed or after @seconds. */
static void follow(const struct test *test, pid_t pid, int in, int out, int err, int seconds)
{
	struct pollfd wait[] = {{.fd = test->unread ? -1 : out, .events = POLLIN},
				{.fd = err, .events = POLLIN}};
	const double begin = now();
	const char *awaited = test->when;
	int sent = 0, typed = test->input == TERMINAL ? 0 : 2;

	while (wait[1].fd >= 0 && now() - begin < seconds) {
		if (sent < 2 && test->signals[sent] && now() - begin > sent + 1)
			kill(pid, test->signals[sent++]);
		if (typed < 2 && now() - begin > typed + 2)
			send_keys(in, typed++ ? test->late_keys : test->keys);
		if (poll(wait, 2, 100) <= 0)
			continue;
		if (wait[0].revents && !collect(out, result.out))
			wait[0].fd = -1;
		for (int i = 0; i < 2; i++)
			if (!result.stamp[i] && strstr(result.out, clock_line[i]))
				result.stamp[i] = time(NULL);
		if (wait[1].revents && !collect(err, result.err))
			wait[1].fd = -1;
		if (awaited && strstr(result.out, awaited)) {
			awaited = NULL;
			run_also(test->then);
		}
	}
	fcntl(out, F_SETFL, O_NONBLOCK);
	while (wait[0].fd >= 0 && collect(out, result.out))
		;
}

void run(const struct test *test, int seconds)
{
	int in[2] = {-1, -1}, out[2], err[2], status = 0;
	const double begin = now();
	pid_t pid;

	memset(&result, 0, sizeof(result));
	if (test->input == TERMINAL)
		(void)openpty(&in[1], &in[0], NULL, NULL, NULL);
	else if (test->input == PIPE)
		(void)pipe2(in, O_CLOEXEC);
	else
		in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) || in[0] < 0)
		return;
	pid = fork();
	if (pid == 0)
		become_vsm(test, in[0], out[1], err[1]);
	close(out[1]);
	close(err[1]);
	if (test->input == PIPE)
		send_keys(in[1], test->keys);
	follow(test, pid, in[1], out[0], err[0], seconds);
	if (waitpid(pid, &status, WNOHANG) == 0) {
		usleep(200000);
		if (waitpid(pid, &status, WNOHANG) == 0) {
			printf("# vsm does not end\n");
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
		}
	}
	result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	result.seconds = now() - begin;
	close(out[0]);
	close(err[0]);
	close(in[0]);
	if (in[1] >= 0)
		close(in[1]);
}

static void explain(void)
{
	char *streams[] = {result.out, result.err};

	printf("# status %d after %.1f s\n", result.status, result.seconds);
	for (size_t i = 0; i < 2; i++)
		for (char *line = strtok(streams[i], "\n"); line; line = strtok(NULL, "\n"))
			printf("# %s: %s\n", i ? "err" : "out", line);
}

void run_check(const struct test *test, int seconds)
{
	bool ok;

	run(test, seconds);
	ok = result.status == test->status && (!test->out || strstr(result.out, test->out)) &&
	     (!test->err || strstr(result.err, test->err)) && (!test->nothing || !result.out[0]);
	if (!check(ok, "%s", test->name))
		explain();
}
