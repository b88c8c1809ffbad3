/* SPDX-License-Identifier: BSD-2-Clause */
/* Decoding of an instruction for an intercept message, without access to guest memory. */
#ifndef CORE_DECODE_H
#define CORE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/backend.h"

#define DECODE_MAX_LENGTH 15u /* bytes of an instruction (SDM volume 2A, 2.3.11) */
#define DECODE_MAX_MEMORY 4u

struct decode_memory {
	uint64_t linear; /* address of the first byte, with segment base */
	uint32_t size;	 /* bytes; of one element for string instructions */
	uint8_t access;	 /* GPA_READ and/or GPA_WRITE */
};

struct decode_result {
	uint8_t length;
	uint8_t memory_count;
	struct decode_memory memory[DECODE_MAX_MEMORY];
};

/*
 * Decodes the instruction at RIP of @cpu, which has the state before the instruction (groups GPR
 * and SYSTEM valid). False: illegal or incomplete.
 */
bool decode_instruction(const struct vcpu_state *cpu, const uint8_t *bytes, size_t count,
			struct decode_result *result);

/* In bits: 16, 32 or 64. */
unsigned int decode_width(const struct vcpu_state *cpu);

/* RIP in 64-bit mode, else CS base plus RIP, truncated to 32 bits. */
uint64_t decode_linear_rip(const struct vcpu_state *cpu);

#endif
