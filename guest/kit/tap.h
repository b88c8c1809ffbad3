/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests: topics with cases, each case a sentence. Results go out as TAP; every expectation that fails
 * prints file, line and values.
 */
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
	const char *(*prepare)(void); /* why all of it is skipped, or NULL; may be NULL itself */
	const struct tap_case *cases;
	size_t count;
};

#define TAP_TOPIC(topic, before, list)                                               \
	const struct tap_topic topic = {&#topic[sizeof("topic_") - 1], before, list, \
					sizeof(list) / sizeof((list)[0])}

/*
 * Runs those topics that the command line names (test=NAME,NAME; all if it names none), prints the plan
 * at the end. True if nothing failed, and something ran.
 */
bool tap_run(const struct tap_topic *const *topic, size_t count);

/* The case is not possible here, for this reason: return after it. */
void tap_skip(const char *reason);

bool tap_expect(bool ok, const char *file, int line, const char *what);
bool tap_expect_equal(uint64_t value, uint64_t wanted, const char *file, int line,
		      const char *what);

/* Any VP and VTL. Their value says whether it holds, for those who cannot go on otherwise. */
#define expect(condition) tap_expect(condition, __FILE__, __LINE__, #condition)
#define expect_equal(value, wanted)                                                 \
	tap_expect_equal((uint64_t)(value), (uint64_t)(wanted), __FILE__, __LINE__, \
			 #value " is " #wanted)

/* Numbers that look random and are the same in every run with the same seed=N. */
uint64_t tap_random(void);

#endif
