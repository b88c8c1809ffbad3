/* SPDX-License-Identifier: BSD-2-Clause */
#include "kvm_guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/memory/map_file.h"
#include "core/x64.h"
#include "engine.h"
#include "tap.h"

unsigned int guest_refusals;
bool guest_quiet;
char guest_error[512];

static void log_to_stdout(void *opaque, const struct vsm_log_record *record)
{
	guest_refusals += strstr(record->text, "refuses") != NULL;
	if (record->level == VSM_LOG_ERROR)
		snprintf(guest_error, sizeof(guest_error), "%s", record->text);
	if (!guest_quiet)
		tap_log(opaque, record);
}

static const struct vsm_log log_to_tap = {.fn = log_to_stdout, .max_level = VSM_LOG_DEBUG};

static void must(int error, const char *what)
{
	if (!error)
		return;
	printf("Bail out! %s: %s\n", what, strerror(-error));
	exit(1);
}

static void put64(struct guest *guest, uint64_t gpa, uint64_t value)
{
	memcpy(guest->ram + gpa, &value, sizeof(value));
}

static void make_page_tables(struct guest *guest)
{
	const uint64_t pdpt = PAGE_TABLES + 0x1000;
	const uint64_t low = PAGE_TABLES + 0x2000;
	const uint64_t high = 0x9000;

	put64(guest, PAGE_TABLES, pdpt | 7);
	put64(guest, pdpt, low | 7);
	put64(guest, pdpt + 3 * 8, high | 7);
	for (uint64_t i = 0; i < 512; i++) {
		put64(guest, low + i * 8, i << 21 | 0xe7);
		put64(guest, high + i * 8, (UINT64_C(0xc0000000) + (i << 21)) | 0xe7);
		put64(guest, PAGE_TABLE_4M + i * 8, (DATA + (i << 12)) | 0x67);
	}
	put64(guest, low + 2 * 8, PAGE_TABLE_4M | 0x67);
}

static void make_descriptors(struct guest *guest)
{
	static const uint64_t gdt[] = {0,
				       0x00af9b000000ffff,
				       0x00cf93000000ffff,
				       0x00affb000000ffff,
				       0x00cff3000000ffff,
				       0x00008b0000000067 | (uint64_t)TSS << 16,
				       0};
	/* out PORT_TRAP, al; hlt; jmp back */
	static const uint8_t common[] = {0xe6, PORT_TRAP, 0xf4, 0xeb, 0xfb};
	const uint64_t target = STUBS + 0x1100;

	memcpy(guest->ram + GDT, gdt, sizeof(gdt));
	put64(guest, TSS + 4, STACK);
	for (unsigned int vector = 0; vector < 256; vector++) {
		uint64_t stub = STUBS + vector * 16;
		uint32_t jump = (uint32_t)(target - (stub + 10));
		uint8_t *code = guest->ram + stub;

		code[0] = 0x68; /* push vector; jmp common */
		memcpy(code + 1, &vector, 4);
		code[5] = 0xe9;
		memcpy(code + 6, &jump, 4);
		put64(guest, IDT + vector * 16,
		      (stub & 0xffff) | UINT64_C(8) << 16 | UINT64_C(0xee00) << 32 |
			      (stub >> 16) << 48);
		put64(guest, IDT + vector * 16 + 8, stub >> 32);
	}
	memcpy(guest->ram + target, common, sizeof(common));
	memcpy(guest->ram + CODE, guest_code, (size_t)(guest_code_end - guest_code));
}

static int create(struct guest *guest, uint8_t engine, bool smm, uint8_t vtls, uint32_t vps,
		  uint64_t ram_size)
{
	const struct vkvm_options options = {.engine = engine};
	const struct backend_config config = {.log = &log_to_tap,
					      .vp_count = vps,
					      .vtl_count = vtls,
					      .smm = smm,
					      .options = &options};
	int error;

	*guest = (struct guest){
		.ops = &vkvm_ops, .ram_size = ram_size, .vtl_count = vtls, .vp_count = vps};
	error = vkvm_ops.create(&config, &guest->backend, &guest->features);
	if (error)
		return error;
	must(guest_memory_add(guest, 0, ram_size, &guest->ram), "memory");
	make_page_tables(guest);
	make_descriptors(guest);
	for (uint32_t vp = 0; vp < vps; vp++)
		must(vkvm_ops.vp_create(guest->backend, vp, vp, NULL, 0, &guest->vp[vp],
					&guest->state[vp]),
		     "vp_create");
	return 0;
}

int guest_create_with(struct guest *guest, uint8_t engine, uint8_t vtls, uint32_t vps,
		      uint64_t ram_size)
{
	return create(guest, engine, false, vtls, vps, ram_size);
}

int guest_create_smm(struct guest *guest, uint8_t vtls, uint32_t vps, uint64_t ram_size)
{
	return create(guest, VSM_ENGINE_UFFD, true, vtls, vps, ram_size);
}

void guest_create(struct guest *guest, uint8_t vtls, uint32_t vps, uint64_t ram_size)
{
	must(guest_create_with(guest, test_engine(), vtls, vps, ram_size), "create");
}

void guest_destroy(struct guest *guest)
{
	for (uint32_t vp = 0; vp < guest->vp_count; vp++)
		vkvm_ops.vp_destroy(guest->vp[vp]);
	vkvm_ops.destroy(guest->backend);
	while (guest->files) {
		const struct backend_file *file = &guest->file[--guest->files];

		munmap(file->host, file->pages * 4096);
		close(file->fd);
	}
}

int guest_memory_add(struct guest *guest, uint64_t gpa, uint64_t size, uint8_t **host)
{
	return guest_memory_add_as(guest, gpa, size, (struct backend_memory){0}, host);
}

int guest_memory_add_as(struct guest *guest, uint64_t gpa, uint64_t size, struct backend_memory as,
			uint8_t **host)
{
	struct backend_file *file = &guest->file[guest->files];
	struct backend_memory *memory = &guest->map[guest->files];
	const uint64_t offset = gpa % (2 << 20);
	int error;

	*file = (struct backend_file){
		.fd = memfd_create("guest", MFD_CLOEXEC),
		.pages = (offset + size) / 4096,
	};
	must(ftruncate(file->fd, (off_t)(offset + size)), "ftruncate");
	file->host = map_file(file->fd, 0, offset + size, 0);
	must(!file->host, "map_file");
	*memory = as;
	memory->gpn = gpa / 4096;
	memory->pages = size / 4096;
	memory->file = file;
	memory->page = offset / 4096;
	guest->files++;
	guest->ops->hold(guest->backend);
	error = guest->ops->memory_set(guest->backend, guest->map, guest->files, NULL, 0);
	guest->ops->release(guest->backend);
	*host = file->host + offset;
	if (!error)
		return 0;
	guest->files--;
	munmap(file->host, offset + size);
	close(file->fd);
	return error;
}

int guest_memory_remove(struct guest *guest)
{
	const struct backend_file *file = &guest->file[--guest->files];
	const struct backend_memory *memory = &guest->map[guest->files];
	const struct gpa_range gone = {.gpn = memory->gpn, .pages = memory->pages};
	int error;

	guest->ops->hold(guest->backend);
	error = guest->ops->memory_set(guest->backend, guest->map, guest->files, &gone, 1);
	guest->ops->release(guest->backend);
	munmap(file->host, file->pages * 4096);
	close(file->fd);
	return error;
}

const struct vcpu_state *guest_get(struct guest *guest, uint32_t vp, uint8_t vtl, uint32_t groups)
{
	struct vcpu_state *state = &guest->state[vp][vtl];
	uint32_t missing = groups & ~state->valid;

	if (missing)
		must(vkvm_ops.vp_load(guest->vp[vp], vtl, missing), "vp_load");
	return state;
}

struct vcpu_state *guest_edit(struct guest *guest, uint32_t vp, uint8_t vtl, uint32_t groups)
{
	struct vcpu_state *state = &guest->state[vp][vtl];

	guest_get(guest, vp, vtl, groups);
	state->dirty |= groups;
	return state;
}

void guest_start(struct guest *guest, uint32_t vp, uint8_t vtl, uint64_t rip)
{
	struct vcpu_state *state = guest_edit(guest, vp, vtl, VCPU_ALL);
	const struct hv_x64_segment_register data = {
		.limit = 0xffffffff, .selector = 0x10, .attributes = 0xc093};

	memset(state->gpr, 0, sizeof(state->gpr));
	state->gpr[GPR_RSP] = STACK;
	state->rip = rip;
	state->rflags = 2;
	state->cr0 = 0x80050033;
	state->cr2 = 0;
	state->cr3 = PAGE_TABLES;
	state->cr4 = 0x620 | (guest->features.cr4_valid & X64_CR4_OSXSAVE);
	state->efer = 0xd01;
	for (unsigned int i = 0; i < SEGMENT_COUNT; i++)
		state->segment[i] = data;
	state->segment[SEGMENT_CS] = (struct hv_x64_segment_register){
		.limit = 0xffffffff, .selector = 8, .attributes = 0xa09b};
	state->segment[SEGMENT_TR] = (struct hv_x64_segment_register){
		.base = TSS, .limit = 0x67, .selector = 0x28, .attributes = 0x8b};
	state->segment[SEGMENT_LDTR] = (struct hv_x64_segment_register){.attributes = 0};
	state->gdtr.base = GDT;
	state->gdtr.limit = 0x37;
	state->idtr.base = IDT;
	state->idtr.limit = 0xfff;
	memset(state->dr, 0, sizeof(state->dr));
	state->dr6 = X64_DR6_RESET;
	state->dr7 = X64_DR7_RESET;
	memset(state->xsave, 0, state->xsave_size);
	state->xsave[X64_XSAVE_FCW] = (uint8_t)X64_FCW_INIT;
	state->xsave[X64_XSAVE_FCW + 1] = (uint8_t)(X64_FCW_INIT >> 8);
	state->xsave[X64_XSAVE_MXCSR] = (uint8_t)X64_MXCSR_RESET;
	state->xsave[X64_XSAVE_MXCSR + 1] = (uint8_t)(X64_MXCSR_RESET >> 8);
	state->xcr0 = 1;
	memset(state->msr, 0, sizeof(state->msr));
	state->msr[VCPU_MSR_PAT] = X64_PAT_RESET;
	state->events = (struct vcpu_events){0};
}

struct backend_run guest_run(struct guest *guest, uint32_t vp, uint8_t vtl)
{
	struct backend_run run;

	/* The backend must set each output of the exit. */
	memset(&run, 1, sizeof(run));
	run.vtl = vtl;
	run.cr8 = 0;
	run.apic_enabled = true;
	run.interrupt_window = false;
	run.mbec = false;
	run.inject = -1;
	run.deadline = UINT64_MAX;
	must(vkvm_ops.vp_run(guest->vp[vp], &run), "vp_run");
	return run;
}

struct backend_run guest_run_on(struct guest *guest, uint32_t vp, uint8_t vtl)
{
	struct backend_run run;

	do {
		run = guest_run(guest, vp, vtl);
	} while (run.exit == BACKEND_EXIT_INTERRUPTED);
	return run;
}

struct backend_run guest_answer(struct guest *guest, uint32_t vp, struct backend_run *run,
				enum backend_answer answer)
{
	int error = vkvm_ops.vp_answer(guest->vp[vp], run, answer);

	if (error)
		printf("# exit %d cannot be answered\n", run->exit);
	must(error, "vp_answer");
	return guest_run_on(guest, vp, run->vtl);
}

uint64_t guest_rip(struct guest *guest, uint8_t vtl)
{
	return guest_get(guest, 0, vtl, VCPU_GPR)->rip;
}

uint64_t guest_word(const struct guest *guest, uint64_t gpa)
{
	uint64_t value;

	memcpy(&value, guest->ram + gpa, sizeof(value));
	return value;
}

int guest_protect(struct guest *guest, uint64_t gpa, uint64_t pages, uint8_t access)
{
	const struct gpa_range range = {.gpn = gpa / 4096, .pages = pages};

	return guest->ops->protect(guest->backend, 0, &range, 1, access);
}

bool guest_denies_every_right(struct guest *guest)
{
	/* mov (%rdi), %rax; mov %rax, (%rdi) */
	static const uint8_t code[] = {0x48, 0x8b, 0x07, 0x48, 0x89, 0x07};
	const uint64_t page = DATA + 0x1f0000, at = page + 0x1000;
	const struct {
		uint8_t rights, access;
		uint64_t rip;
	} cases[] = {{0, GPA_READ, at},
		     {GPA_READ | GPA_EXECUTE, GPA_WRITE, at + 3},
		     {GPA_READ | GPA_WRITE, GPA_KERNEL_EXECUTE, page}};
	bool denied = true;

	memcpy(guest->ram + at, code, sizeof(code));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct backend_run run;

		denied &= !guest_protect(guest, page, 1, cases[i].rights);
		guest_start_with(guest, cases[i].rip, page, 0);
		run = guest_run_on(guest, 0, 0);
		denied &= run.exit == BACKEND_EXIT_MEMORY && run.memory.gpa == page &&
			  run.memory.access == cases[i].access;
	}
	return !guest_protect(guest, page, 1, GPA_ALL) && denied;
}

struct backend_run guest_run_msr(struct guest *guest, uint64_t rip, uint32_t msr, uint64_t value)
{
	struct vcpu_state *state = guest_start_with(guest, rip, 0, (uint32_t)value);

	state->gpr[GPR_RCX] = msr;
	state->gpr[GPR_RDX] = value >> 32;
	return guest_run_on(guest, 0, 0);
}

int guest_trap(struct guest *guest, uint32_t vp, const struct backend_run *run, uint64_t frame[6])
{
	uint64_t vector;
	uint64_t rsp;

	if (run->exit != BACKEND_EXIT_IO || run->io.port != PORT_TRAP)
		return -1;
	rsp = guest_get(guest, vp, run->vtl, VCPU_GPR)->gpr[GPR_RSP];
	memcpy(&vector, guest->ram + rsp, sizeof(vector));
	memcpy(frame, guest->ram + rsp + 8, 6 * sizeof(frame[0]));
	return (int)vector;
}

bool guest_is_done(const struct backend_run *run)
{
	return run->exit == BACKEND_EXIT_IO && run->io.port == PORT_DONE && run->io.write;
}

struct vcpu_state *guest_start_with(struct guest *guest, uint64_t rip, uint64_t rdi, uint64_t rax)
{
	struct vcpu_state *state;

	guest_start(guest, 0, 0, rip);
	state = guest_edit(guest, 0, 0, VCPU_GPR);
	state->gpr[GPR_RDI] = rdi;
	state->gpr[GPR_RAX] = rax;
	return state;
}
