/* SPDX-License-Identifier: BSD-2-Clause */
/* The floor is the dependent loads, without checks. */
#include <vsm/walk.h>

#include "bench.h"
#include "walk_kvm.h"

enum {
	PAGE = 4096,
	PAGES = 512, /* mapped from GVA 0 on: one full page table */
	RAM = 8 * PAGE,
	PML4 = 1 * PAGE,
	PDPT = 2 * PAGE,
	PD = 3 * PAGE,
	PT = 4 * PAGE,
	BARE = 0x3, /* present and writable */
	ACCESSED = 0x20,
	DIRTY = 0x40,
};

struct world {
	char *ram;
	struct vsm_walk_direct direct;
	struct vsm_walk_memory memory;
	struct vsm_walk_context context;
	struct raw_kvm kvm;
};

static uint64_t *table(const struct world *world, uint64_t gpa)
{
	return (uint64_t *)(world->ram + gpa);
}

static void set_leaves(const struct world *world, uint64_t bits)
{
	for (uint64_t i = 0; i < PAGES; i++)
		table(world, PT)[i] = (i * PAGE) | BARE | bits;
}

static struct world make_world(void)
{
	static char ram[RAM] __attribute__((aligned(PAGE)));
	struct world world = {
		.ram = ram,
		.direct = {.gpa = 0, .size = RAM, .host = ram},
		.context = {.cr0 = 0x80010001,
			    .cr3 = PML4,
			    .cr4 = 0x3000a0,
			    .efer = 0xd00,
			    .pat = 0x0007040600070406,
			    .max_phys_addr = 46,
			    .cpu = VSM_WALK_CPU_PAGE1GB},
	};

	table(&world, PML4)[0] = PDPT | BARE | ACCESSED;
	table(&world, PDPT)[0] = PD | BARE | ACCESSED;
	table(&world, PD)[0] = PT | BARE | ACCESSED;
	set_leaves(&world, ACCESSED | DIRTY);
	return world;
}

/*
 * As in code that follows pointers. The added value and the upper indices are 0, but must be opaque
 * to the compiler: otherwise walks would overlap.
 */
static uint64_t next(uint64_t gva, uint64_t gpa)
{
	__asm__("" : "+r"(gpa));
	gva = (gva + PAGE + (gpa & (PAGE - 1))) & (PAGES * PAGE - 1);
	__asm__("" : "+r"(gva));
	return gva;
}

static void bare_loads(void *arg, uint64_t n)
{
	const struct world *world = arg;
	const uint64_t address = 0x000ffffffffff000;
	uint64_t gva = 0;

	while (n--) {
		uint64_t at = world->context.cr3;

		for (int shift = 39; shift >= 12; shift -= 9)
			at = __atomic_load_n(table(world, at) + (gva >> shift & 511),
					     __ATOMIC_RELAXED) &
			     address;
		gva = next(gva, at);
	}
	bench_keep(gva);
}

static void walks(void *arg, uint64_t n, unsigned int access, enum vsm_walk_ad ad)
{
	struct world *world = arg;
	struct vsm_walk_request request = {.access = access, .ad = ad};
	struct vsm_walk_result result = {0};

	while (n--) {
		vsm_walk(&world->context, &world->memory, &request, &result);
		request.gva = next(request.gva, result.gpa);
	}
	bench_keep(result.gpa);
}

static void walk_read(void *arg, uint64_t n)
{
	walks(arg, n, VSM_WALK_READ, VSM_WALK_AD_LEAVE);
}

static void walk_write(void *arg, uint64_t n)
{
	walks(arg, n, VSM_WALK_WRITE, VSM_WALK_AD_LEAVE);
}

static enum vsm_walk_refusal read_entry(void *opaque, uint64_t gpa, unsigned int size,
					uint64_t *entry)
{
	(void)size;
	*entry = __atomic_load_n((uint64_t *)((char *)opaque + gpa), __ATOMIC_RELAXED);
	return VSM_WALK_ALLOWED;
}

static void walk_by_function(void *arg, uint64_t n)
{
	struct world *world = arg;
	struct world other = *world;

	other.memory = (struct vsm_walk_memory){.read = read_entry, .opaque = world->ram};
	walks(&other, n, VSM_WALK_READ, VSM_WALK_AD_LEAVE);
}

/* The floor clears A and D, too. */
static void clearing(void *arg, uint64_t n, enum vsm_walk_ad ad)
{
	for (uint64_t i = 0; i < n; i++) {
		set_leaves(arg, 0);
		walks(arg, PAGES, VSM_WALK_WRITE, ad);
	}
}

static void walk_and_set(void *arg, uint64_t n)
{
	clearing(arg, n, VSM_WALK_AD_SET);
}

static void walk_and_leave(void *arg, uint64_t n)
{
	clearing(arg, n, VSM_WALK_AD_LEAVE);
}

/* The worst case: none of the four entries has A. */
static void clearing_all(void *arg, uint64_t n, enum vsm_walk_ad ad)
{
	const struct world *world = arg;

	while (n--) {
		*table(world, PML4) = PDPT | BARE;
		*table(world, PDPT) = PD | BARE;
		*table(world, PD) = PT | BARE;
		*table(world, PT) = BARE;
		walks(arg, 1, VSM_WALK_WRITE, ad);
	}
}

static void walk_and_set_all(void *arg, uint64_t n)
{
	clearing_all(arg, n, VSM_WALK_AD_SET);
}

static void walk_and_leave_all(void *arg, uint64_t n)
{
	clearing_all(arg, n, VSM_WALK_AD_LEAVE);
}

static void kvm_translate(void *arg, uint64_t n)
{
	const struct world *world = arg;
	uint64_t gva = 0;

	while (n--)
		gva = next(gva, walk_kvm_translate(&world->kvm, gva));
	bench_keep(gva);
}

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);
	struct world world = make_world();
	const char *why;
	double ns;

	world.memory = (struct vsm_walk_memory){.direct = &world.direct, .direct_count = 1};
	ns = bench_against(&bench, "walk.4level.read", walk_read, bare_loads, &world, 3.0);
	bench_figure(&bench, "walk.4level.rate", 1e3 / ns, "M/s", 0, 0);
	bench_against(&bench, "walk.4level.write", walk_write, bare_loads, &world, 3.0);
	bench_against(&bench, "walk.4level.by-function", walk_by_function, bare_loads, &world, 0);
	bench_against(&bench, "walk.4level.set-ad.512-pages", walk_and_set, walk_and_leave, &world,
		      2.0);
	bench_against(&bench, "walk.4level.set-ad.4-entries", walk_and_set_all, walk_and_leave_all,
		      &world, 0);
	why = walk_kvm_open(&world.kvm, world.ram, RAM, &world.context);
	if (why)
		bench_skip(&bench, "walk.4level.kvm-translate", why);
	else
		bench_against(&bench, "walk.4level.kvm-translate", kvm_translate, walk_read, &world,
			      0);
	raw_kvm_destroy(&world.kvm);
	return bench_end(&bench);
}
