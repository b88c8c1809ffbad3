/* SPDX-License-Identifier: BSD-2-Clause */
/* The instruction of an intercept, from the INSTRUCTION record that follows it. */
#ifndef TOOL_TRACE_INSTRUCTION_H
#define TOOL_TRACE_INSTRUCTION_H

#include <stddef.h>
#include <stdint.h>

#include <vsm/vsm.h>

#define TRACE_INSTRUCTION_MAX 16u

struct trace_instruction {
	uint64_t rip;
	uint8_t bytes[TRACE_INSTRUCTION_MAX];
	uint8_t count; /* of bytes; 0: they are not known */
	uint8_t width; /* of the code: 16, 32 or 64 bits; 0: not known */
};

/* @record is a VSM_TRACE_INSTRUCTION. */
void trace_instruction_take(struct trace_instruction *instruction,
			    const struct vsm_trace_record *record);

/* "mov [rax+0x10], ecx"; "" if the bytes are not known, "?" if they are no instruction. */
void trace_instruction_text(char *text, size_t size, const struct trace_instruction *instruction);
/* "48 89 08" */
void trace_instruction_bytes(char *text, size_t size, const struct trace_instruction *instruction);

#endif
