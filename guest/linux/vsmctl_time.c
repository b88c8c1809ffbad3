// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "vsmctl.h"

#define ROUNDS	   9 /* the minimum is reported, as other load only adds time */
#define CALLS	   200
#define HMAC_BYTES 64
#define PERIOD_NS  10000000ull
#define CPUS_MAX   64
#define NS_PER_S   1000000000ull

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

int vsmctl_time(int device, const char *argument)
{
	static const __u8 data[HMAC_BYTES];
	uint64_t bare = UINT64_MAX, hmac = UINT64_MAX;
	bool missing = false; /* HMAC is an optional service */

	(void)argument;
	for (int round = 0; round < ROUNDS; round++) {
		struct vsm_time trips = {.calls = CALLS};
		uint64_t begin;

		if (ioctl(device, VSM_TIME_CALLS, &trips))
			return -1;
		if (trips.nanoseconds < bare)
			bare = trips.nanoseconds;
		begin = now();
		for (int i = 0; i < CALLS && !missing; i++) {
			struct vsm_hmac request = {.data = (uintptr_t)data, .size = sizeof(data)};

			missing = ioctl(device, VSM_HMAC, &request) != 0;
			if (missing && errno != EOPNOTSUPP)
				return -1;
		}
		if (now() - begin < hmac)
			hmac = now() - begin;
	}
	if (!missing)
		printf("hmac_ns=%llu ", (unsigned long long)(hmac / CALLS));
	printf("trip_ns=%llu\n", (unsigned long long)(bare / CALLS));
	return 0;
}

struct ticker {
	pthread_t thread;
	int cpu;
	uint64_t seconds;
	uint64_t count;	  /* expirations */
	uint64_t longest; /* ns between two reads */
	int error;
};

static int arm(int cpu)
{
	const struct itimerspec every = {.it_interval.tv_nsec = (long)PERIOD_NS,
					 .it_value.tv_nsec = (long)PERIOD_NS};
	cpu_set_t set;
	int timer;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return -1;
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (timer >= 0 && timerfd_settime(timer, 0, &every, NULL)) {
		close(timer);
		return -1;
	}
	return timer;
}

static void *count(void *argument)
{
	struct ticker *ticker = argument;
	const int timer = arm(ticker->cpu);
	const uint64_t begin = now();
	uint64_t last = begin, expired, time;

	if (timer < 0) {
		ticker->error = errno;
		return NULL;
	}
	do {
		if (read(timer, &expired, sizeof(expired)) != sizeof(expired)) {
			ticker->error = errno;
			break;
		}
		time = now();
		ticker->count += expired;
		if (time - last > ticker->longest)
			ticker->longest = time - last;
		last = time;
	} while (last - begin < ticker->seconds * NS_PER_S);
	close(timer);
	return NULL;
}

/* If an interrupt is lost, the kernel does not rearm its timer. It adds the missed expirations to the count,
 * so only the long gap shows a loss. */
int vsmctl_ticks(int device, const char *seconds)
{
	static struct ticker ticker[CPUS_MAX];
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int started = 0;

	(void)device;
	for (; started < cpus && started < CPUS_MAX; started++) {
		ticker[started].cpu = started;
		ticker[started].seconds = (uint64_t)atoi(seconds);
		if (pthread_create(&ticker[started].thread, NULL, count, &ticker[started]))
			return -1;
	}
	for (int i = 0; i < started; i++) {
		pthread_join(ticker[i].thread, NULL);
		if (ticker[i].error) {
			errno = ticker[i].error;
			return -1;
		}
		printf("cpu=%d ticks=%llu longest_ms=%llu\n", i,
		       (unsigned long long)ticker[i].count,
		       (unsigned long long)(ticker[i].longest / 1000000));
	}
	return 0;
}
