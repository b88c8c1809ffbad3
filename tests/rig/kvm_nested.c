/* SPDX-License-Identifier: BSD-2-Clause */
/* Engine nested: the guest can access neither hidden memory, with the engine's page tables, nor SVM; a VTL
 * can change its vCPU between an exit and the answer; restrictions that cannot be enforced are refused. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vsm/vsm.h>

#include "core/x64.h"
#include "engine.h"
#include "kvm/backend.h"
#include "kvm/vcpu/vcpu.h"
#include "kvm_guest.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_load, g_store, g_done, g_cpuid, g_rdmsr, g_wrmsr, g_in, g_spin, g_runner, "
	"g_writer\n"
	".globl g_vmrun, g_vmload, g_vmsave, g_stgi, g_clgi, g_skinit, g_invlpga, g_vmmcall\n"
	".globl g_init, g_push, g_step, g_cr0, g_copy, g_nop, g_dr, g_cpuid_step, g_tsc, g_lmsw\n"
	"g_load: mov (%rdi), %rax; out %al, $0x10\n"
	"g_store: mov %rax, (%rdi); out %al, $0x10\n"
	"g_done: out %al, $0x10\n"
	"g_cpuid: cpuid; out %al, $0x10\n"
	"g_rdmsr: rdmsr; out %al, $0x10\n"
	"g_wrmsr: wrmsr; out %al, $0x10\n"
	"g_in: in $0x60, %al; out %al, $0x10\n"
	"g_copy: movsb; out %al, $0x10\n"
	"g_spin: pause; jmp g_spin\n"
	"g_nop: nop; out %al, $0x10\n"
	"g_runner: call *%rdi; jmp g_runner\n"
	"g_writer: incq (%rdi); jmp g_writer\n"
	"g_vmrun: vmrun\n"
	"g_vmload: vmload\n"
	"g_vmsave: vmsave\n"
	"g_stgi: stgi\n"
	"g_clgi: clgi\n"
	"g_skinit: skinit\n"
	"g_invlpga: invlpga\n"
	"g_vmmcall: vmmcall\n"
	"g_push: push %rax; out %al, $0x10\n"
	"g_step: pushf; orl $0x100, (%rsp); popf; mov %rax, (%rdi); out %al, $0x10\n"
	"g_cr0: mov %rax, %cr0; out %al, $0x10\n"
	"g_lmsw: lmsw (%rdi); out %al, $0x10\n"
	"g_dr: mov %rax, %dr1; 1: pause; jmp 1b\n"
	"g_cpuid_step: pushf; orl $0x100, (%rsp); popf; cpuid; nop; out %al, $0x10\n"
	"g_tsc: rdtsc; out %al, $0x10\n"
	".code16\n"
	"g_init: mov $0x3000, %ax; mov %ax, %ds; mov %al, (0x10); out %al, $0x10\n"
	".code64\n"
	"guest_code_end:\n"
	".popsection");

enum {
	READ_ONLY = GPA_READ,
	NO_EXECUTE = GPA_READ | GPA_WRITE,
};

#define GIB	    (UINT64_C(1) << 30)
#define LOW_PAGE    0x30000u  /* page that g_init accesses */
#define WINDOW	    (2 * GIB) /* GVA that the tests map to hidden memory or to no memory */
#define PDPT	    (PAGE_TABLES + 0x1000)
#define RESERVED    (2 * GIB)
#define PAGE	    (DATA + 0x4000)
#define SYNTHETIC   0x40000000u
#define MSR_VM_CR   0xc0010114u
#define MSR_HSAVE   0xc0010117u
#define EFER_SVME   (UINT64_C(1) << 12)
#define CR0_DEFAULT UINT64_C(0x80050033)

static struct nested_vm *nested_of(struct guest *guest)
{
	return &((struct vkvm_backend *)guest->backend)->vm[0].nested;
}

/* Without the restriction VTL0 stays nested for some seconds. */
static void be_nested(struct guest *guest, bool nested)
{
	if (nested)
		guest_protect(guest, DATA + 0x70000, 1, READ_ONLY);
	else
		guest_protect(guest, DATA + 0x70000, 1, GPA_ALL);
}

/* Moves VTL0 to its plain vCPUs immediately. Other restrictions must be removed already. */
static void become_plain(struct guest *guest)
{
	be_nested(guest, false);
	nested_of(guest)->since = 0;
	be_nested(guest, false);
}

/* Hidden memory must be MMIO for the guest, at its GPA and 1 GiB above, where the engine's page tables map
 * L2's accesses to the GPA of hidden memory. */
static void test_hidden_region(struct guest *guest, const char *how)
{
	const uint64_t hidden = nested_of(guest)->gpa;
	struct nested_vm *vm = nested_of(guest);
	unsigned int wrong = 0;
	uint8_t before[4096];

	for (uint64_t page = 0; page < 16; page++) {
		const uint64_t entry = (hidden + (page & 1 ? GIB : 0)) | 0xe7;
		const uint64_t at = WINDOW + page / 2 * 4096 + 8;
		struct backend_run run;

		memcpy(guest->ram + PDPT + 2 * 8, &entry, sizeof(entry));
		guest->ops->vp_flush_tlb(guest->vp[0], 0);
		memcpy(before, vm->base + page / 2 * 4096, sizeof(before));
		guest_start_with(guest, GUEST(g_load), at, 0);
		run = guest_run_on(guest, 0, 0);
		wrong += run.exit != BACKEND_EXIT_MMIO || run.mmio.write ||
			 run.mmio.gpa - hidden >= RESERVED;
		memset(run.mmio.data, 0x5a, sizeof(run.mmio.data));
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
		wrong += !guest_is_done(&run) || guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX] !=
							 UINT64_C(0x5a5a5a5a5a5a5a5a);
		guest_start_with(guest, GUEST(g_store), at, 0x1122334455667788);
		run = guest_run_on(guest, 0, 0);
		wrong += run.exit != BACKEND_EXIT_MMIO || !run.mmio.write;
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
		wrong += !guest_is_done(&run);
		wrong += memcmp(before, vm->base + page / 2 * 4096, sizeof(before)) != 0;
	}
	check(!wrong, "hidden memory is MMIO for a %s guest (%u accesses were not)", how, wrong);
}

static void test_reserved_range(struct guest *guest)
{
	const struct nested_vm *vm = nested_of(guest);
	uint8_t *host = NULL;
	void *overlay = NULL;

	guest_quiet = true;
	check(guest_memory_add(guest, vm->gpa, 2 * MIB, &host) == -EINVAL &&
		      guest_memory_add(guest, vm->gpa + RESERVED - 2 * MIB, 2 * MIB, &host) ==
			      -EINVAL &&
		      guest_memory_add(guest, vm->gpa - 2 * MIB, 4 * MIB, &host) == -EINVAL,
	      "RAM at the GPA of hidden memory, or 1 GiB above, is refused");
	guest->ops->overlay_memory(guest->backend, 4, &overlay);
	check(guest->ops->overlay_map(guest->backend, 0, vm->gpa / 4096, 1, READ_ONLY) == -EINVAL &&
		      guest->ops->overlay_map(guest->backend, 0, (vm->gpa + GIB) / 4096, 1,
					      GPA_ALL) == -EINVAL,
	      "an overlay at either GPA is refused");
	guest_quiet = false;
}

static void test_cpuid(struct guest *guest)
{
	unsigned int wrong = 0;

	for (unsigned int nested = 0; nested < 2; nested++) {
		struct backend_run run;
		const struct vcpu_state *state;

		if (nested)
			be_nested(guest, true);
		else
			become_plain(guest);
		guest_start_with(guest, GUEST(g_cpuid), 0, 0x80000001);
		run = guest_run_on(guest, 0, 0);
		state = guest_get(guest, 0, 0, VCPU_GPR);
		wrong += !guest_is_done(&run) || state->gpr[GPR_RCX] & 1u << 2;
		guest_start_with(guest, GUEST(g_cpuid), 0, 0x8000000a);
		run = guest_run_on(guest, 0, 0);
		state = guest_get(guest, 0, 0, VCPU_GPR);
		wrong += !guest_is_done(&run) || state->gpr[GPR_RAX] || state->gpr[GPR_RBX] ||
			 state->gpr[GPR_RCX] || state->gpr[GPR_RDX];
	}
	check(!wrong, "CPUID shows no SVM");
}

static void cpuid_after_registers(struct guest *guest, uint32_t leaf, uint32_t subleaf,
				  uint64_t cr4, uint64_t xcr0, uint64_t out[4])
{
	struct vcpu_state *state = guest_start_with(guest, GUEST(g_cpuid), 0, leaf);
	struct backend_run run;

	state->gpr[GPR_RCX] = subleaf;
	state = guest_edit(guest, 0, 0, VCPU_SYSTEM | VCPU_XCR0);
	state->cr4 = (state->cr4 & ~(uint64_t)(X64_CR4_OSXSAVE | X64_CR4_PKE)) | cr4;
	state->xcr0 = xcr0;
	run = guest_run_on(guest, 0, 0);
	memset(out, 0xff, 4 * sizeof(out[0]));
	if (!guest_is_done(&run))
		return;
	state = guest_edit(guest, 0, 0, VCPU_GPR);
	out[0] = state->gpr[GPR_RAX];
	out[1] = state->gpr[GPR_RBX];
	out[2] = state->gpr[GPR_RCX];
	out[3] = state->gpr[GPR_RDX];
}

/* Compares with CPUID on the plain vCPU, where KVM executes it. */
static void test_cpuid_follows_registers(struct guest *guest)
{
	static const uint32_t leaves[][2] = {{0x1, 0}, {0x7, 0}, {0xd, 0}, {0xd, 1}, {0xd, 2}};
	const uint64_t cr4_valid = guest->features.cr4_valid;
	const uint64_t xcr0_valid = guest->features.xcr0_supported;
	const struct {
		uint64_t cr4;
		uint64_t xcr0;
	} rows[] = {
		{0, 1},
		{cr4_valid & X64_CR4_OSXSAVE, 1},
		{cr4_valid & X64_CR4_OSXSAVE, xcr0_valid & 7},
		{cr4_valid & (X64_CR4_OSXSAVE | X64_CR4_PKE), xcr0_valid},
		{cr4_valid & X64_CR4_PKE, 1},
	};
	enum {
		LEAVES = sizeof(leaves) / sizeof(leaves[0]),
		ROWS = sizeof(rows) / sizeof(rows[0]),
	};
	uint64_t value[2][ROWS][LEAVES][4];
	unsigned int differ = 0;

	for (unsigned int nested = 0; nested < 2; nested++) {
		if (nested)
			be_nested(guest, true);
		else
			become_plain(guest);
		for (size_t i = 0; i < ROWS; i++)
			for (size_t j = 0; j < LEAVES; j++)
				cpuid_after_registers(guest, leaves[j][0], leaves[j][1],
						      rows[i].cr4, rows[i].xcr0,
						      value[nested][i][j]);
	}
	for (size_t i = 0; i < ROWS; i++)
		differ += !!memcmp(value[0][i], value[1][i], sizeof(value[0][i]));
	check(!differ, "CPUID of a nested VTL depends on CR4 and XCR0 as KVM's does");
	check(memcmp(value[1][0], value[1][1], sizeof(value[1][0])) != 0 &&
		      (value[1][1][2][1] != value[1][3][2][1] || xcr0_valid <= 3),
	      "... and changes when they change");
}

static void test_msrs(struct guest *guest)
{
	static const uint32_t denied[] = {MSR_VM_CR, MSR_HSAVE};
	struct backend_run run;
	struct vcpu_state *state;
	uint64_t frame[6];
	unsigned int reached = 0;

	for (unsigned int i = 0; i < 4; i++) {
		state = guest_start_with(guest, i & 1 ? GUEST(g_wrmsr) : GUEST(g_rdmsr), 0, 0);
		state->gpr[GPR_RCX] = denied[i / 2];
		run = guest_run_on(guest, 0, 0);
		reached += run.exit != (i & 1 ? BACKEND_EXIT_MSR_WRITE : BACKEND_EXIT_MSR_READ);
		run = guest_answer(guest, 0, &run, BACKEND_FAULT);
		reached += guest_trap(guest, 0, &run, frame) != X64_EXCEPTION_GP;
	}
	check(!reached, "VM_CR and VM_HSAVE_PA never reach KVM");
	state = guest_start_with(guest, GUEST(g_rdmsr), 0, 0);
	state->gpr[GPR_RCX] = X64_MSR_EFER;
	run = guest_run_on(guest, 0, 0);
	run = guest_answer(guest, 0, &run, BACKEND_NATIVE);
	check(guest_is_done(&run) && guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX] == 0xd01 &&
		      guest_get(guest, 0, 0, VCPU_SYSTEM)->efer == 0xd01,
	      "EFER reads without SVME");
	state = guest_start_with(guest, GUEST(g_wrmsr), 0, 0xd01 | EFER_SVME);
	state->gpr[GPR_RCX] = X64_MSR_EFER;
	run = guest_run_on(guest, 0, 0);
	run = guest_answer(guest, 0, &run, BACKEND_NATIVE);
	check(guest_trap(guest, 0, &run, frame) == X64_EXCEPTION_GP, "EFER.SVME cannot be set");
	state = guest_start_with(guest, GUEST(g_wrmsr), 0, 0x501);
	state->gpr[GPR_RCX] = X64_MSR_EFER;
	run = guest_run_on(guest, 0, 0);
	run = guest_answer(guest, 0, &run, BACKEND_NATIVE);
	guest_protect(guest, PAGE, 1, READ_ONLY);
	check(guest_is_done(&run), "EFER can be written without SVME");
	guest_start_with(guest, GUEST(g_store), PAGE, 1);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MEMORY, "protections are enforced after the write of EFER");
	guest_protect(guest, PAGE, 1, GPA_ALL);
}

static void test_instructions(struct guest *guest)
{
	const struct {
		const char *name;
		uint64_t rip;
	} cases[] = {
		{"VMRUN", GUEST(g_vmrun)},     {"VMLOAD", GUEST(g_vmload)},
		{"VMSAVE", GUEST(g_vmsave)},   {"STGI", GUEST(g_stgi)},
		{"CLGI", GUEST(g_clgi)},       {"SKINIT", GUEST(g_skinit)},
		{"INVLPGA", GUEST(g_invlpga)},
	};
	struct backend_run run;
	uint64_t frame[6];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		guest_start_with(guest, cases[i].rip, 0, nested_of(guest)->gpa);
		run = guest_run_on(guest, 0, 0);
		check(guest_trap(guest, 0, &run, frame) == X64_EXCEPTION_UD &&
			      frame[0] == cases[i].rip,
		      "%s is #UD", cases[i].name);
	}
	guest_start_with(guest, GUEST(g_vmmcall), 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_HYPERCALL && run.length == 3 &&
		      guest_rip(guest, 0) == GUEST(g_vmmcall),
	      "VMMCALL is a hypercall");
}

/* The engine executes CPUID in place of KVM. */
static void test_cpuid_single_step(struct guest *guest)
{
	unsigned int wrong = 0;

	for (unsigned int nested = 0; nested < 2; nested++) {
		struct backend_run run;
		uint64_t frame[6];

		if (nested)
			be_nested(guest, true);
		else
			become_plain(guest);
		guest_start_with(guest, GUEST(g_cpuid_step), 0, 0);
		run = guest_run_on(guest, 0, 0);
		wrong += guest_trap(guest, 0, &run, frame) != X64_EXCEPTION_DB ||
			 frame[0] != GUEST(g_cpuid_step) + 11;
	}
	check(!wrong, "a single step ends after CPUID");
}

/* KVM's count of a vCPU's exits shows whether debug registers may have changed (exit_count.c); the count is
 * that of the plain or of the nested vCPU. */
static void test_debug_register_of_a_kicked_guest(struct guest *guest)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < 4; i++) {
		struct backend_run run = {.apic_enabled = true, .inject = -1};

		if (i & 1)
			be_nested(guest, true);
		else
			become_plain(guest);
		/* The backend then holds the vCPU's registers and the exit count at which it read them. */
		guest_start_with(guest, GUEST(g_done), 0, 0);
		guest_run_on(guest, 0, 0);
		guest_start_with(guest, GUEST(g_dr), 0, 0x1000 + i);
		/* On a busy host the deadline may pass before the guest has run: retry. */
		do {
			run.deadline =
				guest->ops->tsc(guest->backend) + guest->features.tsc_hz / 50;
			guest->ops->vp_run(guest->vp[0], &run);
		} while (run.exit == BACKEND_EXIT_INTERRUPTED ||
			 guest_rip(guest, 0) == GUEST(g_dr));
		wrong += run.exit != BACKEND_EXIT_DEADLINE ||
			 guest_get(guest, 0, 0, VCPU_DEBUG)->dr[1] != 0x1000 + i;
	}
	check(!wrong,
	      "a debug register that a guest writes before it is kicked is read (%u of 4 wrong)",
	      wrong);
	guest_start(guest, 0, 0, GUEST(g_done));
}

static void test_tsc(struct guest *guest)
{
	const uint64_t day = guest->features.tsc_hz * 86400;
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < 4; i++) {
		uint64_t before, value;
		const struct vcpu_state *state;

		if (i & 1)
			be_nested(guest, true);
		else
			become_plain(guest);
		guest_start_with(guest, GUEST(g_tsc), 0, 0);
		guest_run_on(guest, 0, 0);
		guest->ops->vp_tsc_offset(guest->vp[0], 0, (i + 1) * day);
		if (i & 1)
			become_plain(guest);
		else
			be_nested(guest, true);
		before = guest->ops->tsc(guest->backend) + (i + 1) * day;
		guest_start_with(guest, GUEST(g_tsc), 0, 0);
		guest_run_on(guest, 0, 0);
		state = guest_get(guest, 0, 0, VCPU_GPR);
		value = (uint32_t)state->gpr[GPR_RAX] | state->gpr[GPR_RDX] << 32;
		wrong += value - before > day / 2;
	}
	guest->ops->vp_tsc_offset(guest->vp[0], 0, 0);
	check(!wrong, "the TSC offset is kept when the VTL changes its vCPU (%u of 4 wrong)",
	      wrong);
}

static void test_debug_registers(struct guest *guest)
{
	struct vcpu_state *state;
	struct backend_run run;
	uint64_t frame[6];

	guest_protect(guest, PAGE, 1, READ_ONLY);
	guest_start_with(guest, GUEST(g_store), PAGE, 1);
	state = guest_edit(guest, 0, 0, VCPU_DEBUG);
	state->dr[0] = GUEST(g_done);
	state->dr[3] = 0x1234;
	state->dr7 = X64_DR7_RESET | 1u << 6;
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MEMORY &&
		      guest_get(guest, 0, 0, VCPU_DEBUG)->dr7 == (X64_DR7_RESET | 1u << 6) &&
		      guest_get(guest, 0, 0, VCPU_DEBUG)->dr[3] == 0x1234,
	      "debug registers are kept over a violation");
	guest_start_with(guest, GUEST(g_step), PAGE, 1);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MEMORY &&
		      guest_get(guest, 0, 0, VCPU_GPR)->rflags & X64_RFLAGS_TF,
	      "single step is kept over a violation");
	guest_protect(guest, PAGE, 1, GPA_ALL);
	run = guest_run_on(guest, 0, 0);
	check(guest_trap(guest, 0, &run, frame) == X64_EXCEPTION_DB,
	      "... and ends after the instruction when it is permitted");
}

/* L1 runs with these bits of L2's CR4, so its own code and page tables have to permit them. */
static void test_supervisor_protection(struct guest *guest)
{
	const uint64_t wanted = X64_CR4_SMEP | X64_CR4_SMAP | X64_CR4_PKE;
	const uint64_t bits = guest->features.cr4_valid & wanted;
	const uint64_t low = PAGE_TABLES + 0x2000;
	const uint64_t user = UINT64_C(0xe7), supervisor = UINT64_C(0xe3);
	unsigned int wrong = 0;

	/* The guest's code is in its first 2 MiB. */
	memcpy(guest->ram + low, &supervisor, sizeof(supervisor));
	for (unsigned int i = 0; i < 4; i++) {
		const uint64_t set = i & 1 ? bits : 0;
		struct backend_run run;

		guest_protect(guest, PAGE, 1, READ_ONLY);
		guest_start_with(guest, GUEST(g_store), PAGE, i)->rflags |= X64_RFLAGS_AC;
		guest_edit(guest, 0, 0, VCPU_SYSTEM)->cr4 |= set;
		guest->ops->vp_flush_tlb(guest->vp[0], 0);
		run = guest_run_on(guest, 0, 0);
		wrong += run.exit != BACKEND_EXIT_MEMORY ||
			 (guest_get(guest, 0, 0, VCPU_SYSTEM)->cr4 & wanted) != set;
		guest_protect(guest, PAGE, 1, GPA_ALL);
		run = guest_run_on(guest, 0, 0);
		wrong += !guest_is_done(&run);
	}
	memcpy(guest->ram + low, &user, sizeof(user));
	check(!wrong, "violations with and without SMEP, SMAP and PKE (%#llx) are the same",
	      (unsigned long long)bits);
}

/* Sets the registers that INIT sets while the vCPU is in L2, then SIPI, as the core does. KVM's own INIT
 * would leave guest mode. */
static void test_init(struct guest *guest)
{
	const struct vcpu *vcpu = &((struct vkvm_vp *)guest->vp[0])->vcpu[0];
	const struct hv_x64_segment_register data = {.limit = 0xffff, .attributes = 0x93};
	struct vcpu_state *state;
	struct backend_run run;
	bool refused;

	guest_protect(guest, LOW_PAGE, 1, READ_ONLY);
	guest->ram[LOW_PAGE + 0x10] = 0x5a;
	guest_start_with(guest, GUEST(g_store), PAGE, 1);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && vcpu->nested.on, "a VP runs in guest mode");
	state = guest_edit(guest, 0, 0, VCPU_ALL);
	memset(state->gpr, 0, sizeof(state->gpr));
	state->rflags = X64_RFLAGS_FIXED;
	state->cr0 = X64_CR0_ET;
	state->cr3 = state->cr4 = state->efer = 0;
	for (unsigned int i = 0; i < SEGMENT_COUNT; i++)
		state->segment[i] = data;
	state->segment[SEGMENT_CS] = (struct hv_x64_segment_register){
		.base = CODE, .limit = 0xffff, .selector = CODE >> 4, .attributes = 0x9b};
	state->segment[SEGMENT_TR].attributes = 0x8b;
	state->segment[SEGMENT_LDTR].attributes = 0x82;
	state->gdtr = state->idtr = (struct hv_x64_table_register){.limit = 0xffff};
	state->rip = GUEST(g_init) - CODE;
	run = guest_run_on(guest, 0, 0);
	refused = run.exit == BACKEND_EXIT_MEMORY && run.memory.gpa == LOW_PAGE + 0x10 &&
		  run.memory.access == GPA_WRITE && guest->ram[LOW_PAGE + 0x10] == 0x5a;
	check(refused && vcpu->nested.on,
	      "after INIT the vCPU is still in guest mode, and a denied page stays denied");
	state = guest_edit(guest, 0, 0, VCPU_SYSTEM);
	check(state->cr0 == X64_CR0_ET && !state->efer && !state->cr4,
	      "after INIT the registers are those of INIT, without EFER.SVME");
	guest_protect(guest, LOW_PAGE, 1, GPA_ALL);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && guest->ram[LOW_PAGE + 0x10] == 0,
	      "the store completes when it is permitted");
	guest_start_with(guest, GUEST(g_store), PAGE, 2);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && guest->ram[PAGE] == 2, "long mode can be entered after INIT");
}

static void test_delivery(struct guest *guest)
{
	struct backend_run run = {.vtl = 0, .apic_enabled = true, .deadline = UINT64_MAX};
	struct vcpu_state *state;
	uint64_t frame[6];
	uint64_t vector;

	for (unsigned int nmi = 0; nmi < 2; nmi++) {
		guest_protect(guest, PAGE, 1, READ_ONLY);
		state = guest_start_with(guest, GUEST(g_spin), 0, 0);
		state->gpr[GPR_RSP] = PAGE + 0x800;
		state->rflags |= X64_RFLAGS_IF;
		run.inject = nmi ? -1 : 0x61;
		if (nmi)
			guest_edit(guest, 0, 0, VCPU_EVENTS)->events.nmi_pending = true;
		check(!guest->ops->vp_run(guest->vp[0], &run) && run.exit == BACKEND_EXIT_MEMORY &&
			      run.memory.access == GPA_WRITE,
		      "%s whose stack is denied is a violation", nmi ? "an NMI" : "an interrupt");
		guest_protect(guest, PAGE, 1, GPA_ALL);
		run = guest_run_on(guest, 0, 0);
		vector = (uint64_t)guest_trap(guest, 0, &run, frame);
		check(vector == (nmi ? 2 : 0x61), "... and is delivered when it is permitted");
	}
	guest_start(guest, 0, 0, GUEST(g_done));
}

/* A change of all bits of the mask, which the exit reports, would be illegal: PG needs PE. */
static void test_write_that_is_not_decoded(struct guest *guest)
{
	struct backend_run run;

	guest->ops->vp_cr_intercept(guest->vp[0], 0, HV_CR_INTERCEPT(CR0_WRITE), X64_CR0_PE, 0);
	guest->ram[PAGE] = X64_CR0_PE | X64_CR0_MP;
	guest_start_with(guest, GUEST(g_lmsw), PAGE, 0);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_CR_WRITE && guest_rip(guest, 0) == GUEST(g_lmsw),
	      "LMSW with a memory operand exits");
	run = guest_answer(guest, 0, &run, BACKEND_NATIVE);
	check(guest_is_done(&run), "... and is executed if it is permitted");
	guest->ops->vp_cr_intercept(guest->vp[0], 0, 0, 0, 0);
	guest_start(guest, 0, 0, GUEST(g_done));
}

static void test_write_that_an_event_overtakes(struct guest *guest)
{
	const uint64_t handler = STUBS + 0x61 * 16;
	static const uint8_t clear_wp[] = {0x0f, 0x22, 0xc3}; /* mov %rbx, %cr0 */
	uint8_t stub[sizeof(clear_wp)];
	struct backend_run run;
	struct vcpu_state *state;

	memcpy(stub, guest->ram + handler, sizeof(stub));
	memcpy(guest->ram + handler, clear_wp, sizeof(clear_wp));
	guest->ops->vp_cr_intercept(guest->vp[0], 0, HV_CR_INTERCEPT(CR0_WRITE), X64_CR0_WP, 0);
	state = guest_start_with(guest, GUEST(g_cr0), 0, CR0_DEFAULT ^ X64_CR0_AM);
	state->gpr[GPR_RBX] = CR0_DEFAULT & ~(uint64_t)X64_CR0_WP;
	state->rflags |= X64_RFLAGS_IF;
	run = guest_run(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_INTERRUPTED && guest_rip(guest, 0) == GUEST(g_cr0),
	      "a write of CR0 that changes no bit of the mask is executed at the next entry");
	run = (struct backend_run){.apic_enabled = true, .inject = 0x61, .deadline = UINT64_MAX};
	guest->ops->vp_run(guest->vp[0], &run);
	while (run.exit == BACKEND_EXIT_INTERRUPTED)
		run = guest_run(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_CR_WRITE && guest_rip(guest, 0) == handler &&
		      guest_get(guest, 0, 0, VCPU_SYSTEM)->cr0 & X64_CR0_WP,
	      "a write of CR0 by the interrupt handler exits");
	if (run.exit == BACKEND_EXIT_CR_WRITE)
		guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
	guest->ops->vp_cr_intercept(guest->vp[0], 0, 0, 0, 0);
	memcpy(guest->ram + handler, stub, sizeof(stub));
	guest_start(guest, 0, 0, GUEST(g_done));
}

/* Runs the instruction at @rip to its exit on one vCPU, then moves the VTL to the other vCPU. The caller
 * answers the exit. */
static struct backend_run across(struct guest *guest, bool to_nested, uint64_t rip, uint64_t rcx)
{
	struct backend_run run;

	if (to_nested)
		become_plain(guest);
	else
		be_nested(guest, true);
	guest_start_with(guest, rip, WINDOW, 0x77)->gpr[GPR_RCX] = rcx;
	guest_edit(guest, 0, 0, VCPU_GPR)->gpr[GPR_RSI] = WINDOW;
	run = guest_run_on(guest, 0, 0);
	if (to_nested)
		be_nested(guest, true);
	else
		become_plain(guest);
	return run;
}

static void test_change_between_exit_and_answer(struct guest *guest)
{
	const uint64_t entry = UINT64_C(0xe7) | 1 * GIB; /* a GPA without memory */
	struct backend_run run;

	memcpy(guest->ram + PDPT + 2 * 8, &entry, sizeof(entry));
	guest->ops->vp_flush_tlb(guest->vp[0], 0);
	for (unsigned int i = 0; i < 2; i++) {
		const char *to = i ? "to L2" : "to the plain vCPU";
		const struct vcpu_state *state;

		run = across(guest, i, GUEST(g_in), 0);
		memset(run.io.data, 0xab, 1);
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
		state = guest_get(guest, 0, 0, VCPU_GPR);
		check(guest_is_done(&run) && (uint8_t)state->gpr[GPR_RAX] == 0xab,
		      "an IN that is completed after the VTL has moved %s returns its value", to);
		run = across(guest, i, GUEST(g_rdmsr), SYNTHETIC);
		run.msr.data = UINT64_C(0x123456789);
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
		state = guest_get(guest, 0, 0, VCPU_GPR);
		check(guest_is_done(&run) && state->gpr[GPR_RAX] == 0x23456789 &&
			      state->gpr[GPR_RDX] == 1,
		      "an RDMSR that is completed after the move returns its value");
		run = across(guest, i, GUEST(g_store), 0);
		if (!check(run.exit == BACKEND_EXIT_MMIO && run.mmio.write,
			   "a store to a device exits"))
			printf("# exit %d\n", run.exit);
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
		check(guest_is_done(&run), "... and is executed once, %s", to);
	}
	/* MOVSB from a device to a page that is denied before its completion: the plain vCPU would store to
	 * it. */
	become_plain(guest);
	guest->ram[PAGE] = 0x11;
	guest_start_with(guest, GUEST(g_copy), PAGE, 0)->gpr[GPR_RSI] = WINDOW;
	run = guest_run_on(guest, 0, 0);
	guest_protect(guest, PAGE, 1, READ_ONLY);
	memset(run.mmio.data, 0xcc, sizeof(run.mmio.data));
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	while (run.exit == BACKEND_EXIT_MMIO)
		run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(run.exit == BACKEND_EXIT_MEMORY && guest->ram[PAGE] == 0x11,
	      "an instruction that began on the plain vCPU does not store to a page that was "
	      "denied before its completion");
	guest_start(guest, 0, 0, GUEST(g_done));
	guest_protect(guest, PAGE, 1, GPA_ALL);
}

struct racer {
	struct guest *guest;
	_Atomic bool stop;
	_Atomic uint64_t denied;
	_Atomic bool failed;
};

static void *race(void *opaque)
{
	struct racer *racer = opaque;

	while (!racer->stop) {
		struct backend_run run = guest_run(racer->guest, 1, 0);

		if (run.exit == BACKEND_EXIT_MEMORY)
			racer->denied++;
		else if (run.exit != BACKEND_EXIT_INTERRUPTED) {
			printf("# the other VP left with exit %d\n", run.exit);
			racer->failed = true;
			break;
		}
	}
	return NULL;
}

static void test_races(struct guest *guest, bool executes)
{
	const uint64_t block = 32 * MIB;
	const uint64_t at = block + 0x5000;
	const uint64_t counter = executes ? DATA + 0x53000 : at;
	static const uint8_t count_code[] = {0x48, 0xff, 0x06, 0xc3}; /* incq (%rsi); ret */
	volatile uint64_t *place = (volatile uint64_t *)(void *)(guest->ram + counter);
	struct racer racer = {.guest = guest};
	const uint8_t access = executes ? NO_EXECUTE : READ_ONLY;
	unsigned int late = 0, stuck = 0;
	struct vcpu_state *state;
	pthread_t thread;

	become_plain(guest);
	memcpy(guest->ram + at, count_code, sizeof(count_code));
	guest_start(guest, 1, 0, executes ? GUEST(g_runner) : GUEST(g_writer));
	state = guest_edit(guest, 1, 0, VCPU_GPR);
	state->gpr[GPR_RDI] = at;
	state->gpr[GPR_RSI] = counter;
	state->gpr[GPR_RSP] = DATA + 0x61000;
	pthread_create(&thread, NULL, race, &racer);
	for (unsigned int round = 0; round < 60 && !racer.failed; round++) {
		const bool whole = round & 1;
		uint64_t before = *place;
		uint64_t seen = racer.denied;

		for (unsigned int i = 0; i < 60000 && *place == before && !racer.failed; i++)
			usleep(1000);
		stuck += *place == before;
		if (round % 8 == 0)
			become_plain(guest);
		if (round % 3 == 0)
			guest_protect(guest, block, 512, access);
		if (whole)
			guest_protect(guest, block, 512, access);
		else
			guest_protect(guest, at, 1, access);
		before = *place;
		for (unsigned int i = 0; i < 60000 && racer.denied == seen && !racer.failed; i++)
			usleep(1000);
		late += *place != before;
		stuck += racer.denied == seen;
		if (round % 5 == 0)
			guest_protect(guest, at, 1, GPA_ALL);
		guest_protect(guest, block, 512, GPA_ALL);
	}
	racer.stop = true;
	guest->ops->vp_kick(guest->vp[1]);
	pthread_join(thread, NULL);
	check(!late && !racer.failed,
	      "no page is %s after it or its large page has lost that right (%u of 60)",
	      executes ? "executed" : "written", late);
	check(!stuck, "... and the VP stops and continues each time (%u of 120 did not)", stuck);
}

static void test_changes_under_violations(struct guest *guest)
{
	struct racer racer = {.guest = guest};
	pthread_t thread;

	guest_start(guest, 1, 0, GUEST(g_writer));
	guest_edit(guest, 1, 0, VCPU_GPR)->gpr[GPR_RDI] = PAGE;
	pthread_create(&thread, NULL, race, &racer);
	for (unsigned int round = 0; round < 100 && !racer.failed; round++) {
		guest_protect(guest, PAGE, 1, READ_ONLY);
		usleep(500);
		guest_protect(guest, PAGE, 1, GPA_ALL);
		become_plain(guest);
	}
	racer.stop = true;
	guest->ops->vp_kick(guest->vp[1]);
	pthread_join(thread, NULL);
	check(!racer.failed, "a VTL changes its vCPUs repeatedly during violations of another VP");
}

static void test_range_over_blocks(struct guest *guest)
{
	const uint64_t first = 34 * MIB - 3 * 4096;
	const uint64_t end = 38 * MIB + 5 * 4096;
	const uint64_t places[] = {first - 4096, first,		  34 * MIB - 4096,
				   34 * MIB,	 36 * MIB - 4096, 36 * MIB,
				   38 * MIB,	 end - 4096,	  end};
	unsigned int wrong = 0;

	be_nested(guest, true);
	for (unsigned int round = 0; round < 4; round++) {
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			guest_start_with(guest, GUEST(g_store), places[i], 1);
			guest_run_on(guest, 0, 0);
		}
		guest_protect(guest, first, (end - first) / 4096, READ_ONLY);
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			const bool denied = places[i] >= first && places[i] < end;
			struct backend_run run;

			guest_start_with(guest, GUEST(g_store), places[i], 2);
			run = guest_run_on(guest, 0, 0);
			wrong += denied ? run.exit != BACKEND_EXIT_MEMORY : !guest_is_done(&run);
		}
		guest_protect(guest, first, (end - first) / 4096, GPA_ALL);
	}
	check(!wrong, "a range over several blocks is denied from its first page to its last");
}

static void test_exhausted_tables(struct guest *guest)
{
	struct nested_vm *vm = nested_of(guest);
	const uint32_t pages = vm->pages;
	struct backend_run run;
	int error;

	vm->pages = vm->used;
	guest_quiet = true;
	error = guest_protect(guest, 48 * MIB + 0x3000, 1, READ_ONLY);
	guest_quiet = false;
	check(error == -ENOMEM, "restrictions beyond the page tables are refused");
	check(!guest_protect(guest, 48 * MIB, 512, READ_ONLY),
	      "a restriction that needs no page table is accepted");
	guest_start_with(guest, GUEST(g_store), 48 * MIB + 0x3000, 1);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MEMORY, "... and is enforced");
	guest_quiet = true;
	error = guest_protect(guest, 48 * MIB + 0x3000, 1, GPA_ALL);
	guest_quiet = false;
	guest_start_with(guest, GUEST(g_store), 48 * MIB + 0x4000, 1);
	run = guest_run_on(guest, 0, 0);
	check(error == -ENOMEM && run.exit == BACKEND_EXIT_MEMORY,
	      "a right that cannot be granted without a page table is not granted");
	vm->pages = pages;
	guest_protect(guest, 48 * MIB, 512, GPA_ALL);
}

/* Each 2 MiB needs at most one page table, whatever is restricted there: a guest cannot use more. */
static void test_bounded_tables(struct guest *guest)
{
	const struct nested_vm *vm = nested_of(guest);
	const uint32_t most = vm->used + (uint32_t)(guest->ram_size / (2 * MIB));
	uint32_t used = 0;
	bool bounded = true;

	for (unsigned int round = 0; round < 4; round++) {
		for (uint64_t gpa = 0; gpa < guest->ram_size; gpa += 2 * MIB) {
			guest_protect(guest, gpa + (0x1ff - round) * 4096, 1, READ_ONLY);
			if (round & 1)
				guest_protect(guest, gpa, 512, GPA_ALL);
		}
		bounded &= !round || vm->used == used;
		used = vm->used;
	}
	guest_protect(guest, 0, guest->ram_size / 4096, GPA_ALL);
	check(bounded && used <= most, "page tables use at most one page for each 2 MiB (%u of %u)",
	      used, most);
}

static void test_locked_memory(struct guest *guest)
{
	struct backend_run run;

	guest_start_with(guest, GUEST(g_store), PAGE, 1);
	guest_run_on(guest, 0, 0);
	if (mlockall(MCL_CURRENT | MCL_ONFAULT)) {
		check_skipped("a VMM that locks its memory", "this process may not lock memory");
		return;
	}
	check(!guest_protect(guest, PAGE, 1, READ_ONLY),
	      "a page of locked memory can be restricted");
	guest_start_with(guest, GUEST(g_store), PAGE, 1);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MEMORY, "... and the restriction is enforced");
	munlockall();
	guest_protect(guest, PAGE, 1, GPA_ALL);
}

static char logged[4096];

static void keep_log(void *opaque, const struct vsm_log_record *record)
{
	const size_t used = strlen(logged);

	tap_log(opaque, record);
	snprintf(logged + used, sizeof(logged) - used, "%s\n", record->text);
}

static int create_with(uint8_t engine)
{
	const struct vsm_log log = {.fn = keep_log, .max_level = VSM_LOG_DEBUG};
	const struct vkvm_options options = {.engine = engine};
	const struct backend_config config = {
		.log = &log, .vp_count = 1, .vtl_count = 2, .options = &options};
	struct backend_features features;
	void *backend = NULL;
	int error;

	logged[0] = '\0';
	error = vkvm_ops.create(&config, &backend, &features);
	if (backend)
		vkvm_ops.destroy(backend);
	return error;
}

static bool host_is_nested(void)
{
	FILE *file = fopen("/sys/module/kvm_amd/parameters/nested", "r");
	int value = file ? fgetc(file) : '0';

	if (file)
		fclose(file);
	return value == '1' || value == 'Y';
}

static void test_choice(void)
{
	check(!create_with(VSM_ENGINE_AUTO) && strstr(logged, "engine attr: ") &&
		      strstr(logged, "engine nested: ") && strstr(logged, "engine uffd: selected"),
	      "AUTO logs each engine with its reason");
	if (host_is_nested()) {
		check(!create_with(VSM_ENGINE_NESTED),
		      "the self-test succeeds where KVM offers nested SVM");
		return;
	}
	check(strstr(logged, "nested=1"), "... and how to enable nesting if it is disabled");
	check(create_with(VSM_ENGINE_NESTED) == -ENOTSUP && strstr(logged, "nested=1"),
	      "engine nested is refused without nesting, and the message has a remedy");
}

int main(void)
{
	struct guest guest;

	/* With the building blocks AUTO selects engine attr: the probe's test covers it. */
	if (test_engine() != VSM_ENGINE_ATTR)
		test_choice();
	if (!host_is_nested()) {
		check_skipped("engine nested", "KVM offers no nested SVM");
		return checks_end();
	}
	if (!check(!guest_create_with(&guest, VSM_ENGINE_NESTED, 2, 2, 64 * MIB),
		   "a guest is created with engine nested"))
		return checks_end();
	check(guest.features.protect == GPA_ALL && guest_denies_every_right(&guest),
	      "every right can be denied");
	check(!guest.features.fpu_shared,
	      "the two vCPUs of a VTL do not share FPU registers in KVM");
	test_hidden_region(&guest, "plain");
	be_nested(&guest, true);
	test_hidden_region(&guest, "nested");
	become_plain(&guest);
	test_hidden_region(&guest, "plain again");
	be_nested(&guest, true);
	test_reserved_range(&guest);
	test_cpuid(&guest);
	test_cpuid_follows_registers(&guest);
	test_msrs(&guest);
	test_instructions(&guest);
	test_cpuid_single_step(&guest);
	test_debug_register_of_a_kicked_guest(&guest);
	test_tsc(&guest);
	test_debug_registers(&guest);
	test_supervisor_protection(&guest);
	test_delivery(&guest);
	test_init(&guest);
	test_write_that_is_not_decoded(&guest);
	test_write_that_an_event_overtakes(&guest);
	test_change_between_exit_and_answer(&guest);
	test_races(&guest, false);
	test_races(&guest, true);
	test_changes_under_violations(&guest);
	test_range_over_blocks(&guest);
	test_exhausted_tables(&guest);
	test_bounded_tables(&guest);
	test_locked_memory(&guest);
	guest_destroy(&guest);
	return checks_end();
}
