/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The floor of a figure is the time of the least work that could give the same result. Most are
 * measured alternately in the same run, so that a slow or busy machine slows both.
 *
 * Prints a line per figure: name, value, unit, floor, ratio, limit of the ratio; or name, value,
 * unit, maximum. With --json one object per line. bench_end() returns 1 if a limit or maximum was
 * exceeded.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bench {
	bool json;
	bool over;
};

typedef void bench_fn(void *arg, uint64_t n);

/* Keeps the compiler from optimizing away the work that gave @value. */
#define bench_keep(value) __asm__ volatile("" : : "r,m"(value) : "memory")

static inline void bench_require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s failed\n", what);
	exit(1);
}

static inline double bench_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static inline struct bench bench_begin(int argc, char **argv)
{
	struct bench bench = {0};

	for (int i = 1; i < argc; i++)
		bench.json |= !strcmp(argv[i], "--json");
	return bench;
}

static inline int bench_end(const struct bench *bench)
{
	return bench->over;
}

/* @floor 0: no floor. @limit 0: no limit. */
static inline void bench_figure(struct bench *bench, const char *name, double value,
				const char *unit, double floor, double limit)
{
	double ratio = floor > 0 ? value / floor : 0;
	bool over = limit > 0 && ratio > limit;

	bench->over |= over;
	if (bench->json) {
		printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\"", name, value, unit);
		if (floor > 0)
			printf(",\"floor\":%.3f,\"ratio\":%.3f", floor, ratio);
		if (limit > 0)
			printf(",\"limit\":%.3f,\"over\":%s", limit, over ? "true" : "false");
		printf("}\n");
		return;
	}
	printf("%-32s %10.2f %-8s", name, value, unit);
	if (floor > 0)
		printf(" floor %8.2f  ratio %6.2f", floor, ratio);
	else
		printf(" floor        -  ratio      -");
	if (limit > 0)
		printf("  limit %.2f%s", limit, over ? "  OVER" : "");
	printf("\n");
}

/* For a maximum that holds on every machine. */
static inline void bench_at_most(struct bench *bench, const char *name, double value,
				 const char *unit, double maximum)
{
	const bool over = value > maximum;

	bench->over |= over;
	if (bench->json)
		printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\",\"maximum\":%.3f,\"over\":%"
		       "s}\n",
		       name, value, unit, maximum, over ? "true" : "false");
	else
		printf("%-32s %10.2f %-8s maximum %.2f%s\n", name, value, unit, maximum,
		       over ? "  OVER" : "");
}

static inline void bench_skip(const struct bench *bench, const char *name, const char *why)
{
	if (bench->json)
		printf("{\"name\":\"%s\",\"skipped\":\"%s\"}\n", name, why);
	else
		printf("%-32s skipped: %s\n", name, why);
}

static inline double bench_once(bench_fn *fn, void *arg, uint64_t n)
{
	const double before = bench_now();

	fn(arg, n);
	return bench_now() - before;
}

static inline int bench_compare(const void *a, const void *b)
{
	const double x = *(const double *)a;
	const double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts @value. */
static inline double bench_median(double *value, size_t count)
{
	qsort(value, count, sizeof(*value), bench_compare);
	return value[count / 2];
}

/* Disturbances only add time. */
static inline double bench_best(bench_fn *fn, void *arg, uint64_t n)
{
	double best = 1e18;

	for (unsigned int i = 0; i < 3; i++) {
		double took = bench_once(fn, arg, n);

		best = took < best ? took : best;
	}
	return best;
}

/*
 * 4 to 8 ms of iterations, or one if it takes longer: long for the clock's resolution, short for a
 * time slice.
 */
static inline uint64_t bench_iterations(bench_fn *fn, void *arg)
{
	uint64_t n = 1;

	while (bench_best(fn, arg, n) < 4e6 && n < UINT64_C(1) << 40)
		n *= 2;
	return n;
}

/* Measures the functions alternately: the best of 40 rounds, in nanoseconds for one iteration. */
static inline void bench_measure(bench_fn *const *fn, unsigned int count, void *arg, double *ns)
{
	uint64_t n[8];

	for (unsigned int i = 0; i < count; i++) {
		n[i] = bench_iterations(fn[i], arg);
		ns[i] = 1e18;
	}
	for (unsigned int round = 0; round < 40; round++) {
		for (unsigned int i = 0; i < count; i++) {
			double took = bench_once(fn[i], arg, n[i]) / (double)n[i];

			ns[i] = took < ns[i] ? took : ns[i];
		}
	}
}

/* Returns the nanoseconds per iteration of @fn. */
static inline double bench_against(struct bench *bench, const char *name, bench_fn *fn,
				   bench_fn *floor, void *arg, double limit)
{
	bench_fn *const both[] = {fn, floor};
	double ns[2];

	bench_measure(both, 2, arg, ns);
	bench_figure(bench, name, ns[0], "ns", ns[1], limit);
	return ns[0];
}

/*
 * For functions of some microseconds on a shared machine: each figure is the best of @count single
 * iterations.
 */
static inline void bench_alternately(struct bench *bench, const char *name, bench_fn *fn,
				     bench_fn *floor, void *arg, size_t count)
{
	double ns[2] = {1e18, 1e18};

	for (size_t i = 0; i < count; i++) {
		bench_fn *const both[] = {fn, floor};

		for (unsigned int j = 0; j < 2; j++) {
			double took = bench_once(both[j], arg, 1);

			ns[j] = took < ns[j] ? took : ns[j];
		}
	}
	bench_figure(bench, name, ns[0], "ns", ns[1], 0);
}

#endif
