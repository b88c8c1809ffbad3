/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits of the KVM backend without the core: instructions that are taken back, instructions with more or
 * fewer exits of the CPU than returns of KVM_RUN, and guest actions that KVM cannot handle. */
#include <stdio.h>
#include <string.h>

#include "core/x64.h"
#include "engine.h"
#include "kvm/backend.h"
#include "kvm/vcpu/vcpu.h"
#include "kvm_guest.h"
#include "raw_kvm.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_wide_dr, g_wide_xcr0, g_wide_fpu, g_step, g_call\n"
	/* One exit of the CPU with two returns of KVM_RUN; then an exit that KVM handles itself. */
	"g_wide_dr: movups %xmm0, (%rdi); mov %rcx, %dr0; out %al, $0x7e; out %al, $0x10\n"
	"g_wide_xcr0: mov %rbx, (%rdi); xor %edx, %edx; mov %ecx, %eax; xor %ecx, %ecx; xsetbv\n"
	"out %al, $0x7e\n"
	"g_wide_fpu: mov %rbx, (%rdi); mov %rbx, (%rdi); mov %cr0, %rax; mov %rax, %rdx; and $~4, "
	"%al\n"
	"mov %rax, %cr0; movq %rcx, %xmm3; mov %rdx, %cr0; out %al, $0x7e\n"
	/* A single step over a hypercall: the #DB waits until the next entry. */
	"g_step: pushf; orl $0x100, (%rsp); popf; out %al, $0x7e; nop; out %al, $0x10\n"
	"g_call: out %al, $0x7e; jmp g_call\n"
	".globl g_ud, g_int3, g_div, g_fault, g_x87, g_segment, g_push, g_emulated, g_done\n"
	"g_ud: ud2\n"
	"g_int3: int3; out %al, $0x10\n"
	"g_div: xor %edx, %edx; div %edx\n"
	"g_fault: mov 0x7fffffff000, %rax\n"
	"g_x87: fldpi; fstpl (%rdi); out %al, $0x10\n"
	"g_segment: mov %ecx, %ds; out %al, $0x10\n"
	"g_push: push (%rdi); out %al, $0x10\n"
	/* A load; then a store that KVM emulates because of the prefix ud2; "kvm". */
	"g_emulated: mov (%rsi), %ebx; ud2; .ascii \"kvm\"; mov %rax, (%rdi); out %al, $0x10\n"
	"g_done: out %al, $0x10\n"
	".globl g_pae\n"
	".code32\n"
	"g_pae: mov %edi, %cr0; out %al, $0x10\n"
	".code64\n"
	".globl g_mov_outs, g_outs_out, g_outs_rep, g_rep_outs, g_fs_outs, g_mov_fs, g_outsw\n"
	".globl g_wide_out, g_addr_outs, g_outs_up\n"
	"g_mov_outs: mov $0xf3, %al; outsb; out %al, $0x10\n"
	"g_outs_out: outsb; out %al, $0x10\n"
	"g_outs_rep: outsb; rep outsb; out %al, $0x10\n"
	"g_rep_outs: rep outsb; out %al, $0x10\n"
	"g_fs_outs: .byte 0x64; outsb; out %al, $0x10\n"
	"g_mov_fs: mov $0x64, %al; outsb; out %al, $0x10\n"
	"g_outsw: mov $0x66, %al; repne outsw; out %al, $0x10\n"
	"g_addr_outs: addr32 outsl; out %al, $0x10\n"
	"g_outs_up: std; outsl; out %al, $0x10\n"
	"g_wide_out: out %eax, $0x7e; out %al, $0x10\n"
	"guest_code_end:\n"
	".popsection");

enum {
	TRIES = 200,
};

#define NOWHERE UINT64_C(0xfeb00000) /* a GPA without memory */
#define DR6_BS	(UINT64_C(1) << 14)

static void set_gpr(struct guest *guest, enum vcpu_gpr which, uint64_t value)
{
	guest_edit(guest, 0, 0, VCPU_GPR)->gpr[which] = value;
}

/* Runs until an exit other than an interruption, at most @turns times, each with a deadline. */
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

static struct backend_run run_to_hypercall(struct guest *guest)
{
	struct backend_run run = guest_run_on(guest, 0, 0);

	while (run.exit == BACKEND_EXIT_MMIO)
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
	return run;
}

/* Starts code after an exit at which the backend has read all registers. */
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
	check(seen == TRIES, "a MOV to DR0 after a 16-byte MMIO store is read back, %u of %u times",
	      seen, TRIES);
}

static void test_xcr0_behind_wide_stores(struct guest *guest)
{
	unsigned int seen = 0;

	if (!(guest->features.xcr0_supported & X64_XFEATURE_SSE)) {
		check_skipped("an XSETBV after an MMIO store to two pages is read back",
			      "no XSAVE");
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
	check(seen == TRIES,
	      "an XSETBV after an MMIO store to two pages is read back, %u of %u times", seen,
	      TRIES);
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
	      "SSE registers written while CR0.EM was briefly clear are read back, %u of %u times",
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
	guest_edit(guest, 0, 0, VCPU_GPR)->rip += run.length;
	run = guest_run_on(guest, 0, 0);
	check(guest_trap(guest, 0, &run, frame) == X64_EXCEPTION_DB &&
		      guest_get(guest, 0, 0, VCPU_DEBUG)->dr6 & DR6_BS,
	      "DR6 written by the delivery of a #DB is read back");
}

static bool other_vtl_runs(struct guest *guest)
{
	struct backend_run run;

	guest_start(guest, 0, 1, GUEST(g_done));
	run = guest_run_on(guest, 0, 1);
	return guest_is_done(&run);
}

static void is_undefined(struct guest *guest, uint64_t rip, const char *what)
{
	struct backend_run run = run_bounded(guest, 20);
	uint64_t frame[6];

	check(guest_trap(guest, 0, &run, frame) == X64_EXCEPTION_UD && frame[0] == rip &&
		      other_vtl_runs(guest),
	      "%s raises #UD at the instruction, and the VP continues", what);
}

static void test_instructions_that_are_not_emulated(struct guest *guest)
{
	guest_start(guest, 0, 0, NOWHERE);
	is_undefined(guest, NOWHERE, "RIP at a GPA without memory");
	guest_start(guest, 0, 0, GUEST(g_x87));
	set_gpr(guest, GPR_RDI, NOWHERE);
	is_undefined(guest, GUEST(g_x87) + 2, "an x87 store to a GPA without memory");
}

/* An event whose delivery needs a stack or IDT at a GPA without memory. */
static void shuts_down(struct guest *guest, uint64_t rip, bool stack, const char *what)
{
	struct backend_run run;

	guest_start(guest, 0, 0, rip);
	if (stack)
		set_gpr(guest, GPR_RSP, NOWHERE + 0x800);
	else
		guest_edit(guest, 0, 0, VCPU_SYSTEM)->idtr.base = NOWHERE;
	run = run_bounded(guest, 10);
	/* KVM for AMD CPUs retries some of them forever, which a kick can interrupt (Linux 6.12). */
	check((run.exit == BACKEND_EXIT_SHUTDOWN || run.exit == BACKEND_EXIT_DEADLINE) &&
		      other_vtl_runs(guest),
	      "%s with %s at a GPA without memory does not stop the other VTL: %s", what,
	      stack ? "the stack" : "the IDT",
	      run.exit == BACKEND_EXIT_SHUTDOWN ? "shutdown" : "retried");
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
	      "page tables at a GPA without memory cause no host error (exit %d)", run.exit);
	guest_start(guest, 0, 0, GUEST(g_segment));
	set_gpr(guest, GPR_RCX, 0x10);
	guest_edit(guest, 0, 0, VCPU_SYSTEM)->gdtr.base = NOWHERE;
	run = run_bounded(guest, 5);
	check(run.exit != BACKEND_EXIT_ERROR && other_vtl_runs(guest),
	      "a GDT at a GPA without memory causes no host error (exit %d)", run.exit);
}

#define PAGE_CODE     (DATA + 0x2000)
#define PAGE_SECRET   (DATA + 0x3000)
#define PAGE_STACK    (DATA + 0x5000)
#define SYNTHETIC_MSR 0x40000000

static const uint8_t rdmsr_code[] = {0x0f, 0x32, 0xe6, PORT_DONE};

static void test_code_that_is_denied_while_its_rdmsr_waits(struct guest *guest)
{
	const uint64_t linear = DATA + 0x2000;
	struct backend_run run;

	memcpy(guest->ram + PAGE_CODE, rdmsr_code, sizeof(rdmsr_code));
	guest_start(guest, 0, 0, linear);
	set_gpr(guest, GPR_RCX, SYNTHETIC_MSR);
	run = guest_run_on(guest, 0, 0);
	guest_protect(guest, PAGE_CODE, 1, 0);
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(run.exit == BACKEND_EXIT_MEMORY && (run.memory.gpa & ~0xfffull) == PAGE_CODE &&
		      run.memory.access == GPA_KERNEL_EXECUTE,
	      "code that is denied before its RDMSR is completed is a violation");
	guest_protect(guest, PAGE_CODE, 1, GPA_ALL);
	run = guest_run_on(guest, 0, 0);
	if (run.exit == BACKEND_EXIT_MSR_READ)
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(guest_is_done(&run), "... and continues when it is permitted again");
}

/* If the CPU does not report the instruction length, KVM decodes the instruction again to advance RIP,
 * possibly from a denied page that has replaced the instruction's page. */
static void test_length_of_an_instruction_is_not_read_from_denied_pages(struct guest *guest)
{
	static const uint8_t secret[2][8] = {{0x90, 0x90, 0x90, 0x90}, {0x48, 0xb8, 1, 2}};
	const uint64_t linear = DATA + 0x2000;
	uint64_t *entry = (uint64_t *)(void *)(guest->ram + PAGE_TABLE_4M) + 2;
	const uint64_t old = *entry;
	uint64_t after[2];

	for (unsigned int i = 0; i < 2; i++) {
		struct backend_run run;
		uint64_t frame[6];

		guest_protect(guest, PAGE_SECRET, 1, GPA_ALL);
		memcpy(guest->ram + PAGE_CODE, rdmsr_code, sizeof(rdmsr_code));
		memcpy(guest->ram + PAGE_SECRET, secret[i], sizeof(secret[i]));
		guest_start(guest, 0, 0, linear);
		set_gpr(guest, GPR_RCX, SYNTHETIC_MSR);
		run = guest_run_on(guest, 0, 0);
		guest_protect(guest, PAGE_SECRET, 1, 0);
		*entry = PAGE_SECRET | 0x67;
		guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE);
		after[i] = guest_rip(guest, 0);
		*entry = old;
		run = guest_run_on(guest, 0, 0);
		/* With engine nested KVM cannot decode the instruction again and raises #UD. */
		check(run.exit == BACKEND_EXIT_MEMORY || guest_is_done(&run) ||
			      (test_engine() == VSM_ENGINE_NESTED &&
			       guest_trap(guest, 0, &run, frame) == X64_EXCEPTION_UD),
		      "an RDMSR whose page was replaced by a denied one ends (exit %d)", run.exit);
		guest->ops->vp_flush_tlb(guest->vp[0], 0);
	}
	guest_protect(guest, PAGE_SECRET, 1, GPA_ALL);
	check(after[0] == after[1] && (after[0] == linear || after[0] == linear + 2),
	      "... and RIP does not depend on the contents of that page: +%u, +%u",
	      (unsigned int)(after[0] - linear), (unsigned int)(after[1] - linear));
}

/* KVM reads four page table entries for a guest that turns on PAE paging. */
static struct backend_run turn_on_pae(struct guest *guest, uint64_t entry)
{
	struct vcpu_state *state;
	struct backend_run run;

	guest_protect(guest, PAGE_SECRET, 1, GPA_ALL);
	memcpy(guest->ram + PAGE_SECRET, &entry, sizeof(entry));
	guest_protect(guest, PAGE_SECRET, 1, 0);
	guest_start(guest, 0, 0, GUEST(g_pae));
	state = guest_edit(guest, 0, 0, VCPU_SYSTEM);
	state->cr0 = 0x11;
	state->cr4 = 0x20;
	state->efer = 0;
	state->cr3 = PAGE_SECRET;
	state->segment[SEGMENT_CS].attributes = 0xc09b;
	set_gpr(guest, GPR_RDI, 0x80000011);
	run = run_bounded(guest, 20);
	guest_protect(guest, PAGE_SECRET, 1, GPA_ALL);
	return run;
}

static void test_pdptes_of_denied_pages(struct guest *guest)
{
	const struct backend_run reserved = turn_on_pae(guest, 0x1e7);
	uint64_t rip = guest_rip(guest, 0);
	const struct backend_run legal = turn_on_pae(guest, 0);

	check(reserved.exit == legal.exit && rip == guest_rip(guest, 0) &&
		      legal.exit != BACKEND_EXIT_ERROR,
	      "MOV CR0 with PDPTEs in a denied page ends the same if one is invalid (exits %d, %d)",
	      reserved.exit, legal.exit);
	guest_start(guest, 0, 0, GUEST(g_done));
}

/* KVM_RUN sets registers that an earlier vp_run() has left to it, and reads PDPTEs that are denied since. */
static void test_an_exception_is_pending_while_pdptes_are_denied(struct guest *guest)
{
	struct backend_run run = {.inject = -1, .apic_enabled = true};
	struct vcpu_events *events;
	struct vcpu_state *state;

	memset(guest->ram + PAGE_SECRET, 0, 32);
	guest_start(guest, 0, 0, GUEST(g_done));
	state = guest_edit(guest, 0, 0, VCPU_SYSTEM);
	state->cr0 = 0x80000011;
	state->cr4 = 0x20;
	state->efer = 0;
	state->cr3 = PAGE_SECRET;
	state->segment[SEGMENT_CS].attributes = 0xc09b;
	check(!guest->ops->vp_run(guest->vp[0], &run) && run.exit == BACKEND_EXIT_DEADLINE,
	      "a deadline that has passed ends vp_run() before KVM_RUN");
	events = &guest_edit(guest, 0, 0, VCPU_EVENTS)->events;
	events->exception_pending = true;
	events->exception_vector = X64_EXCEPTION_UD;
	guest_protect(guest, PAGE_SECRET, 1, 0);
	run = guest_run_on(guest, 0, 0);
	/* Engine uffd; the others find no page for the delivery: shutdown. */
	if (!(guest->features.protect & GPA_EXECUTE))
		check(run.exit == BACKEND_EXIT_MEMORY &&
			      guest_get(guest, 0, 0, VCPU_EVENTS)->events.exception_pending,
		      "an exception stays pending while PDPTEs are denied (exit %d)", run.exit);
	guest_protect(guest, PAGE_SECRET, 1, GPA_ALL);
	guest_start(guest, 0, 0, GUEST(g_done));
}

/* PUSH from MMIO to a denied stack: one instruction with an MMIO exit and then a violation. */
static struct backend_run push_to_denied_stack(struct guest *guest)
{
	guest_protect(guest, PAGE_STACK, 1, GPA_ALL & ~GPA_WRITE);
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
	      "the write of PUSH is a violation at the instruction");
	check(state->gpr[GPR_RBX] == 0x1234, "a register that is set before the completion is kept "
					     "when the instruction is taken back");

	run = push_to_denied_stack(guest);
	guest_edit(guest, 0, 0, VCPU_GPR)->rip = GUEST(g_done);
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(guest_is_done(&run) && guest_rip(guest, 0) == GUEST(g_done),
	      "the VTL continues at a RIP that was set before the completion");
	guest_protect(guest, PAGE_STACK, 1, GPA_ALL);
}

/* The completion of the PUSH needs a denied page table, where KVM's emulator raises an exception itself. */
static void test_an_exception_that_is_set_while_an_instruction_waits(struct guest *guest)
{
	static const char *const when[] = {"before", "after"};

	for (unsigned int after = 0; after < 2; after++) {
		struct vcpu_events *events;
		struct backend_run run;
		uint64_t frame[6];

		guest_protect(guest, PAGE_STACK, 1, GPA_ALL);
		guest_start(guest, 0, 0, GUEST(g_push));
		set_gpr(guest, GPR_RDI, NOWHERE);
		set_gpr(guest, GPR_RSP, PAGE_STACK + 0x800);
		guest_edit(guest, 0, 0, VCPU_SYSTEM)->cr2 = 0x1234;
		run = guest_run_on(guest, 0, 0);
		guest_protect(guest, PAGE_TABLE_4M, 1, 0);
		if (after)
			guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE);
		events = &guest_edit(guest, 0, 0, VCPU_EVENTS)->events;
		check(run.exit == BACKEND_EXIT_MMIO && !events->exception_pending,
		      "PUSH reads the device, and no exception is pending %s the answer",
		      when[after]);
		events->exception_pending = true;
		events->exception_vector = X64_EXCEPTION_GP;
		events->exception_has_error_code = true;
		events->exception_error_code = 0;
		if (!after)
			guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE);
		run = guest_run_on(guest, 0, 0);
		/* Engine nested names the device's page, whose access the VTL repeats. */
		check(run.exit == BACKEND_EXIT_MEMORY &&
			      ((run.memory.gpa & ~0xfffull) == PAGE_TABLE_4M ||
			       test_engine() == VSM_ENGINE_NESTED) &&
			      guest_rip(guest, 0) == GUEST(g_push),
		      "a page table that is denied then is a violation at the PUSH (exit %d)",
		      run.exit);
		check(guest_get(guest, 0, 0, VCPU_SYSTEM)->cr2 == 0x1234, "... CR2 is unchanged");
		guest_protect(guest, PAGE_TABLE_4M, 1, GPA_ALL);
		run = guest_run_on(guest, 0, 0);
		check(guest_trap(guest, 0, &run, frame) == X64_EXCEPTION_GP,
		      "... and an exception that is set %s the answer is delivered", when[after]);
	}
}

/* A denied write that KVM emulates, directly behind a load from a device. */
static void test_a_load_is_not_repeated(struct guest *guest, const char *when)
{
	struct backend_run run;
	unsigned int loads = 0;

	guest_protect(guest, PAGE_STACK, 1, GPA_ALL & ~GPA_WRITE);
	guest_start(guest, 0, 0, GUEST(g_emulated));
	set_gpr(guest, GPR_RSI, NOWHERE);
	set_gpr(guest, GPR_RDI, PAGE_STACK);
	for (run = guest_run_on(guest, 0, 0); run.exit == BACKEND_EXIT_MMIO && loads < 2; loads++)
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(run.exit == BACKEND_EXIT_MEMORY && run.memory.access == GPA_WRITE,
	      "the write behind a load is a violation %s (exit %d)", when, run.exit);
	check(loads == 1 && guest_rip(guest, 0) > GUEST(g_emulated),
	      "the load before it is not taken back %s", when);
	guest_protect(guest, PAGE_STACK, 1, GPA_ALL);
}

static void test_instructions_without_count(struct guest *guest)
{
	struct vcpu *vcpu = &((struct vkvm_vp *)guest->vp[0])->vcpu[0];
	const bool forced = raw_kvm_force_emulation("1");
	const int fd = vcpu->count_fd;

	if (forced)
		test_a_load_is_not_repeated(guest, "with KVM's count of exits");
	vcpu->count_fd = -1;
	if (forced)
		test_a_load_is_not_repeated(guest, "without KVM's count of exits");
	test_registers_that_are_set_while_an_instruction_waits(guest);
	vcpu->count_fd = fd;
	if (!forced || !raw_kvm_force_emulation("0"))
		check_skipped("a load that is not repeated",
			      "kvm.force_emulation_prefix cannot be set");
}

/* `rip`, `rcx_back`: where the instruction may be taken back to; `repeat`: the exit then reports a repeated
 * instruction. */
struct output {
	const char *name;
	uint64_t start;
	uint64_t rip;
	uint64_t rcx;
	uint64_t rcx_back;
	uint16_t port;
	bool repeat;
};

#define PORT_OTHER 0x60
#define FS_BASE	   0x800

static struct backend_run run_output(struct guest *guest, uint64_t rip, uint64_t rcx, uint16_t port)
{
	guest_start(guest, 0, 0, rip);
	guest_edit(guest, 0, 0, VCPU_SYSTEM)->segment[SEGMENT_FS].base = FS_BASE;
	set_gpr(guest, GPR_RSI, DATA + 0x100);
	set_gpr(guest, GPR_RCX, rcx);
	set_gpr(guest, GPR_RDX, port);
	return guest_run_on(guest, 0, 0);
}

static void takes_back(struct guest *guest, const struct output *output)
{
	struct backend_run run = run_output(guest, output->start, output->rcx, output->port);
	const struct vcpu_state *state;
	uint8_t data[4] = {0};
	uint8_t size = run.io.size;
	uint64_t rsi;
	bool back;

	if (!check(run.exit == BACKEND_EXIT_IO && run.io.port == output->port &&
			   size <= sizeof(data),
		   "%s exits", output->name))
		return;
	memcpy(data, run.io.data, size);
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
	state = guest_get(guest, 0, 0, VCPU_GPR);
	rsi = state->gpr[GPR_RSI];
	back = state->rip == output->rip && rsi == DATA + 0x100 &&
	       state->gpr[GPR_RCX] == output->rcx_back && run.io.repeat == output->repeat &&
	       run.io.string;
	check(back, "... is taken back to its beginning: rip %+d, rsi %+d, rcx %u",
	      (int)(state->rip - output->rip), (int)(rsi - DATA - 0x100),
	      (unsigned int)state->gpr[GPR_RCX]);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_IO && run.io.port == output->port && run.io.size == size &&
		      !memcmp(run.io.data, data, size),
	      "... and sends the same data when it is executed again");
	for (unsigned int i = 0;
	     i < 8 && run.exit == BACKEND_EXIT_IO && run.io.port == output->port; i++)
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
	/* With a large count the instruction has not ended after these exits. */
	check(guest_is_done(&run) || output->rcx > 8, "... and the VTL continues");
}

static void test_outputs_that_are_taken_back(struct guest *guest)
{
	const struct output outputs[] = {
		{"MOV with 0xf3 before OUTSB", GUEST(g_mov_outs), GUEST(g_mov_outs) + 2, 5, 5,
		 PORT_OTHER, false},
		{"OUTSB before an OUT", GUEST(g_outs_out), GUEST(g_outs_out), 5, 5, PORT_OTHER,
		 false},
		/* One additional iteration of the next instruction has the same effect. */
		{"OUTSB before a REP OUTSB", GUEST(g_outs_rep), GUEST(g_outs_rep) + 1, 5, 6,
		 PORT_OTHER, true},
		{"OUTSB before a REP OUTSB with no count", GUEST(g_outs_rep), GUEST(g_outs_rep) + 1,
		 0, 1, PORT_OTHER, true},
		{"OUTSB before a REP OUTSB with the largest count", GUEST(g_outs_rep),
		 GUEST(g_outs_rep), UINT64_MAX, UINT64_MAX, PORT_OTHER, false},
		{"REP OUTSB", GUEST(g_rep_outs), GUEST(g_rep_outs), 5, 5, PORT_OTHER, true},
		{"REP OUTSB with a count of 1", GUEST(g_rep_outs), GUEST(g_rep_outs), 1, 1,
		 PORT_OTHER, true},
		{"OUTSB from FS", GUEST(g_fs_outs), GUEST(g_fs_outs), 5, 5, PORT_OTHER, false},
		{"MOV with 0x64 before OUTSB", GUEST(g_mov_fs), GUEST(g_mov_fs) + 2, 5, 5,
		 PORT_OTHER, false},
		{"OUTSL with an address of 32 bits", GUEST(g_addr_outs), GUEST(g_addr_outs) + 1, 5,
		 5, PORT_OTHER, false},
		{"OUTSL upwards", GUEST(g_outs_up), GUEST(g_outs_up) + 1, 5, 5, PORT_OTHER, false},
		{"OUTSB to the hypercall port", GUEST(g_outs_out), GUEST(g_outs_out), 5, 5, 0x7e,
		 false},
	};
	struct backend_run run;

	for (unsigned int i = 0; i < 0x1000; i++)
		guest->ram[DATA + i] = (uint8_t)(i * 7 + (i >> 8));
	for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++)
		takes_back(guest, &outputs[i]);

	run = run_output(guest, GUEST(g_wide_out), 0, 0x7e);
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
	check(guest_rip(guest, 0) == GUEST(g_wide_out) && !run.io.string,
	      "OUT of 4 bytes to the hypercall port is taken back");
}

static void test_denied_code_before_an_output(struct guest *guest)
{
	static const uint8_t code[] = {0x6e, 0xe6, PORT_DONE};
	static const uint8_t before[] = {0xf3, 0x66, 0x64, 0x90};
	unsigned int same = 0;

	memcpy(guest->ram + PAGE_SECRET, code, sizeof(code));
	for (size_t i = 0; i < sizeof(before); i++) {
		const struct vcpu_state *state;
		struct backend_run run;

		memset(guest->ram + PAGE_CODE, before[i], 4096);
		guest_protect(guest, PAGE_CODE, 1, 0);
		run = run_output(guest, DATA + 0x3000, 5, PORT_OTHER);
		guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
		state = guest_get(guest, 0, 0, VCPU_GPR);
		same += state->rip == DATA + 0x3000 && state->gpr[GPR_RSI] == DATA + 0x100 &&
			state->gpr[GPR_RCX] == 5 && !run.io.repeat;
		guest_protect(guest, PAGE_CODE, 1, GPA_ALL);
	}
	check(same == sizeof(before), "an OUTS after a denied page is taken back to itself "
				      "regardless of the contents of that page");
}

/* With the hypercall port in DX, only the instruction's bytes determine whether an output is a hypercall. */
static void executes_from_overlay(struct guest *guest, uint64_t at, const char *place)
{
	struct backend_run run = run_output(guest, at, 5, 0x7e);

	check(run.exit == BACKEND_EXIT_HYPERCALL && guest_rip(guest, 0) == at,
	      "a hypercall in an overlay %s is recognised regardless of DX", place);
	guest_edit(guest, 0, 0, VCPU_GPR)->rip = at + 2;
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_IO && run.io.port == 0x7e && run.io.size == 1 &&
		      !run.io.string,
	      "OUT DX, AL to the hypercall port is port I/O");
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(run.exit == BACKEND_EXIT_IO && run.io.port == 0x7e &&
		      run.io.data[0] == guest->ram[DATA + 0x100],
	      "OUTSB to the hypercall port is port I/O");
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
	check(guest_rip(guest, 0) == at + 3 && run.io.string &&
		      guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RSI] == DATA + 0x100,
	      "OUTSB is taken back to its beginning");
}

static void test_code_in_overlays(struct guest *guest)
{
	static const uint8_t code[] = {0xe6, 0x7e, 0xee, 0x6e, 0xe6, PORT_DONE};
	const uint64_t outside = 0x20000000;
	void *overlay = NULL;

	check(!guest->ops->overlay_memory(guest->backend, 4, &overlay), "overlay memory");
	if (!overlay)
		return;
	memcpy((uint8_t *)overlay + 2 * 4096, code, sizeof(code));
	memset(guest->ram + PAGE_SECRET, 0x90, 4096);
	guest->ops->overlay_map(guest->backend, 0, PAGE_SECRET / 4096, 2, GPA_ALL & ~GPA_WRITE);
	executes_from_overlay(guest, PAGE_SECRET, "over RAM");
	guest_protect(guest, PAGE_SECRET, 1, 0);
	executes_from_overlay(guest, PAGE_SECRET, "over denied RAM");
	guest_protect(guest, PAGE_SECRET, 1, GPA_ALL);
	guest->ops->overlay_map(guest->backend, 0, outside / 4096, 2, GPA_ALL & ~GPA_WRITE);
	executes_from_overlay(guest, outside, "at a GPA without RAM");
	guest->ops->overlay_unmap(guest->backend, 0, outside / 4096);
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
	test_pdptes_of_denied_pages(&guest);
	test_an_exception_is_pending_while_pdptes_are_denied(&guest);
	test_registers_that_are_set_while_an_instruction_waits(&guest);
	test_an_exception_that_is_set_while_an_instruction_waits(&guest);
	test_instructions_without_count(&guest);
	test_outputs_that_are_taken_back(&guest);
	test_denied_code_before_an_output(&guest);
	test_code_in_overlays(&guest);
	guest_destroy(&guest);
	return checks_end();
}
