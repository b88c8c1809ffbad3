/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The floor of measurements with guests: vCPUs of two virtual machines that only exit for an OUT,
 * without register synchronization.
 */
#ifndef BENCH_EXITS_H
#define BENCH_EXITS_H

#include <stdbool.h>
#include <stdint.h>

#include "kvm_guest.h"

struct exits {
	struct guest guest;
	int fd[2];
};

/* @ram: bytes of guest memory. */
void exits_make(struct exits *exits, uint64_t ram);
void exits_one(const struct exits *exits, uint64_t n);
void exits_two(const struct exits *exits, uint64_t n);

void must(bool ok, const char *what);

#endif
