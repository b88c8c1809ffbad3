/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls of each role: one table, with which tests/static/check-pages compares
 * docs/sandbox.md.
 */
#ifndef VMM_SANDBOX_CALLS_H
#define VMM_SANDBOX_CALLS_H

#include "sandbox/sandbox.h"

enum {
	MAIN = 1 << VMM_ROLE_MAIN,
	VP = 1 << VMM_ROLE_VP,
	CONSOLE = 1 << VMM_ROLE_CONSOLE,
	TRACE = 1 << VMM_ROLE_TRACE,
	CONTROL = 1 << VMM_ROLE_CONTROL,
	ALL = MAIN | VP | CONSOLE | TRACE | CONTROL,
};

/* Conditions on one argument. */
enum vmm_condition {
	VMM_ANY,
	VMM_ZERO,  /* (argument & mask) == 0 */
	VMM_EQUAL, /* (argument & mask) == value */
	VMM_OWN,   /* argument == the ID of this process */
};

struct vmm_call {
	const char *name;
	unsigned int roles;
	enum vmm_condition condition;
	unsigned int argument;
	uint64_t mask;
	uint64_t value;
};

extern const struct vmm_call vmm_calls[];
extern const size_t vmm_call_count;

#endif
