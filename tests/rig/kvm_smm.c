/* SPDX-License-Identifier: BSD-2-Clause */
/* System Management Mode (SMM) of VTL0 on KVM: a second address space of VTL0's virtual machine, with the
 * same windows and so the same rights. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <vsm/vsm.h>

#include "core/x64.h"
#include "kvm_guest.h"
#include "tap.h"

/* g_: code outside SMM; s_: 16-bit code for SMM, with segments of 4 GiB and the registers of the interrupted
 * code. */
__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end, g_out, g_load, g_wait, g_mmio\n"
	".globl s_out, s_load, s_store, s_call, s_rsm\n"
	"guest_code:\n"
	"g_out: out %al, $0x10; jmp g_out\n"
	"g_load: mov (%rdi), %rax; out %al, $0x10\n"
	"g_mmio: mov (%rdi), %rbx; out %al, $0x10\n"
	"g_wait: pause; jmp g_wait\n"
	".code16\n"
	"s_out: out %al, $0x11; rsm\n"
	"s_load: movl (%edi), %eax; out %al, $0x11; rsm\n"
	"s_store: movl %eax, (%edi); out %al, $0x11; rsm\n"
	"s_call: ljmp $0x5000, $0\n"
	"s_rsm: rsm\n"
	".code64\n"
	"guest_code_end:\n"
	".popsection");

enum {
	HANDLER = 0x38000,   /* address of the SMI handler with the SMBASE after reset */
	SAVE_AREA = 0x3f000, /* page of the state save area */
	FAR_CODE = 0x50000,  /* target of s_call */
	SMRAM_SIZE = 0x200000,
};
#define SMRAM UINT64_C(0x10000000)

static const uint32_t pattern = 0x41414141;

static void set_handler(struct guest *guest, uint64_t code)
{
	memcpy(guest->ram + HANDLER, guest_code + (code - CODE), 16);
}

static uint32_t word(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static bool in_smm(struct guest *guest, uint32_t vp)
{
	return guest_get(guest, vp, 0, VCPU_EVENTS)->events.smm;
}

static bool is_out(const struct backend_run *run, uint16_t port)
{
	return run->exit == BACKEND_EXIT_IO && run->io.port == port;
}

/* Starts code at @rip with a pending SMI, which it takes before its first instruction. */
static struct backend_run smi(struct guest *guest, uint64_t rip, uint64_t rdi, uint64_t rax)
{
	guest_start_with(guest, rip, rdi, rax);
	guest_edit(guest, 0, 0, VCPU_SMM)->smbase = X64_SMBASE_RESET;
	guest_edit(guest, 0, 0, VCPU_EVENTS)->events.smi_pending = true;
	return guest_run_on(guest, 0, 0);
}

static bool is_refused(struct guest *guest, const struct backend_run *run, uint64_t gpa,
		       uint8_t access)
{
	const bool right = run->exit == BACKEND_EXIT_MEMORY &&
			   run->memory.gpa / 4096 == gpa / 4096 && run->memory.access == access &&
			   in_smm(guest, 0);

	if (!right)
		printf("# exit %d gpa %#llx access %#x\n", run->exit,
		       (unsigned long long)run->memory.gpa, run->memory.access);
	return right;
}

static void test_entry_and_return(struct guest *guest)
{
	struct backend_run run;

	set_handler(guest, GUEST(s_out));
	guest_edit(guest, 0, 0, VCPU_DEBUG)->dr7 = X64_DR7_RESET | 1;
	run = smi(guest, GUEST(g_out), 0, 7);
	check(is_out(&run, 0x11) && in_smm(guest, 0), "an SMI enters SMM at SMBASE");
	check(guest_get(guest, 0, 0, VCPU_DEBUG)->dr7 == X64_DR7_RESET,
	      "DR7, which the SMI changes, is read again");
	check(guest_get(guest, 0, 0, VCPU_EVENTS)->events.nmi_masked, "NMIs are masked in SMM");
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(guest_is_done(&run) && !in_smm(guest, 0) &&
		      guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX] == 7,
	      "RSM returns to the interrupted code");
	check(!guest_get(guest, 0, 0, VCPU_EVENTS)->events.nmi_masked, "and unmasks NMIs");
}

static void test_smram(struct guest *guest, const uint8_t *smram)
{
	struct backend_run run;

	guest_start_with(guest, GUEST(g_load), SMRAM, 0);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MMIO && run.mmio.gpa == SMRAM,
	      "outside of SMM SMRAM is MMIO");
	guest_answer(guest, 0, &run, BACKEND_DONE);
	set_handler(guest, GUEST(s_load));
	run = smi(guest, GUEST(g_out), SMRAM, 0);
	check(is_out(&run, 0x11) && run.io.data[0] == (uint8_t)word(smram),
	      "in SMM SMRAM is memory");
	guest_answer(guest, 0, &run, BACKEND_DONE);
	guest_start(guest, 0, 1, GUEST(g_load));
	guest_edit(guest, 0, 1, VCPU_GPR)->gpr[GPR_RDI] = SMRAM;
	run = guest_run_on(guest, 0, 1);
	check(guest_is_done(&run) &&
		      (uint32_t)guest_get(guest, 0, 1, VCPU_GPR)->gpr[GPR_RAX] == word(smram),
	      "for VTL1 SMRAM is memory");
}

/* @at: the host's mapping of the page at @gpa, in RAM or in SMRAM. */
static void test_denied(struct guest *guest, uint64_t gpa, uint8_t *at, const char *what)
{
	struct backend_run run;

	memcpy(at, &pattern, sizeof(pattern));
	guest_protect(guest, gpa, 1, GPA_ALL & ~GPA_WRITE);
	set_handler(guest, GUEST(s_store));
	run = smi(guest, GUEST(g_out), gpa, 0x666);
	check(is_refused(guest, &run, gpa, GPA_WRITE) && word(at) == pattern,
	      "%s: a write in SMM is refused", what);
	set_handler(guest, GUEST(s_load));
	run = smi(guest, GUEST(g_out), gpa, 0);
	check(is_out(&run, 0x11) && run.io.data[0] == (uint8_t)pattern,
	      "%s: a read in SMM is permitted", what);
	guest_answer(guest, 0, &run, BACKEND_DONE);
	guest_protect(guest, gpa, 1, 0);
	run = smi(guest, GUEST(g_out), gpa, 0);
	check(is_refused(guest, &run, gpa, GPA_READ) &&
		      guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX] == 0,
	      "%s: a read in SMM is refused", what);
	guest_protect(guest, gpa, 1, GPA_ALL);
	run = guest_run_on(guest, 0, 0);
	check(is_out(&run, 0x11) && run.io.data[0] == (uint8_t)pattern,
	      "%s: a permitted read succeeds", what);
	guest_answer(guest, 0, &run, BACKEND_DONE);
}

static void test_denied_code(struct guest *guest)
{
	struct backend_run run;

	memcpy(guest->ram + FAR_CODE, guest_code + (GUEST(s_out) - CODE), 8);
	set_handler(guest, GUEST(s_call));
	guest_protect(guest, FAR_CODE, 1, 0);
	run = smi(guest, GUEST(g_out), 0, 0);
	check(is_refused(guest, &run, FAR_CODE, GPA_KERNEL_EXECUTE), "a fetch in SMM is refused");
	guest_protect(guest, FAR_CODE, 1, GPA_ALL);
	run = guest_run_on(guest, 0, 0);
	check(is_out(&run, 0x11), "permitted code is executed");
	guest_answer(guest, 0, &run, BACKEND_DONE);
}

static void test_open_instruction(struct guest *guest)
{
	struct backend_run run;

	set_handler(guest, GUEST(s_out));
	guest_start_with(guest, GUEST(g_mmio), 0xfee00300, 0);
	run = guest_run_on(guest, 0, 0);
	memset(run.mmio.data, 0x5a, sizeof(run.mmio.data));
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE);
	guest_edit(guest, 0, 0, VCPU_EVENTS)->events.smi_pending = true;
	run = guest_run_on(guest, 0, 0);
	check(is_out(&run, 0x11) &&
		      guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RBX] == 0x5a5a5a5a5a5a5a5a,
	      "an open instruction is completed before an SMI");
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(guest_is_done(&run), "and the code continues after it");
}

static void test_move(struct guest *guest)
{
	struct vcpu_state *state;
	struct vcpu_state from;
	struct backend_run run;

	set_handler(guest, GUEST(s_out));
	run = smi(guest, GUEST(g_out), 0, 9);
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE);
	from = *guest_get(guest, 0, 0, VCPU_GPR | VCPU_SYSTEM | VCPU_EVENTS | VCPU_SMM);
	state = guest_edit(guest, 1, 0, VCPU_GPR | VCPU_SYSTEM | VCPU_EVENTS | VCPU_SMM);
	memcpy(state->gpr, from.gpr, sizeof(state->gpr));
	memcpy(state->segment, from.segment, sizeof(state->segment));
	state->rip = from.rip;
	state->rflags = from.rflags;
	state->cr0 = from.cr0;
	state->cr3 = from.cr3;
	state->cr4 = from.cr4;
	state->efer = from.efer;
	state->events = from.events;
	state->smbase = from.smbase;
	run = guest_run_on(guest, 1, 0);
	check(guest_is_done(&run) && !in_smm(guest, 1) &&
		      guest_get(guest, 1, 0, VCPU_GPR)->gpr[GPR_RAX] == 9,
	      "another VP continues in SMM, and returns by RSM");
	guest_start(guest, 0, 0, GUEST(g_out));
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && !in_smm(guest, 0), "a reset ends SMM");
}

static void test_written(struct guest *guest, const uint8_t *smram)
{
	uint64_t bitmap[SMRAM_SIZE / 4096 / 64] = {0};
	struct backend_run run;

	set_handler(guest, GUEST(s_store));
	guest->ops->memory_dirty(guest->backend, &guest->map[1], bitmap);
	memset(bitmap, 0, sizeof(bitmap));
	run = smi(guest, GUEST(g_out), SMRAM + 0x3000, 0x777);
	guest_answer(guest, 0, &run, BACKEND_DONE);
	check(!guest->ops->memory_dirty(guest->backend, &guest->map[1], bitmap) && bitmap[0] == 8 &&
		      word(smram + 0x3000) == 0x777,
	      "writes in SMM are in the dirty log");
}

static void test_smbase(struct guest *guest)
{
	struct backend_run run;

	memcpy(guest->ram + 0x68000, guest_code + (GUEST(s_out) - CODE), 8);
	set_handler(guest, GUEST(g_wait));
	guest_start(guest, 0, 0, GUEST(g_out));
	guest_edit(guest, 0, 0, VCPU_SMM)->smbase = 0x60000;
	guest_edit(guest, 0, 0, VCPU_EVENTS)->events.smi_pending = true;
	run = guest_run_on(guest, 0, 0);
	check(is_out(&run, 0x11) &&
		      guest_get(guest, 0, 0, VCPU_SYSTEM)->segment[SEGMENT_CS].base == 0x60000 &&
		      guest_get(guest, 0, 0, VCPU_SMM)->smbase == 0x60000,
	      "SMBASE is a register of the VP");
	guest_answer(guest, 0, &run, BACKEND_DONE);
}

/* VTL1 denies the state save area while VTL0 is in SMM: RSM must load nothing from it. */
static void test_denied_return(struct guest *guest)
{
	struct backend_run run;

	set_handler(guest, GUEST(s_out));
	run = smi(guest, GUEST(g_out), 0, 5);
	guest_protect(guest, SAVE_AREA, 1, 0);
	run = guest_answer(guest, 0, &run, BACKEND_DONE);
	check(run.exit == BACKEND_EXIT_MEMORY || run.exit == BACKEND_EXIT_SHUTDOWN,
	      "RSM from a denied state save area is refused");
	guest_protect(guest, SAVE_AREA, 1, GPA_ALL);
	if (run.exit == BACKEND_EXIT_MEMORY)
		run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_SHUTDOWN, "and VTL0 shuts down");
}

/* The core delivers no SMI if the state save area is denied, so VTL1 must deny it at that moment. KVM then
 * ends the virtual machine. */
static void test_denied_save(struct guest *guest)
{
	uint8_t before[4096];
	struct backend_run run;

	memcpy(before, guest->ram + SAVE_AREA, sizeof(before));
	guest_protect(guest, SAVE_AREA, 1, GPA_ALL & ~GPA_WRITE);
	run = smi(guest, GUEST(g_out), 0, 5);
	check(run.exit == BACKEND_EXIT_ERROR || run.exit == BACKEND_EXIT_MEMORY,
	      "an SMI with a denied state save area stops the VP");
	printf("# exit %d\n", run.exit);
	check(!memcmp(before, guest->ram + SAVE_AREA, sizeof(before)), "and the area is unchanged");
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_ERROR && strstr(guest_error, "state save area of an SMI"),
	      "and the next entry fails with a message that names it");
}

static char logged[256];

static void keep_line(void *opaque, const struct vsm_log_record *record)
{
	(void)opaque;
	snprintf(logged, sizeof(logged), "%s", record->text);
}

/* The core requests no SMI of VTL1: this one only makes KVM end VTL1's virtual machine. */
static void test_end_of_vtl1(struct guest *guest)
{
	const struct gpa_range range = {.gpn = SAVE_AREA / 4096, .pages = 1};
	struct backend_run run;

	guest->ops->protect(guest->backend, 1, &range, 1, GPA_ALL & ~GPA_WRITE);
	guest_start(guest, 0, 1, GUEST(g_out));
	guest_edit(guest, 0, 1, VCPU_EVENTS)->events.smi_pending = true;
	run = guest_run_on(guest, 0, 1);
	check(run.exit == BACKEND_EXIT_ERROR && strstr(guest_error, "VTL1: KVM_RUN: ") &&
		      !strstr(guest_error, "SMI"),
	      "an end of VTL1's virtual machine is not attributed to an SMI");
}

static void test_engines(void)
{
	static const uint8_t engine[] = {VSM_ENGINE_ATTR, VSM_ENGINE_NESTED};
	const struct vsm_log log = {.fn = keep_line, .max_level = VSM_LOG_ERROR};

	for (size_t i = 0; i < sizeof(engine); i++) {
		const struct vkvm_options options = {.engine = engine[i]};
		const struct backend_config config = {.log = &log,
						      .vp_count = 1,
						      .vtl_count = 2,
						      .smm = true,
						      .options = &options};
		struct backend_features features;
		void *backend;

		logged[0] = '\0';
		check(vkvm_ops.create(&config, &backend, &features) == -ENOTSUP &&
			      strstr(logged, "System Management Mode needs engine uffd"),
		      "engine %s refuses SMM", i ? "nested" : "attr");
	}
}

int main(void)
{
	struct guest guest;
	uint8_t *smram;

	setvbuf(stdout, NULL, _IOLBF, 0);
	test_engines();
	if (guest_create_smm(&guest, 2, 2, 8 * MIB)) {
		check_skipped("System Management Mode", "this KVM has no SMM");
		return checks_end();
	}
	if (guest_memory_add_as(&guest, SMRAM, SMRAM_SIZE,
				(struct backend_memory){.smm = true, .log = true}, &smram))
		return 1;
	memcpy(smram, &pattern, sizeof(pattern));
	test_entry_and_return(&guest);
	test_smram(&guest, smram);
	test_denied(&guest, DATA + 0x3000, guest.ram + DATA + 0x3000, "RAM");
	test_denied(&guest, SMRAM + 0x5000, smram + 0x5000, "SMRAM");
	test_denied_code(&guest);
	test_open_instruction(&guest);
	test_move(&guest);
	test_written(&guest, smram);
	test_smbase(&guest);
	test_denied_return(&guest);
	test_denied_save(&guest);
	test_end_of_vtl1(&guest);
	guest_destroy(&guest);
	return checks_end();
}
