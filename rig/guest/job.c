/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request is strings, each ended by a zero byte: the working directory, the number of environment
 * strings in decimal, these, then the arguments.
 */
#include "agent.h"

#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	STRINGS_MAX = 4096
};

/* For a channel that poll(2) cannot wait for. */
static const int poll_interval_ms = 50;

struct job {
	char *directory;
	char **environment;
	char **arguments;
	char *strings[STRINGS_MAX];
};

struct running {
	pid_t pid;
	int out;
	int err;
	int status; /* from waitpid(2), valid if `ended` */
	bool ended;
};

/* False: not the format at the top of this file. */
static bool parse(struct job *job, char *request, size_t length)
{
	size_t count = 0, environment;
	char *at = request;

	if (!length || request[length - 1])
		return false;
	while (at < request + length) {
		if (count >= STRINGS_MAX - 2)
			return false;
		job->strings[count++] = at;
		at += strlen(at) + 1;
	}
	if (count < 3)
		return false;
	environment = strtoul(job->strings[1], NULL, 10);
	if (environment > count - 3)
		return false;
	job->directory = job->strings[0];
	job->environment = job->strings + 2;
	job->arguments = job->strings + 2 + environment + 1;
	memmove(job->arguments, job->arguments - 1, (count - 2 - environment) * sizeof(char *));
	job->environment[environment] = NULL;
	job->arguments[count - 2 - environment] = NULL;
	return true;
}

/* In the child. */
static _Noreturn void become(const struct job *job, int out, int err, int failure)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;
	int error;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (null >= 0 && dup2(null, 0) >= 0 && dup2(out, 1) >= 0 && dup2(err, 2) >= 0 &&
	    !chdir(job->directory)) {
		environ = job->environment;
		execvp(job->arguments[0], job->arguments);
	}
	error = errno;
	if (write(failure, &error, sizeof(error)) != sizeof(error))
		_exit(126);
	_exit(127);
}

/* Returns 0, or the errno with which the program did not start. */
static int start(const struct job *job, struct running *running)
{
	int out[2], err[2], failure[2], error = 0;

	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) || pipe2(failure, O_CLOEXEC))
		return errno;
	running->ended = false;
	running->out = out[0];
	running->err = err[0];
	running->pid = fork();
	if (!running->pid)
		become(job, out[1], err[1], failure[1]);
	if (running->pid < 0)
		error = errno;
	close(out[1]);
	close(err[1]);
	close(failure[1]);
	/* End of file: execve(2) has closed the other side. */
	if (read(failure[0], &error, sizeof(error)) != sizeof(error) && running->pid > 0)
		error = 0;
	close(failure[0]);
	if (error) {
		close(running->out);
		close(running->err);
	}
	return error;
}

/* Closes the pipe at its end. */
static void forward(struct channel *channel, uint32_t kind, int *pipe)
{
	static char data[65536];
	ssize_t n = read(*pipe, data, sizeof(data));

	if (n > 0) {
		send_frame(channel, kind, 0, data, (size_t)n);
	} else if (n == 0 || errno != EINTR) {
		close(*pipe);
		*pipe = -1;
	}
}

/* Process 1 is also the parent of every orphan. */
static void reap(struct running *running)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == running->pid) {
			running->status = status;
			running->ended = true;
		}
	}
}

/* Returns true if the host requested a stop before the end of the program. */
static bool forward_output(struct channel *channel, int children, struct running *running,
			   bool may_stop)
{
	for (;;) {
		struct pollfd fds[] = {
			{.fd = running->out, .events = POLLIN},
			{.fd = running->err, .events = POLLIN},
			{.fd = children, .events = POLLIN},
			{.fd = may_stop ? channel->fd : -1, .events = POLLIN},
		};
		int pause = may_stop && channel->fd < 0 ? poll_interval_ms : -1;
		int ready;

		/* A child of the program may keep the pipes open. */
		ready = poll(fds, 4, running->ended ? 0 : pause);
		if (running->ended && ready <= 0)
			return false;
		if (may_stop && !running->ended && channel->pending(channel)) {
			receive_stop(channel);
			return true;
		}
		if (ready <= 0)
			continue;
		if (fds[0].revents)
			forward(channel, JOB_STDOUT, &running->out);
		if (fds[1].revents)
			forward(channel, JOB_STDERR, &running->err);
		if (fds[2].revents) {
			struct signalfd_siginfo info;

			if (read(children, &info, sizeof(info)) == sizeof(info))
				reap(running);
		}
		if (running->ended && running->out < 0 && running->err < 0)
			return false;
	}
}

static void report(struct channel *channel, const struct running *running)
{
	if (WIFSIGNALED(running->status))
		send_frame(channel, JOB_KILLED, (uint32_t)WTERMSIG(running->status), NULL, 0);
	else
		send_frame(channel, JOB_EXITED, (uint32_t)WEXITSTATUS(running->status), NULL, 0);
}

void run_job(struct channel *channel, char *request, size_t length)
{
	static struct job job;
	struct running running;
	bool stopped;
	sigset_t mask;
	int children, error;

	if (!parse(&job, request, length)) {
		send_frame(channel, JOB_NOT_STARTED, EINVAL, NULL, 0);
		return;
	}
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	children = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	error = children < 0 ? errno : start(&job, &running);
	if (error) {
		send_frame(channel, JOB_NOT_STARTED, (uint32_t)error, NULL, 0);
	} else {
		stopped = forward_output(channel, children, &running, true);
		/* -1: all other processes. */
		kill(-1, SIGKILL);
		forward_output(channel, children, &running, false);
		if (stopped)
			send_frame(channel, JOB_TIMED_OUT, 0, NULL, 0);
		else
			report(channel, &running);
		if (running.out >= 0)
			close(running.out);
		if (running.err >= 0)
			close(running.err);
	}
	if (children >= 0)
		close(children);
}
