/* SPDX-License-Identifier: BSD-2-Clause */
/* Debugging on the KVM backend without the core. KVM completes some of the stepped instructions after an
 * exit. */
#include <stdio.h>

#include "core/x64.h"
#include "engine.h"
#include "kvm_guest.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_nops, g_trap, g_store, g_port, g_msr, g_call, g_halt, g_int1\n"
	"g_nops: nop; nop; nop; out %al, $0x10\n"
	/* The guest sets TF: #DB after the NOP. */
	"g_trap: pushf; orl $0x100, (%rsp); popf; nop; out %al, $0x10\n"
	"g_store: mov %rax, (%rdi); nop; out %al, $0x10\n"
	"g_port: out %al, $0x55; nop; out %al, $0x10\n"
	"g_msr: rdmsr; nop; out %al, $0x10\n"
	"g_call: out %al, $0x7e; nop; out %al, $0x10\n"
	"g_halt: hlt; nop; out %al, $0x10\n"
	"g_int1: .byte 0xf1; out %al, $0x10\n"
	"guest_code_end:\n"
	".popsection");

#define NOP	    1u
#define OUT	    2u
#define RFLAGS_TF   (UINT64_C(1) << 8)
#define DR7_WRITE_8 (UINT64_C(1) | UINT64_C(9) << 16) /* breakpoint 0: 8 bytes, writes */
#define DR7_EXECUTE UINT64_C(1)

static void debug(struct guest *guest, uint8_t vtl, uint32_t flags, uint64_t address, uint64_t dr7)
{
	const struct backend_debug wanted = {
		.flags = flags, .dr = {address}, .dr7 = dr7 | X64_DR7_RESET};

	if (guest->ops->vp_debug(guest->vp[0], vtl, &wanted))
		check(false, "vp_debug fails");
}

static bool stops(struct guest *guest, const struct backend_run *run, uint32_t cause, uint64_t at)
{
	const bool right = run->exit == BACKEND_EXIT_DEBUG && run->debug.cause == cause &&
			   guest_rip(guest, 0) == at;

	if (!right)
		printf("# exit %d cause %#x rip %#llx, not %#llx\n", run->exit, run->debug.cause,
		       (unsigned long long)guest_rip(guest, 0), (unsigned long long)at);
	return right;
}

static void test_steps(struct guest *guest)
{
	struct backend_run run;
	bool ok = true;

	guest_start(guest, 0, 0, GUEST(g_nops));
	debug(guest, 0, VSM_DEBUG_STEP, 0, 0);
	for (unsigned int i = 1; i <= 3; i++) {
		run = guest_run_on(guest, 0, 0);
		ok = ok && stops(guest, &run, VSM_DEBUG_STEP, GUEST(g_nops) + i);
	}
	check(ok && !(guest_get(guest, 0, 0, VCPU_GPR)->rflags & RFLAGS_TF),
	      "each step is one instruction, and the guest does not see TF");
	debug(guest, 0, 0, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_IO && run.io.port == PORT_DONE,
	      "without a step it continues");
}

static void test_a_step_from_a_rip_that_was_set(struct guest *guest)
{
	struct backend_run run;

	guest_start(guest, 0, 0, GUEST(g_nops));
	debug(guest, 0, VSM_DEBUG_STEP, 0, 0);
	guest_run_on(guest, 0, 0);
	guest_edit(guest, 0, 0, VCPU_GPR)->rip = GUEST(g_store) + 3;
	run = guest_run_on(guest, 0, 0);
	check(stops(guest, &run, VSM_DEBUG_STEP, GUEST(g_store) + 4),
	      "a step begins at a RIP that was set");
	debug(guest, 0, 0, 0, 0);
}

/* A step over an instruction that exits ends when it is completed; the next step is the NOP. */
static void test_step_over_exit(struct guest *guest, const char *what, uint64_t code,
				enum backend_exit exit, uint64_t length)
{
	struct backend_run run;
	bool ok;

	guest_start(guest, 0, 0, code);
	guest_edit(guest, 0, 0, VCPU_GPR)->gpr[GPR_RCX] = 0x12345;
	debug(guest, 0, VSM_DEBUG_STEP, 0, 0);
	run = guest_run_on(guest, 0, 0);
	ok = run.exit == exit;
	if (exit == BACKEND_EXIT_HYPERCALL) {
		ok = ok && guest_rip(guest, 0) == code;
		guest_edit(guest, 0, 0, VCPU_GPR)->rip += run.length;
		run = guest_run_on(guest, 0, 0);
	} else if (exit == BACKEND_EXIT_HALT) {
		run = guest_run_on(guest, 0, 0);
	} else {
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
	}
	ok = stops(guest, &run, VSM_DEBUG_STEP, code + length + NOP) && ok;
	check(ok, "%s under a step exits and completes, and the next step follows it", what);
	debug(guest, 0, 0, 0, 0);
}

static void test_a_step_that_is_taken_back(struct guest *guest)
{
	struct backend_run run;

	guest_start(guest, 0, 0, GUEST(g_port));
	debug(guest, 0, VSM_DEBUG_STEP, 0, 0);
	run = guest_run_on(guest, 0, 0);
	run = guest_answer(guest, 0, &run, BACKEND_RETRY);
	check(run.exit == BACKEND_EXIT_IO && run.io.port == 0x55,
	      "an OUT under a step that is taken back is executed again");
	guest_answer(guest, 0, &run, BACKEND_DONE);
	debug(guest, 0, 0, 0, 0);
}

static void test_hardware(struct guest *guest)
{
	struct backend_run run;

	guest_start(guest, 0, 0, GUEST(g_nops));
	debug(guest, 0, VSM_DEBUG_HARDWARE, GUEST(g_nops) + 2, DR7_EXECUTE);
	run = guest_run_on(guest, 0, 0);
	check(stops(guest, &run, VSM_DEBUG_HARDWARE, GUEST(g_nops) + 2) && run.debug.dr6 == 1,
	      "a breakpoint stops before the instruction");
	debug(guest, 0, VSM_DEBUG_HARDWARE, DATA, DR7_WRITE_8);
	guest_start_with(guest, GUEST(g_store), DATA, 0);
	guest_edit(guest, 0, 0, VCPU_DEBUG)->dr[0] = 0x1234;
	run = guest_run_on(guest, 0, 0);
	check(stops(guest, &run, VSM_DEBUG_HARDWARE, GUEST(g_store) + 3) && run.debug.dr6 == 1,
	      "a watchpoint stops after the store");
	check(guest_get(guest, 0, 0, VCPU_DEBUG)->dr[0] == 0x1234 &&
		      guest_get(guest, 0, 0, VCPU_DEBUG)->dr7 == X64_DR7_RESET,
	      "DR0 and DR7 of the guest keep their values");
	guest_start(guest, 0, 1, GUEST(g_store));
	guest_edit(guest, 0, 1, VCPU_GPR)->gpr[GPR_RDI] = DATA;
	run = guest_run_on(guest, 0, 1);
	check(run.exit == BACKEND_EXIT_IO, "another VTL is not stopped by the watchpoint");
	debug(guest, 0, 0, 0, 0);
}

static void test_what_is_the_guests(struct guest *guest)
{
	static const struct {
		const char *what;
		uint32_t flags;
	} rows[] = {{"breakpoints", VSM_DEBUG_HARDWARE}, {"nothing", 0}};
	struct backend_run run;
	uint64_t frame[6];

	for (unsigned int i = 0; i < 2; i++) {
		guest_start(guest, 0, 0, GUEST(g_trap));
		debug(guest, 0, rows[i].flags, DATA, DR7_WRITE_8);
		run = guest_run_on(guest, 0, 0);
		check(guest_trap(guest, 0, &run, frame) == X64_EXCEPTION_DB &&
			      frame[0] == GUEST(g_trap) + 9 + NOP &&
			      guest_get(guest, 0, 0, VCPU_DEBUG)->dr6 & X64_DR6_BS,
		      "a guest that sets TF gets its #DB while a debugger has %s", rows[i].what);
		guest_start(guest, 0, 0, GUEST(g_int1));
		run = guest_run_on(guest, 0, 0);
		check(guest_trap(guest, 0, &run, frame) == X64_EXCEPTION_DB,
		      "a guest that executes INT1 gets its #DB while a debugger has %s",
		      rows[i].what);
	}
	guest_start_with(guest, GUEST(g_store), DATA, 0);
	debug(guest, 0, VSM_DEBUG_STEP, 0, 0);
	guest_edit(guest, 0, 0, VCPU_DEBUG)->dr[0] = DATA;
	guest_edit(guest, 0, 0, VCPU_DEBUG)->dr7 = DR7_WRITE_8 | X64_DR7_RESET;
	run = guest_run_on(guest, 0, 0);
	check(stops(guest, &run, VSM_DEBUG_STEP, GUEST(g_store) + 3),
	      "a step over a store that the guest watches ends after it");
	debug(guest, 0, 0, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_trap(guest, 0, &run, frame) == X64_EXCEPTION_DB &&
		      frame[0] == GUEST(g_store) + 3 && guest_get(guest, 0, 0, VCPU_DEBUG)->dr6 & 1,
	      "the guest gets the #DB of its own watchpoint after the step");
}

int main(void)
{
	struct guest guest;

	guest_create(&guest, 2, 1, 32 * MIB);
	test_steps(&guest);
	test_a_step_from_a_rip_that_was_set(&guest);
	test_step_over_exit(&guest, "an OUT", GUEST(g_port), BACKEND_EXIT_IO, OUT);
	test_step_over_exit(&guest, "an RDMSR", GUEST(g_msr), BACKEND_EXIT_MSR_READ, 2);
	test_step_over_exit(&guest, "a hypercall", GUEST(g_call), BACKEND_EXIT_HYPERCALL, OUT);
	test_step_over_exit(&guest, "a HLT", GUEST(g_halt), BACKEND_EXIT_HALT, 1);
	test_a_step_that_is_taken_back(&guest);
	test_hardware(&guest);
	test_what_is_the_guests(&guest);
	guest_destroy(&guest);
	return checks_end();
}
