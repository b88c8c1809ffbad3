/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile guest of engine nested tries to leave guest mode, to write hidden memory or to drop an event. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vsm/vsm.h>

#include "core/x64.h"
#include "kvm/backend.h"
#include "kvm_guest.h"
#include "random.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_store, g_done, g_rdmsr, g_wrmsr, g_int, g_int3, g_ud, g_gp, g_pf, g_shadow, "
	"g_nmi\n"
	".globl g_vmrun, g_vmload, g_vmsave, g_stgi, g_clgi, g_skinit, g_invlpga\n"
	"g_store: mov %rax, (%rdi); out %al, $0x10\n"
	"g_done: out %al, $0x10\n"
	"g_rdmsr: rdmsr; out %al, $0x10\n"
	"g_wrmsr: wrmsr; out %al, $0x10\n"
	"g_int: int $0x80; out %al, $0x10\n"
	"g_int3: int3; out %al, $0x10\n"
	"g_ud: ud2\n"
	"g_gp: mov %eax, %ds; out %al, $0x10\n"
	"g_pf: mov (%rdi), %rax; out %al, $0x10\n"
	"g_shadow: mov %ebx, %ss; mov %rax, (%rdi); out %al, $0x10\n"
	"g_nmi: nop; out %al, $0x10\n"
	"g_vmrun: vmrun\n"
	"g_vmload: vmload\n"
	"g_vmsave: vmsave\n"
	"g_stgi: stgi\n"
	"g_clgi: clgi\n"
	"g_skinit: skinit\n"
	"g_invlpga: invlpga\n"
	"guest_code_end:\n"
	".popsection");

enum {
	READ_ONLY = GPA_READ,
	NO_EXECUTE = GPA_READ | GPA_WRITE,
	RANDOM_BYTES = 4096,
};

#define PAGE	  (DATA + 0x4000)
#define GUARDED	  (DATA + 0x70000) /* a page that is read-only during the whole test */
#define RANDOM	  (DATA + 0x20000)
#define NOT_THERE UINT64_C(0x80000000) /* GVA that is not mapped */

static struct nested_vm *nested_of(struct guest *guest)
{
	return &((struct vkvm_backend *)guest->backend)->vm[0].nested;
}

static uint64_t sum(const uint8_t *data, size_t size)
{
	uint64_t value = 0xcbf29ce484222325;

	for (size_t i = 0; i < size; i += 8) {
		uint64_t word;

		memcpy(&word, data + i, sizeof(word));
		value = (value ^ word) * 0x100000001b3;
	}
	return value;
}

/* Checksum of hidden memory except VMCB12, which KVM writes. */
static uint64_t sum_of_hidden(struct guest *guest)
{
	const struct nested_vm *vm = nested_of(guest);
	const uint32_t behind = vm->first_vmcb + guest->vp_count;

	return sum(vm->base, (size_t)vm->first_vmcb * 4096) ^
	       sum(vm->base + (size_t)behind * 4096, (size_t)(vm->used - behind) * 4096);
}

static bool is_protected(struct guest *guest)
{
	struct backend_run run;

	guest_start_with(guest, GUEST(g_store), GUARDED, 0x6666);
	run = guest_run_on(guest, 0, 0);
	return run.exit == BACKEND_EXIT_MEMORY && run.memory.gpa / 4096 == GUARDED / 4096 &&
	       run.memory.access == GPA_WRITE && guest->ram[GUARDED] == 0x5a;
}

/* Executes RDMSR or WRMSR. Returns whether KVM handled it, instead of an exit to the core. */
static bool msr(struct guest *guest, uint32_t index, bool write, uint64_t value)
{
	struct backend_run run =
		guest_run_msr(guest, write ? GUEST(g_wrmsr) : GUEST(g_rdmsr), index, value);
	uint64_t frame[6];

	if (run.exit == BACKEND_EXIT_MSR_READ || run.exit == BACKEND_EXIT_MSR_WRITE) {
		run = guest_answer(guest, 0, &run, BACKEND_FAULT);
		return false;
	}
	return guest_is_done(&run) || guest_trap(guest, 0, &run, frame) == X64_EXCEPTION_GP;
}

/* Writes the MSRs of these ranges with the address of hidden memory in the format of KVM's paravirtual MSRs. */
static void test_msrs(struct guest *guest)
{
	static const struct {
		uint32_t first;
		uint32_t count;
	} areas[] = {
		{0, 0x1000},	     {0xc0000000, 0x400}, {0xc0010000, 0x400},
		{0x40000000, 0x200}, {0x4b564d00, 0x20},
	};
	static const uint32_t never[] = {0x11,	     0x12,	 0xc0000080, 0xc0010114, 0xc0010117,
					 0x4b564d00, 0x4b564d01, 0x4b564d02, 0x4b564d03, 0x4b564d04,
					 0x40000001, 0x40000021, 0x40000073};
	const uint64_t hidden = nested_of(guest)->gpa;
	const uint64_t before = sum_of_hidden(guest);
	unsigned int reached = 0;

	for (size_t i = 0; i < ARRAY_SIZE(areas); i++)
		for (uint32_t j = 0; j < areas[i].count; j++) {
			msr(guest, areas[i].first + j, false, 0);
			msr(guest, areas[i].first + j, true, hidden | 1);
		}
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		reached += msr(guest, never[i], true, hidden | 1);
	check(!reached, "writes of EFER, SVM's MSRs and KVM's paravirtual ones do not reach KVM");
	check(sum_of_hidden(guest) == before && is_protected(guest),
	      "after writes of thousands of MSRs protections are enforced and page tables the "
	      "same");
}

static void test_instructions(struct guest *guest)
{
	const uint64_t rip[] = {GUEST(g_vmrun), GUEST(g_vmload), GUEST(g_vmsave), GUEST(g_stgi),
				GUEST(g_clgi),	GUEST(g_skinit), GUEST(g_invlpga)};
	const uint64_t place[] = {PAGE, nested_of(guest)->gpa, UINT64_C(1) << 45};
	const uint64_t before = sum_of_hidden(guest);
	unsigned int wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rip) * ARRAY_SIZE(place) * 2; i++) {
		struct backend_run run;
		uint64_t frame[6];
		int vector;

		guest_start_with(guest, rip[i / 6], 0, place[i / 2 % 3]);
		if (i & 1) {
			struct vcpu_state *state = guest_edit(guest, 0, 0, VCPU_SYSTEM);
			state->segment[SEGMENT_CS].selector = 0x1b;
			state->segment[SEGMENT_CS].attributes |= 0x60;
			state->segment[SEGMENT_SS].selector = 0x23;
			state->segment[SEGMENT_SS].attributes |= 0x60;
		}
		run = guest_run_on(guest, 0, 0);
		vector = guest_trap(guest, 0, &run, frame);
		/* A CPU checks privilege level and address before the intercept (APM 2, 15.9). */
		wrong += vector != X64_EXCEPTION_UD &&
			 (vector != X64_EXCEPTION_GP || !(i & 1 || place[i / 2 % 3] >> 40));
		wrong += !is_protected(guest);
	}
	check(!wrong && sum_of_hidden(guest) == before,
	      "SVM instructions fault at CPL 0 and CPL 3 and have no effect (%u wrong)", wrong);
}

/* Completes exits until one from which the code cannot continue. Returns false if the backend failed. */
static bool run_random(struct guest *guest)
{
	struct backend_run run = {.apic_enabled = true, .inject = -1};
	uint64_t frame[6];

	run.deadline = guest->ops->tsc(guest->backend) + guest->features.tsc_hz / 500;
	for (unsigned int i = 0; i < 20; i++) {
		enum backend_answer answer = BACKEND_DONE;

		if (guest->ops->vp_run(guest->vp[0], &run))
			return false;
		switch (run.exit) {
		case BACKEND_EXIT_ERROR:
			return false;
		case BACKEND_EXIT_INTERRUPTED:
			continue;
		case BACKEND_EXIT_MSR_READ:
		case BACKEND_EXIT_MSR_WRITE:
			answer = BACKEND_FAULT;
			break;
		case BACKEND_EXIT_IO:
			if (guest_trap(guest, 0, &run, frame) >= 0)
				return true;
			break;
		case BACKEND_EXIT_MMIO:
			break;
		default:
			return true;
		}
		if (guest->ops->vp_answer(guest->vp[0], &run, answer))
			return false;
	}
	return true;
}

static void test_random_code(struct guest *guest)
{
	const uint64_t before = sum_of_hidden(guest);
	uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
	unsigned int failed = 0;
	unsigned int lost = 0;

	guest_quiet = true;
	for (unsigned int round = 0; round < 200; round++) {
		struct vcpu_state *state;

		for (unsigned int i = 0; i < RANDOM_BYTES; i += 8) {
			const uint64_t word = next_random(&seed);

			memcpy(guest->ram + RANDOM + i, &word, sizeof(word));
		}
		state = guest_start_with(guest, RANDOM + next_random(&seed) % 2048, 0, 0);
		for (unsigned int i = 0; i < GPR_COUNT; i++)
			if (i != GPR_RSP)
				state->gpr[i] = next_random(&seed) % (8 * MIB);
		failed += !run_random(guest);
		lost += guest->ram[GUARDED] != 0x5a;
		if (round % 20 == 19)
			lost += sum_of_hidden(guest) != before;
	}
	guest_quiet = false;
	check(!failed, "random code causes no failure of the backend (%u of 200 did)", failed);
	check(!lost, "... and changes neither page tables nor the start of a read-only page");
}

static void test_interrupted_delivery(struct guest *guest)
{
	const struct {
		const char *name;
		uint64_t rip;
		uint64_t rax;
		uint64_t returns; /* return address of the handler, relative to `rip` */
		uint8_t vector;
		bool has_error;
		uint64_t error;
	} events[] = {
		{"INT n", GUEST(g_int), 0, 2, 0x80, false, 0},
		{"INT3", GUEST(g_int3), 0, 1, 3, false, 0},
		{"#UD", GUEST(g_ud), 0, 0, X64_EXCEPTION_UD, false, 0},
		{"#GP", GUEST(g_gp), 0x88, 0, X64_EXCEPTION_GP, true, 0x88},
		{"#PF", GUEST(g_pf), 0, 0, X64_EXCEPTION_PF, true, 0},
		/* A trap, which is not raised again by executing the instruction. */
		{"#DB", GUEST(g_nmi), 0, 1, X64_EXCEPTION_DB, false, 0},
	};
	uint64_t frame[6];

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		struct vcpu_state *state;
		struct backend_run run;
		bool refused;
		int vector;

		guest_protect(guest, PAGE, 1, READ_ONLY);
		state = guest_start_with(guest, events[i].rip, NOT_THERE, events[i].rax);
		state->gpr[GPR_RSP] = PAGE + 0x800;
		if (events[i].vector == X64_EXCEPTION_DB)
			state->rflags |= X64_RFLAGS_TF;
		run = guest_run_on(guest, 0, 0);
		refused = run.exit == BACKEND_EXIT_MEMORY && run.memory.access == GPA_WRITE;
		guest_protect(guest, PAGE, 1, GPA_ALL);
		run = guest_run_on(guest, 0, 0);
		vector = guest_trap(guest, 0, &run, frame);
		check(refused && vector == events[i].vector &&
			      frame[events[i].has_error] == events[i].rip + events[i].returns &&
			      (!events[i].has_error || frame[0] == events[i].error) &&
			      guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RSP] ==
				      PAGE + 0x800u - 48u - 8u * events[i].has_error &&
			      (vector != X64_EXCEPTION_PF ||
			       guest_get(guest, 0, 0, VCPU_SYSTEM)->cr2 == NOT_THERE),
		      "%s whose stack is denied is delivered when it is permitted", events[i].name);
	}
}

static void test_masked_nmi(struct guest *guest)
{
	struct backend_run run;
	struct vcpu_state *state;
	uint64_t frame[6];
	bool masked;

	guest_start_with(guest, GUEST(g_nmi), 0, 0);
	guest_edit(guest, 0, 0, VCPU_EVENTS)->events.nmi_pending = true;
	run = guest_run_on(guest, 0, 0);
	check(guest_trap(guest, 0, &run, frame) == 2, "an NMI is delivered");
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE);
	state = guest_edit(guest, 0, 0, VCPU_GPR);
	state->rip = GUEST(g_store);
	state->gpr[GPR_RDI] = GUARDED;
	run = guest_run_on(guest, 0, 0);
	masked = guest_get(guest, 0, 0, VCPU_EVENTS)->events.nmi_masked;
	check(run.exit == BACKEND_EXIT_MEMORY && masked, "NMIs stay masked over a violation");
	guest_edit(guest, 0, 0, VCPU_EVENTS)->events.nmi_pending = true;
	guest_edit(guest, 0, 0, VCPU_GPR)->rip = GUEST(g_nmi);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "... and the next NMI waits for the end of the handler");
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE);
	guest_start(guest, 0, 0, GUEST(g_done));
}

static void test_shadow(struct guest *guest)
{
	struct backend_run run;
	struct vcpu_state *state = guest_start_with(guest, GUEST(g_shadow), GUARDED, 0);

	state->gpr[GPR_RBX] = 0x10;
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MEMORY &&
		      guest_get(guest, 0, 0, VCPU_EVENTS)->events.interrupt_shadow,
	      "the shadow of MOV SS is kept over a violation");
	guest_start(guest, 0, 0, GUEST(g_done));
}

/* Argument "random" adds random code, whose result is not reproducible, since it depends on timing. */
int main(int argc, char **argv)
{
	struct guest guest;

	if (guest_create_with(&guest, VSM_ENGINE_NESTED, 2, 1, 64 * MIB)) {
		check_skipped("engine nested", "not available on this host's KVM, see above");
		return checks_end();
	}
	memset(guest.ram + GUARDED, 0x5a, 4096);
	guest_protect(&guest, GUARDED, 1, READ_ONLY);
	check(is_protected(&guest), "a page is read-only");
	test_interrupted_delivery(&guest);
	test_masked_nmi(&guest);
	test_shadow(&guest);
	test_instructions(&guest);
	test_msrs(&guest);
	if (argc > 1 && !strcmp(argv[1], "random"))
		test_random_code(&guest);
	guest_destroy(&guest);
	return checks_end();
}
