/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypercall instruction, and undoing port I/O: docs/backend-kvm.md, "Registers". */
#include <string.h>

#include "core/x64.h"
#include "kvm/exit/exit.h"

#define MAX_INSTRUCTION 15u
#define RFLAGS_DF	(UINT64_C(1) << 10)
#define DATA_MAX	8u
/* Bits with the same meaning in all opcodes of port I/O */
#define OPCODE_OUT  0x02u
#define OPCODE_WIDE 0x01u /* 16 or 32 bits of data */

struct port_instruction {
	uint8_t length;
	uint8_t size;	 /* of the data */
	uint8_t width;	 /* of addresses, in bytes */
	uint8_t segment; /* enum vcpu_segment */
	bool string;
	bool repeat;
	bool write;
	bool immediate;
	uint8_t port; /* if immediate */
};

static bool is_long_mode(const struct kvm_sregs *sregs)
{
	return sregs->efer & X64_EFER_LMA && sregs->cs.l;
}

struct prefixes {
	bool other_size; /* 66 */
	bool rex_w;
	bool repeat;
	bool other_width; /* 67 */
	uint8_t segment;
};

/* False: @byte is not a prefix. */
static bool take_prefix(struct prefixes *prefixes, uint8_t byte, bool long_mode)
{
	static const uint8_t segments[][2] = {
		{0x26, SEGMENT_ES}, {0x2e, SEGMENT_CS}, {0x36, SEGMENT_SS},
		{0x3e, SEGMENT_DS}, {0x64, SEGMENT_FS}, {0x65, SEGMENT_GS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(segments); i++) {
		if (byte != segments[i][0])
			continue;
		/* In 64-bit mode segment prefixes other than FS and GS are ignored. */
		if (!long_mode || byte >= 0x64)
			prefixes->segment = segments[i][1];
		return true;
	}
	prefixes->repeat |= byte == 0xf2 || byte == 0xf3;
	prefixes->other_size |= byte == 0x66;
	prefixes->other_width |= byte == 0x67;
	if (long_mode && (byte & 0xf0) == 0x40) {
		prefixes->rex_w = byte & 8;
		return true;
	}
	return byte == 0xf2 || byte == 0xf3 || byte == 0x66 || byte == 0x67;
}

/* Decodes port I/O at the beginning of @code. False: another instruction, or incomplete. */
static bool decode(const struct kvm_sregs *sregs, const uint8_t *code, size_t size,
		   struct port_instruction *instruction)
{
	struct prefixes prefixes = {.segment = SEGMENT_DS};
	bool long_mode = is_long_mode(sregs);
	bool wide = long_mode || sregs->cs.db;
	size_t i = 0;
	uint8_t opcode;

	while (i < size && take_prefix(&prefixes, code[i], long_mode))
		i++;
	if (i == size)
		return false;
	opcode = code[i++];
	*instruction = (struct port_instruction){
		.string = (opcode & 0xfc) == 0x6c,
		.immediate = (opcode & 0xfc) == 0xe4,
		.write = opcode & OPCODE_OUT,
		.repeat = prefixes.repeat,
		.segment = prefixes.segment,
		.size = 1,
	};
	if (!instruction->string && !instruction->immediate && (opcode & 0xfc) != 0xec)
		return false;
	if (opcode & OPCODE_WIDE)
		instruction->size = prefixes.rex_w || wide != prefixes.other_size ? 4 : 2;
	if (long_mode)
		instruction->width = prefixes.other_width ? 4 : 8;
	else
		instruction->width = wide != prefixes.other_width ? 4 : 2;
	if (instruction->immediate) {
		if (i == size)
			return false;
		instruction->port = code[i++];
	}
	instruction->length = (uint8_t)i;
	return true;
}

static uint64_t address_mask(unsigned int width)
{
	return width == 8 ? UINT64_MAX : (UINT64_C(1) << width * 8) - 1;
}

static uint64_t sum(uint64_t reg, uint64_t value, unsigned int width)
{
	uint64_t mask = address_mask(width);
	uint64_t result = (reg + value) & mask;

	/* A 32-bit result clears the upper half of the register, a 16-bit one keeps it. */
	return width == 2 ? (reg & ~mask) | result : result;
}

/* Whether @instruction can have caused the exit, apart from its data. */
static bool fits(const struct kvm_regs *regs, const struct backend_run *run,
		 const struct port_instruction *instruction)
{
	uint16_t port = instruction->immediate ? instruction->port : (uint16_t)regs->rdx;

	return instruction->write && instruction->size == run->io.size && port == run->io.port;
}

static uint64_t rsi_before(const struct kvm_regs *regs, const struct backend_run *run,
			   const struct port_instruction *instruction)
{
	uint64_t moved = (uint64_t)run->io.size * run->io.count;

	return sum(regs->rsi, regs->rflags & RFLAGS_DF ? moved : (uint64_t)0 - moved,
		   instruction->width);
}

static uint64_t segment_base(const struct kvm_sregs *sregs, uint8_t segment)
{
	switch (segment) {
	case SEGMENT_FS:
		return sregs->fs.base;
	case SEGMENT_GS:
		return sregs->gs.base;
	case SEGMENT_ES:
		return sregs->es.base;
	case SEGMENT_CS:
		return sregs->cs.base;
	case SEGMENT_SS:
		return sregs->ss.base;
	default:
		return sregs->ds.base;
	}
}

/* Whether the operand of @instruction has the data that were sent. Not checked for OUT: true. */
static bool sent(struct vcpu *vcpu, const struct kvm_regs *regs, const struct backend_run *run,
		 const struct port_instruction *instruction)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	uint64_t address = rsi_before(regs, run, instruction) & address_mask(instruction->width);
	size_t size = (size_t)run->io.size * run->io.count;
	uint8_t data[DATA_MAX];

	if (!instruction->string)
		return true;
	if (!is_long_mode(sregs))
		address = (uint32_t)(address + segment_base(sregs, instruction->segment));
	else if (instruction->segment == SEGMENT_FS || instruction->segment == SEGMENT_GS)
		address += segment_base(sregs, instruction->segment);
	return size <= sizeof(data) && read_linear(vcpu, address, GPA_READ, data, size) == size &&
	       !memcmp(data, run->io.data, size);
}

/* Reads the code that ends at RIP into the end of @code. Returns the number of bytes read. */
static size_t code_before(struct vcpu *vcpu, uint64_t rip, uint8_t code[MAX_INSTRUCTION])
{
	uint64_t last = fetch_address(vcpu, rip - 1);
	size_t near = (last & (VKVM_PAGE_SIZE - 1)) + 1;
	size_t far;

	if (near > MAX_INSTRUCTION)
		near = MAX_INSTRUCTION;
	if (read_linear(vcpu, fetch_address(vcpu, rip - near), fetch_right(vcpu),
			&code[MAX_INSTRUCTION - near], near) != near)
		return 0;
	far = MAX_INSTRUCTION - near;
	if (far && read_linear(vcpu, fetch_address(vcpu, rip - MAX_INSTRUCTION), fetch_right(vcpu),
			       code, far) != far)
		return near;
	return MAX_INSTRUCTION;
}

/*
 * Finds a REP OUTS at RIP, where KVM leaves RIP after each iteration, including the last one. RCX
 * before the iteration must not be 0.
 */
static bool find_unfinished(struct vcpu *vcpu, const struct kvm_regs *regs,
			    const struct backend_run *run, struct port_instruction *found)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	uint8_t code[MAX_INSTRUCTION];
	size_t size = read_linear(vcpu, fetch_address(vcpu, regs->rip), fetch_right(vcpu), code,
				  sizeof(code));

	return decode(sregs, code, size, found) && found->string && found->repeat &&
	       fits(regs, run, found) &&
	       sum(regs->rcx, run->io.count, found->width) & address_mask(found->width);
}

/* Finds the instruction that ends at RIP. *sure: its operand has the data that were sent. */
static bool find_finished(struct vcpu *vcpu, const struct kvm_regs *regs,
			  const struct backend_run *run, struct port_instruction *found, bool *sure)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	uint8_t code[MAX_INSTRUCTION];
	size_t available = code_before(vcpu, regs->rip, code);
	bool any = false;

	*sure = false;
	for (size_t length = 1; length <= available && !*sure; length++) {
		struct port_instruction candidate;

		if (!decode(sregs, code + sizeof(code) - length, length, &candidate) ||
		    candidate.length != length || !fits(regs, run, &candidate))
			continue;
		*sure = sent(vcpu, regs, run, &candidate);
		if (!any || *sure)
			*found = candidate;
		any = true;
	}
	return any;
}

/* Sets the registers of @start to those before an instruction that KVM has completed. */
static void rewind_out(struct vcpu *vcpu, struct vcpu_snapshot *start, struct backend_run *run)
{
	struct kvm_regs *regs = &start->regs;
	struct port_instruction here = {0}, previous = {0};
	bool unfinished = find_unfinished(vcpu, regs, run, &here);
	bool finished = false, sure = false;

	if (!unfinished || !sent(vcpu, regs, run, &here))
		finished = find_finished(vcpu, regs, run, &previous, &sure);
	if (finished && (sure || !unfinished)) {
		regs->rip -= previous.length;
		here = previous;
	} else if (!unfinished) {
		/* The code has changed or is denied: the instruction remains complete. */
		exit_describe_registers(vcpu, VSM_LOG_DEBUG, "an output cannot be undone");
		return;
	}
	run->io.string = here.string;
	run->io.repeat = here.repeat;
	if (here.repeat && here.string)
		regs->rcx = sum(regs->rcx, run->io.count, here.width);
	if (here.string)
		regs->rsi = rsi_before(regs, run, &here);
}

bool io_is_hypercall(struct vcpu *vcpu)
{
	const struct kvm_run *kvm = vcpu->run;
	const struct kvm_regs *regs = &kvm->s.regs.regs;
	uint8_t port;

	if (kvm->io.direction != KVM_EXIT_IO_OUT || kvm->io.port != VKVM_HYPERCALL_PORT ||
	    kvm->io.size != 1 || kvm->io.count != 1)
		return false;
	/* OUT DX, AL is not the hypercall: its last byte is not the port. */
	if ((uint16_t)regs->rdx != VKVM_HYPERCALL_PORT)
		return true;
	return read_linear(vcpu, fetch_address(vcpu, regs->rip - 1), fetch_right(vcpu), &port, 1) ==
		       1 &&
	       port == VKVM_HYPERCALL_PORT;
}

bool io_hypercall_is_next(struct vcpu *vcpu)
{
	const struct kvm_sync_regs *regs = &vcpu->run->s.regs;
	struct port_instruction next;
	uint8_t code[MAX_INSTRUCTION];
	size_t size = read_linear(vcpu, fetch_address(vcpu, regs->regs.rip), fetch_right(vcpu),
				  code, sizeof(code));

	return decode(&regs->sregs, code, size, &next) && next.write && !next.string &&
	       next.size == 1 &&
	       (next.immediate ? next.port : (uint16_t)regs->regs.rdx) == VKVM_HYPERCALL_PORT;
}

static void describe_input(struct vcpu *vcpu, struct backend_run *run)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	uint8_t code[MAX_INSTRUCTION];
	struct port_instruction instruction;
	size_t size = read_linear(vcpu, fetch_address(vcpu, vcpu->before.regs.rip),
				  fetch_right(vcpu), code, sizeof(code));

	if (!decode(sregs, code, size, &instruction) || instruction.write)
		return;
	run->io.string = instruction.string;
	run->io.repeat = instruction.string && instruction.repeat;
}

int io_undo(struct vcpu *vcpu, struct backend_run *run)
{
	struct vcpu_snapshot start = vcpu->before;
	bool more = false;
	int error;

	run->io.string = false;
	run->io.repeat = false;
	if (!run->io.write) {
		describe_input(vcpu, run);
		/* An INS stores these zeros where the VTL may write; the guest repeats it. */
		memset(run->io.data, 0, (size_t)run->io.size * run->io.count);
		return undo_exit(vcpu, &start);
	}
	error = enter_finish(vcpu, &more);
	if (error)
		return error;
	if (!more && vcpu->run->s.regs.regs.rip == start.regs.rip)
		rewind_out(vcpu, &start, run);
	snapshot_restore(vcpu, &start);
	return 0;
}
