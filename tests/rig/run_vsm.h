/* SPDX-License-Identifier: BSD-2-Clause */
/* `vsm run` as a user has it: a command line, keys and signals, and what it prints and ends with. */
#ifndef RUN_VSM_H
#define RUN_VSM_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#define OUTPUT_MAX (1u << 20)

enum input {
	NOTHING, /* stdin is /dev/null */
	PIPE,
	TERMINAL,
};

struct test {
	const char *name;
	const char *
		arguments; /* separated by spaces; K, L, I, V stand for kernel, Linux, its initrd, its vmlinux */
	int status;
	const char *out, *err; /* must be in what is printed; NULL: not looked at */
	enum input input;
	const char *keys, *late_keys; /* into a pipe at once, at a terminal after 2 and 3 s */
	int signals[2];		      /* sent a second after the start, and a second later */
	const char *when, *then;      /* once this is printed, `vsm` is run with these words */
	bool deaf;		      /* stdout is not read */
	bool unprivileged;	      /* in the rig only */
	bool without_kvm;	      /* in the rig only */
	bool nothing;		      /* nothing may be on stdout */
};

struct result {
	int status;
	char out[OUTPUT_MAX], err[OUTPUT_MAX];
	double seconds;
	time_t stamp[2]; /* when its lines with the time came */
};

/* The command, and what the letters of a test's arguments stand for; the last three may be NULL. */
extern const char *vsm, *kernel, *linux_image, *initrd, *vmlinux;
extern struct result result; /* of the last run */
/* The beginnings of two lines with the guest's time. */
extern const char *const clock_line[2];

double now(void);
/* In the child of a fork: becomes the command. */
void become_vsm(const struct test *test, int in, int out, int err) __attribute__((noreturn));
void send_keys(int fd, const char *keys);
/* Fills result; the command is killed after @seconds. */
void run(const struct test *test, int seconds);
/* The same as a case of TAP, against what the test wants. */
void run_check(const struct test *test, int seconds);

/* The cases of the other files. */
void check_mistakes(void);
void check_linuxes(void);

#endif
