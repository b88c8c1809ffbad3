/* SPDX-License-Identifier: BSD-2-Clause */
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
	OWN_PAGE,
	OWN_CRASH,
	OWN_CALLS
};

struct own_claim {
	uint32_t size, status;
};

enum own_action {
	OWN_VTL_PROTECT, /* vtl_protect(), guest_protect(): HV_MAP_GPA_* in @rights */
	OWN_PROTECT,
	OWN_LOCK, /* guest_lock(): enum secure_kernel_rights */
	OWN_READ,
	OWN_WRITE,
};

struct own_page {
	uint64_t gpa;
	uint32_t action; /* enum own_action */
	uint32_t rights;
};

#endif
