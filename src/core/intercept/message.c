/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/intercept/message.h"

#include <string.h>

#include "core/memory/gpa.h"
#include "core/x64.h"

#define STATE_GROUPS (VCPU_GPR | VCPU_SYSTEM | VCPU_DEBUG | VCPU_EVENTS)

static const struct vcpu_state *state_of(struct vsm_vp *vp)
{
	return vcpu_get(vp, vp->active_vtl, STATE_GROUPS);
}

void intercept_read_instruction(struct vsm_vp *vp, uint8_t length,
				struct intercept_instruction *instruction)
{
	const struct vcpu_state *cpu = state_of(vp);
	size_t count;

	memset(instruction, 0, sizeof(*instruction));
	count = gva_fetch(vp, vp->active_vtl, decode_linear_rip(cpu), instruction->bytes,
			  DECODE_MAX_LENGTH);
	instruction->decoded =
		decode_instruction(cpu, instruction->bytes, count, &instruction->decode);
	instruction->length = length ? length : instruction->decode.length;
	if (instruction->length && instruction->length < count)
		count = instruction->length;
	instruction->byte_count = (uint8_t)count;
	memset(instruction->bytes + count, 0, sizeof(instruction->bytes) - count);
}

static uint16_t execution_state(struct vsm_vp *vp, const struct vcpu_state *cpu)
{
	const struct vcpu_events *events = &cpu->events;
	uint16_t state = (cpu->segment[SEGMENT_SS].attributes & HV_X64_SEGMENT_DPL_MASK) >>
			 HV_X64_SEGMENT_DPL_SHIFT;

	state |= cpu->cr0 & X64_CR0_PE ? HV_X64_EXECUTION_STATE_CR0_PE : 0;
	state |= cpu->cr0 & X64_CR0_AM ? HV_X64_EXECUTION_STATE_CR0_AM : 0;
	state |= cpu->efer & X64_EFER_LMA ? HV_X64_EXECUTION_STATE_EFER_LMA : 0;
	/* L0-L3 and G0-G3 of DR7: some breakpoint is enabled. */
	state |= cpu->dr7 & 0xff ? HV_X64_EXECUTION_STATE_DEBUG_ACTIVE : 0;
	if (events->exception_pending || events->interrupt_injected || events->nmi_injected)
		state |= HV_X64_EXECUTION_STATE_INTERRUPTION_PENDING;
	state |= events->interrupt_shadow ? HV_X64_EXECUTION_STATE_INTERRUPT_SHADOW : 0;
	state |= (uint16_t)(vp->active_vtl << HV_X64_EXECUTION_STATE_VTL_SHIFT);
	return state;
}

static void fill_header(struct vsm_vp *vp, const struct intercept_instruction *instruction,
			uint8_t access_type, struct hv_x64_intercept_message_header *header)
{
	const struct vcpu_state *cpu = state_of(vp);

	header->vp_index = vp->index;
	header->instruction_length_cr8 =
		(uint8_t)((instruction->length & HV_INTERCEPT_INSTRUCTION_LENGTH_MASK) |
			  vsm_lapic_cr8(&vp_active(vp)->lapic) << HV_INTERCEPT_CR8_SHIFT);
	header->access_type = access_type;
	header->execution_state = execution_state(vp, cpu);
	header->cs = cpu->segment[SEGMENT_CS];
	header->rip = cpu->rip;
	header->rflags = cpu->rflags;
}

static uint8_t access_type(uint8_t access)
{
	if (access & GPA_EXECUTE)
		return HV_INTERCEPT_ACCESS_EXECUTE;
	return access & GPA_WRITE ? HV_INTERCEPT_ACCESS_WRITE : HV_INTERCEPT_ACCESS_READ;
}

/* The sender is 0: the hypervisor. */
static void fill_message(uint32_t type, const void *payload, size_t size,
			 struct hv_message *message)
{
	memset(message, 0, sizeof(*message));
	message->message_type = type;
	message->payload_size = (uint8_t)size;
	memcpy(message->payload, payload, size);
}

void intercept_memory_message(struct vsm_vp *vp, const struct intercept_instruction *instruction,
			      const struct intercept_access *access, struct hv_message *message)
{
	const struct vcpu_state *cpu = state_of(vp);
	struct hv_x64_memory_intercept_message payload = {
		.cache_type = access->cache_type,
		.instruction_byte_count = instruction->byte_count,
		.tpr_priority = vsm_lapic_cr8(&vp_active(vp)->lapic),
		.guest_virtual_address = access->gva_valid ? access->gva : 0,
		.guest_physical_address = access->gpa,
		.ds = cpu->segment[SEGMENT_DS],
		.ss = cpu->segment[SEGMENT_SS],
		.rax = cpu->gpr[GPR_RAX],
		.rcx = cpu->gpr[GPR_RCX],
		.rdx = cpu->gpr[GPR_RDX],
		.rbx = cpu->gpr[GPR_RBX],
		.rsp = cpu->gpr[GPR_RSP],
		.rbp = cpu->gpr[GPR_RBP],
		.rsi = cpu->gpr[GPR_RSI],
		.rdi = cpu->gpr[GPR_RDI],
		.r8 = cpu->gpr[GPR_R8],
		.r9 = cpu->gpr[GPR_R8 + 1],
		.r10 = cpu->gpr[GPR_R8 + 2],
		.r11 = cpu->gpr[GPR_R8 + 3],
		.r12 = cpu->gpr[GPR_R8 + 4],
		.r13 = cpu->gpr[GPR_R8 + 5],
		.r14 = cpu->gpr[GPR_R8 + 6],
		.r15 = cpu->gpr[GPR_R15],
	};

	fill_header(vp, instruction, access_type(access->access), &payload.header);
	if (access->gva_valid)
		payload.memory_access_info |=
			HV_MEMORY_ACCESS_GVA_VALID | HV_MEMORY_ACCESS_GVA_GPA_VALID;
	if (access->hypercall_output)
		payload.memory_access_info |= HV_MEMORY_ACCESS_HYPERCALL_OUTPUT_PENDING;
	memcpy(payload.instruction_bytes, instruction->bytes, sizeof(payload.instruction_bytes));
	fill_message(HV_MESSAGE_TYPE_GPA_INTERCEPT, &payload, sizeof(payload), message);
}

void intercept_msr_message(struct vsm_vp *vp, const struct intercept_instruction *instruction,
			   uint32_t msr, bool write, struct hv_message *message)
{
	const struct vcpu_state *cpu = state_of(vp);
	struct hv_x64_msr_intercept_message payload = {
		.msr_number = msr,
		.rdx = cpu->gpr[GPR_RDX],
		.rax = cpu->gpr[GPR_RAX],
	};

	fill_header(vp, instruction, write ? HV_INTERCEPT_ACCESS_WRITE : HV_INTERCEPT_ACCESS_READ,
		    &payload.header);
	fill_message(HV_MESSAGE_TYPE_X64_MSR_INTERCEPT, &payload, sizeof(payload), message);
}

void intercept_io_message(struct vsm_vp *vp, const struct intercept_instruction *instruction,
			  const struct backend_run *run, struct hv_message *message)
{
	const struct vcpu_state *cpu = state_of(vp);
	struct hv_x64_io_port_intercept_message payload = {
		.port_number = run->io.port,
		.access_info = run->io.size & HV_IO_PORT_ACCESS_SIZE_MASK,
		.instruction_byte_count = instruction->byte_count,
		.rax = cpu->gpr[GPR_RAX],
		.ds = cpu->segment[SEGMENT_DS],
		.es = cpu->segment[SEGMENT_ES],
		.rcx = cpu->gpr[GPR_RCX],
		.rsi = cpu->gpr[GPR_RSI],
		.rdi = cpu->gpr[GPR_RDI],
	};

	fill_header(vp, instruction,
		    run->io.write ? HV_INTERCEPT_ACCESS_WRITE : HV_INTERCEPT_ACCESS_READ,
		    &payload.header);
	payload.access_info |= run->io.string ? HV_IO_PORT_ACCESS_STRING : 0;
	payload.access_info |= run->io.repeat ? HV_IO_PORT_ACCESS_REP : 0;
	memcpy(payload.instruction_bytes, instruction->bytes, sizeof(payload.instruction_bytes));
	fill_message(HV_MESSAGE_TYPE_X64_IO_PORT_INTERCEPT, &payload, sizeof(payload), message);
}

void intercept_register_message(struct vsm_vp *vp, const struct intercept_instruction *instruction,
				uint32_t name, uint64_t value, struct hv_message *message)
{
	struct hv_x64_register_intercept_message payload = {
		.register_name = name,
		.access_info = {.reg128 = {.low = value}},
	};

	fill_header(vp, instruction, HV_INTERCEPT_ACCESS_WRITE, &payload.header);
	fill_message(HV_MESSAGE_TYPE_REGISTER_INTERCEPT, &payload, sizeof(payload), message);
}
