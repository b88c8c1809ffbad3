/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares the engines in one boot. Run it in the rig with the modules of kernel/ and 2 GiB of
 * memory.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vsm/vsm.h>

#include "kvm_guest.h"
#include "bench.h"

#define RAM	   (832 * MIB)
#define AREA	   (256 * MIB) /* GPA of the protected range */
#define AREA_PAGES 65536u
#define TEXT	   (64 * MIB)
#define TEXT_PAGES 2048u
#define DATA_GPA   (256 * MIB)
#define DATA_PAGES 131072u
#define LIST	   510u /* pages that fit in one input page */
#define ROUNDS	   5u
/* WARM_ITERATIONS touch most pages; a measurement is shorter than a time slice of the host. */
#define WARM_ITERATIONS 400000u
#define BUSY_ITERATIONS 4000u
#define BUSY_TIMES	100u

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end, g_exits, g_store, g_touch, g_busy, g_function\n"
	"guest_code:\n"
	"g_exits: out %al, $0x7e; jmp g_exits\n"
	"g_store: mov %rax, (%rdi); out %al, $0x10\n"
	"g_touch: movb $1, (%rdi); add $4096, %rdi; dec %rcx; jnz g_touch; out %al, $0x10\n"
	/* RCX times: changes a random word of the data at RSI (mask RDX), calls code at RDI. */
	"g_busy: mov %rax, %rbx; shl $13, %rbx; xor %rbx, %rax\n"
	"mov %rax, %rbx; shr $7, %rbx; xor %rbx, %rax\n"
	"mov %rax, %rbx; shl $17, %rbx; xor %rbx, %rax\n"
	"mov %rax, %rbx; and %rdx, %rbx; incq (%rsi,%rbx)\n"
	"mov %rax, %rbx; shr $20, %rbx; and $0x7ff, %ebx; shl $12, %rbx; add %rdi, %rbx; call "
	"*%rbx\n"
	"dec %rcx; jnz g_busy; out %al, $0x10\n"
	"g_function: lea 1(%r8), %r8; ret\n"
	"guest_code_end:\n"
	".popsection");

struct engine_under_test {
	const char *name;
	uint8_t engine;
	bool there;
	struct guest guest;
};

enum {
	UFFD,
	NESTED,
	ATTR,
};

static struct engine_under_test engines[] = {
	[UFFD] = {.name = "uffd", .engine = VSM_ENGINE_UFFD},
	[NESTED] = {.name = "nested", .engine = VSM_ENGINE_NESTED},
	[ATTR] = {.name = "attr", .engine = VSM_ENGINE_ATTR},
};

#define ENGINES (sizeof(engines) / sizeof(engines[0]))

struct pages {
	const char *name;
	uint32_t count; /* ranges */
	uint64_t each;	/* pages of a range */
	uint64_t stride;
};

static const struct pages sizes[] = {
	{"1", 1, 1, 1},
	{"512", 1, 512, 512},
	{"65536", 1, AREA_PAGES, AREA_PAGES},
	{"510.scattered", LIST, 1, 3},
};

/* Lets KVM map each page writable. */
static void touch(struct guest *guest, const struct pages *pages)
{
	struct vcpu_state *state = guest_start_with(guest, GUEST(g_touch), AREA, 0);

	state->gpr[GPR_RCX] = pages->count * pages->stride;
	bench_require(guest_run_on(guest, 0, 0).exit == BACKEND_EXIT_IO, "touching memory");
}

static void fill(const struct pages *pages, struct gpa_range *ranges)
{
	for (uint32_t i = 0; i < pages->count; i++)
		ranges[i] = (struct gpa_range){.gpn = AREA / 4096 + i * pages->stride,
					       .pages = pages->each};
}

static double change(struct guest *guest, const struct gpa_range *ranges, size_t count,
		     uint8_t access)
{
	double begin = bench_now();

	bench_require(!guest->ops->protect(guest->backend, 0, ranges, count, access), "protect");
	return bench_now() - begin;
}

/* Nanoseconds to set, and to clear. */
static void measure(struct guest *guest, const struct pages *pages, bool mapped, double best[2])
{
	struct gpa_range ranges[LIST];

	fill(pages, ranges);
	best[0] = best[1] = 1e18;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		double set;
		double clear;

		if (mapped)
			touch(guest, pages);
		set = change(guest, ranges, pages->count, GPA_ALL & ~GPA_WRITE);
		clear = change(guest, ranges, pages->count, GPA_ALL);
		best[0] = set < best[0] ? set : best[0];
		best[1] = clear < best[1] ? clear : best[1];
	}
}

/* The figures of engine uffd are the floor of the others. */
static void bench_changes(struct bench *bench, bool mapped)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		double floor[2] = {0, 0};

		for (size_t k = 0; k < ENGINES; k++) {
			double ns[2];
			char name[64];

			if (!engines[k].there)
				continue;
			measure(&engines[k].guest, &sizes[i], mapped, ns);
			for (unsigned int clear = 0; clear < 2; clear++) {
				snprintf(name, sizeof(name), "%s.%s.%s%s", engines[k].name,
					 clear ? "clear" : "set", sizes[i].name,
					 mapped ? ".mapped" : "");
				bench_figure(bench, name, ns[clear], "ns", floor[clear], 0);
				if (k == UFFD)
					floor[clear] = ns[clear];
			}
		}
	}
}

static void violations(void *opaque, uint64_t n)
{
	struct guest *guest = opaque;

	while (n--)
		bench_require(guest_run_on(guest, 0, 0).exit == BACKEND_EXIT_MEMORY, "a violation");
}

static void backend_exits(void *opaque, uint64_t n)
{
	struct guest *guest = opaque;

	while (n--) {
		struct backend_run run = guest_run_on(guest, 0, 1);

		bench_require(run.exit == BACKEND_EXIT_HYPERCALL, "an exit");
		guest_edit(guest, 0, 1, VCPU_GPR)->rip += run.length;
	}
}

/* VTL0 repeats a denied store; VTL1 only exits. */
static void prepare_violation(struct guest *guest)
{
	bench_require(!guest_protect(guest, AREA, 1, GPA_ALL & ~GPA_WRITE), "protect");
	guest_start_with(guest, GUEST(g_store), AREA, 0);
	guest_start(guest, 0, 1, GUEST(g_exits));
	guest_run_on(guest, 0, 0);
	guest_run_on(guest, 0, 1);
}

static void bench_violations(struct bench *bench)
{
	char name[64];

	for (size_t k = 0; k < ENGINES; k++) {
		struct guest *guest = &engines[k].guest;

		if (!engines[k].there)
			continue;
		prepare_violation(guest);
		snprintf(name, sizeof(name), "%s.violation.backend", engines[k].name);
		bench_against(bench, name, violations, backend_exits, guest, 0);
		bench_require(!guest_protect(guest, AREA, 1, GPA_ALL), "unprotect");
	}
}

/* *@random: the state of the guest's generator, not 0. */
static double busy(struct guest *guest, uint64_t iterations, uint64_t *random)
{
	struct vcpu_state *state = guest_start_with(guest, GUEST(g_busy), TEXT, *random);
	double begin;

	state->gpr[GPR_RCX] = iterations;
	state->gpr[GPR_RSI] = DATA_GPA;
	state->gpr[GPR_RDX] = DATA_PAGES * 4096ull - 8;
	begin = bench_now();
	bench_require(guest_run_on(guest, 0, 0).exit == BACKEND_EXIT_IO, "the busy guest");
	begin = bench_now() - begin;
	*random = guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX];
	return begin;
}

/* Code without write and data without execute access, as under HVCI. */
static void bench_busy(struct bench *bench)
{
	struct guest *guest = &engines[ATTR].guest;
	const struct gpa_range text = {.gpn = TEXT / 4096, .pages = TEXT_PAGES};
	const struct gpa_range data = {.gpn = DATA_GPA / 4096, .pages = DATA_PAGES};
	uint64_t random = 0x9e3779b97f4a7c15;
	double best[2] = {1e18, 1e18};

	if (!engines[ATTR].there) {
		bench_skip(bench, "attr.busy", "this KVM cannot deny execution alone");
		return;
	}
	for (uint64_t page = 0; page < TEXT_PAGES; page++)
		memcpy(guest->ram + TEXT + page * 4096, guest->ram + GUEST(g_function), 8);
	memset(guest->ram + DATA_GPA, 1, DATA_PAGES * 4096ull);
	for (unsigned int round = 0; round < 2 * ROUNDS; round++) {
		bool on = round & 1;
		change(guest, &text, 1, on ? GPA_READ | GPA_EXECUTE : GPA_ALL);
		change(guest, &data, 1, on ? GPA_READ | GPA_WRITE : GPA_ALL);
		busy(guest, WARM_ITERATIONS, &random);
		for (unsigned int i = 0; i < BUSY_TIMES; i++) {
			const double ns = busy(guest, BUSY_ITERATIONS, &random) / BUSY_ITERATIONS;

			best[on] = ns < best[on] ? ns : best[on];
		}
	}
	bench_figure(bench, "attr.busy.512mib", best[1], "ns", best[0], 0);
}

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);

	for (size_t k = 0; k < ENGINES; k++) {
		engines[k].there =
			!guest_create_with(&engines[k].guest, engines[k].engine, 2, 1,
					   k == ATTR ? RAM : AREA + AREA_PAGES * 4096ull);
		if (!engines[k].there)
			bench_skip(&bench, engines[k].name, "not on this host");
		else
			memset(engines[k].guest.ram + AREA, 1, AREA_PAGES * 4096ull);
	}
	bench_changes(&bench, false);
	bench_changes(&bench, true);
	bench_busy(&bench);
	bench_violations(&bench);
	for (size_t k = 0; k < ENGINES; k++)
		if (engines[k].there)
			guest_destroy(&engines[k].guest);
	return bench_end(&bench);
}
