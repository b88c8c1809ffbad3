/* SPDX-License-Identifier: BSD-2-Clause */
/* Run it in the rig; the limits are for counted instructions (--icount --cpus 1). */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vsm/vsm.h>

#include "kvm_guest.h"
#include "bench.h"

#define RAM		(256 * MIB)
#define AREA		(64 * MIB)
#define AREA_PAGES	32768u
#define VPS		4u
#define VP_PAGES	8192u /* written by each VP */
#define BUSY_ITERATIONS 20000u
#define ROUNDS		5u
#define ONE_IN		100u
#define HIDDEN_PAGE	(AREA - 4096)

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end, g_exits, g_store, g_touch, g_busy, g_cpuid\n"
	"guest_code:\n"
	"g_exits: out %al, $0x7e; jmp g_exits\n"
	"g_store: mov %rax, (%rdi); out %al, $0x10\n"
	"g_touch: movb $1, (%rdi); add $4096, %rdi; dec %rcx; jnz g_touch; out %al, $0x10\n"
	"g_busy: imul $0x19660d, %eax, %eax; add $0x3c6ef35f, %eax; mov %rax, %rbx; and %rdx, "
	"%rbx\n"
	"incq (%rdi,%rbx); dec %rcx; jnz g_busy; out %al, $0x10\n"
	"g_cpuid: cpuid; out %al, $0x7e; xor %eax, %eax; jmp g_cpuid\n"
	"guest_code_end:\n"
	".popsection");

static void protect(struct guest *guest, uint64_t gpa, uint64_t pages, uint8_t access)
{
	bench_require(!guest_protect(guest, gpa, pages, access), "protect");
}

static void exits(struct guest *guest, uint8_t vtl, uint64_t n)
{
	while (n--) {
		struct backend_run run = guest_run_on(guest, 0, vtl);

		bench_require(run.exit == BACKEND_EXIT_HYPERCALL, "an exit");
		guest_edit(guest, 0, vtl, VCPU_GPR)->rip += run.length;
	}
}

static void nested_exits(void *opaque, uint64_t n)
{
	exits(opaque, 0, n);
}

static void plain_exits(void *opaque, uint64_t n)
{
	exits(opaque, 1, n);
}

static void violations(void *opaque, uint64_t n)
{
	while (n--)
		bench_require(guest_run_on(opaque, 0, 0).exit == BACKEND_EXIT_MEMORY,
			      "a violation");
}

/* VTL0 is restricted; VTL1 is not, so it runs on a plain vCPU. */
static void bench_exits(struct bench *bench, struct guest *guest)
{
	protect(guest, HIDDEN_PAGE, 1, GPA_READ);
	guest_start(guest, 0, 0, GUEST(g_exits));
	guest_start(guest, 0, 1, GUEST(g_exits));
	bench_against(bench, "nested.exit", nested_exits, plain_exits, guest, 1.05);
	guest_start_with(guest, GUEST(g_store), HIDDEN_PAGE, 0);
	bench_against(bench, "nested.violation", violations, plain_exits, guest, 3.5);
	guest_start(guest, 0, 0, GUEST(g_cpuid));
	guest_start(guest, 0, 1, GUEST(g_cpuid));
	bench_against(bench, "nested.cpuid+exit", nested_exits, plain_exits, guest, 0);
}

static double busy(struct guest *guest, uint8_t vtl)
{
	struct vcpu_state *state;
	double best = 1e18;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		double begin;

		guest_start(guest, 0, vtl, GUEST(g_busy));
		state = guest_edit(guest, 0, vtl, VCPU_GPR);
		state->gpr[GPR_RCX] = BUSY_ITERATIONS;
		state->gpr[GPR_RDI] = AREA;
		state->gpr[GPR_RDX] = AREA_PAGES * 4096ull - 8;
		begin = bench_now();
		bench_require(guest_run_on(guest, 0, vtl).exit == BACKEND_EXIT_IO,
			      "the busy guest");
		if (bench_now() - begin < best)
			best = bench_now() - begin;
	}
	return best / BUSY_ITERATIONS;
}

static double touch(struct guest *guest, uint32_t vp, uint8_t vtl, uint64_t gpa, uint64_t pages)
{
	double begin = bench_now();
	struct vcpu_state *state;

	guest_start(guest, vp, vtl, GUEST(g_touch));
	state = guest_edit(guest, vp, vtl, VCPU_GPR);
	state->gpr[GPR_RDI] = gpa;
	state->gpr[GPR_RCX] = pages;
	bench_require(guest_run_on(guest, vp, vtl).exit == BACKEND_EXIT_IO, "touching memory");
	return bench_now() - begin;
}

/* One page in a hundred may not be executed. */
static void bench_busy(struct bench *bench, struct guest *guest)
{
	double floor;

	for (uint64_t page = 0; page < AREA_PAGES; page += ONE_IN)
		protect(guest, AREA + page * 4096, 1, GPA_READ | GPA_WRITE);
	touch(guest, 0, 0, AREA, AREA_PAGES);
	touch(guest, 0, 1, AREA, AREA_PAGES);
	floor = busy(guest, 1);
	bench_figure(bench, "nested.busy.1percent", busy(guest, 0), "ns", floor, 1.03);
}

struct toucher {
	struct guest *guest;
	uint32_t vp;
	pthread_t thread;
};

static void *touch_all(void *opaque)
{
	const struct toucher *toucher = opaque;

	touch(toucher->guest, toucher->vp, 0, AREA + toucher->vp * VP_PAGES * 4096ull, VP_PAGES);
	return NULL;
}

/*
 * Removing rights removes KVM's mappings. A restricted page in each 2 MiB makes new mappings be of
 * single pages.
 */
static void unmap(struct guest *guest)
{
	protect(guest, AREA, AREA_PAGES, GPA_READ);
	protect(guest, AREA, AREA_PAGES, GPA_ALL);
	for (uint64_t page = 0; page < AREA_PAGES; page += 512)
		protect(guest, AREA + page * 4096, 1, GPA_READ | GPA_WRITE);
}

static double touch_by(struct guest *guest, uint32_t vps)
{
	struct toucher toucher[VPS];
	double begin;

	unmap(guest);
	begin = bench_now();
	for (uint32_t vp = 0; vp < vps; vp++) {
		toucher[vp] = (struct toucher){.guest = guest, .vp = vp};
		bench_require(!pthread_create(&toucher[vp].thread, NULL, touch_all, &toucher[vp]),
			      "a thread");
	}
	for (uint32_t vp = 0; vp < vps; vp++)
		pthread_join(toucher[vp].thread, NULL);
	return (bench_now() - begin) / vps / VP_PAGES;
}

/* Needs a CPU for each VP. Counted instructions do not include waits for mmu_lock. */
static void bench_faults(struct bench *bench, struct guest *guest)
{
	double best[2] = {1e18, 1e18};

	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int i = 0; i < 2; i++) {
			const double ns = touch_by(guest, i ? VPS : 1);

			best[i] = ns < best[i] ? ns : best[i];
		}
	bench_figure(bench, "nested.touch.1vp", best[0], "ns", 0, 0);
	bench_figure(bench, "nested.touch.4vps", best[1], "ns", best[0], 0);
}

static double meminfo(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "r");
	const size_t length = strlen(name);
	char line[128];
	double kib = 0;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, length) && line[length] == ':')
			kib = atof(line + length + 1);
	if (file)
		fclose(file);
	return kib;
}

/* The worst case: every second page restricted, all mapped. */
static void bench_memory(struct bench *bench, struct guest *guest)
{
	const double gib = (double)AREA_PAGES * 4096 / (1024.0 * 1024 * 1024);
	const double shadows = meminfo("SecPageTables");
	const double tables = meminfo("Shmem");

	for (uint64_t page = 0; page < AREA_PAGES; page += 2)
		protect(guest, AREA + page * 4096, 1, GPA_READ | GPA_WRITE);
	touch(guest, 0, 0, AREA, AREA_PAGES);
	bench_figure(bench, "nested.memory.kvm", (meminfo("SecPageTables") - shadows) / gib,
		     "KiB/GiB", 0, 0);
	bench_figure(bench, "nested.memory.tables", (meminfo("Shmem") - tables) / gib, "KiB/GiB", 0,
		     0);
}

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);
	struct guest guest;

	if (guest_create_with(&guest, VSM_ENGINE_NESTED, 2, VPS, RAM)) {
		bench_skip(&bench, "nested", "this host's KVM cannot");
		return bench_end(&bench);
	}
	memset(guest.ram + AREA, 1, AREA_PAGES * 4096ull);
	bench_memory(&bench, &guest);
	unmap(&guest);
	bench_exits(&bench, &guest);
	bench_busy(&bench, &guest);
	bench_faults(&bench, &guest);
	guest_destroy(&guest);
	return bench_end(&bench);
}
