/* SPDX-License-Identifier: BSD-2-Clause */
#include "instruction.h"

#include <stdio.h>
#include <string.h>

#include <Zydis/Zydis.h>

void trace_instruction_read(struct trace_instruction *instruction,
			    const struct vsm_trace_record *record)
{
	const uint64_t shape = record->argument[3];
	const uint8_t count = (uint8_t)(shape & 0xff);

	instruction->rip = record->argument[0];
	memcpy(instruction->bytes, &record->argument[1], TRACE_INSTRUCTION_MAX);
	instruction->count = count <= TRACE_INSTRUCTION_MAX ? count : TRACE_INSTRUCTION_MAX;
	instruction->width = (uint8_t)(shape >> 8);
}

static bool init(ZydisDecoder *decoder, uint8_t width)
{
	ZydisMachineMode mode = ZYDIS_MACHINE_MODE_LONG_64;
	ZydisStackWidth stack = ZYDIS_STACK_WIDTH_64;

	if (width == 32) {
		mode = ZYDIS_MACHINE_MODE_LONG_COMPAT_32;
		stack = ZYDIS_STACK_WIDTH_32;
	} else if (width == 16) {
		mode = ZYDIS_MACHINE_MODE_LEGACY_16;
		stack = ZYDIS_STACK_WIDTH_16;
	} else if (width != 64) {
		return false;
	}
	return ZYAN_SUCCESS(ZydisDecoderInit(decoder, mode, stack));
}

void trace_instruction_text(char *text, size_t size, const struct trace_instruction *instruction)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction decoded;
	ZydisFormatter formatter;
	ZydisDecoder decoder;

	snprintf(text, size, "%s", instruction->count ? "?" : "");
	if (!instruction->count || !init(&decoder, instruction->width) ||
	    !ZYAN_SUCCESS(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL)))
		return;
	if (ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, instruction->bytes, instruction->count,
						&decoded, operands)) &&
	    !ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &decoded, operands,
							  decoded.operand_count_visible, text, size,
							  instruction->rip, NULL)))
		snprintf(text, size, "?");
}

void trace_instruction_bytes(char *text, size_t size, const struct trace_instruction *instruction)
{
	size_t used = 0;

	if (size)
		text[0] = 0;
	for (uint8_t i = 0; i < instruction->count && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%02x", i ? " " : "",
					 instruction->bytes[i]);
}
