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

int main(void)
{
	struct guest guest;

	guest_create(&guest, 2, 1, 16 * MIB);
	test_debug_registers_behind_wide_stores(&guest);
	test_xcr0_behind_wide_stores(&guest);
	test_fpu_opened_behind_wide_stores(&guest);
	test_dr6_of_a_step_over_a_hypercall(&guest);
	guest_destroy(&guest);
	return checks_end();
}
