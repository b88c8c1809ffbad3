/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The linker redirects ioctl() and pread() of the library to wrappers (--wrap) that record the time
 * of each call and the gaps. An iteration costs the sum of its pieces, each the median of its
 * calls: on a shared machine longer intervals are always disturbed.
 */
#ifndef BENCH_PIECES_H
#define BENCH_PIECES_H

#include "bench.h"

/*
 * With @detail prints also the pieces of @fn, from 0.5% of @floor on. @limit: of the ratio; 0: no
 * limit.
 */
void pieces_against(struct bench *bench, const char *name, bench_fn *fn, bench_fn *floor, void *arg,
		    uint64_t count, double limit, bool detail);

#endif
