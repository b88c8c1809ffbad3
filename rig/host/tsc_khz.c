/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's software CPU passes the TSC through, so the guest needs no calibration, which a busy host
 * would disturb.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct reading {
	uint64_t tsc;
	uint64_t ns;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The scheduler may interrupt a pair of readings: the closest one counts. */
static struct reading read_both(void)
{
	struct reading best = {0};
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 100; i++) {
		uint64_t before = __rdtsc();
		uint64_t ns = now_ns();
		uint64_t width = __rdtsc() - before;

		if (width < least) {
			least = width;
			best = (struct reading){before + width / 2, ns};
		}
	}
	return best;
}

int main(void)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	struct reading first = read_both(), last;

	do {
		nanosleep(&pause, NULL);
		last = read_both();
	} while (last.ns - first.ns < (uint64_t)pause.tv_nsec);
	printf("%llu\n", (unsigned long long)((double)(last.tsc - first.tsc) * 1e6 /
					      (double)(last.ns - first.ns)));
	return 0;
}
