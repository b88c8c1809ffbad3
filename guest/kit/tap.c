/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/tap.h"

#include "kit/console.h"
#include "kit/options.h"

#define REPORTS_MAX 10 /* failures printed per case: one in a loop would flood the output */

static uint32_t number, failed, skipped;
static uint32_t case_failures;
static const char *case_skipped;
static uint64_t random_state;

void tap_skip(const char *reason)
{
	case_skipped = reason;
}

static bool report(void)
{
	return __atomic_fetch_add(&case_failures, 1, __ATOMIC_RELAXED) < REPORTS_MAX;
}

bool tap_expect(bool ok, const char *file, int line, const char *what)
{
	if (!ok && report())
		print("# %s:%d: does not hold: %s\n", file, line, what);
	return ok;
}

bool tap_expect_equal(uint64_t value, uint64_t wanted, const char *file, int line, const char *what)
{
	if (value != wanted && report())
		print("# %s:%d: does not hold: %s; it is 0x%lx, wanted 0x%lx\n", file, line, what,
		      value, wanted);
	return value == wanted;
}

static void result(const char *topic, const char *name, const char *reason)
{
	number++;
	if (case_failures) {
		failed++;
		print("not ok %u - %s: %s\n", number, topic, name);
	} else if (reason) {
		skipped++;
		print("ok %u - %s: %s # SKIP %s\n", number, topic, name, reason);
	} else {
		print("ok %u - %s: %s\n", number, topic, name);
	}
}

static void run_topic(const struct tap_topic *topic)
{
	const char *reason;

	case_failures = 0;
	reason = topic->prepare ? topic->prepare() : NULL;
	for (size_t i = 0; i < topic->count; i++) {
		/* A failure while a topic is prepared counts for its first case. */
		if (i)
			case_failures = 0;
		case_skipped = NULL;
		if (!reason)
			topic->cases[i].run();
		result(topic->name, topic->cases[i].name, reason ? reason : case_skipped);
	}
}

bool tap_run(const struct tap_topic *const *topic, size_t count)
{
	random_state = option_number("seed", 1);
	for (size_t i = 0; i < count; i++)
		if (!option_text("test") || option_has("test", topic[i]->name))
			run_topic(topic[i]);
	print("1..%u\n", number);
	if (!number)
		print("# no test has that name\n");
	print("# %u passed, %u failed, %u skipped\n", number - failed - skipped, failed, skipped);
	return number && !failed;
}

/* SplitMix64 (Sebastiano Vigna): a counter and a mixing function. */
uint64_t tap_random(void)
{
	uint64_t z = __atomic_add_fetch(&random_state, 0x9e3779b97f4a7c15, __ATOMIC_RELAXED);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}
