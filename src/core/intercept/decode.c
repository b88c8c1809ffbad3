/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/intercept/decode.h"

#include <string.h>

#include <Zydis/Zydis.h>

#include "core/vp/vp.h"
#include "core/x64.h"

static bool init_decoder(const struct vcpu_state *cpu, ZydisDecoder *decoder)
{
	bool wide_code = cpu->segment[SEGMENT_CS].attributes & HV_X64_SEGMENT_DEFAULT;
	bool wide_stack = cpu->segment[SEGMENT_SS].attributes & HV_X64_SEGMENT_DEFAULT;
	ZydisStackWidth stack = wide_stack ? ZYDIS_STACK_WIDTH_32 : ZYDIS_STACK_WIDTH_16;
	ZydisMachineMode mode;

	if (vcpu_long_mode(cpu)) {
		mode = ZYDIS_MACHINE_MODE_LONG_64;
		stack = ZYDIS_STACK_WIDTH_64;
	} else if (cpu->efer & X64_EFER_LMA) {
		mode = wide_code ? ZYDIS_MACHINE_MODE_LONG_COMPAT_32
				 : ZYDIS_MACHINE_MODE_LONG_COMPAT_16;
	} else if (cpu->cr0 & X64_CR0_PE && !(cpu->rflags & X64_RFLAGS_VM)) {
		mode = wide_code ? ZYDIS_MACHINE_MODE_LEGACY_32 : ZYDIS_MACHINE_MODE_LEGACY_16;
	} else {
		mode = ZYDIS_MACHINE_MODE_REAL_16;
		stack = ZYDIS_STACK_WIDTH_16;
	}
	return ZYAN_SUCCESS(ZydisDecoderInit(decoder, mode, stack));
}

unsigned int decode_width(const struct vcpu_state *cpu)
{
	bool protected = cpu->efer & X64_EFER_LMA ||
			 (cpu->cr0 & X64_CR0_PE && !(cpu->rflags & X64_RFLAGS_VM));

	if (vcpu_long_mode(cpu))
		return 64;
	return protected && cpu->segment[SEGMENT_CS].attributes & HV_X64_SEGMENT_DEFAULT ? 32 : 16;
}

/* The value of a register that forms an address; false if it is not available. */
static bool register_value(const struct vcpu_state *cpu, ZydisRegister reg, uint8_t length,
			   uint64_t *value)
{
	ZydisRegisterClass class = ZydisRegisterGetClass(reg);
	ZyanI8 id = ZydisRegisterGetId(reg);

	switch (class) {
	case ZYDIS_REGCLASS_INVALID: /* none */
		*value = 0;
		return true;
	case ZYDIS_REGCLASS_IP:
		*value = cpu->rip + length;
		return true;
	case ZYDIS_REGCLASS_GPR8: /* AL of XLAT; the high halves form no address */
		*value = (uint8_t)cpu->gpr[id & 15];
		return true;
	case ZYDIS_REGCLASS_GPR16:
		*value = (uint16_t)cpu->gpr[id & 15];
		return true;
	case ZYDIS_REGCLASS_GPR32:
		*value = (uint32_t)cpu->gpr[id & 15];
		return true;
	case ZYDIS_REGCLASS_GPR64:
		*value = cpu->gpr[id & 15];
		return true;
	default: /* the vector register of a gather */
		return false;
	}
}

static uint64_t segment_base(const struct vcpu_state *cpu, ZydisRegister segment)
{
	ZyanI8 id = ZydisRegisterGetId(segment);

	if (ZydisRegisterGetClass(segment) != ZYDIS_REGCLASS_SEGMENT || id < 0 || id > SEGMENT_GS)
		return 0;
	/* In 64-bit mode only FS and GS have a base (SDM volume 1, 3.4.2.1). */
	if (vcpu_long_mode(cpu) && id < SEGMENT_FS)
		return 0;
	return cpu->segment[id].base;
}

static uint64_t truncate_to(uint64_t value, unsigned int bits)
{
	return bits >= 64 ? value : value & ((UINT64_C(1) << bits) - 1);
}

/* An implicit stack operand of PUSH, POP, CALL, RET. */
static bool is_stack(const ZydisDecodedOperand *operand)
{
	return operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
	       ZydisRegisterGetClass(operand->mem.base) != ZYDIS_REGCLASS_INVALID &&
	       ZydisRegisterGetId(operand->mem.base) == GPR_RSP;
}

static bool decode_operand(const struct vcpu_state *cpu, const ZydisDecodedInstruction *instruction,
			   const ZydisDecodedOperand *operand, struct decode_memory *memory)
{
	uint64_t base;
	uint64_t index;
	uint64_t offset;

	if (!register_value(cpu, operand->mem.base, instruction->length, &base) ||
	    !register_value(cpu, operand->mem.index, instruction->length, &index))
		return false;
	offset = base + index * operand->mem.scale;
	if (operand->mem.disp.has_displacement)
		offset += (uint64_t)operand->mem.disp.value;
	memory->size = operand->size / 8;
	/* A push writes below the stack pointer. */
	if (is_stack(operand) && (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
		offset -= memory->size;
	offset = truncate_to(offset, is_stack(operand) ? instruction->stack_width
						       : instruction->address_width);
	memory->linear = truncate_to(segment_base(cpu, operand->mem.segment) + offset,
				     vcpu_long_mode(cpu) ? 64 : 32);
	memory->access = 0;
	if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ)
		memory->access |= GPA_READ;
	if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
		memory->access |= GPA_WRITE;
	return memory->access != 0 && memory->size != 0;
}

bool decode_instruction(const struct vcpu_state *cpu, const uint8_t *bytes, size_t count,
			struct decode_result *result)
{
	ZydisDecoder decoder;
	ZydisDecodedInstruction instruction;
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];

	memset(result, 0, sizeof(*result));
	if (count > DECODE_MAX_LENGTH)
		count = DECODE_MAX_LENGTH;
	if (!init_decoder(cpu, &decoder) ||
	    !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, count, &instruction, operand)))
		return false;
	result->length = instruction.length;
	for (unsigned int i = 0; i < instruction.operand_count; i++) {
		if (operand[i].type != ZYDIS_OPERAND_TYPE_MEMORY ||
		    operand[i].mem.type != ZYDIS_MEMOP_TYPE_MEM ||
		    result->memory_count == DECODE_MAX_MEMORY)
			continue;
		if (decode_operand(cpu, &instruction, &operand[i],
				   &result->memory[result->memory_count]))
			result->memory_count++;
	}
	return true;
}

uint64_t decode_linear_rip(const struct vcpu_state *cpu)
{
	if (vcpu_long_mode(cpu))
		return cpu->rip;
	return (uint32_t)(cpu->segment[SEGMENT_CS].base + (uint32_t)cpu->rip);
}
