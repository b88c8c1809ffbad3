/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls of own.c. */
#ifndef SECURE_KERNEL_TESTS_OWN_H
#define SECURE_KERNEL_TESTS_OWN_H

#include <stdint.h>

#define OWN_SECRET 0x5e

enum {
	OWN_ECHO,
	OWN_CLAIM,
	OWN_NONE,
	OWN_REST,
	OWN_COUNT,
	OWN_CALLS
};

struct own_claim {
	uint32_t size, status;
};

#endif
