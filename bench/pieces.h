/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What enters a guest, and where its time goes: the linker leads ioctl() and pread() of the library through
 * here (--wrap), which notes how long each took and what lay in between.
 *
 * A turn costs the sum of its pieces, each the median of its calls: on a machine that others use as well,
 * no longer stretch of time is ever undisturbed.
 */
#ifndef BENCH_PIECES_H
#define BENCH_PIECES_H

#include "bench.h"

/*
 * Measures @turns turns of @fn and of @floor, which take turns, and prints the figure; with @detail also
 * each piece of @fn, beside the same floor. @limit of the ratio: 0 for none.
 */
void pieces_against(struct bench *bench, const char *name, bench_fn *fn, bench_fn *floor, void *arg,
		    uint64_t turns, double limit, bool detail);

#endif
