/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access restrictions of guest pages: a refused access exits at the instruction without effect, whether it is
 * made by the CPU, its page walk, the delivery of an event, or KVM's emulator.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "blocks.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_load, g_store, g_lock, g_movs, g_repmovs, g_outs, g_ins, g_jump, g_ud, g_touch\n"
	".globl g_push, g_pushm, g_xchg, g_cmpxchg16, g_call, g_cmps, g_repins\n"
	"g_load: mov (%rdi), %rbx; out %al, $0x10\n"
	"g_store: mov %rax, (%rdi); out %al, $0x10\n"
	"g_lock: lock incq (%rdi); out %al, $0x10\n"
	"g_xchg: xchg %rax, (%rdi); out %al, $0x10\n"
	"g_cmpxchg16: lock cmpxchg16b (%rdi); out %al, $0x10\n"
	"g_movs: movsl; out %al, $0x10\n"
	"g_repmovs: rep movsb; out %al, $0x10\n"
	"g_outs: rep outsb; out %al, $0x10\n"
	"g_ins: insb; out %al, $0x10\n"
	"g_repins: rep insb; out %al, $0x10\n"
	"g_cmps: cmpsl; out %al, $0x10\n"
	"g_jump: jmp *%rdi\n"
	"g_call: call *%rdi; out %al, $0x10\n"
	"g_push: mov %rdi, %rsp; push %rax; out %al, $0x10\n"
	"g_pushm: mov %rdi, %rsp; pushq (%rsi); out %al, $0x10\n"
	"g_ud: mov %rdi, %rsp; ud2\n"
	"g_touch: mov (%rdi), %rbx; add $4096, %rdi; dec %rcx; jnz g_touch; out %al, $0x10\n"
	".globl g_pae\n"
	".code32\n"
	"g_pae: mov %edi, %cr0; out %al, $0x10\n"
	".code64\n"
	"guest_code_end:\n"
	".popsection");

/* P is within a large page of KVM; the guest maps T by a small page. */
#define P (16 * MIB + 0x5000)
#define T (DATA + UINT64_C(0x9000))

static const uint8_t out_done[] = {0xe6, PORT_DONE};

static void test_arguments(struct raw_kvm *machine)
{
	int cap = ioctl(machine->vm, KVM_CHECK_EXTENSION, KVM_CAP_ACCESS);

	check((cap & (int)KVM_ACCESS_MASK) == (int)KVM_ACCESS_MASK &&
		      ioctl(machine->kvm, KVM_CHECK_EXTENSION, KVM_CAP_ACCESS) == cap,
	      "the capability has all restrictions, on the VM and on /dev/kvm");
	check(set_range(machine, P, PAGE, 16) == -EINVAL &&
		      set_range(machine, P + 8, PAGE, 1) == -EINVAL &&
		      set_range(machine, P, PAGE / 2, 1) == -EINVAL &&
		      set_range(machine, P, 0, 1) == -EINVAL &&
		      set_range(machine, UINT64_C(-4096), 2 * PAGE, 1) == -EINVAL &&
		      set_range(machine, UINT64_C(1) << 60, PAGE, 1) == -EINVAL,
	      "an invalid range is refused");
	check(set_range(machine, 0, UINT64_C(1) << 40, KVM_ACCESS_NO_WRITE) == -ENOSPC &&
		      !set_range(machine, 0, UINT64_C(1) << 40, 0),
	      "restricting more than 512 GiB is refused, removing restrictions of it is not");
}

static void test_no_write(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	enum ending ending;
	uint64_t large;

	cpu_go(machine, GUEST(g_load), DATA);
	check(cpu_go(machine, GUEST(g_store), P + 0x238) == END_DONE &&
		      word(machine, P + 0x238) == 0x5555,
	      "a write without a restriction succeeds");
	large = vm_stat(machine, "pages_2m");
	raw_kvm_put(machine, P + 0x238, 0x11);
	check(!set_page(machine, P, KVM_ACCESS_NO_WRITE), "no-write is set");
	check(vm_stat(machine, "pages_2m") == large - 1,
	      "... and only the large page that contained it is split");
	ending = cpu_go(machine, GUEST(g_store), P + 0x238);
	check(was_refused(cpu, ending, P + 0x238, KVM_ACCESS_EXIT_WRITE, GUEST(g_store)) &&
		      word(machine, P + 0x238) == 0x11,
	      "a write exits at the instruction with the exact address, and memory is unchanged");
	check(was_refused(cpu, cpu_run(cpu), P + 0x238, KVM_ACCESS_EXIT_WRITE, GUEST(g_store)),
	      "the write exits again when the vCPU runs again");
	check(cpu_go(machine, GUEST(g_load), P + 0x238) == END_DONE && cpu_regs(cpu).rbx == 0x11,
	      "the page without write access can be read");
	ending = cpu_go(machine, GUEST(g_store), P + 0x238);
	check(was_refused(cpu, ending, P + 0x238, KVM_ACCESS_EXIT_WRITE, GUEST(g_store)),
	      "a write exits after a read has mapped the page");
	ending = cpu_go(machine, GUEST(g_xchg), P + 0x238);
	check(was_refused(cpu, ending, P + 0x238, KVM_ACCESS_EXIT_WRITE, GUEST(g_xchg)) &&
		      cpu_regs(cpu).rax == 0x5555,
	      "xchg exits with both operands unchanged");
	ending = cpu_go(machine, GUEST(g_lock), P + 0x238);
	check(was_refused(cpu, ending, P + 0x238, KVM_ACCESS_EXIT_WRITE, GUEST(g_lock)),
	      "a locked increment exits");
	ending = cpu_go(machine, GUEST(g_cmpxchg16), P + 0x240);
	check(was_refused(cpu, ending, P + 0x240, KVM_ACCESS_EXIT_WRITE, GUEST(g_cmpxchg16)),
	      "cmpxchg16b exits");
	memcpy(machine->ram + P + 0x100, out_done, sizeof(out_done));
	check(cpu_go(machine, GUEST(g_jump), P + 0x100) == END_DONE,
	      "the page without write access can be executed");
	check(cpu_go(machine, GUEST(g_store), P - 8) == END_DONE &&
		      cpu_go(machine, GUEST(g_store), P + PAGE) == END_DONE,
	      "the pages before and after it can be written");
	raw_kvm_put(machine, P - 4, 0x22);
	ending = cpu_go(machine, GUEST(g_store), P - 4);
	check(was_refused(cpu, ending, P, KVM_ACCESS_EXIT_WRITE, GUEST(g_store)) &&
		      word(machine, P - 4) == 0x22,
	      "a write across the start of the page exits with its first address, nothing written");
	ending = cpu_go(machine, GUEST(g_push), P + 0x100);
	check(was_refused(cpu, ending, P + 0xf8, KVM_ACCESS_EXIT_WRITE, GUEST(g_push) + 3) &&
		      cpu_regs(cpu).rsp == P + 0x100,
	      "push exits with RSP unchanged");
	cpu_start(cpu, GUEST(g_repmovs), P - 0x10, DATA, 0x40);
	ending = cpu_run(cpu);
	check(was_refused(cpu, ending, P, KVM_ACCESS_EXIT_WRITE, GUEST(g_repmovs)) &&
		      cpu_regs(cpu).rcx == 0x30 && cpu_regs(cpu).rdi == P,
	      "rep movs exits at the first denied byte, with RCX and RDI advanced to it");
	check(!set_page(machine, P, 0) && cpu_run(cpu) == END_DONE && cpu_regs(cpu).rcx == 0,
	      "rep movs completes after the page becomes writable");
	check(vm_stat(machine, "pages_2m") == large, "the page is part of a large page again");
}

static void test_no_execute(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	enum ending ending;

	memcpy(machine->ram + P + 0x100, out_done, sizeof(out_done));
	check(!set_page(machine, P, KVM_ACCESS_NO_EXEC), "no-execute is set");
	ending = cpu_go(machine, GUEST(g_jump), P + 0x100);
	check(was_refused(cpu, ending, P + 0x100, KVM_ACCESS_EXIT_EXEC, P + 0x100),
	      "a jump to a no-execute page exits with RIP at the target");
	ending = cpu_go(machine, GUEST(g_call), P + 0x100);
	check(was_refused(cpu, ending, P + 0x100, KVM_ACCESS_EXIT_EXEC, P + 0x100) &&
		      cpu_regs(cpu).rsp == STACK - 8,
	      "a call to the page exits there, too, with the return address pushed");
	cpu_go(machine, GUEST(g_load), DATA);
	check(cpu_go(machine, GUEST(g_store), P + 0x238) == END_DONE &&
		      cpu_go(machine, GUEST(g_load), P + 0x238) == END_DONE,
	      "the page without execute access can be read and written");
	ending = cpu_go(machine, GUEST(g_jump), P + 0x100);
	check(was_refused(cpu, ending, P + 0x100, KVM_ACCESS_EXIT_EXEC, P + 0x100),
	      "... and is still not executable when it is mapped");
	/* An instruction of 7 bytes that begins 3 bytes before the page: mov $1, %rax. */
	memcpy(machine->ram + P - 3, "\x48\xc7\xc0\x01\0\0\0\xe6\x10", 9);
	ending = cpu_go(machine, GUEST(g_jump), P - 3);
	check(was_refused(cpu, ending, P, KVM_ACCESS_EXIT_EXEC, P - 3) &&
		      cpu_regs(cpu).rax == 0x5555,
	      "an instruction that crosses into it exits with the page's first byte, at the "
	      "instruction");
	check(!set_page(machine, P, KVM_ACCESS_NO_WRITE) && cpu_run(cpu) == END_DONE &&
		      cpu_regs(cpu).rax == 1,
	      "from no-execute to no-write: it executes");
	ending = cpu_go(machine, GUEST(g_store), P + 0x238);
	check(was_refused(cpu, ending, P + 0x238, KVM_ACCESS_EXIT_WRITE, GUEST(g_store)),
	      "... and cannot be written");
	/* A stack with code, as after a stack overflow. */
	memcpy(machine->ram + P + 0x800, "\x50\xe6\x10", 3); /* push %rax; out */
	set_page(machine, P, KVM_ACCESS_NO_EXEC);
	check(cpu_go(machine, GUEST(g_push), P + 0x900) == END_DONE &&
		      word(machine, P + 0x8f8) == 0x5555,
	      "a no-execute stack can be pushed to");
	ending = cpu_go(machine, GUEST(g_jump), P + 0x800);
	check(was_refused(cpu, ending, P + 0x800, KVM_ACCESS_EXIT_EXEC, P + 0x800),
	      "code on a no-execute stack does not execute");
	set_page(machine, P, 0);
	check(cpu_run(cpu) == END_DONE, "it executes after the restriction is removed");
}

static void test_no_access(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	const uint32_t all = KVM_ACCESS_NO_READ | KVM_ACCESS_NO_WRITE | KVM_ACCESS_NO_EXEC;
	bool exec_only = ioctl(machine->vm, KVM_CHECK_EXTENSION, KVM_CAP_ACCESS) &
			 (int)KVM_ACCESS_CAP_EXEC_ONLY;
	enum ending ending;

	set_page(machine, P, all);
	memcpy(machine->ram + P + 0x100, out_done, sizeof(out_done));
	ending = cpu_go(machine, GUEST(g_load), P + 0x238);
	check(was_refused(cpu, ending, P + 0x238, KVM_ACCESS_EXIT_READ, GUEST(g_load)) &&
		      cpu_regs(cpu).rbx == 0,
	      "no access: a read exits");
	ending = cpu_go(machine, GUEST(g_store), P + 0x238);
	check(was_refused(cpu, ending, P + 0x238, KVM_ACCESS_EXIT_WRITE, GUEST(g_store)),
	      "no access: a write exits");
	ending = cpu_go(machine, GUEST(g_jump), P + 0x100);
	check(was_refused(cpu, ending, P + 0x100, KVM_ACCESS_EXIT_EXEC, P + 0x100),
	      "no access: execution exits");
	set_page(machine, P, KVM_ACCESS_NO_READ);
	ending = cpu_go(machine, GUEST(g_store), P + 0x238);
	check(was_refused(cpu, ending, P + 0x238, KVM_ACCESS_EXIT_WRITE, GUEST(g_store)),
	      "no-read also denies writes");
	ending = cpu_go(machine, GUEST(g_jump), P + 0x100);
	check((ending == END_DONE) == exec_only,
	      "no-read also denies execution, unless KVM reports execute-only pages");
	set_page(machine, P, 0);
	check(cpu_go(machine, GUEST(g_load), P + 0x238) == END_DONE,
	      "after the restriction is removed a read succeeds");
	set_page(machine, P, KVM_ACCESS_NO_READ);
	ending = cpu_go(machine, GUEST(g_load), P - 4);
	check(was_refused(cpu, ending, P, KVM_ACCESS_EXIT_READ, GUEST(g_load)),
	      "a read that crosses into the page exits with its first byte");
	set_page(machine, P, 0);
}

/* T is mapped by the table at PAGE_TABLE_4M, which is restricted here. */
static void test_walk(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	const struct kvm_access_exit *refused = cpu_refused(cpu);
	enum ending ending;

	check(cpu_go(machine, GUEST(g_load), T) == END_DONE,
	      "a page is read through its page table");
	set_page(machine, PAGE_TABLE_4M, KVM_ACCESS_NO_READ);
	ending = cpu_go(machine, GUEST(g_load), T + PAGE);
	check(ending == END_REFUSED && refused->gpa / PAGE == PAGE_TABLE_4M / PAGE &&
		      refused->flags & KVM_ACCESS_EXIT_WALK && cpu_regs(cpu).rip == GUEST(g_load),
	      "the walk of a table without read access exits, reported as a page walk");
	set_page(machine, PAGE_TABLE_4M, 0);
	check(cpu_run(cpu) == END_DONE, "... and continues when it is permitted");
	set_page(machine, PAGE_TABLE_4M, KVM_ACCESS_NO_WRITE);
	raw_kvm_put(machine, PAGE_TABLE_4M + 8 * 0x1b, (DATA + 0x1b * PAGE) | 3);
	ending = cpu_go(machine, GUEST(g_load), DATA + 0x1b * PAGE);
	check(ending == END_REFUSED && refused->gpa / PAGE == PAGE_TABLE_4M / PAGE &&
		      (refused->flags & (KVM_ACCESS_EXIT_WALK | KVM_ACCESS_EXIT_WRITE)) ==
			      (KVM_ACCESS_EXIT_WALK | KVM_ACCESS_EXIT_WRITE) &&
		      word(machine, PAGE_TABLE_4M + 8 * 0x1b) == ((DATA + 0x1b * PAGE) | 3),
	      "a walk that would set an accessed bit in a no-write table exits");
	set_page(machine, PAGE_TABLE_4M, 0);
	check(cpu_run(cpu) == END_DONE && word(machine, PAGE_TABLE_4M + 8 * 0x1b) & 0x20,
	      "... and sets it after the restriction is removed");
}

static void test_delivery(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	enum ending ending;

	check(cpu_go(machine, GUEST(g_ud), STACK) == END_TRAP, "an exception is delivered");
	/* The handler is in the page before the code. */
	set_page(machine, CODE - 16, KVM_ACCESS_NO_EXEC);
	ending = cpu_go(machine, GUEST(g_ud), STACK);
	check(was_refused(cpu, ending, CODE - 16, KVM_ACCESS_EXIT_EXEC, CODE - 16),
	      "a handler in a no-execute page exits with RIP at the handler");
	set_page(machine, CODE - 16, 0);
	check(cpu_run(cpu) == END_TRAP, "the handler runs after the restriction is removed");
	set_page(machine, P, KVM_ACCESS_NO_WRITE);
	ending = cpu_go(machine, GUEST(g_ud), P + 0x800);
	check(ending == END_REFUSED && cpu_refused(cpu)->gpa / PAGE == P / PAGE &&
		      cpu_refused(cpu)->flags & KVM_ACCESS_EXIT_WRITE &&
		      cpu_regs(cpu).rip == GUEST(g_ud) + 3,
	      "an exception frame that cannot be pushed exits at the faulting instruction");
	set_page(machine, P, 0);
	check(cpu_run(cpu) == END_TRAP, "the exception is delivered when the frame can be pushed");
	set_page(machine, IDT, KVM_ACCESS_NO_READ);
	ending = cpu_go(machine, GUEST(g_ud), STACK);
	check(ending == END_REFUSED && cpu_refused(cpu)->gpa / PAGE == IDT / PAGE &&
		      cpu_regs(cpu).rip == GUEST(g_ud) + 3,
	      "an unreadable IDT exits at the faulting instruction");
	set_page(machine, IDT, 0);
	check(cpu_run(cpu) == END_TRAP, "the exception is delivered when the IDT can be read");
}

/* Completes reads with @value; *@exits counts the exits. */
static enum ending finish_mmio(struct raw_vcpu *cpu, unsigned int *exits, uint64_t value)
{
	enum ending ending = cpu_run(cpu);

	while (ending == END_OTHER &&
	       (cpu->run->exit_reason == KVM_EXIT_MMIO || cpu->run->exit_reason == KVM_EXIT_IO)) {
		(*exits)++;
		if (cpu->run->exit_reason == KVM_EXIT_MMIO && !cpu->run->mmio.is_write)
			memcpy(cpu->run->mmio.data, &value, 8);
		else if (cpu->run->exit_reason == KVM_EXIT_IO &&
			 cpu->run->io.direction == KVM_EXIT_IO_IN)
			memset((uint8_t *)cpu->run + cpu->run->io.data_offset, (int)value,
			       (size_t)cpu->run->io.size * cpu->run->io.count);
		ending = cpu_run(cpu);
	}
	return ending;
}

static void test_emulator(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	const struct kvm_access_exit *refused = cpu_refused(cpu);
	unsigned int exits = 0;
	enum ending ending;

	set_page(machine, P, KVM_ACCESS_NO_WRITE);
	raw_kvm_put(machine, P + 0x300, 9);
	cpu_start(cpu, GUEST(g_movs), P + 0x300, MMIO, 0);
	ending = finish_mmio(cpu, &exits, 0x77);
	check(was_refused(cpu, ending, P + 0x300, KVM_ACCESS_EXIT_WRITE, GUEST(g_movs)) &&
		      word(machine, P + 0x300) == 9 && !exits,
	      "movs from MMIO to a no-write page exits, and the device was not read");
	check(refused->flags & KVM_ACCESS_EXIT_GVA && refused->gva == P + 0x300 &&
		      refused->insn_len == 1 && refused->insn_bytes == 1 &&
		      refused->insn[0] == 0xa5,
	      "... with the address that the guest used and the bytes of the instruction");
	set_page(machine, P, 0);
	ending = finish_mmio(cpu, &exits, 0x78);
	check(ending == END_DONE && (uint32_t)word(machine, P + 0x300) == 0x78 && exits == 1 &&
		      cpu_regs(cpu).rdi == P + 0x304,
	      "the movs is executed once after the restriction is removed");

	set_page(machine, P, KVM_ACCESS_NO_WRITE);
	exits = 0;
	raw_kvm_put(machine, P - 4, 0x33);
	cpu_start(cpu, GUEST(g_movs), P - 2, MMIO, 0);
	ending = finish_mmio(cpu, &exits, 0x77);
	check(was_refused(cpu, ending, P, KVM_ACCESS_EXIT_WRITE, GUEST(g_movs)) &&
		      word(machine, P - 4) == 0x33,
	      "a movs that crosses into the page writes nothing");
	cpu_start(cpu, GUEST(g_pushm), P + 0x100, MMIO, 0);
	ending = finish_mmio(cpu, &exits, 0x77);
	check(was_refused(cpu, ending, P + 0xf8, KVM_ACCESS_EXIT_WRITE, GUEST(g_pushm) + 3) &&
		      cpu_regs(cpu).rsp == P + 0x100,
	      "push of MMIO to a no-write stack exits with RSP unchanged");
	cpu_start(cpu, GUEST(g_pushm), P + 4, MMIO, 0);
	ending = finish_mmio(cpu, &exits, 0x77);
	check(was_refused(cpu, ending, P, KVM_ACCESS_EXIT_WRITE, GUEST(g_pushm) + 3) &&
		      word(machine, P - 4) == 0x33,
	      "a push that crosses into the page writes nothing");

	exits = 0;
	cpu_start(cpu, GUEST(g_ins), P + 0x400, 0, 0);
	ending = finish_mmio(cpu, &exits, 0x41);
	check(was_refused(cpu, ending, P + 0x400, KVM_ACCESS_EXIT_WRITE, GUEST(g_ins)) && !exits,
	      "ins into the page exits, and the port was not read");
	cpu_start(cpu, GUEST(g_repins), P - 4, 0, 8);
	ending = finish_mmio(cpu, &exits, 0x41);
	check(was_refused(cpu, ending, P, KVM_ACCESS_EXIT_WRITE, GUEST(g_repins)) &&
		      cpu_regs(cpu).rcx == 4 &&
		      word(machine, P - 4) << 32 == UINT64_C(0x4141414100000000),
	      "rep ins exits at the first denied byte");
	set_page(machine, P, 0);
	ending = finish_mmio(cpu, &exits, 0x42);
	check(ending == END_DONE && cpu_regs(cpu).rcx == 0 &&
		      word(machine, P - 4) == 0x4242424241414141,
	      "rep ins continues without reading the port twice");
	cpu_start(cpu, GUEST(g_repins), P, 0, 0);
	set_page(machine, P, KVM_ACCESS_NO_WRITE);
	check(finish_mmio(cpu, &exits, 0) == END_DONE, "rep ins with a count of 0 makes no access");

	set_page(machine, P, KVM_ACCESS_NO_READ);
	cpu_start(cpu, GUEST(g_outs), 0, P - 4, 8);
	exits = 0;
	ending = finish_mmio(cpu, &exits, 0);
	check(was_refused(cpu, ending, P, KVM_ACCESS_EXIT_READ, GUEST(g_outs)) &&
		      cpu_regs(cpu).rcx == 4 && cpu_regs(cpu).rsi == P,
	      "rep outs from a page without read access exits at the first denied byte");
	cpu_start(cpu, GUEST(g_cmps), MMIO, P + 0x10, 0);
	ending = finish_mmio(cpu, &exits, 0);
	check(was_refused(cpu, ending, P + 0x10, KVM_ACCESS_EXIT_READ, GUEST(g_cmps)),
	      "cmps from a no-read page exits");
	set_page(machine, P, KVM_ACCESS_NO_WRITE);
	cpu_start(cpu, GUEST(g_cmps), P + 0x10, MMIO, 0);
	check(finish_mmio(cpu, &exits, 0) == END_DONE, "cmps from a no-write page does not exit");
	set_page(machine, P, 0);
}

/* KVM itself walks the guest's page tables for an instruction that accesses MMIO. */
static void test_emulator_walk(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	unsigned int exits = 0;
	struct kvm_vcpu_events events;
	enum ending ending;

	cpu_start(cpu, GUEST(g_movs), T, MMIO, 0);
	check(finish_mmio(cpu, &exits, 1) == END_DONE, "movs from MMIO is emulated");
	set_page(machine, PAGE_TABLE_4M, KVM_ACCESS_NO_READ);
	cpu_start(cpu, GUEST(g_movs), T, MMIO, 0);
	ending = finish_mmio(cpu, &exits, 1);
	ioctl(cpu->fd, KVM_GET_VCPU_EVENTS, &events);
	check(was_refused(cpu, ending, PAGE_TABLE_4M, KVM_ACCESS_EXIT_READ | KVM_ACCESS_EXIT_WALK,
			  GUEST(g_movs)) &&
		      !events.exception.injected && !events.exception.pending,
	      "KVM's walk of a no-read table exits, and raises no exception");
	set_page(machine, PAGE_TABLE_4M, KVM_ACCESS_NO_WRITE);
	raw_kvm_put(machine, PAGE_TABLE_4M + 8 * 9, T | 3);
	cpu_start(cpu, GUEST(g_movs), T, MMIO, 0);
	ending = finish_mmio(cpu, &exits, 1);
	check(ending == END_DONE && word(machine, PAGE_TABLE_4M + 8 * 9) == (T | 3),
	      "KVM's walk does not write a no-write table");
	set_page(machine, PAGE_TABLE_4M, 0);
}

enum {
	PDPT = 0x34000,
};

/* Enables PAE paging by MOV CR0 with @entry in the first PDPTE. Returns the result. */
static enum ending turn_on_pae(struct raw_kvm *machine, uint64_t entry)
{
	enum ending ending;

	raw_kvm_put(machine, PDPT, entry);
	cpu_start_32(machine, GUEST(g_pae), 0x80000011, PDPT, 0x20);
	ending = cpu_run(&machine->vcpu[0]);
	/* The trap has the error code on top of the stack, and then RIP. */
	if (ending == END_TRAP &&
	    (uint32_t)(word(machine, cpu_regs(&machine->vcpu[0]).rsp) >> 32) != GUEST(g_pae))
		ending = END_OTHER;
	return ending;
}

/* At MOV CR0, KVM reads four PDPTEs for the guest and checks their reserved bits. */
static void test_pdptes(struct raw_kvm *machine)
{
	const uint64_t reserved = 0x1e7;

	check(turn_on_pae(machine, reserved) == END_TRAP && turn_on_pae(machine, 0) != END_TRAP,
	      "MOV CR0 raises #GP only for reserved bits of a PDPTE");
	set_page(machine, PDPT, KVM_ACCESS_MASK);
	check(turn_on_pae(machine, reserved) == END_TRAP && turn_on_pae(machine, 0) == END_TRAP,
	      "MOV CR0 raises #GP for either PDPTE if it may not be read");
	set_page(machine, PDPT, 0);
	cpu_end_32(machine);
}

static void test_no_memory(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	uint64_t pages[2] = {MMIO | 3, (machine->ram_size + PAGE) | 15};
	enum ending ending;

	check(!set_pages(machine, pages, 2), "a page without memory can be restricted");
	ending = cpu_go(machine, GUEST(g_load), MMIO);
	check(ending == END_OTHER && cpu->run->exit_reason == KVM_EXIT_MMIO,
	      "... and an access to it still is an MMIO exit");
	pages[0] &= ~UINT64_C(15);
	pages[1] &= ~UINT64_C(15);
	set_pages(machine, pages, 2);
	cpu_go(machine, GUEST(g_load), P);
}

int main(void)
{
	struct raw_kvm machine;

	machine_create(&machine, 64 * MIB, false);
	test_arguments(&machine);
	test_no_write(&machine);
	test_no_execute(&machine);
	test_no_access(&machine);
	test_walk(&machine);
	test_delivery(&machine);
	test_emulator(&machine);
	test_emulator_walk(&machine);
	test_pdptes(&machine);
	test_no_memory(&machine);
	raw_kvm_destroy(&machine);
	return checks_end();
}
