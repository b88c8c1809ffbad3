/* SPDX-License-Identifier: BSD-2-Clause */
/* The KVM backend without the core. Guest code checks the values that a test sets. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/x64.h"
#include "kvm_guest.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_hypercall, g_rdmsr, g_wrmsr, g_registers, g_sse, g_dr, g_spin, g_sti, g_cr8, "
	"g_in\n"
	".globl g_out, g_outs, g_mmio_read, g_mmio_write, g_halt, g_tsc, g_nop, g_movss, g_ins\n"
	".globl g_system, g_stale\n"
	"g_hypercall: out %al, $0x7e; out %al, $0x10\n"
	"g_rdmsr: rdmsr; out %al, $0x10\n"
	"g_wrmsr: wrmsr; out %al, $0x10\n"
	/* Changes every general register by a different amount. */
	"g_registers: add $1, %rax; add $2, %rbx; add $3, %rcx; add $4, %rdx; add $5, %rsi\n"
	"add $6, %rdi; add $7, %rbp; add $8, %rsp; add $9, %r8; add $10, %r9; add $11, %r10\n"
	"add $12, %r11; add $13, %r12; add $14, %r13; add $15, %r14; add $16, %r15; stc\n"
	"out %al, $0x10\n"
	"g_sse: movq %xmm0, %rax; movq %xmm7, %rbx; movq %rcx, %xmm1; out %al, $0x10\n"
	"g_dr: mov %dr0, %rax; mov %dr3, %rbx; mov %dr6, %rsi; mov %dr7, %rdi; mov %rcx, %dr1\n"
	"out %al, $0x10\n"
	"g_spin: inc %r15; jmp g_spin\n"
	"g_sti: cli; nop; sti; nop; nop; out %al, $0x10\n"
	"g_cr8: mov %cr8, %rbx; mov %rax, %cr8; out %al, $0x10\n"
	"g_in: in $0x60, %eax; out %al, $0x10\n"
	"g_out: out %eax, $0x60; out %al, $0x10\n"
	"g_outs: rep outsb; out %al, $0x10\n"
	"g_ins: rep insb; out %al, $0x10\n"
	"g_mmio_read: mov (%rdi), %eax; out %al, $0x10\n"
	"g_mmio_write: mov %eax, (%rdi); out %al, $0x10\n"
	"g_halt: hlt; out %al, $0x10\n"
	"g_tsc: rdtsc; shl $32, %rdx; or %rdx, %rax; out %al, $0x10; jmp g_tsc\n"
	"g_nop: nop; nop; nop; out %al, $0x10\n"
	"g_movss: mov %ss, %eax; mov %eax, %ss; out %al, $0x10\n"
	"g_system: mov %cr2, %rax; mov %cr3, %rbx; mov %cr4, %rcx; str %dx; sldt %si; mov %fs, "
	"%di\n"
	"mov %fs:0, %r8; out %al, $0x10\n"
	/* Loads through a page table entry, changes the entry and loads twice, with an exit before the last
	 * load. */
	"g_stale: mov (%rdi), %rax; mov %rcx, (%rsi); mov (%rdi), %rbx; out %al, $0x10\n"
	"mov (%rdi), %rdx; out %al, $0x10\n"
	"guest_code_end:\n"
	".popsection");

static uint64_t gpr(struct guest *guest, uint8_t vtl, enum vcpu_gpr which)
{
	return guest_get(guest, 0, vtl, VCPU_GPR)->gpr[which];
}

static void test_general_registers(struct guest *guest)
{
	struct vcpu_state *state;
	struct backend_run run;
	const struct vcpu_state *after;
	/* The amounts that g_registers adds, in the order of enum vcpu_gpr. */
	static const uint8_t added[GPR_COUNT] = {1, 3,	4,  2,	8,  7,	5,  6,
						 9, 10, 11, 12, 13, 14, 15, 16};
	bool same = true;

	guest_start(guest, 0, 0, GUEST(g_registers));
	state = guest_edit(guest, 0, 0, VCPU_GPR);
	for (unsigned int i = 0; i < GPR_COUNT; i++)
		state->gpr[i] = UINT64_C(0x1111111100000000) * (i + 1) + i;
	run = guest_run_on(guest, 0, 0);
	after = guest_get(guest, 0, 0, VCPU_GPR);
	for (unsigned int i = 0; i < GPR_COUNT; i++)
		same &= after->gpr[i] == UINT64_C(0x1111111100000000) * (i + 1) + i + added[i];
	check(guest_is_done(&run) && same, "every general register is loaded and read back");
	check(after->rflags & 1, "RFLAGS is read back");
}

static void test_system_registers(struct guest *guest)
{
	struct vcpu_state *state;
	const struct vcpu_state *after;
	struct backend_run run;
	struct vcpu_state before;
	const uint64_t pattern = 0x7f0012345678;

	guest_start(guest, 0, 0, GUEST(g_system));
	state = guest_edit(guest, 0, 0, VCPU_SYSTEM);
	state->cr2 = 0x123456789abc;
	state->segment[SEGMENT_FS].base = DATA + 0x123;
	memcpy(guest->ram + DATA + 0x123, &pattern, sizeof(pattern));
	before = *state;
	run = guest_run_on(guest, 0, 0);
	after = guest_get(guest, 0, 0, VCPU_GPR | VCPU_SYSTEM);
	/* On AMD CPUs the guest runs with the host's CR4.MCE. */
	check(guest_is_done(&run) && after->gpr[GPR_RAX] == 0x123456789abc &&
		      after->gpr[GPR_RBX] == PAGE_TABLES &&
		      (after->gpr[GPR_RCX] & ~(uint64_t)X64_CR4_MCE) == before.cr4 &&
		      (after->gpr[GPR_RDX] & 0xffff) == 0x28 && after->gpr[GPR_R8] == pattern,
	      "the guest sees its system registers");
	/* The CPU sets the accessed bit of the descriptor types that it has loaded. */
	check(!memcmp(after->segment, before.segment, sizeof(before.segment)) &&
		      after->cr0 == before.cr0 && after->efer == before.efer &&
		      after->idtr.base == IDT && after->gdtr.limit == 0x37,
	      "segments with their attributes and descriptor tables are read back unchanged");
}

static void test_fpu(struct guest *guest)
{
	const uint64_t value = 0x1234567887654321;
	const uint64_t two = X64_XFEATURE_X87 | X64_XFEATURE_SSE;
	struct vcpu_state *state;
	const struct vcpu_state *after;
	struct backend_run run;
	uint64_t present;

	guest_start(guest, 0, 0, GUEST(g_sse));
	state = guest_edit(guest, 0, 0, VCPU_FPU | VCPU_GPR);
	memcpy(state->xsave + X64_XSAVE_XMM0, &value, 8);
	memcpy(state->xsave + X64_XSAVE_XMM0 + 7 * 16, &value, 8);
	memcpy(state->xsave + X64_XSAVE_BV, &two, 8);
	state->gpr[GPR_RCX] = ~value;
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && gpr(guest, 0, GPR_RAX) == value &&
		      gpr(guest, 0, GPR_RBX) == value,
	      "SSE registers are loaded");
	after = guest_get(guest, 0, 0, VCPU_FPU);
	memcpy(&present, after->xsave + X64_XSAVE_BV, 8);
	check((present & X64_XFEATURE_SSE) &&
		      !memcmp(after->xsave + X64_XSAVE_XMM0 + 16, &(uint64_t){~value}, 8),
	      "SSE registers are read back, and XSTATE_BV has the bit of SSE");

	guest_start(guest, 0, 0, GUEST(g_sse));
	state = guest_edit(guest, 0, 0, VCPU_FPU);
	memcpy(state->xsave + X64_XSAVE_XMM0, &value, 8);
	present = 0;
	memcpy(state->xsave + X64_XSAVE_BV, &present, 8);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && gpr(guest, 0, GPR_RAX) == 0,
	      "P08: SSE registers in their initial state by XSTATE_BV are zero, regardless of the "
	      "bytes in the area");
}

static void test_debug_registers(struct guest *guest)
{
	struct vcpu_state *state;
	const struct vcpu_state *after;
	struct backend_run run;

	guest_start(guest, 0, 0, GUEST(g_dr));
	state = guest_edit(guest, 0, 0, VCPU_DEBUG | VCPU_GPR);
	state->dr[0] = 0x1000;
	state->dr[3] = 0x3000;
	state->dr6 = (X64_DR6_RESET | 2);
	state->gpr[GPR_RCX] = 0x5678;
	run = guest_run_on(guest, 0, 0);
	after = guest_get(guest, 0, 0, VCPU_GPR | VCPU_DEBUG);
	check(guest_is_done(&run) && after->gpr[GPR_RAX] == 0x1000 &&
		      after->gpr[GPR_RBX] == 0x3000 &&
		      after->gpr[GPR_RSI] == ((X64_DR6_RESET | 2)) &&
		      after->gpr[GPR_RDI] == X64_DR7_RESET && after->dr[1] == 0x5678,
	      "debug registers are loaded and read back");
}

static void test_msr_registers(struct guest *guest)
{
	static const uint32_t msr[VCPU_MSR_OPTIONAL] = {
		[VCPU_MSR_KERNEL_GS_BASE] = 0xc0000102,
		[VCPU_MSR_SYSENTER_CS] = 0x174,
		[VCPU_MSR_SYSENTER_EIP] = 0x176,
		[VCPU_MSR_SYSENTER_ESP] = 0x175,
		[VCPU_MSR_STAR] = 0xc0000081,
		[VCPU_MSR_LSTAR] = 0xc0000082,
		[VCPU_MSR_CSTAR] = 0xc0000083,
		[VCPU_MSR_SFMASK] = 0xc0000084,
		[VCPU_MSR_PAT] = 0x277,
		[VCPU_MSR_TSC_AUX] = 0xc0000103,
	};
	unsigned int right = 0;

	for (unsigned int i = 0; i < VCPU_MSR_OPTIONAL; i++) {
		uint64_t value = i == VCPU_MSR_PAT ? UINT64_C(0x0007010600070106) : 0x1000 + i;
		struct vcpu_state *state;
		struct backend_run run;

		guest_start(guest, 0, 0, GUEST(g_rdmsr));
		state = guest_edit(guest, 0, 0, VCPU_MSR | VCPU_GPR);
		state->msr[i] = value;
		state->gpr[GPR_RCX] = msr[i];
		run = guest_run_on(guest, 0, 0);
		right += guest_is_done(&run) &&
			 (uint32_t)gpr(guest, 0, GPR_RAX) == (uint32_t)value &&
			 gpr(guest, 0, GPR_RDX) == value >> 32 &&
			 guest_get(guest, 0, 0, VCPU_MSR)->msr[i] == value;
	}
	check(right == VCPU_MSR_OPTIONAL, "MSRs of all CPUs are loaded and read back (%u)", right);
}

static void test_privacy(struct guest *guest)
{
	struct backend_run run;

	guest_start(guest, 0, 0, GUEST(g_registers));
	guest_start(guest, 0, 1, GUEST(g_registers));
	guest_edit(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX] = 100;
	guest_edit(guest, 0, 1, VCPU_GPR)->gpr[GPR_RAX] = 200;
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && gpr(guest, 0, GPR_RAX) == 101 && gpr(guest, 1, GPR_RAX) == 200,
	      "a VTL that does not run keeps its registers");
}

static void test_hypercall(struct guest *guest)
{
	struct backend_run run;
	uint64_t at = GUEST(g_hypercall);

	guest_start(guest, 0, 0, at);
	guest_edit(guest, 0, 0, VCPU_GPR)->gpr[GPR_RCX] = 0x77;
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_HYPERCALL && run.length == 2 && guest_rip(guest, 0) == at &&
		      gpr(guest, 0, GPR_RCX) == 0x77,
	      "a hypercall exits with RIP at the instruction");
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_HYPERCALL && guest_rip(guest, 0) == at,
	      "a hypercall that is not skipped is executed again");
	guest_edit(guest, 0, 0, VCPU_GPR)->rip += run.length;
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "a hypercall that is skipped is not executed again");
}

static void test_msr_exits(struct guest *guest)
{
	static const uint32_t always[] = {0x40000000, 0x40000118, 0x40001fff, 0x1b, 0x6e0,
					  0x802,      0x830,	  0x12345,    0xfe, 0x200,
					  0x20f,      0x26f,	  0x2ff};
	uint64_t frame[6];
	struct backend_run run;

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
		run = guest_run_msr(guest, GUEST(g_rdmsr), always[i], 0);
		check(run.exit == BACKEND_EXIT_MSR_READ && run.msr.index == always[i] &&
			      run.length == 2 && guest_rip(guest, 0) == GUEST(g_rdmsr),
		      "RDMSR %#x exits, RIP at the instruction", always[i]);
		run.msr.data = 0x1122334455667788;
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
		check(guest_is_done(&run) && gpr(guest, 0, GPR_RAX) == 0x55667788 &&
			      gpr(guest, 0, GPR_RDX) == 0x11223344,
		      "... and returns the data of its completion");
	}
	run = guest_run_msr(guest, GUEST(g_wrmsr), 0x40000071, 0xabcdef0123456789);
	check(run.exit == BACKEND_EXIT_MSR_WRITE && run.msr.data == 0xabcdef0123456789,
	      "WRMSR exits with its value");
	run = guest_answer(guest, 0, &run, BACKEND_FAULT);
	check(guest_trap(guest, 0, &run, frame) == 13 && frame[0] == 0 &&
		      frame[1] == GUEST(g_wrmsr),
	      "FAULT raises #GP(0) at the instruction");
	run = guest_run_msr(guest, GUEST(g_wrmsr), 0x10, 5);
	check(run.exit == BACKEND_EXIT_MSR_WRITE && run.msr.index == 0x10,
	      "a write of the TSC exits");
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(guest_is_done(&run), "... and has no effect in KVM");
}

static void test_msr_retry(struct guest *guest)
{
	struct backend_run run = guest_run_msr(guest, GUEST(g_rdmsr), 0x40000002, 0);

	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
	check(guest_rip(guest, 0) == GUEST(g_rdmsr) && gpr(guest, 0, GPR_RAX) == 0 &&
		      gpr(guest, 0, GPR_RCX) == 0x40000002,
	      "RETRY takes an RDMSR back: RIP, RAX and RCX are those of before");
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MSR_READ, "the RDMSR is executed again");
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
	guest_edit(guest, 0, 0, VCPU_GPR)->rip = GUEST(g_nop);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && gpr(guest, 0, GPR_RAX) == 0,
	      "after RETRY the guest continues at a RIP that is set");
	run = guest_run_msr(guest, GUEST(g_wrmsr), 0x40000070, 1);
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
	check(guest_rip(guest, 0) == GUEST(g_wrmsr), "RETRY takes a WRMSR back");
}

static void test_msr_intercepts(struct guest *guest)
{
	const uint32_t lstar = 0xc0000082;
	uint64_t frame[6];
	struct backend_run run;

	run = guest_run_msr(guest, GUEST(g_wrmsr), lstar, 0x1000);
	check(guest_is_done(&run), "WRMSR of LSTAR does not exit");
	guest->ops->msr_intercept(guest->backend, 0, lstar, false, true);
	run = guest_run_msr(guest, GUEST(g_wrmsr), lstar, 0x123456789000);
	check(run.exit == BACKEND_EXIT_MSR_WRITE && run.msr.index == lstar,
	      "WRMSR of an intercepted MSR exits");
	run = guest_answer(guest, 0, &run, BACKEND_NATIVE);
	check(guest_is_done(&run) &&
		      guest_get(guest, 0, 0, VCPU_MSR)->msr[VCPU_MSR_LSTAR] == 0x123456789000,
	      "NATIVE writes the MSR");
	run = guest_run_msr(guest, GUEST(g_wrmsr), lstar, 0x8000000000000000);
	run = guest_answer(guest, 0, &run, BACKEND_NATIVE);
	check(guest_trap(guest, 0, &run, frame) == 13,
	      "NATIVE raises #GP for a non-canonical address");
	run = guest_run_msr(guest, GUEST(g_rdmsr), lstar, 0);
	check(guest_is_done(&run), "a read of an MSR whose writes are intercepted does not exit");
	guest->ops->msr_intercept(guest->backend, 0, lstar, false, false);
	run = guest_run_msr(guest, GUEST(g_wrmsr), lstar, 0x1000);
	check(guest_is_done(&run),
	      "an MSR write does not exit once the MSR is no longer intercepted");
	guest->ops->msr_intercept(guest->backend, 0, 0xc0000080, true, true);
	run = guest_run_msr(guest, GUEST(g_wrmsr), 0xc0000080, 0xc00);
	run = guest_answer(guest, 0, &run, BACKEND_NATIVE);
	check(guest_trap(guest, 0, &run, frame) == 13,
	      "NATIVE: EFER.LME cannot change while paging is on");
	guest->ops->msr_intercept(guest->backend, 0, 0xc0000080, false, false);
	guest->ops->msr_intercept(guest->backend, 0, 0x40000000, false, false);
	run = guest_run_msr(guest, GUEST(g_rdmsr), 0x40000000, 0);
	check(run.exit == BACKEND_EXIT_MSR_READ, "a synthetic MSR exits without an intercept");
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_FAULT);
}

static void test_ports(struct guest *guest)
{
	struct backend_run run;

	guest_start(guest, 0, 0, GUEST(g_in));
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_IO && run.io.port == 0x60 && run.io.size == 4 &&
		      !run.io.write && run.io.count == 1,
	      "IN exits");
	memcpy(run.io.data, &(uint32_t){0xcafe0001}, 4);
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(guest_is_done(&run) && gpr(guest, 0, GPR_RAX) == 0xcafe0001,
	      "IN returns the data of its completion");

	guest_start(guest, 0, 0, GUEST(g_out));
	guest_edit(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX] = 0x12345678;
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_IO && run.io.write &&
		      !memcmp(run.io.data, &(uint32_t){0x12345678}, 4),
	      "OUT exits with its data");
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
	check(guest_rip(guest, 0) == GUEST(g_out), "RETRY takes an OUT back");
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_IO && run.io.port == 0x60, "the OUT is executed again");
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(guest_is_done(&run), "the OUT completes");
}

static void test_string_ports(struct guest *guest)
{
	struct vcpu_state *state;
	struct backend_run run;

	memcpy(guest->ram + DATA, "abcdefgh", 8);
	guest_start(guest, 0, 0, GUEST(g_outs));
	state = guest_edit(guest, 0, 0, VCPU_GPR);
	state->gpr[GPR_RSI] = DATA;
	state->gpr[GPR_RCX] = 8;
	state->gpr[GPR_RDX] = 0x60;
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_IO && run.io.write && run.io.size == 1 &&
		      run.io.count >= 1 && run.io.data[0] == 'a',
	      "REP OUTSB exits with its data, %u elements at once", run.io.count);
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
	state = guest_edit(guest, 0, 0, VCPU_GPR);
	check(state->rip == GUEST(g_outs) && state->gpr[GPR_RSI] == DATA &&
		      state->gpr[GPR_RCX] == 8 && run.io.string && run.io.repeat,
	      "RETRY takes a REP OUTSB back, and reports it as a repeated string instruction");
	for (unsigned int sent = 0; sent < 8;) {
		run = guest_run_on(guest, 0, 0);
		if (run.exit != BACKEND_EXIT_IO || run.io.port != 0x60)
			break;
		sent += run.io.count;
		guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE);
	}
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && gpr(guest, 0, GPR_RSI) == DATA + 8, "the REP OUTSB completes");

	guest_start(guest, 0, 0, GUEST(g_ins));
	state = guest_edit(guest, 0, 0, VCPU_GPR);
	state->gpr[GPR_RDI] = DATA;
	state->gpr[GPR_RCX] = 4;
	state->gpr[GPR_RDX] = 0x60;
	run = guest_run_on(guest, 0, 0);
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
	state = guest_edit(guest, 0, 0, VCPU_GPR);
	check(state->rip == GUEST(g_ins) && state->gpr[GPR_RDI] == DATA &&
		      state->gpr[GPR_RCX] == 4 && run.io.string && run.io.repeat,
	      "RETRY takes a REP INSB back");
}

static void test_mmio(struct guest *guest)
{
	struct backend_run run;

	guest_start_with(guest, GUEST(g_mmio_read), 0xfee00080, 0);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MMIO && run.mmio.gpa == 0xfee00080 && run.mmio.size == 4 &&
		      !run.mmio.write,
	      "a load from a GPA without memory exits");
	memcpy(run.mmio.data, &(uint32_t){0xfeed}, 4);
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(guest_is_done(&run) && gpr(guest, 0, GPR_RAX) == 0xfeed,
	      "the load returns the data of its completion");
	guest_start_with(guest, GUEST(g_mmio_write), 0xfee000b0, 0x55);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MMIO && run.mmio.write && run.mmio.data[0] == 0x55,
	      "a store exits with its data");
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(guest_is_done(&run), "the store completes");
}

static void test_answer_then_look(struct guest *guest)
{
	struct backend_run run;

	guest_start(guest, 0, 0, GUEST(g_in));
	guest_start(guest, 0, 1, GUEST(g_nop));
	run = guest_run_on(guest, 0, 0);
	memcpy(run.io.data, &(uint32_t){0x1234}, 4);
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE);
	check(gpr(guest, 0, GPR_RAX) == 0x1234 && guest_rip(guest, 0) == GUEST(g_in) + 2,
	      "registers that are read after the completion are those after the instruction");
	guest_edit(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX] = 0x4321;
	run = guest_run_on(guest, 0, 1);
	check(guest_is_done(&run), "another VTL may run before the VTL continues");
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && gpr(guest, 0, GPR_RAX) == 0x4321,
	      "the registers may be changed before the VTL continues");
}

#define STALE_TRIES 50u

/* The guest changes a page table entry without INVLPG and still reads the old page through its TLB. The test
 * is repeated if the host flushes the TLB between the two reads. */
static void test_flush(struct guest *guest)
{
	const uint64_t old_page = 0x1111, new_page = 0x2222;
	uint64_t *entry = (uint64_t *)(void *)(guest->ram + PAGE_TABLE_4M);
	const uint64_t entry_before = *entry;
	const uint64_t cr4_before = guest_get(guest, 0, 0, VCPU_SYSTEM)->cr4;
	unsigned int stale = 0, fresh = 0, tries = 0;
	struct backend_run run;

	memcpy(guest->ram + DATA, &old_page, sizeof(old_page));
	memcpy(guest->ram + DATA + 0x1000, &new_page, sizeof(new_page));
	for (; tries < STALE_TRIES && !stale; tries++) {
		struct vcpu_state *state;

		*entry = entry_before;
		guest->ops->vp_flush_tlb(guest->vp[0], 0);
		state = guest_start_with(guest, GUEST(g_stale), DATA, 0);
		state->gpr[GPR_RSI] = PAGE_TABLE_4M;
		state->gpr[GPR_RCX] = (DATA + 0x1000) | 0x67;
		run = guest_run_on(guest, 0, 0);
		stale += guest_is_done(&run) && gpr(guest, 0, GPR_RAX) == old_page &&
			 gpr(guest, 0, GPR_RBX) == old_page;
		guest->ops->vp_flush_tlb(guest->vp[0], 0);
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
		fresh += guest_is_done(&run) && gpr(guest, 0, GPR_RDX) == new_page;
	}
	*entry = entry_before;
	check(stale > 0, "a translation stays in the TLB until it is flushed (%u tries)", tries);
	check(fresh == tries, "vp_flush_tlb() removes the translation before the VTL continues");
	check(guest_get(guest, 0, 0, VCPU_SYSTEM)->cr4 == (cr4_before | 0x620) &&
		      gpr(guest, 0, GPR_RDI) == DATA,
	      "vp_flush_tlb() changes neither CR4 nor RDI");
	guest->ops->vp_flush_tlb(guest->vp[0], 0);
}

static void test_shutdown(struct guest *guest)
{
	struct backend_run run;
	struct vcpu_state *state;

	guest_start(guest, 0, 0, GUEST(g_nop));
	state = guest_edit(guest, 0, 0, VCPU_SYSTEM | VCPU_EVENTS);
	state->idtr.limit = 0;
	state->events.exception_pending = true;
	state->events.exception_vector = 6;
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_SHUTDOWN, "a triple fault is a shutdown");
	guest_start(guest, 0, 0, GUEST(g_nop));
	guest_edit(guest, 0, 0, VCPU_SYSTEM)->efer = 0xd00 & ~UINT64_C(0x100);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_SHUTDOWN,
	      "an EFER that no CPU can have is a shutdown, not an error of the VMM");
	guest_start(guest, 0, 0, GUEST(g_nop));
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "a VP that was shut down can be started again");
}

static void test_interrupts(struct guest *guest)
{
	struct backend_run run = {.inject = 0x41, .deadline = UINT64_MAX};
	uint64_t frame[6];

	guest_start(guest, 0, 0, GUEST(g_nop));
	check(!guest->ops->vp_can_inject(guest->vp[0], 0),
	      "no interrupt can be injected while IF is 0");
	guest_edit(guest, 0, 0, VCPU_GPR)->rflags |= X64_RFLAGS_IF;
	check(guest->ops->vp_can_inject(guest->vp[0], 0),
	      "an interrupt can be injected while IF is 1");
	guest->ops->vp_run(guest->vp[0], &run);
	check(guest_trap(guest, 0, &run, frame) == 0x41 && frame[0] == GUEST(g_nop),
	      "an interrupt is taken before the next instruction");

	guest_start(guest, 0, 0, GUEST(g_sti));
	run = (struct backend_run){.inject = -1, .deadline = UINT64_MAX, .interrupt_window = true};
	do {
		guest->ops->vp_run(guest->vp[0], &run);
	} while (run.exit == BACKEND_EXIT_INTERRUPTED);
	check(run.exit == BACKEND_EXIT_WINDOW && guest_rip(guest, 0) == GUEST(g_sti) + 4 &&
		      guest->ops->vp_can_inject(guest->vp[0], 0),
	      "the interrupt window opens after the instruction that follows STI (%#llx)",
	      (unsigned long long)(guest_rip(guest, 0) - GUEST(g_sti)));

	guest_start(guest, 0, 0, GUEST(g_nop));
	guest_edit(guest, 0, 0, VCPU_GPR)->rflags |= X64_RFLAGS_IF;
	guest_edit(guest, 0, 0, VCPU_EVENTS)->events.interrupt_shadow = true;
	check(!guest->ops->vp_can_inject(guest->vp[0], 0),
	      "no interrupt can be injected in the shadow of STI");
}

static void test_nmi(struct guest *guest)
{
	struct vcpu_state *state;
	struct backend_run run;
	uint64_t frame[6];

	guest_start(guest, 0, 0, GUEST(g_nop));
	guest_edit(guest, 0, 0, VCPU_EVENTS)->events.nmi_pending = true;
	run = guest_run_on(guest, 0, 0);
	check(guest_trap(guest, 0, &run, frame) == 2 && frame[0] == GUEST(g_nop),
	      "an NMI is delivered regardless of IF");
	check(guest_get(guest, 0, 0, VCPU_EVENTS)->events.nmi_masked, "NMIs are masked until IRET");
	guest_edit(guest, 0, 0, VCPU_EVENTS)->events.nmi_pending = true;
	guest_edit(guest, 0, 0, VCPU_GPR)->rip = GUEST(g_nop);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && guest_get(guest, 0, 0, VCPU_EVENTS)->events.nmi_pending,
	      "a second NMI stays pending");

	guest_start(guest, 0, 0, GUEST(g_nop));
	state = guest_edit(guest, 0, 0, VCPU_EVENTS);
	state->events.nmi_injected = true;
	state->events.interrupt_shadow = true;
	run = guest_run_on(guest, 0, 0);
	check(guest_trap(guest, 0, &run, frame) == 2 && frame[0] == GUEST(g_nop) + 1,
	      "an NMI to inject in an interrupt shadow is delivered after it");
	guest_start(guest, 0, 0, GUEST(g_nop));
	state = guest_edit(guest, 0, 0, VCPU_EVENTS);
	state->events.nmi_injected = true;
	state->events.nmi_masked = true;
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && guest_get(guest, 0, 0, VCPU_EVENTS)->events.nmi_pending,
	      "an NMI to inject while NMIs are masked waits");
}

static void test_exceptions(struct guest *guest)
{
	struct vcpu_state *state;
	struct backend_run run;
	uint64_t frame[6];

	guest_start(guest, 0, 0, GUEST(g_nop));
	state = guest_edit(guest, 0, 0, VCPU_EVENTS | VCPU_SYSTEM);
	state->cr2 = 1;
	state->events.exception_pending = true;
	state->events.exception_vector = 14;
	state->events.exception_has_error_code = true;
	state->events.exception_error_code = 6;
	state->events.exception_parameter = 0xdead000;
	guest_edit(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX] = 1;
	run = guest_run_on(guest, 0, 0);
	check(guest_trap(guest, 0, &run, frame) == 14 && frame[0] == 6 &&
		      frame[1] == GUEST(g_nop) &&
		      guest_get(guest, 0, 0, VCPU_SYSTEM)->cr2 == 0xdead000,
	      "a page fault is delivered with its error code and CR2");
}

static void test_task_priority(struct guest *guest)
{
	struct backend_run run = {.inject = -1, .deadline = UINT64_MAX, .cr8 = 5};

	guest_start(guest, 0, 0, GUEST(g_cr8));
	guest_edit(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX] = 9;
	guest->ops->vp_run(guest->vp[0], &run);
	check(guest_is_done(&run) && gpr(guest, 0, GPR_RBX) == 5 && run.cr8 == 9,
	      "CR8 is loaded and read back");
}

static void test_time(struct guest *guest)
{
	uint64_t last = 0;
	unsigned int backward = 0;

	for (uint8_t vtl = 0; vtl < 2; vtl++)
		guest_start(guest, 0, vtl, GUEST(g_tsc));
	for (unsigned int i = 0; i < 400; i++) {
		uint8_t vtl = i & 1;
		struct backend_run run = guest_run_on(guest, 0, vtl);
		uint64_t now = gpr(guest, vtl, GPR_RAX);

		backward += now < last || now > guest->ops->tsc(guest->backend);
		last = now;
		guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE);
	}
	check(!backward, "the TSC of VTLs and core does not go back (%u of 400 readings do)",
	      backward);
}

static bool tsc_is_ahead_by(struct guest *guest, uint8_t vtl, uint64_t offset)
{
	struct backend_run run;
	uint64_t before;
	uint64_t after;
	uint64_t now;

	guest_start(guest, 0, vtl, GUEST(g_tsc));
	before = guest->ops->tsc(guest->backend);
	run = guest_run_on(guest, 0, vtl);
	after = guest->ops->tsc(guest->backend);
	now = guest_get(guest, 0, vtl, VCPU_GPR)->gpr[GPR_RAX];
	return guest_is_done(&run) && now - offset - before <= after - before;
}

static void test_tsc_offset(struct guest *guest)
{
	static const uint64_t offset = (uint64_t)-123456789;
	struct backend_run run;
	uint64_t now;

	check(!guest->ops->vp_tsc_offset(guest->vp[0], 0, offset) &&
		      tsc_is_ahead_by(guest, 0, offset) && tsc_is_ahead_by(guest, 1, 0),
	      "the TSC offset of one VTL does not change the other's TSC");
	now = guest->ops->tsc(guest->backend);
	check(!guest->ops->tsc_set(guest->backend, now + 1000000000) &&
		      tsc_is_ahead_by(guest, 0, offset) && tsc_is_ahead_by(guest, 1, 0),
	      "the offset is kept when the partition's TSC is set");
	/* KVM for AMD CPUs resets a vCPU that shuts down. */
	run = guest_run_msr(guest, GUEST(g_rdmsr), 0x40000070, 0);
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
	guest_edit(guest, 0, 0, VCPU_SYSTEM)->idtr.limit = 0;
	run = guest_run_on(guest, 0, 0);
	if (run.exit == BACKEND_EXIT_MSR_READ)
		run = guest_answer(guest, 0, &run, BACKEND_FAULT);
	check(run.exit == BACKEND_EXIT_SHUTDOWN && tsc_is_ahead_by(guest, 0, offset),
	      "the offset is kept after a triple fault");
	check(!guest->ops->vp_tsc_offset(guest->vp[0], 0, UINT64_C(1) << 63) &&
		      tsc_is_ahead_by(guest, 0, UINT64_C(1) << 63),
	      "the TSC can be offset by the largest value");
	check(!guest->ops->vp_tsc_offset(guest->vp[0], 0, 0) && tsc_is_ahead_by(guest, 0, 0),
	      "the offset can be removed");
}

static void test_deadline(struct guest *guest)
{
	struct backend_run run = {.inject = -1};
	uint64_t now, slice = guest->features.tsc_hz / 50;

	guest_start(guest, 0, 0, GUEST(g_spin));
	/* On a busy host a deadline can pass before the guest has executed anything. */
	do {
		run.deadline = guest->ops->tsc(guest->backend) + slice;
		do {
			guest->ops->vp_run(guest->vp[0], &run);
		} while (run.exit == BACKEND_EXIT_INTERRUPTED);
		now = guest->ops->tsc(guest->backend);
		slice *= 2;
	} while (run.exit == BACKEND_EXIT_DEADLINE && now >= run.deadline &&
		 !gpr(guest, 0, GPR_R15) && slice < 60 * guest->features.tsc_hz);
	check(run.exit == BACKEND_EXIT_DEADLINE && now >= run.deadline &&
		      gpr(guest, 0, GPR_R15) > 0,
	      "a guest that never exits is stopped at the deadline");
	run.exit = BACKEND_EXIT_ERROR;
	guest->ops->vp_run(guest->vp[0], &run);
	check(run.exit == BACKEND_EXIT_DEADLINE, "a deadline in the past exits at once");
	now = guest->ops->tsc(guest->backend);
	guest->ops->vp_wait(guest->vp[0], now + guest->features.tsc_hz / 50);
	check(guest->ops->tsc(guest->backend) >= now + guest->features.tsc_hz / 50,
	      "a VP sleeps until its deadline");
}

struct kicker {
	struct guest *guest;
	_Atomic unsigned int returned;
	unsigned int kicks;
};

static void *kick(void *opaque)
{
	struct kicker *kicker = opaque;

	/* One kick for each return of vp_run(): if a kick is lost, both threads wait forever. */
	for (unsigned int i = 0; i < kicker->kicks; i++) {
		while (kicker->returned < i)
			;
		for (volatile unsigned int j = 0; j < i % 97 * 20; j++)
			;
		kicker->guest->ops->vp_kick(kicker->guest->vp[0]);
	}
	return NULL;
}

static void test_kicks(struct guest *guest)
{
	struct kicker kicker = {.guest = guest, .kicks = 300};
	pthread_t thread;
	struct backend_run run;

	guest_start(guest, 0, 0, GUEST(g_spin));
	guest->ops->vp_kick(guest->vp[0]);
	run = guest_run(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_INTERRUPTED, "P14: a kick before vp_run ends it");
	guest->ops->vp_kick(guest->vp[0]);
	guest->ops->vp_wait(guest->vp[0], UINT64_MAX);
	check(true, "a kick before vp_wait ends it");
	pthread_create(&thread, NULL, kick, &kicker);
	for (unsigned int i = 0; i < kicker.kicks; i++) {
		run = guest_run(guest, 0, 0);
		if (run.exit != BACKEND_EXIT_INTERRUPTED)
			break;
		kicker.returned++;
	}
	pthread_join(thread, NULL);
	check(kicker.returned == kicker.kicks, "P14: of %u kicks at different times none is lost",
	      kicker.kicks);
}

static void test_kick_keeps_interrupt(struct guest *guest)
{
	struct backend_run run = {.inject = 0x51, .deadline = UINT64_MAX};
	uint64_t frame[6];

	guest_start(guest, 0, 0, GUEST(g_nop));
	guest_edit(guest, 0, 0, VCPU_GPR)->rflags |= X64_RFLAGS_IF;
	guest->ops->vp_kick(guest->vp[0]);
	guest->ops->vp_run(guest->vp[0], &run);
	check(run.exit == BACKEND_EXIT_INTERRUPTED && !guest->ops->vp_can_inject(guest->vp[0], 0),
	      "an injected interrupt that was not delivered because of a kick is pending");
	run = guest_run_on(guest, 0, 0);
	check(guest_trap(guest, 0, &run, frame) == 0x51,
	      "the interrupt is delivered at the next entry");
}

static void test_cpuid(struct guest *guest)
{
	uint32_t value[4];

	guest->ops->vp_cpuid(guest->vp[1], 1, 0, value);
	check(value[1] >> 24 == 1 && value[2] >> 31 && (value[2] >> 21 & 1) &&
		      !(value[2] & (1u << 3 | 1u << 5 | 1u << 24)),
	      "CPUID 1: the VP's APIC id, a hypervisor, x2APIC; no MONITOR, VMX, TSC deadline");
	guest->ops->vp_cpuid(guest->vp[0], 0x40000000, 0, value);
	check(!value[1], "CPUID 0x40000000 has no signature of KVM");
	guest->ops->vp_cpuid(guest->vp[0], 0x80000001, 0, value);
	check(!(value[2] & 1u << 2), "CPUID 0x80000001: no SVM");
}

static void test_halt(struct guest *guest)
{
	struct backend_run run;

	guest_start(guest, 0, 0, GUEST(g_halt));
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_HALT && guest_rip(guest, 0) == GUEST(g_halt) + 1,
	      "HLT exits with RIP after it");
}

int main(void)
{
	struct guest guest;

	guest_create(&guest, 2, 2, 16 * MIB);
	test_general_registers(&guest);
	test_system_registers(&guest);
	test_fpu(&guest);
	test_debug_registers(&guest);
	test_msr_registers(&guest);
	test_privacy(&guest);
	test_hypercall(&guest);
	test_msr_exits(&guest);
	test_msr_retry(&guest);
	test_msr_intercepts(&guest);
	test_ports(&guest);
	test_string_ports(&guest);
	test_mmio(&guest);
	test_answer_then_look(&guest);
	test_halt(&guest);
	test_flush(&guest);
	test_shutdown(&guest);
	test_interrupts(&guest);
	test_nmi(&guest);
	test_exceptions(&guest);
	test_task_priority(&guest);
	test_time(&guest);
	test_tsc_offset(&guest);
	test_deadline(&guest);
	test_kicks(&guest);
	test_kick_keeps_interrupt(&guest);
	test_cpuid(&guest);
	guest_destroy(&guest);
	return checks_end();
}
