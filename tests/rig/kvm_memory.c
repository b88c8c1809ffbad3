/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of the KVM backend: a denied access stops at the instruction without effect, whether the CPU, its
 * page walk, or KVM's emulator makes it. */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/x64.h"
#include "kvm/backend.h"
#include "kvm/engine/uffd.h"
#include "engine.h"
#include "kvm_guest.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_load, g_store, g_lock, g_movs, g_repmovs, g_outs, g_ins, g_call, g_ud, g_writer\n"
	".globl g_touch, g_push, g_replods, g_repmovs_down\n"
	"g_load: mov (%rdi), %rax; out %al, $0x10\n"
	"g_store: mov %rax, (%rdi); out %al, $0x10\n"
	"g_lock: lock incq (%rdi); out %al, $0x10\n"
	"g_movs: movsl; out %al, $0x10\n"
	"g_repmovs: rep movsb; out %al, $0x10\n"
	"g_outs: rep outsb; out %al, $0x10\n"
	"g_ins: rep insb; out %al, $0x10\n"
	"g_call: call *%rdi; out %al, $0x10\n"
	"g_push: push %rax; out %al, $0x10\n"
	"g_out: out %al, $0x10; nop; out %al, $0x10\n"
	"g_ud: ud2\n"
	"g_writer: inc %rax; mov %rax, (%rdi); jmp g_writer\n"
	"g_replods: rep lodsb; cld; out %al, $0x10\n"
	"g_repmovs_down: rep movsb; cld; out %al, $0x10\n"
	"g_touch: mov (%rdi), %rax; add $4096, %rdi; dec %rcx; jnz g_touch; out %al, $0x10\n"
	"guest_code_end:\n"
	".popsection");

#define MMIO UINT64_C(0xfee00300)

static const uint64_t pattern = 0x4141414141414141;

static void set_word(struct guest *guest, uint64_t gpa, uint64_t value)
{
	memcpy(guest->ram + gpa, &value, sizeof(value));
}

static void start(struct guest *guest, uint64_t rip, uint64_t rdi, uint64_t rsi, uint64_t rcx)
{
	struct vcpu_state *state = guest_start_with(guest, rip, rdi, 0x5555);

	state->gpr[GPR_RSI] = rsi;
	state->gpr[GPR_RCX] = rcx;
	state->gpr[GPR_RDX] = 0x60;
}

static void no_write(struct guest *guest, uint64_t gpa)
{
	guest_protect(guest, gpa, 1, GPA_ALL & ~GPA_WRITE);
}

static void no_access(struct guest *guest, uint64_t gpa)
{
	guest_protect(guest, gpa, 1, 0);
}

static void grant(struct guest *guest, uint64_t gpa)
{
	guest_protect(guest, gpa, 1, GPA_ALL);
}

static bool is_violation(struct guest *guest, const struct backend_run *run, uint64_t page,
			 uint8_t access, uint64_t rip)
{
	/* Engine nested may report another operand of the instruction, since only the core decodes it. */
	bool right = run->exit == BACKEND_EXIT_MEMORY &&
		     (run->memory.gpa / 4096 == page / 4096 ||
		      (run->memory.other_operand && test_engine() == VSM_ENGINE_NESTED)) &&
		     run->memory.access == access &&
		     guest_get(guest, 0, run->vtl, VCPU_GPR)->rip == rip;

	if (!right)
		printf("# exit %d gpa %#llx access %#x rip %#llx\n", run->exit,
		       (unsigned long long)run->memory.gpa, run->memory.access,
		       (unsigned long long)guest_get(guest, 0, run->vtl, VCPU_GPR)->rip);
	return right;
}

static void test_no_write(struct guest *guest)
{
	uint64_t at = DATA + 0x3000;
	struct backend_run run;

	set_word(guest, at, pattern);
	no_write(guest, at);
	start(guest, GUEST(g_store), at + 8, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at, GPA_WRITE, GUEST(g_store)),
	      "a store to a read-only page stops at the instruction");
	check(run.memory.gpa == (run.memory.exact ? at + 8 : at),
	      "... and an address that is reported as exact is exact");
	check(!run.memory.other_operand, "... and the access is not that of another operand");
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at, GPA_WRITE, GUEST(g_store)), "... and again");
	start(guest, GUEST(g_load), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX] == pattern,
	      "a load from the read-only page succeeds");
	guest_start(guest, 0, 1, GUEST(g_store));
	guest_edit(guest, 0, 1, VCPU_GPR)->gpr[GPR_RDI] = at;
	guest_edit(guest, 0, 1, VCPU_GPR)->gpr[GPR_RAX] = 7;
	run = guest_run_on(guest, 0, 1);
	check(guest_is_done(&run) && guest_word(guest, at) == 7,
	      "the other VTL may write the page");
	start(guest, GUEST(g_lock), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at, GPA_WRITE, GUEST(g_lock)) && guest_word(guest, at) == 7,
	      "a locked increment stops, and memory is unchanged");
	grant(guest, at);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && guest_word(guest, at) == 8,
	      "the increment is executed once after it is permitted");
}

static void test_no_access(struct guest *guest)
{
	uint64_t at = DATA + 0x5000;
	struct backend_run run;

	set_word(guest, at, pattern);
	no_access(guest, at);
	start(guest, GUEST(g_load), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at, GPA_READ, GUEST(g_load)),
	      "a load without access stops");
	start(guest, GUEST(g_store), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at, GPA_WRITE, GUEST(g_store)) &&
		      guest_word(guest, at) == pattern,
	      "a store without access stops");
	start(guest, GUEST(g_call), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at, GPA_KERNEL_EXECUTE, at),
	      "a fetch without access stops, and is reported as a fetch");
	start(guest, GUEST(g_load), at - 4096, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "the page before the denied one can be read");
	start(guest, GUEST(g_store), at + 4096, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && guest_word(guest, at + 4096) == 0x5555,
	      "the page after the denied one can be written");
	no_write(guest, at);
	start(guest, GUEST(g_load), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX] == pattern,
	      "from no access to no write: a load succeeds");
	start(guest, GUEST(g_store), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at, GPA_WRITE, GUEST(g_store)),
	      "from no access to no write: a store stops");
	no_access(guest, at);
	start(guest, GUEST(g_load), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at, GPA_READ, GUEST(g_load)),
	      "from no write to no access: a load stops");
	grant(guest, at);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "after all access is permitted a load succeeds");
	start(guest, GUEST(g_store), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && guest_word(guest, at) == 0x5555,
	      "after all access is permitted a store succeeds");
}

static void test_hole(struct guest *guest)
{
	uint64_t at = 12 * MIB + 0x7000;
	struct backend_run run;

	no_access(guest, at);
	start(guest, GUEST(g_load), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at, GPA_READ, GUEST(g_load)),
	      "memory that was never accessed can be denied");
	grant(guest, at);
	no_write(guest, at + 4096);
	start(guest, GUEST(g_store), at + 4096, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at + 4096, GPA_WRITE, GUEST(g_store)),
	      "writes to memory that was never accessed can be denied");
	grant(guest, at + 4096);
}

static void test_spanning(struct guest *guest)
{
	uint64_t at = DATA + 0x9000;
	struct backend_run run;

	set_word(guest, at, pattern);
	set_word(guest, at + 4096 - 8, pattern);
	set_word(guest, at + 4096, pattern);
	no_write(guest, at + 4096);
	start(guest, GUEST(g_store), at + 4096 - 4, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at + 4096, GPA_WRITE, GUEST(g_store)) &&
		      guest_word(guest, at + 4096 - 8) == pattern &&
		      guest_word(guest, at + 4096) == pattern,
	      "a store across two pages of which one is denied writes neither");
	start(guest, GUEST(g_repmovs), at + 4096 - 4, DATA, 8);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at + 4096, GPA_WRITE, GUEST(g_repmovs)) &&
		      guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RCX] == 4,
	      "REP MOVSB stops at the denied page with its registers advanced to it");
	grant(guest, at + 4096);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RCX] == 0,
	      "... and continues from there");
}

static void test_page_walk(struct guest *guest)
{
	struct backend_run run;

	no_access(guest, PAGE_TABLE_4M);
	start(guest, GUEST(g_load), DATA + 0x20000, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MEMORY &&
		      (run.memory.gpa & ~UINT64_C(4095)) == PAGE_TABLE_4M &&
		      guest_get(guest, 0, 0, VCPU_GPR)->rip == GUEST(g_load),
	      "a page table without access stops the CPU's walk");
	start(guest, DATA + 0x21000, 0, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MEMORY &&
		      (run.memory.gpa & ~UINT64_C(4095)) == PAGE_TABLE_4M && run.memory.page_walk,
	      "a denied page walk for a fetch is reported as a page walk");
	grant(guest, PAGE_TABLE_4M);
	start(guest, GUEST(g_load), DATA + 0x20000, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "after access is permitted the walk succeeds");
}

static void test_delivery(struct guest *guest)
{
	uint64_t stack = DATA + 0x31000;
	struct backend_run run;
	uint64_t frame[6];

	no_write(guest, stack - 4096);
	start(guest, GUEST(g_push), 0, 0, 0);
	guest_edit(guest, 0, 0, VCPU_GPR)->gpr[GPR_RSP] = stack;
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, stack - 4096, GPA_WRITE, GUEST(g_push)) &&
		      guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RSP] == stack,
	      "a denied push does not change RSP");
	start(guest, GUEST(g_ud), 0, 0, 0);
	guest_edit(guest, 0, 0, VCPU_GPR)->gpr[GPR_RSP] = stack;
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, stack - 4096, GPA_WRITE, GUEST(g_ud)),
	      "an exception whose stack is denied stops at the instruction");
	grant(guest, stack - 4096);
	/* General registers change, as when another VTL has run: the exception must stay pending. */
	guest_edit(guest, 0, 0, VCPU_GPR)->gpr[GPR_R8] = 1;
	run = guest_run_on(guest, 0, 0);
	check(guest_trap(guest, 0, &run, frame) == 6 && frame[0] == GUEST(g_ud),
	      "the exception is delivered after the stack is permitted");
	no_write(guest, stack - 4096);
	start(guest, GUEST(g_load), DATA, 0, 0);
	guest_edit(guest, 0, 0, VCPU_GPR)->gpr[GPR_RSP] = stack;
	guest_edit(guest, 0, 0, VCPU_GPR)->rflags |= X64_RFLAGS_IF;
	run = (struct backend_run){.inject = 0x61, .deadline = UINT64_MAX};
	guest->ops->vp_run(guest->vp[0], &run);
	check(is_violation(guest, &run, stack - 4096, GPA_WRITE, GUEST(g_load)) &&
		      guest_get(guest, 0, 0, VCPU_EVENTS)->events.interrupt_injected,
	      "an interrupt whose stack is denied stays pending");
	grant(guest, stack - 4096);
	run = guest_run_on(guest, 0, 0);
	check(guest_trap(guest, 0, &run, frame) == 0x61,
	      "the interrupt is delivered after the stack is permitted");
}

static void test_emulator(struct guest *guest)
{
	uint64_t at = DATA + 0x41000;
	struct backend_run run;
	const struct vcpu_state *state;

	set_word(guest, at, pattern);
	no_write(guest, at);
	start(guest, GUEST(g_movs), at, MMIO, 0);
	run = guest_run_on(guest, 0, 0);
	/* Engine attr checks the write first, so a denied MOVS does not read the device. */
	check(run.exit == BACKEND_EXIT_MEMORY ||
		      (run.exit == BACKEND_EXIT_MMIO && !run.mmio.write && run.mmio.gpa == MMIO),
	      "MOVS from MMIO to a denied page either reads the device first or not at all");
	if (run.exit == BACKEND_EXIT_MMIO) {
		memcpy(run.mmio.data, &(uint32_t){0x99}, 4);
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
	}
	state = guest_get(guest, 0, 0, VCPU_GPR);
	check(is_violation(guest, &run, at, GPA_WRITE, GUEST(g_movs)) && run.memory.exact &&
		      state->gpr[GPR_RSI] == MMIO && state->gpr[GPR_RDI] == at &&
		      guest_word(guest, at) == pattern,
	      "KVM's emulator stops at the write, and the instruction is taken back");
	grant(guest, at);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MMIO,
	      "after the write is permitted the instruction is executed again");
	memcpy(run.mmio.data, &(uint32_t){0x98}, 4);
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(guest_is_done(&run) && (uint32_t)guest_word(guest, at) == 0x98, "... and completes");
	no_access(guest, at);
	start(guest, GUEST(g_outs), 0, at, 4);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at, GPA_READ, GUEST(g_outs)) &&
		      guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RCX] == 4,
	      "REP OUTSB from memory without access stops with nothing sent");
	no_write(guest, at);
	start(guest, GUEST(g_ins), at, 0, 4);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MEMORY || (run.exit == BACKEND_EXIT_IO && !run.io.write),
	      "REP INSB to a denied page exits as a violation or to read its data");
	if (run.exit == BACKEND_EXIT_IO) {
		memset(run.io.data, 0x77, run.io.count);
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
	}
	check(is_violation(guest, &run, at, GPA_WRITE, GUEST(g_ins)) &&
		      (uint32_t)guest_word(guest, at) == 0x98,
	      "... and stops at the denied store");
	grant(guest, at);
}

static void test_emulator_page_walk(struct guest *guest)
{
	uint64_t at = DATA + 0x42000;
	struct backend_run run;

	start(guest, GUEST(g_movs), at, MMIO, 0);
	guest_edit(guest, 0, 0, VCPU_SYSTEM)->cr2 = 0x1234;
	run = guest_run_on(guest, 0, 0);
	no_access(guest, PAGE_TABLE_4M);
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(run.exit == BACKEND_EXIT_MEMORY &&
		      ((run.memory.gpa & ~UINT64_C(4095)) == PAGE_TABLE_4M ||
		       run.memory.other_operand) &&
		      !guest_get(guest, 0, 0, VCPU_EVENTS)->events.exception_pending &&
		      guest_get(guest, 0, 0, VCPU_SYSTEM)->cr2 == 0x1234,
	      "a denied page walk of KVM's emulator leaves no pending page fault");
	grant(guest, PAGE_TABLE_4M);
	guest_start_with(guest, GUEST(g_load), at, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "... and the VTL continues");
}

/* VP 1, which writes to a page in an endless loop */
struct racer {
	struct guest *guest;
	pthread_t thread;
	_Atomic bool stop;
	_Atomic uint64_t violations;
};

static void *write_on(void *opaque)
{
	struct racer *racer = opaque;
	struct guest *guest = racer->guest;

	while (!racer->stop) {
		struct backend_run run = guest_run(guest, 1, 0);

		if (run.exit == BACKEND_EXIT_MEMORY)
			racer->violations++;
		else if (run.exit != BACKEND_EXIT_INTERRUPTED)
			break;
	}
	return NULL;
}

static void racer_start(struct racer *racer, struct guest *guest, uint64_t at)
{
	*racer = (struct racer){.guest = guest};
	guest_start(guest, 1, 0, GUEST(g_writer));
	guest_edit(guest, 1, 0, VCPU_GPR)->gpr[GPR_RDI] = at;
	pthread_create(&racer->thread, NULL, write_on, racer);
}

static void racer_stop(struct racer *racer)
{
	racer->stop = true;
	racer->guest->ops->vp_kick(racer->guest->vp[1]);
	pthread_join(racer->thread, NULL);
}

static void test_race(struct guest *guest)
{
	uint64_t at = DATA + 0x51000;
	struct racer racer;
	unsigned int late = 0;
	unsigned int stuck = 0;

	racer_start(&racer, guest, at);
	for (unsigned int round = 0; round < 60; round++) {
		volatile uint64_t *place = (volatile uint64_t *)(guest->ram + at);
		uint64_t before = *place;
		uint64_t seen = racer.violations;

		for (unsigned int i = 0; i < 60000 && *place == before; i++)
			usleep(1000);
		stuck += *place == before;
		guest_protect(guest, at, 1, round & 1 ? 0 : GPA_ALL & ~GPA_WRITE);
		before = *place;
		for (unsigned int i = 0; i < 60000 && racer.violations == seen; i++)
			usleep(1000);
		late += *place != before;
		stuck += racer.violations == seen;
		grant(guest, at);
	}
	racer_stop(&racer);
	check(!late,
	      "no write of another VP takes place after protect() has returned (%u of 60 did)",
	      late);
	check(!stuck, "each denied VP stops, and continues when permitted (%u of 120 did not)",
	      stuck);
}

#define PAE_TABLE     (DATA + 0x54000)
#define PAE_DIRECTORY (DATA + 0x55000)

/* Identity of the first gigabyte */
static void make_pae_tables(struct guest *guest)
{
	set_word(guest, PAE_TABLE, PAE_DIRECTORY | 1);
	for (uint64_t i = 0; i < 512; i++)
		set_word(guest, PAE_DIRECTORY + i * 8, i << 21 | 0xe7);
}

/* 32-bit mode with PAE paging, at an instruction without memory operand. The MSRs are stored as well. */
static void start_pae(struct guest *guest)
{
	struct vcpu_state *state = guest_start_with(guest, GUEST(g_out), 0, 0);

	state->cr0 = X64_CR0_PG | X64_CR0_PE | X64_CR0_ET;
	state->cr3 = PAE_TABLE;
	state->cr4 = X64_CR4_PAE;
	state->efer = 0;
	state->segment[SEGMENT_CS].attributes = 0xc09b;
}

static bool is_pae_violation(struct guest *guest, const struct backend_run *run, uint64_t rip)
{
	bool right = run->exit == BACKEND_EXIT_MEMORY &&
		     run->memory.gpa / 4096 == PAE_TABLE / 4096 && run->memory.page_walk &&
		     guest_rip(guest, 0) == rip;

	if (!right)
		printf("# exit %d gpa %#llx access %#x\n", run->exit,
		       (unsigned long long)run->memory.gpa, run->memory.access);
	return right;
}

/* KVM reads the PDPTEs when its registers are set: in KVM_RUN, or in KVM_SET_SREGS. */
static void test_pae_tables(struct guest *guest)
{
	struct backend_run run;

	make_pae_tables(guest);
	no_access(guest, PAE_TABLE);
	start_pae(guest);
	run = guest_run_on(guest, 0, 0);
	check(is_pae_violation(guest, &run, GUEST(g_out)),
	      "denied PDPTEs of a VTL that starts stop it");
	run = guest_run_on(guest, 0, 0);
	check(is_pae_violation(guest, &run, GUEST(g_out)), "... and again");
	guest->ops->vp_flush_tlb(guest->vp[0], 0);
	run = guest_run_on(guest, 0, 0);
	check(is_pae_violation(guest, &run, GUEST(g_out)), "... and after a TLB flush");
	guest_edit(guest, 0, 0, VCPU_SYSTEM)->cr3 = PAE_TABLE;
	run = guest_run_on(guest, 0, 0);
	check(is_pae_violation(guest, &run, GUEST(g_out)),
	      "... and after a write of system registers");
	grant(guest, PAE_TABLE);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "the VTL executes when they are permitted");
}

/* A change of the APIC's enable bit stores the system registers again, for a step before KVM_RUN. */
static void test_pae_step(struct guest *guest)
{
	struct backend_debug debug = {.flags = VSM_DEBUG_STEP, .dr7 = X64_DR7_RESET};
	struct backend_run run;

	start_pae(guest);
	guest_run_on(guest, 0, 0);
	no_access(guest, PAE_TABLE);
	guest->ops->vp_debug(guest->vp[0], 0, &debug);
	run = (struct backend_run){.inject = -1, .deadline = UINT64_MAX};
	guest->ops->vp_run(guest->vp[0], &run);
	check(is_pae_violation(guest, &run, GUEST(g_out) + 2), "denied PDPTEs stop a single step");
	grant(guest, PAE_TABLE);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_DEBUG && guest_rip(guest, 0) == GUEST(g_out) + 3,
	      "... which is executed when they are permitted");
	debug.flags = 0;
	guest->ops->vp_debug(guest->vp[0], 0, &debug);
}

/* Reads guest memory by the mapping that KVM has for VTL0, in a thread that runs no VP. */
static int read_window(struct guest *guest, uint64_t gpa)
{
	const struct vkvm_region *region = ((struct vkvm_backend *)guest->backend)->region[0];
	uint64_t value;
	int ends[2];
	int error = pipe(ends) ? errno : 0;

	if (error)
		return error;
	if (write(ends[1], region->window[0].base + gpa, sizeof(value)) < 0)
		error = errno;
	close(ends[0]);
	close(ends[1]);
	return error;
}

/* KVM ignores EFAULT of its read of PDPTEs, and would keep older ones. */
static void test_closed_pdptes(struct guest *guest)
{
	struct backend_run run;

	start_pae(guest);
	guest_run_on(guest, 0, 0);
	no_access(guest, PAE_TABLE);
	check(read_window(guest, PAE_TABLE) == EFAULT, "the page of denied PDPTEs is closed");
	start_pae(guest);
	run = guest_run(guest, 0, 0);
	check(is_pae_violation(guest, &run, GUEST(g_out)), "... and they stop a VTL all the same");
	grant(guest, PAE_TABLE);
}

/*
 * A page that the engine has closed must not depend on other VPs to be opened: here VP 1 causes violations
 * without a pause.
 */
static void test_closed_pages(struct guest *guest)
{
	uint64_t at = DATA + 0x57000;
	uint64_t busy = DATA + 0x58000;
	struct racer racer;
	struct backend_run run;
	unsigned int refused = 0;
	unsigned int right = 0;

	if (!((struct vkvm_backend *)guest->backend)->engine.ops->take_violation) {
		check_skipped("closed pages", "only engine uffd closes pages");
		return;
	}
	test_pae_step(guest);
	test_closed_pdptes(guest);
	no_access(guest, at);
	no_write(guest, busy);
	racer_start(&racer, guest, busy);
	while (!racer.violations)
		usleep(1000);
	for (unsigned int i = 0; i < 3; i++) {
		refused += read_window(guest, at) == EFAULT;
		start(guest, GUEST(g_load), at, 0, 0);
		run = guest_run_on(guest, 0, 0);
		right += is_violation(guest, &run, at, GPA_READ, GUEST(g_load));
	}
	no_access(guest, PAE_TABLE);
	start_pae(guest);
	run = guest_run(guest, 0, 0);
	check(is_pae_violation(guest, &run, GUEST(g_out)),
	      "denied PDPTEs stop a VTL at once while another VP causes violations");
	grant(guest, PAE_TABLE);
	racer_stop(&racer);
	check(refused == 3, "a thread that runs no VP cannot read a denied page (%u of 3)",
	      refused);
	check(right == 3,
	      "... and VTL0's accesses are intercepted while another VP causes violations (%u of "
	      "3)",
	      right);
	grant(guest, at);
	grant(guest, busy);
}

#define FAULTS 20100u /* more than the backend allows if the host is the cause */

/* Loads from @at until the VP exits, or FAULTS times. Returns the last exit. */
static enum backend_exit load_often(struct guest *guest, uint64_t at)
{
	struct backend_run run = {.exit = BACKEND_EXIT_INTERRUPTED};

	start(guest, GUEST(g_load), at, 0, 0);
	for (unsigned int i = 0; i < FAULTS && run.exit == BACKEND_EXIT_INTERRUPTED; i++)
		run = guest_run(guest, 0, 0);
	return run.exit;
}

/* VTL0 can make the engine close a page, so that a VP must wait until it is open however long this takes. */
static void test_long_closed_pages(struct guest *guest)
{
	struct vkvm_backend *backend = guest->backend;
	struct engine *engine = &backend->engine;
	struct vkvm_vp *other = guest->vp[1];
	uint64_t at = DATA + 0x5a000;
	uint8_t *page = backend->region[0]->window[0].base + at;
	struct violation ignored;
	struct backend_run run;

	if (!engine->ops->take_violation)
		return;
	no_access(guest, at);
	read_window(guest, at);
	pthread_mutex_lock(&engine->lock);
	if (!engine->closed)
		engine->closed_page[engine->closed++] = page;
	engine->due = UINT64_MAX;
	mprotect(page, 4096, PROT_NONE);
	pthread_mutex_unlock(&engine->lock);
	check(load_often(guest, at) == BACKEND_EXIT_INTERRUPTED,
	      "a page that is closed for a thread for a long time ends no VP");
	pthread_mutex_lock(&engine->lock);
	event_reopen_pages(backend);
	engine->due = 0;
	event_postpone(backend);
	atomic_store(&other->violated, atomic_load(&other->entry));
	other->violation = (struct violation){.page = page, .stuck = true};
	mprotect(page, 4096, PROT_NONE);
	pthread_mutex_unlock(&engine->lock);
	check(load_often(guest, at) == BACKEND_EXIT_INTERRUPTED,
	      "... nor one that is closed for another VP");
	event_take_violation(other, &ignored);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at, GPA_READ, GUEST(g_load)),
	      "... and the access is intercepted when the page is open");
	grant(guest, at);
}

static void test_lost_memory(struct guest *guest)
{
	uint8_t *host;
	int fd;

	if (guest_memory_add(guest, 0x30000000, 4 * MIB, &host)) {
		check(false, "memory can be added");
		return;
	}
	fd = guest->file[guest->files - 1].fd;
	check(!ftruncate(fd, 2 * MIB) &&
		      load_often(guest, 0x30000000 + 3 * MIB) == BACKEND_EXIT_ERROR,
	      "memory that the host has lost ends a VP");
	check(!ftruncate(fd, 4 * MIB) && load_often(guest, 0x30000000 + 3 * MIB) == BACKEND_EXIT_IO,
	      "... until it is provided again");
	guest_memory_remove(guest);
}

static void test_overlay_refusals(struct guest *guest, uint64_t at)
{
	const bool possible = guest->features.protect & GPA_EXECUTE;
	struct backend_run run;

	check((guest->ops->overlay_map(guest->backend, 0, at / 4096, 4, GPA_READ | GPA_WRITE) ==
	       0) == possible,
	      "an overlay without execute access is placed if the engine can deny execution (at "
	      "%#llx)",
	      (unsigned long long)at);
	check((guest->ops->overlay_map(guest->backend, 0, at / 4096, 4, GPA_READ) == 0) == possible,
	      "... or a read-only one");
	guest->ops->overlay_unmap(guest->backend, 0, at / 4096);
	check(guest->ops->overlay_map(guest->backend, 0, at / 4096, 4, GPA_WRITE) < 0,
	      "an overlay without read access is refused");
	start(guest, GUEST(g_load), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == (at < guest->ram_size ? BACKEND_EXIT_IO : BACKEND_EXIT_MMIO),
	      "... and no overlay is placed");
	if (run.exit == BACKEND_EXIT_MMIO)
		guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE);
}

static void test_overlays(struct guest *guest)
{
	uint64_t at = DATA + 0x61000;
	uint64_t outside = 0x20000000;
	struct backend_run run;
	void *overlay = NULL;

	guest->ops->overlay_memory(guest->backend, 8, &overlay);
	memcpy((uint8_t *)overlay + 4096, "overlay", 8);
	set_word(guest, at, pattern);
	no_write(guest, at);
	guest->ops->overlay_map(guest->backend, 0, at / 4096, 1, GPA_ALL);
	start(guest, GUEST(g_load), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) &&
		      !memcmp(&guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX], "overlay", 8),
	      "an overlay covers the RAM at its GPA");
	start(guest, GUEST(g_store), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && ((uint16_t *)overlay)[2048] == 0x5555 &&
		      guest_word(guest, at) == pattern,
	      "an overlay can be written over RAM that is denied");
	guest->ops->overlay_map(guest->backend, 0, at / 4096, 2, GPA_ALL & ~GPA_WRITE);
	start(guest, GUEST(g_store), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at, GPA_WRITE, GUEST(g_store)),
	      "a store to a read-only overlay stops");
	start(guest, GUEST(g_load), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX] == 0,
	      "a load from a read-only overlay succeeds");
	guest->ops->overlay_unmap(guest->backend, 0, at / 4096);
	start(guest, GUEST(g_load), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX] == pattern,
	      "the RAM under the overlay is accessible again after its removal");
	start(guest, GUEST(g_store), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at, GPA_WRITE, GUEST(g_store)), "... with its protections");
	guest->ops->overlay_map(guest->backend, 0, at / 4096, 1, GPA_ALL);
	no_access(guest, at);
	guest->ops->overlay_unmap(guest->backend, 0, at / 4096);
	start(guest, GUEST(g_load), at, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, at, GPA_READ, GUEST(g_load)),
	      "a protection that is set under an overlay applies after the overlay is removed");
	grant(guest, at);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "... and can be removed");

	memcpy((uint8_t *)overlay + 3 * 4096, "outside", 8);
	guest->ops->overlay_map(guest->backend, 0, outside / 4096, 3, GPA_ALL & ~GPA_WRITE);
	start(guest, GUEST(g_load), outside, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) &&
		      !memcmp(&guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX], "outside", 8),
	      "an overlay can be placed at a GPA without memory");
	start(guest, GUEST(g_store), outside, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, outside, GPA_WRITE, GUEST(g_store)),
	      "... and can be read-only there");
	guest->ops->overlay_unmap(guest->backend, 0, outside / 4096);
	start(guest, GUEST(g_load), outside, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MMIO && run.mmio.gpa == outside, "... and can be removed");
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE);
	test_overlay_refusals(guest, at);
	test_overlay_refusals(guest, outside);
}

static uint64_t statistic(struct guest *guest, const char *name)
{
	const struct vkvm_backend *backend = guest->backend;
	int fd = ioctl(backend->vm[0].fd, KVM_GET_STATS_FD, 0);
	struct kvm_stats_header header;
	uint64_t value = UINT64_MAX;
	size_t size;

	if (fd < 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header))
		return value;
	size = sizeof(struct kvm_stats_desc) + header.name_size;
	for (uint32_t i = 0; i < header.num_desc; i++) {
		struct kvm_stats_desc *description = calloc(1, size + 1);

		if (pread(fd, description, size, (off_t)header.desc_offset + (off_t)(i * size)) >
			    0 &&
		    !strcmp(description->name, name) &&
		    pread(fd, &value, 8, (off_t)header.data_offset + (off_t)description->offset) !=
			    8)
			value = UINT64_MAX;
		free(description);
	}
	close(fd);
	return value;
}

static void touch(struct guest *guest, uint64_t gpa, uint64_t pages)
{
	start(guest, GUEST(g_touch), gpa, 0, pages);
	guest_run_on(guest, 0, 0);
}

/* Waits up to a minute for @enough large pages, since a thread of the backend restores split pages with a
 * delay. UINT64_MAX: until the count is constant for a second. */
static uint64_t large_pages(struct guest *guest, uint64_t first, uint64_t enough)
{
	uint64_t count = 0;
	uint64_t before = 0;
	unsigned int same = 0;

	for (unsigned int i = 0;
	     i < 300 && count < enough && same < (enough == UINT64_MAX ? 5 : 300); i++) {
		usleep(200000);
		touch(guest, first, 4096);
		count = statistic(guest, "pages_2m");
		same = count == before ? same + 1 : 0;
		before = count;
	}
	return count;
}

static void test_large_pages(struct guest *guest)
{
	uint64_t first = 32 * MIB;
	uint64_t all;
	uint64_t broken;
	uint64_t back;

	memset(guest->ram + first, 1, 16 * MIB);
	touch(guest, first, 4096);
	/* Wait for large pages that earlier cases had split. */
	all = large_pages(guest, first, UINT64_MAX);
	if (!((struct vkvm_backend *)guest->backend)->can.huge_pages) {
		check_skipped("large pages", "the host uses none for shared memory");
		return;
	}
	check(all >= 8, "unprotected memory is mapped by large pages (%llu)",
	      (unsigned long long)all);
	no_write(guest, first + 0x5000);
	touch(guest, first, 4096);
	broken = statistic(guest, "pages_2m");
	check(broken == all - 1, "a protected page splits only one large page (%llu of %llu left)",
	      (unsigned long long)broken, (unsigned long long)all);
	grant(guest, first + 0x5000);
	no_access(guest, first + 3 * MIB);
	grant(guest, first + 3 * MIB);
	back = large_pages(guest, first, all);
	check(back >= all, "large pages are restored when no page is protected (%llu of %llu)",
	      (unsigned long long)back, (unsigned long long)all);
	no_write(guest, first + 0x5000);
	start(guest, GUEST(g_store), first + 0x5000, 0, 0);
	{
		struct backend_run run = guest_run_on(guest, 0, 0);

		check(is_violation(guest, &run, first + 0x5000, GPA_WRITE, GUEST(g_store)),
		      "... and their pages can be protected again");
	}
	grant(guest, first + 0x5000);
}

static void test_many(struct guest *guest)
{
	struct gpa_range range[256];
	struct backend_run run;
	unsigned int right = 0;

	guest_protect(guest, 16 * MIB, 8192, GPA_ALL & ~GPA_WRITE);
	start(guest, GUEST(g_store), 47 * MIB, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, 47 * MIB, GPA_WRITE, GUEST(g_store)),
	      "one range protects 8192 pages: one in its last MiB is read-only");
	guest_protect(guest, 16 * MIB, 8192, 0);
	start(guest, GUEST(g_load), 47 * MIB, 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_violation(guest, &run, 47 * MIB, GPA_READ, GUEST(g_load)),
	      "... or cannot be read");
	guest_protect(guest, 16 * MIB, 8192, GPA_ALL);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) &&
		      guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX] == 0x0101010101010101,
	      "... and can be read again, with its contents");
	for (unsigned int i = 0; i < 256; i++)
		range[i] = (struct gpa_range){.gpn = 16 * MIB / 4096 + 3 * i, .pages = 1};
	guest->ops->protect(guest->backend, 0, range, 256, 0);
	for (unsigned int i = 0; i < 256; i += 15) {
		start(guest, GUEST(g_load), range[i].gpn * 4096, 0, 0);
		run = guest_run_on(guest, 0, 0);
		right += is_violation(guest, &run, range[i].gpn * 4096, GPA_READ, GUEST(g_load));
		start(guest, GUEST(g_load), range[i].gpn * 4096 + 4096, 0, 0);
		run = guest_run_on(guest, 0, 0);
		right += guest_is_done(&run);
	}
	check(right == 36, "18 of 256 scattered pages refuse reads, their neighbours do not");
}

static void test_refusals(struct guest *guest)
{
	bool refused = guest_protect(guest, DATA, 1, GPA_ALL & ~GPA_EXECUTE) < 0 &&
		       guest_protect(guest, DATA, 1, GPA_READ) < 0;

	check(refused == !(guest->features.protect & GPA_EXECUTE),
	      "denying execution alone is refused if the engine cannot");
	check(guest_protect(guest, DATA, 1, GPA_ALL & ~GPA_USER_EXECUTE) < 0 ||
		      guest->features.mbec,
	      "separate user and kernel execution is refused if the engine cannot");
	grant(guest, DATA);
	check(guest_protect(guest, guest->ram_size, 1, 0) < 0 &&
		      guest_protect(guest, guest->ram_size - 4096, 2, 0) < 0,
	      "a GPA without RAM cannot be protected");
}

/*
 * KVM's emulator continues a REP string whose first access is MMIO, here the byte after RAM: each
 * access of the denied page below it is an exit of the same instruction.
 */
static void test_long_strings(struct guest *guest)
{
	const uint64_t page = guest->ram_size - 4096;
	const uint64_t rip[] = {GUEST(g_replods), GUEST(g_repmovs_down)};
	static const uint8_t access[] = {GPA_READ, GPA_WRITE};
	static const char *const name[] = {"LODS", "MOVS"};
	struct backend_run run;
	struct vcpu_state *state;

	no_access(guest, page);
	for (unsigned int i = 0; i < 2; i++) {
		start(guest, rip[i], page + 4095, guest->ram_size, 1023);
		state = guest_edit(guest, 0, 0, VCPU_GPR);
		state->rflags |= X64_RFLAGS_DF;
		run = guest_run_on(guest, 0, 0);
		/* Engine attr refuses the write before the read. */
		if (run.exit == BACKEND_EXIT_MMIO)
			run = guest_answer(guest, 0, &run, BACKEND_DONE);
		while (run.exit == BACKEND_EXIT_INTERRUPTED)
			run = guest_run(guest, 0, 0);
		check(is_violation(guest, &run, page, access[i], rip[i]),
		      "REP %s of a device and 1,000 denied bytes is one violation", name[i]);
	}
	grant(guest, page);
	guest_start(guest, 0, 0, GUEST(g_load));
}

static void test_regions(struct guest *guest)
{
	uint64_t gpa = UINT64_C(5) << 30;
	uint8_t *host = NULL;
	uint8_t *again = NULL;

	check(!guest_memory_add(guest, gpa + 0x3000, 4 * MIB, &host),
	      "memory may be added at a multiple of 4 KiB");
	check(!guest_protect(guest, gpa + 0x3000, 1024, 0), "added memory can be protected");
	check(!guest_memory_remove(guest) &&
		      !guest_memory_add(guest, gpa + 0x3000, 2 * MIB, &again),
	      "added memory can be removed, and memory added at the same GPA again");
}

#define PLACES	   20u
#define PLACE(i)   (512 * MIB + (i)*2 * MIB)
#define PLACE_RAM  (8 * MIB) /* what the window shows */
#define MOST_KEPT  8u	     /* regions without a slot */
#define UNMAP_SOME 0x80u     /* KVM_X86_QUIRK_SLOT_ZAP_ALL */

static int move(struct guest *guest, unsigned int from, unsigned int to)
{
	const struct gpa_range gone = {.gpn = PLACE(from) / 4096, .pages = 16};
	struct backend_memory map[2] = {guest->map[0]};
	int error;

	map[1] = guest->map[0];
	map[1].gpn = PLACE(to) / 4096;
	map[1].page += PLACE_RAM / 4096;
	map[1].pages = 16;
	guest->ops->hold(guest->backend);
	error = guest->ops->memory_set(guest->backend, map, to < PLACES ? 2 : 1, &gone,
				       from < PLACES);
	guest->ops->release(guest->backend);
	return error;
}

static bool stores_at(struct guest *guest, unsigned int place)
{
	struct backend_run run;

	set_word(guest, PLACE_RAM, 0);
	start(guest, GUEST(g_store), PLACE(place), 0, 0);
	run = guest_run_on(guest, 0, 0);
	return guest_is_done(&run) && guest_word(guest, PLACE_RAM) == 0x5555;
}

static bool is_mmio_at(struct guest *guest, unsigned int place)
{
	struct backend_run run;

	start(guest, GUEST(g_store), PLACE(place), 0, 0);
	run = guest_run_on(guest, 0, 0);
	return run.exit == BACKEND_EXIT_MMIO && run.mmio.gpa == PLACE(place);
}

static uint64_t mapped_by_kvm(struct guest *guest)
{
	return statistic(guest, "pages_4k") + statistic(guest, "pages_2m");
}

static void test_moves(struct guest *guest)
{
	const struct vkvm_backend *backend = guest->backend;
	const uint32_t regions = backend->region_count;
	unsigned int right = 0;
	uint64_t before;
	uint64_t after;

	right += !move(guest, PLACES, 0) && stores_at(guest, 0);
	for (unsigned int i = 1; i < PLACES; i++)
		right += !move(guest, i - 1, i) && stores_at(guest, i) && is_mmio_at(guest, i - 1);
	check(right == PLACES, "memory that moves is at its new place only (%u of %u)", right,
	      PLACES);
	check(backend->region_count <= regions + 1 + MOST_KEPT,
	      "... and leaves a bounded number of windows: %u", backend->region_count - regions);
	no_write(guest, PLACE(PLACES - 1));
	no_access(guest, PLACE(PLACES - 1) + 4096);
	check(!move(guest, PLACES - 1, 0) && !move(guest, 0, PLACES - 1) &&
		      stores_at(guest, PLACES - 1),
	      "a place that was read-only can be written when memory returns to it");
	touch(guest, 16 * MIB, 8192);
	before = mapped_by_kvm(guest);
	check(!move(guest, PLACES - 1, PLACES), "memory that moves can be removed");
	after = mapped_by_kvm(guest);
	check(is_mmio_at(guest, PLACES - 1), "... and is gone");
	if (backend->can.quirks & UNMAP_SOME)
		check(after > before / 2, "... and KVM keeps its mappings of other memory: %u, %u",
		      (unsigned int)before, (unsigned int)after);
	else
		check_skipped("mappings of other memory", "KVM removes all of them (Linux 6.12)");
}

static unsigned int mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned int lines = 0;
	int c;

	while (file && (c = getc(file)) != EOF)
		lines += c == '\n';
	if (file)
		fclose(file);
	return lines;
}

/* Returns the value of before, or 0 if it cannot be set. */
static int set_max_map_count(int value)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "r+e");
	int before = 0;
	bool ok = file && fscanf(file, "%d", &before) == 1 && !fseek(file, 0, SEEK_SET) &&
		  fprintf(file, "%d", value) > 0;

	return file && !fclose(file) && ok ? before : 0;
}

/* A page without access in every second block splits the mapping of a window at each of them: a guest of 128
 * GiB reaches vm.max_map_count, which the test lowers. */
static void test_mappings(void)
{
	const uint64_t size = 768 * MIB, step = 4 * MIB, first = 64 * MIB;
	struct guest guest;
	unsigned int before, during, after, denied = 0, allowed = 0, failed = 0, places = 0;
	const int limit = test_engine() == VSM_ENGINE_ATTR ? 0 : set_max_map_count(300);

	if (!limit) {
		check_skipped("mappings", "engine attr, or vm.max_map_count cannot be set");
		return;
	}
	guest_create(&guest, 1, 1, size);
	before = mappings();
	for (uint64_t gpa = first; gpa < size; gpa += step, places++)
		failed += guest_protect(&guest, gpa, 1, 0) != 0;
	during = mappings();
	for (uint64_t gpa = first; gpa < size; gpa += step) {
		struct backend_run run;

		start(&guest, GUEST(g_load), gpa, 0, 0);
		run = guest_run_on(&guest, 0, 0);
		denied += run.exit == BACKEND_EXIT_MEMORY && run.memory.access == GPA_READ;
		start(&guest, GUEST(g_load), gpa + 0x1000, 0, 0);
		run = guest_run_on(&guest, 0, 0);
		allowed += guest_is_done(&run);
		start(&guest, GUEST(g_load), gpa + 2 * MIB, 0, 0);
		run = guest_run_on(&guest, 0, 0);
		allowed += guest_is_done(&run);
	}
	check(!failed && denied == places && allowed == 2 * places,
	      "%u pages without access, in every second 2 MiB, are all denied (%u), and others not "
	      "(%u)",
	      places, denied, allowed);
	check(during - before < 160, "... within the limit of mappings: %u, then %u", before,
	      during);
	for (uint64_t gpa = first; gpa < size; gpa += step)
		failed += guest_protect(&guest, gpa, 1, GPA_ALL) != 0;
	after = mappings();
	check(!failed && after <= before + 8, "... and the mappings are merged again: %u", after);
	guest_destroy(&guest);
	check(set_max_map_count(limit) == 300, "... and vm.max_map_count is restored: %d", limit);
}

int main(void)
{
	struct guest guest;

	guest_create(&guest, 2, 2, 64 * MIB);
	test_no_write(&guest);
	test_no_access(&guest);
	test_hole(&guest);
	test_spanning(&guest);
	test_page_walk(&guest);
	test_delivery(&guest);
	test_emulator(&guest);
	test_emulator_page_walk(&guest);
	test_race(&guest);
	test_pae_tables(&guest);
	test_closed_pages(&guest);
	test_long_closed_pages(&guest);
	test_lost_memory(&guest);
	test_overlays(&guest);
	test_large_pages(&guest);
	test_many(&guest);
	test_refusals(&guest);
	test_long_strings(&guest);
	test_regions(&guest);
	test_moves(&guest);
	guest_destroy(&guest);
	test_mappings();
	return checks_end();
}
