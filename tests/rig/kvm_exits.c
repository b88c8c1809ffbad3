/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exits of the KVM backend without the core: instructions that are taken back, instructions that leave the
 * guest more or less often than KVM_RUN returns, and what a guest does that KVM cannot go on with.
 */
#include <stdio.h>
#include <string.h>

#include "core/x64.h"
#include "kvm_guest.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_wide_dr, g_wide_xcr0, g_wide_fpu, g_step, g_call\n"
	/* One exit of the CPU and two of KVM's; then one that KVM keeps to itself. */
	"g_wide_dr: movups %xmm0, (%rdi); mov %rcx, %dr0; out %al, $0x7e; out %al, $0x10\n"
	"g_wide_xcr0: mov %rbx, (%rdi); xor %edx, %edx; mov %ecx, %eax; xor %ecx, %ecx; xsetbv\n"
	"out %al, $0x7e\n"
	"g_wide_fpu: mov %rbx, (%rdi); mov %rbx, (%rdi); mov %cr0, %rax; mov %rax, %rdx; and $~4, "
	"%al\n"
	"mov %rax, %cr0; movq %rcx, %xmm3; mov %rdx, %cr0; out %al, $0x7e\n"
	/* A single step over a hypercall: the #DB waits until the next entry. */
	"g_step: pushf; orl $0x100, (%rsp); popf; out %al, $0x7e; nop; out %al, $0x10\n"
	"g_call: out %al, $0x7e; jmp g_call\n"
	".globl g_ud, g_int3, g_div, g_fault, g_x87, g_segment, g_push, g_done\n"
	"g_ud: ud2\n"
	"g_int3: int3; out %al, $0x10\n"
	"g_div: xor %edx, %edx; div %edx\n"
	"g_fault: mov 0x7fffffff000, %rax\n"
	"g_x87: fldpi; fstpl (%rdi); out %al, $0x10\n"
	"g_segment: mov %ecx, %ds; out %al, $0x10\n"
	"g_push: push (%rdi); out %al, $0x10\n"
	"g_done: out %al, $0x10\n"
	"guest_code_end:\n"
	".popsection");

enum {
	TRIES = 200,
};

#define NOWHERE UINT64_C(0xfeb00000) /* no memory is there */
#define DR6_BS	(UINT64_C(1) << 14)

static void set_gpr(struct guest *guest, enum vcpu_gpr which, uint64_t value)
{
	guest_edit(guest, 0, 0, VCPU_GPR)->gpr[which] = value;
}

static bool is_done(const struct backend_run *run)
{
	return run->exit == BACKEND_EXIT_IO && run->io.port == PORT_DONE && run->io.write;
}

/* Runs on until something else than an interruption, @turns at most, each with a deadline. */
static struct backend_run run_bounded(struct guest *guest, unsigned int turns)
{
	struct backend_run run = {.exit = BACKEND_EXIT_INTERRUPTED};

	while (turns-- &&
	       (run.exit == BACKEND_EXIT_INTERRUPTED || run.exit == BACKEND_EXIT_DEADLINE)) {
		run = (struct backend_run){.apic_enabled = true, .inject = -1};
		run.deadline = guest->ops->tsc(guest->backend) + guest->features.tsc_hz / 50;
		if (guest->ops->vp_run(guest->vp[0], &run))
			run.exit = BACKEND_EXIT_ERROR;
	}
	return run;
}

static void protect(struct guest *guest, uint64_t gpa, uint8_t access)
{
	const struct gpa_range range = {.gpn = gpa / 4096, .pages = 1};

	guest->ops->protect(guest->backend, 0, &range, 1, access);
}

/* ------------------------------------------------------------------ registers that VTLs share */

/* Runs on until the hypercall, MMIO answered. */
static struct backend_run run_to_hypercall(struct guest *guest)
{
	struct backend_run run = guest_run_on(guest, 0, 0);

	while (run.exit == BACKEND_EXIT_MMIO)
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
	return run;
}

/* The VTL stands behind a hypercall, and everything that is shared is known. Now it goes on at @rip. */
static void begin(struct guest *guest, uint64_t rip, uint64_t rdi, uint64_t rcx)
{
	guest_run_on(guest, 0, 0);
	guest_get(guest, 0, 0, VCPU_ALL);
	set_gpr(guest, GPR_RDI, rdi);
	set_gpr(guest, GPR_RCX, rcx);
	guest_edit(guest, 0, 0, VCPU_GPR)->rip = rip;
}

static void test_debug_registers_behind_wide_stores(struct guest *guest)
{
	unsigned int seen = 0;

	for (uint64_t i = 0; i < TRIES; i++) {
		struct backend_run run;

		guest_start(guest, 0, 0, GUEST(g_call));
		begin(guest, GUEST(g_wide_dr), NOWHERE, 0x1000 + i);
		run = run_to_hypercall(guest);
		seen += run.exit == BACKEND_EXIT_HYPERCALL &&
			guest_get(guest, 0, 0, VCPU_DEBUG)->dr[0] == 0x1000 + i;
	}
	check(seen == TRIES, "a MOV to DR0 behind a 16-byte MMIO store is seen, %u of %u times",
	      seen, TRIES);
}

static void test_xcr0_behind_wide_stores(struct guest *guest)
{
	unsigned int seen = 0;

	if (!(guest->features.xcr0_supported & X64_XFEATURE_SSE)) {
		check_skipped("an XSETBV behind an MMIO store of two pages is seen", "no XSAVE");
		return;
	}
	for (unsigned int i = 0; i < TRIES; i++) {
		struct backend_run run;

		guest_start(guest, 0, 0, GUEST(g_call));
		begin(guest, GUEST(g_wide_xcr0), NOWHERE + 0xffc, 3);
		run = run_to_hypercall(guest);
		seen += run.exit == BACKEND_EXIT_HYPERCALL &&
			guest_get(guest, 0, 0, VCPU_XCR0)->xcr0 == 3;
	}
	check(seen == TRIES, "an XSETBV behind an MMIO store of two pages is seen, %u of %u times",
	      seen, TRIES);
}

static void test_fpu_opened_behind_wide_stores(struct guest *guest)
{
	unsigned int seen = 0;

	for (uint64_t i = 0; i < TRIES; i++) {
		struct backend_run run;
		uint64_t xmm3;

		guest_start(guest, 0, 0, GUEST(g_call));
		guest_edit(guest, 0, 0, VCPU_SYSTEM)->cr0 |= X64_CR0_EM;
		guest_edit(guest, 0, 0, VCPU_SYSTEM)->cr4 &= ~(uint64_t)X64_CR4_OSXSAVE;
		begin(guest, GUEST(g_wide_fpu), NOWHERE + 0xffc, 0x2000 + i);
		run = run_to_hypercall(guest);
		memcpy(&xmm3, guest_get(guest, 0, 0, VCPU_FPU)->xsave + X64_XSAVE_XMM0 + 3 * 16, 8);
		seen += run.exit == BACKEND_EXIT_HYPERCALL && xmm3 == 0x2000 + i;
	}
	check(seen == TRIES,
	      "SSE registers written while CR0.EM was clear for a moment are seen, %u of %u times",
	      seen, TRIES);
}

static void test_dr6_of_a_step_over_a_hypercall(struct guest *guest)
{
	struct backend_run run;
	uint64_t frame[6];

	guest_start(guest, 0, 0, GUEST(g_call));
	begin(guest, GUEST(g_step), 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_HYPERCALL &&
		      !(guest_get(guest, 0, 0, VCPU_ALL)->dr6 & DR6_BS),
	      "a hypercall under a single step exits before its #DB");
	/* The hypercall is done: RIP goes behind it. */
	guest_edit(guest, 0, 0, VCPU_GPR)->rip += run.length;
	run = guest_run_on(guest, 0, 0);
	check(guest_trap(guest, 0, &run, frame) == X64_EXCEPTION_DB &&
		      guest_get(guest, 0, 0, VCPU_DEBUG)->dr6 & DR6_BS,
	      "DR6 that the delivery of a #DB has written is seen");
}

/* ------------------------------------------------------------------ what KVM cannot go on with */

static bool other_vtl_runs(struct guest *guest)
{
	struct backend_run run;

	guest_start(guest, 0, 1, GUEST(g_done));
	run = guest_run_on(guest, 0, 1);
	return is_done(&run);
}

/* An instruction that KVM's emulator cannot carry out. */
static void is_undefined(struct guest *guest, uint64_t rip, const char *what)
{
	struct backend_run run = run_bounded(guest, 20);
	uint64_t frame[6];

	check(guest_trap(guest, 0, &run, frame) == X64_EXCEPTION_UD && frame[0] == rip &&
		      other_vtl_runs(guest),
	      "%s is #UD at the instruction, and the VP goes on", what);
}

static void test_instructions_that_are_not_emulated(struct guest *guest)
{
	guest_start(guest, 0, 0, NOWHERE);
	is_undefined(guest, NOWHERE, "RIP where no memory is");
	guest_start(guest, 0, 0, GUEST(g_x87));
	set_gpr(guest, GPR_RDI, NOWHERE);
	is_undefined(guest, GUEST(g_x87) + 2, "an x87 store to where no memory is");
}

/* An event whose delivery needs what is in no memory. */
static void shuts_down(struct guest *guest, uint64_t rip, bool stack, const char *what)
{
	struct backend_run run;

	guest_start(guest, 0, 0, rip);
	if (stack)
		set_gpr(guest, GPR_RSP, NOWHERE + 0x800);
	else
		guest_edit(guest, 0, 0, VCPU_SYSTEM)->idtr.base = NOWHERE;
	run = run_bounded(guest, 10);
	/* KVM for AMD CPUs tries some of them for ever, in reach of a kick (Linux 6.12). */
	check((run.exit == BACKEND_EXIT_SHUTDOWN || run.exit == BACKEND_EXIT_DEADLINE) &&
		      other_vtl_runs(guest),
	      "%s with %s in no memory ends the VTL alone: %s", what,
	      stack ? "the stack" : "the IDT",
	      run.exit == BACKEND_EXIT_SHUTDOWN ? "shutdown" : "tried again");
}

static void test_events_that_cannot_be_delivered(struct guest *guest)
{
	for (unsigned int stack = 0; stack < 2; stack++) {
		shuts_down(guest, GUEST(g_ud), stack, "#UD");
		shuts_down(guest, GUEST(g_int3), stack, "INT3");
		shuts_down(guest, GUEST(g_div), stack, "#DE");
		shuts_down(guest, GUEST(g_fault), stack, "#PF");
	}
}

static void test_tables_in_no_memory(struct guest *guest)
{
	struct backend_run run;

	guest_start(guest, 0, 0, GUEST(g_done));
	guest_edit(guest, 0, 0, VCPU_SYSTEM)->cr3 = NOWHERE;
	run = run_bounded(guest, 5);
	check(run.exit != BACKEND_EXIT_ERROR && other_vtl_runs(guest),
	      "page tables in no memory are no failure of the host (exit %d)", run.exit);
	guest_start(guest, 0, 0, GUEST(g_segment));
	set_gpr(guest, GPR_RCX, 0x10);
	guest_edit(guest, 0, 0, VCPU_SYSTEM)->gdtr.base = NOWHERE;
	run = run_bounded(guest, 5);
	check(run.exit != BACKEND_EXIT_ERROR && other_vtl_runs(guest),
	      "a GDT in no memory is no failure of the host (exit %d)", run.exit);
}

/* ------------------------------------------------------------------ instructions that wait */

#define PAGE_CODE     (DATA + 0x2000)
#define PAGE_SECRET   (DATA + 0x3000)
#define PAGE_STACK    (DATA + 0x5000)
#define SYNTHETIC_MSR 0x40000000

static const uint8_t rdmsr_code[] = {0x0f, 0x32, 0xe6, PORT_DONE};

static uint64_t rip_of(struct guest *guest)
{
	return guest_get(guest, 0, 0, VCPU_GPR)->rip;
}

static void test_code_that_is_denied_while_its_rdmsr_waits(struct guest *guest)
{
	const uint64_t linear = DATA + 0x2000;
	struct backend_run run;

	memcpy(guest->ram + PAGE_CODE, rdmsr_code, sizeof(rdmsr_code));
	guest_start(guest, 0, 0, linear);
	set_gpr(guest, GPR_RCX, SYNTHETIC_MSR);
	run = guest_run_on(guest, 0, 0);
	protect(guest, PAGE_CODE, 0);
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(run.exit == BACKEND_EXIT_MEMORY && (run.memory.gpa & ~0xfffull) == PAGE_CODE &&
		      run.memory.access == GPA_KERNEL_EXECUTE,
	      "code that is denied while its RDMSR waits is a violation");
	protect(guest, PAGE_CODE, GPA_ALL);
	run = guest_run_on(guest, 0, 0);
	if (run.exit == BACKEND_EXIT_MSR_READ)
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(is_done(&run), "... and goes on when it is allowed again");
}

/*
 * Where the CPU does not say how long an instruction is, KVM reads it again to get behind it. Its page may be another
 * one by then: of a page that is denied RIP must show nothing.
 */
static void test_length_of_an_instruction_is_not_read_from_denied_pages(struct guest *guest)
{
	static const uint8_t secret[2][8] = {{0x90, 0x90, 0x90, 0x90}, {0x48, 0xb8, 1, 2}};
	const uint64_t linear = DATA + 0x2000;
	uint64_t *entry = (uint64_t *)(void *)(guest->ram + PAGE_TABLE_4M) + 2;
	const uint64_t old = *entry;
	uint64_t after[2];

	for (unsigned int i = 0; i < 2; i++) {
		struct backend_run run;

		protect(guest, PAGE_SECRET, GPA_ALL);
		memcpy(guest->ram + PAGE_CODE, rdmsr_code, sizeof(rdmsr_code));
		memcpy(guest->ram + PAGE_SECRET, secret[i], sizeof(secret[i]));
		guest_start(guest, 0, 0, linear);
		set_gpr(guest, GPR_RCX, SYNTHETIC_MSR);
		run = guest_run_on(guest, 0, 0);
		protect(guest, PAGE_SECRET, 0);
		*entry = PAGE_SECRET | 0x67;
		guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE);
		after[i] = rip_of(guest);
		*entry = old;
		run = guest_run_on(guest, 0, 0);
		check(run.exit == BACKEND_EXIT_MEMORY || is_done(&run),
		      "an RDMSR whose page was exchanged for a denied one ends (exit %d)",
		      run.exit);
		guest->ops->vp_flush_tlb(guest->vp[0], 0);
	}
	protect(guest, PAGE_SECRET, GPA_ALL);
	check(after[0] == after[1] && (after[0] == linear || after[0] == linear + 2),
	      "... and RIP does not depend on what is there: +%u, +%u",
	      (unsigned int)(after[0] - linear), (unsigned int)(after[1] - linear));
}

/* PUSH from MMIO to a stack that is denied: the exit for the device, then the refusal, of one instruction. */
static struct backend_run push_to_denied_stack(struct guest *guest)
{
	protect(guest, PAGE_STACK, GPA_ALL & ~GPA_WRITE);
	guest_start(guest, 0, 0, GUEST(g_push));
	set_gpr(guest, GPR_RDI, NOWHERE);
	set_gpr(guest, GPR_RSP, PAGE_STACK + 0x800);
	return guest_run_on(guest, 0, 0);
}

static void test_registers_that_are_set_while_an_instruction_waits(struct guest *guest)
{
	const struct vcpu_state *state;
	struct backend_run run = push_to_denied_stack(guest);

	check(run.exit == BACKEND_EXIT_MMIO && !run.mmio.write, "PUSH reads the device");
	set_gpr(guest, GPR_RBX, 0x1234);
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	state = guest_get(guest, 0, 0, VCPU_GPR);
	check(run.exit == BACKEND_EXIT_MEMORY && run.memory.access == GPA_WRITE &&
		      state->rip == GUEST(g_push) && state->gpr[GPR_RSP] == PAGE_STACK + 0x800,
	      "its write is a violation at the instruction");
	check(state->gpr[GPR_RBX] == 0x1234,
	      "a register that was set while it waited stays set when it is taken back");

	run = push_to_denied_stack(guest);
	guest_edit(guest, 0, 0, VCPU_GPR)->rip = GUEST(g_done);
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(is_done(&run) && rip_of(guest) == GUEST(g_done),
	      "RIP that was set while it waited is where the VTL goes on");
	protect(guest, PAGE_STACK, GPA_ALL);
}

int main(void)
{
	struct guest guest;

	guest_create(&guest, 2, 1, 16 * MIB);
	test_debug_registers_behind_wide_stores(&guest);
	test_xcr0_behind_wide_stores(&guest);
	test_fpu_opened_behind_wide_stores(&guest);
	test_dr6_of_a_step_over_a_hypercall(&guest);
	test_instructions_that_are_not_emulated(&guest);
	test_events_that_cannot_be_delivered(&guest);
	test_tables_in_no_memory(&guest);
	test_code_that_is_denied_while_its_rdmsr_waits(&guest);
	test_length_of_an_instruction_is_not_read_from_denied_pages(&guest);
	test_registers_that_are_set_while_an_instruction_waits(&guest);
	guest_destroy(&guest);
	return checks_end();
}
