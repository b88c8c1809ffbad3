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
	uint8_t count; /* bytes; 0: unknown */
	uint8_t width; /* code size: 16, 32 or 64 bits; 0: unknown */
};

/* Sets @instruction from @record, a VSM_TRACE_INSTRUCTION. */
void trace_instruction_read(struct trace_instruction *instruction,
			    const struct vsm_trace_record *record);

/* "mov [rax+0x10], ecx"; "" if the bytes are unknown, "?" if they do not decode. */
void trace_instruction_text(char *text, size_t size, const struct trace_instruction *instruction);
/* "48 89 08" */
void trace_instruction_bytes(char *text, size_t size, const struct trace_instruction *instruction);

#endif
