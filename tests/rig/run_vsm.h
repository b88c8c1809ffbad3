/* SPDX-License-Identifier: BSD-2-Clause */
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
	const char *arguments; /* K, L, I, V stand for the kernel, Linux, its initrd, its vmlinux */
	int status;
	const char *out, *err; /* must be part of the output; NULL: not checked */
	enum input input;
	const char *keys,
		*late_keys;	 /* written to a pipe immediately; to a terminal after 2 and 3 s */
	int signals[2];		 /* sent a second after the start, and a second later */
	const char *when, *then; /* after @when is printed, `vsm` is run with the words @then */
	bool unread;		 /* stdout is not read */
	bool unprivileged;	 /* only in the rig */
	bool without_kvm;	 /* only in the rig */
	bool nothing;		 /* stdout must be empty */
};

struct result {
	int status;
	char out[OUTPUT_MAX], err[OUTPUT_MAX];
	double seconds;
	time_t stamp[2]; /* host time of the lines with the guest's time */
};

/* Path of the command, and the files for the letters in arguments; the last three may be NULL. */
extern const char *vsm, *kernel, *linux_image, *initrd, *vmlinux;
extern struct result result;
/* The beginnings of the two output lines that have the guest's time. */
extern const char *const clock_line[2];

double now(void);
void become_vsm(const struct test *test, int in, int out, int err) __attribute__((noreturn));
void send_keys(int fd, const char *keys);
/* Fills result; the command is killed after @seconds. */
void run(const struct test *test, int seconds);
void run_check(const struct test *test, int seconds);

void check_mistakes(void);
void check_linuxes(void);

#endif
