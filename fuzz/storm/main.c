/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The storm as a test, for compilers and sanitizers without libFuzzer. A failure prints the seed of
 * its input, for VSM_STORM_SEED.
 */
#include "storm.h"

#include <signal.h>
#include <unistd.h>

/*
 * The CPU of the sim backend and copies that the core makes for different VPs may access the same
 * byte of guest memory.
 */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "race:^access_memory$\n"
	       "race:^gpa_read$\n"
	       "race:^gpa_write$\n";
}

/* The seed as text, since a signal handler may not format it. */
static char seed_text[48];
static size_t seed_length;

static void set_seed_text(uint64_t seed)
{
	const int length = snprintf(seed_text, sizeof(seed_text), "# VSM_STORM_SEED=%llu\n",
				    (unsigned long long)seed);

	seed_length = length > 0 ? (size_t)length : 0;
}

static void print_seed(int signal)
{
	(void)signal;
	(void)!write(STDERR_FILENO, seed_text, seed_length);
}

/* splitmix64 */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

int main(void)
{
	static uint64_t input[3 * (STORM_VPS + 1) * STORM_OPS * sizeof(struct storm_op) / 8 + 1];
	const uint64_t inputs = number("VSM_STORM_INPUTS", 60);
	uint64_t seed;

	signal(SIGABRT, print_seed);
	seed = number("VSM_STORM_SEED", 1);
	printf("1..1\n");
	for (uint64_t i = 0; i < inputs; i++, seed++) {
		uint64_t state = seed;

		set_seed_text(seed);

		for (size_t j = 0; j < sizeof(input) / sizeof(input[0]); j++)
			input[j] = draw(&state);
		storm_run((const uint8_t *)input, sizeof(input));
	}
	printf("ok 1 - %llu storms keep secret and locked pages intact\n",
	       (unsigned long long)inputs);
	return 0;
}
