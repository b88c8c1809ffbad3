/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SECURE_KERNEL_POLICY_H
#define SECURE_KERNEL_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "kit/secure/interface.h"

#define POLICY_RANGES 126u
#define POLICY_LIMIT  (1ull << 52) /* physical addresses are smaller */

enum policy_kind {
	POLICY_PRIVATE,	 /* memory of VTL1: no access for VTL0 */
	POLICY_CODE,	 /* VTL0 may read and execute */
	POLICY_CONSTANT, /* VTL0 may read */
	POLICY_DATA,	 /* VTL0 may read and write */
	POLICY_KINDS,
};

struct policy_range {
	uint64_t first; /* address of a page */
	uint64_t pages;
	enum policy_kind kind;
	uint32_t reserved;
};

struct policy {
	struct policy_range range[POLICY_RANGES];
	uint32_t count;
	uint32_t locked;
	uint64_t read_only_pages; /* pages of code and constants; not VTL1's log */
};

_Static_assert(sizeof(struct policy) <= 4096, "the policy exceeds its page");

/*
 * Checks a new range. LOCKED after policy_lock(); BAD_ARGUMENT if empty, not of whole pages or out
 * of range; DENIED if it overlaps a range of the policy; FULL if no range can be added. A range
 * that begins where the newest range ends, and has its kind, extends it.
 */
enum secure_kernel_status policy_check(const struct policy *policy, uint64_t first, uint64_t pages,
				       enum policy_kind kind);
/* Adds a range for which policy_check() returned OK. */
void policy_add(struct policy *policy, uint64_t first, uint64_t pages, enum policy_kind kind);

/* Adds pages of VTL1, without a check; call it before any policy_add(). */
void policy_add_own(struct policy *policy, uint64_t first, uint64_t pages, enum policy_kind kind);

void policy_lock(struct policy *policy);

/* The kind of the range that @address is in, or POLICY_KINDS if it is in none. */
enum policy_kind policy_kind_of(const struct policy *policy, uint64_t address);

/* Whether the policy permits VTL0 to read, or write, all of @size bytes at @address. */
bool policy_allows(const struct policy *policy, uint64_t address, uint64_t size, bool write);

#endif
