/* SPDX-License-Identifier: BSD-2-Clause */
/* Passes on every host; only its time matters. */
#include <pthread.h>
#include <unistd.h>

#include "selftest.h"

/*
 * Milliseconds of computation, as for a guest, and thread switches, as for the events of a
 * self-test.
 */
#define LOOPS	 1000000u
#define SWITCHES 50u

struct pair {
	int there[2], back[2];
};

static void *echo(void *opaque)
{
	const struct pair *pair = opaque;
	char byte;

	while (read(pair->there[0], &byte, 1) == 1)
		if (write(pair->back[1], &byte, 1) != 1)
			break;
	return NULL;
}

void selftest_control(struct selftest *test)
{
	volatile unsigned int count = 0;
	struct pair pair;
	pthread_t thread;
	char byte = 0;

	if (pipe(pair.there) || pipe(pair.back) || pthread_create(&thread, NULL, echo, &pair)) {
		selftest_fail(test, "no pipe or no thread");
		return;
	}
	for (unsigned int i = 0; i < SWITCHES; i++) {
		for (unsigned int loop = 0; loop < LOOPS / SWITCHES; loop++)
			count = count + 1;
		if (write(pair.there[1], &byte, 1) != 1 || read(pair.back[0], &byte, 1) != 1) {
			selftest_fail(test, "the pipe ends");
			return;
		}
	}
	close(pair.there[1]);
	pthread_join(thread, NULL);
	selftest_pass(test, "%u switches", SWITCHES);
}
