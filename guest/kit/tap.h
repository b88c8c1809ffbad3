/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests: topics with cases, each named by a sentence. Results are TAP. */
#ifndef KIT_TAP_H
#define KIT_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tap_case {
	const char
		*name; /* a sentence that is true when the case passes; TAP forbids a "#" in it */
	void (*run)(void);
};

struct tap_topic {
	const char *name;	      /* for test=NAME */
	const char *(*prepare)(void); /* returns a reason to skip the topic, or NULL; optional */
	const struct tap_case *cases;
	size_t count;
};

#define TAP_TOPIC(topic, before, list)                                               \
	const struct tap_topic topic = {&#topic[sizeof("topic_") - 1], before, list, \
					sizeof(list) / sizeof((list)[0])}

/* Runs the topics that the command line selects (test=NAME,NAME; default all). True if nothing failed and at
 * least one case was selected. */
bool tap_run(const struct tap_topic *const *topic, size_t count);

/* Skips the case for this reason; return afterwards. */
void tap_skip(const char *reason);

bool tap_expect(bool ok, const char *file, int line, const char *what);
bool tap_expect_equal(uint64_t value, uint64_t wanted, const char *file, int line,
		      const char *what);

/* Callable on any VP and VTL. Return whether the expectation holds. */
#define expect(condition) tap_expect(condition, __FILE__, __LINE__, #condition)
#define expect_equal(value, wanted)                                                 \
	tap_expect_equal((uint64_t)(value), (uint64_t)(wanted), __FILE__, __LINE__, \
			 #value " is " #wanted)

/* Pseudo-random numbers, reproducible with the same seed=N. */
uint64_t tap_random(void);

#endif
