/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GUEST_TESTS_OPS_H
#define GUEST_TESTS_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include <vsm/hv/hv.h>

#include "kit/vtl.h"

#define DECLARE_OP(name)                                            \
	extern uint64_t op_##name(uint64_t target, uint64_t other); \
	extern const uint8_t op_##name##_at[], op_##name##_end[];

DECLARE_OP(load8)
DECLARE_OP(load64)
DECLARE_OP(load_sib)
DECLARE_OP(store8)
DECLARE_OP(store64)
DECLARE_OP(store_imm)
DECLARE_OP(add)
DECLARE_OP(lock_inc)
DECLARE_OP(xchg)
DECLARE_OP(lock_cmpxchg)
DECLARE_OP(load_sse)
DECLARE_OP(store_sse)
DECLARE_OP(movnti)
DECLARE_OP(bt)
DECLARE_OP(test)
DECLARE_OP(stosb)
DECLARE_OP(fld)
DECLARE_OP(rep_movsb)
DECLARE_OP(rep_stosq)
DECLARE_OP(push)
DECLARE_OP(call)
DECLARE_OP(in)
DECLARE_OP(out)
DECLARE_OP(rdmsr)
DECLARE_OP(wrmsr)
DECLARE_OP(cpuid)
extern const uint8_t op_code[], op_code_end[];

struct op {
	const char *name;
	uint64_t (*run)(uint64_t target, uint64_t other);
	const uint8_t *at, *end;
	uint16_t offset; /* from the target to the first byte that it touches */
	bool reads, writes;
};

#define OP(name, offset, reads, writes)                                                  \
	{                                                                                \
#name, op_##name, op_##name##_at, op_##name##_end, offset, reads, writes \
	}

extern const struct op ops[];
extern const uint32_t ops_count;

/* Sets the handler of intercepts in VTL1; without one (NULL) an intercept ends the machine. Call it in
 * VTL0. */
void on_intercept(vtl_intercept *handler, void *argument);
void on_intercept_of(uint32_t vp, vtl_intercept *handler, void *argument);

/* The number of intercepts on this VP, and the last intercept. */
uint32_t intercepts(void);
const struct hv_message *last_intercept(void);

/* HvCallModifyVtlProtectionMask by VTL1 of this VP. */
uint16_t protect(const volatile void *page, uint32_t flags);

/* Type, instruction [at, end) and access must be right. Returns false at a difference. */
bool check_header(const struct hv_message *message, uint32_t type, const void *at, const void *end,
		  uint8_t access);
/* Checks the address: the page always, the byte if the message marks the address as valid. */
void check_address(const struct hv_message *message, uint64_t address);

#endif
