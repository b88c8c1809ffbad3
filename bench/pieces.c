/* SPDX-License-Identifier: BSD-2-Clause */
#include "pieces.h"

#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#define SAMPLES_MAX 100000u
#define ROUNDS	    8u

enum piece {
	PIECE_RUN,
	PIECE_GET_XSAVE,
	PIECE_SET_XSAVE,
	PIECE_COUNT, /* reading KVM's count of exits (src/backend/kvm/vcpu/exit_count.c) */
	PIECE_OTHER, /* any other ioctl */
	PIECE_KINDS,
};

static const char *const piece_name[PIECE_KINDS] = {
	[PIECE_RUN] = "KVM_RUN",
	[PIECE_GET_XSAVE] = "KVM_GET_XSAVE",
	[PIECE_SET_XSAVE] = "KVM_SET_XSAVE",
	[PIECE_COUNT] = "reading the exit count",
	[PIECE_OTHER] = "other ioctls",
};

/* Times of calls of one kind, and of the gaps before them, in TSC ticks. */
struct samples {
	uint32_t call[SAMPLES_MAX];
	uint32_t before[SAMPLES_MAX];
	uint32_t count;
};

static struct samples *recording; /* [PIECE_KINDS]; NULL: not recording */
static uint64_t last;

int __real_ioctl(int fd, unsigned long request, ...);
ssize_t __real_pread64(int fd, void *data, size_t size, off_t offset);
int __wrap_ioctl(int fd, unsigned long request, ...);
ssize_t __wrap_pread64(int fd, void *data, size_t size, off_t offset);

static void note(enum piece piece, uint64_t start)
{
	const uint64_t end = __builtin_ia32_rdtsc();
	struct samples *samples = &recording[piece];

	if (samples->count < SAMPLES_MAX) {
		samples->before[samples->count] = (uint32_t)(start - last);
		samples->call[samples->count++] = (uint32_t)(end - start);
	}
	last = __builtin_ia32_rdtsc();
}

static enum piece piece_of(unsigned long request)
{
	switch (request) {
	case KVM_RUN:
		return PIECE_RUN;
	case KVM_GET_XSAVE:
	case KVM_GET_XSAVE2:
		return PIECE_GET_XSAVE;
	case KVM_SET_XSAVE:
		return PIECE_SET_XSAVE;
	default:
		return PIECE_OTHER;
	}
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	const uint64_t start = recording ? __builtin_ia32_rdtsc() : 0;
	va_list arguments;
	void *argument;
	int result;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	result = __real_ioctl(fd, request, argument);
	if (recording && start)
		note(piece_of(request), start);
	return result;
}

ssize_t __wrap_pread64(int fd, void *data, size_t size, off_t offset)
{
	const uint64_t start = recording ? __builtin_ia32_rdtsc() : 0;
	const ssize_t result = __real_pread64(fd, data, size, offset);

	if (recording && start)
		note(PIECE_COUNT, start);
	return result;
}

static int compare(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a;
	const uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double median_times_count(uint32_t *tick, uint32_t count)
{
	const uint32_t middle = count / 2;

	if (!count)
		return 0;
	qsort(tick, count, sizeof(*tick), compare);
	return (double)tick[middle] * count;
}

/* Returns nanoseconds per TSC tick. */
static double record(struct samples *samples, bench_fn *fn, void *arg, uint64_t rounds)
{
	const uint64_t start = __builtin_ia32_rdtsc();
	double ns;

	last = start;
	recording = samples;
	ns = bench_once(fn, arg, rounds);
	recording = NULL;
	return ns / (double)(__builtin_ia32_rdtsc() - start);
}

/* Nanoseconds, by kind, and of the gaps between calls. */
static double sum(struct samples *samples, double ns_per_tick, double of[PIECE_KINDS],
		  double *between)
{
	double all;

	*between = 0;
	for (unsigned int i = 0; i < PIECE_KINDS; i++) {
		of[i] = median_times_count(samples[i].call, samples[i].count) * ns_per_tick;
		*between += median_times_count(samples[i].before, samples[i].count) * ns_per_tick;
	}
	all = *between;
	for (unsigned int i = 0; i < PIECE_KINDS; i++)
		all += of[i];
	return all;
}

static void detail(struct bench *bench, const char *name, const char *piece, double ns,
		   double floor)
{
	char text[80];

	if (ns < floor / 200)
		return;
	snprintf(text, sizeof(text), "%s: %s", name, piece);
	bench_figure(bench, text, ns, "ns", floor, 0);
}

void pieces_against(struct bench *bench, const char *name, bench_fn *fn, bench_fn *floor_fn,
		    void *arg, uint64_t count, double limit, bool with_detail)
{
	struct samples *samples = calloc(2 * PIECE_KINDS, sizeof(*samples));
	const uint64_t some = (count + ROUNDS - 1) / ROUNDS;
	const double all = (double)(some * ROUNDS);
	double of[PIECE_KINDS];
	double between;
	double floor;
	double tick = 0;
	double ns;

	if (!samples)
		abort();
	for (unsigned int i = 0; i < ROUNDS; i++) {
		tick = record(samples, fn, arg, some);
		record(samples + PIECE_KINDS, floor_fn, arg, some);
	}
	floor = sum(samples + PIECE_KINDS, tick, of, &between) / all;
	ns = sum(samples, tick, of, &between) / all;
	bench_figure(bench, name, ns, "ns", floor, limit);
	for (unsigned int i = 0; i < PIECE_KINDS && with_detail; i++)
		detail(bench, name, piece_name[i], of[i] / all, floor);
	if (with_detail)
		detail(bench, name, "outside of system calls", between / all, floor);
	free(samples);
}
