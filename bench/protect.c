/* SPDX-License-Identifier: BSD-2-Clause */
/* The core's protection maps, on an empty backend. */
#include <stdlib.h>

#include "bench.h"
#include "core/hypercall/hypercall.h"
#include "core/memory/protect.h"

enum {
	LIST = 510, /* pages that fit in one input page */
	RX = GPA_READ | GPA_EXECUTE,
};

#define TIB_PAGES (UINT64_C(1) << 28)
#define GIB_PAGES (UINT64_C(1) << 18)

struct world {
	struct vsm_partition partition;
	struct vsm_vp vp;
	struct ram_region region;
	struct ram_span span;
	uint64_t list[LIST];
	uint64_t *bitmap; /* the floor: one bit per page */
};

static int no_protect(void *backend, uint8_t vtl, const struct gpa_range *ranges, size_t count,
		      uint8_t access)
{
	(void)backend;
	(void)vtl;
	(void)count;
	bench_keep(ranges);
	bench_keep(access);
	return 0;
}

/* No call times out early. */
static uint64_t no_time(void *backend)
{
	(void)backend;
	return 0;
}

static const struct backend_ops ops = {.name = "none", .protect = no_protect, .tsc = no_time};

static void fill_list(struct world *world, uint64_t stride)
{
	for (uint64_t i = 0; i < LIST; i++)
		world->list[i] = 4 * GIB_PAGES + i * stride;
}

static struct world *make_world(void)
{
	struct world *world = calloc(1, sizeof(*world));
	struct vsm_partition *partition;

	if (!world || !(world->bitmap = calloc(TIB_PAGES / 64, sizeof(uint64_t))))
		abort();
	partition = &world->partition;
	partition->ops = &ops;
	partition->features.protect = GPA_ALL;
	partition->vtl_count = 3;
	atomic_store(&partition->enabled_vtls, 0x7);
	partition->vtl[1].config = HV_VSM_PARTITION_CONFIG_ENABLE_VTL_PROTECTION;
	pthread_mutex_init(&partition->lock, NULL);
	pthread_rwlock_init(&partition->memory.lock, NULL);
	world->region = (struct ram_region){.pages = TIB_PAGES};
	partition->memory.region = &world->region;
	partition->memory.region_count = 1;
	world->span = (struct ram_span){.pages = TIB_PAGES};
	partition->memory.span = &world->span;
	partition->memory.span_count = 1;
	partition->memory.page_count = TIB_PAGES;
	world->vp.partition = partition;
	return world;
}

static void call(struct world *world, uint32_t flags)
{
	const struct hv_modify_vtl_protection_mask_input input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.map_flags = flags,
	};
	struct hypercall call = {
		.vp = &world->vp,
		.vtl = 1,
		.rep_count = LIST,
		.input = (const uint8_t *)&input,
		.element = (const uint8_t *)world->list,
		.deadline = UINT64_MAX,
	};

	if (hc_modify_vtl_protection_mask(&call) != HV_STATUS_SUCCESS || call.rep_done != LIST)
		abort();
}

/* One iteration is a page. */
static void modify(void *arg, uint64_t n)
{
	for (uint64_t i = 0; i < n; i += LIST)
		call(arg, i / LIST % 2 ? RX : GPA_ALL);
}

static void set_bits(void *arg, uint64_t n)
{
	struct world *world = arg;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t page = world->list[i % LIST];

		world->bitmap[page / 64] ^= UINT64_C(1) << (page % 64);
		bench_keep(page);
	}
}

static void set_default(void *arg, uint64_t n)
{
	struct world *world = arg;

	for (uint64_t i = 0; i < n; i++) {
		if (protect_set_default(&world->partition, 1, i % 2 ? RX : GPA_READ | GPA_WRITE))
			abort();
	}
}

/* Allocates a new map and releases the old one. */
static void allocate(void *arg, uint64_t n)
{
	(void)arg;
	for (uint64_t i = 0; i < n; i++) {
		void *map = calloc(1, 64);

		bench_keep(map);
		free(map);
	}
}

/* Against one bit per page. */
static void measure_memory(struct bench *bench, struct world *world)
{
	uint64_t pages = 64 * GIB_PAGES;
	size_t done;

	world->region.pages = pages;
	world->span.pages = pages;
	world->partition.memory.page_count = pages;
	for (uint64_t page = 0; page < pages; page++) {
		if (protect_set(&world->partition, 1, 0, &page, 1, RX, &done))
			abort();
	}
	bench_figure(bench, "protect.memory.64gib.write",
		     (double)protect_memory_used(&world->partition), "bytes", (double)pages / 8,
		     1.01);
}

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);
	struct world *world = make_world();
	double ns;

	fill_list(world, 1);
	ns = bench_against(&bench, "protect.page", modify, set_bits, world, 40);
	bench_at_most(&bench, "protect.page.budget", ns, "ns", 60);
	fill_list(world, 3);
	bench_against(&bench, "protect.page.scattered", modify, set_bits, world, 40);
	ns = bench_against(&bench, "protect.default.1tib", set_default, allocate, world, 100);
	bench_at_most(&bench, "protect.default.1tib.budget", ns, "ns", 10000);
	bench_figure(&bench, "protect.memory.1tib.default",
		     (double)protect_memory_used(&world->partition), "bytes", 0, 0);
	protect_destroy(&world->partition);
	measure_memory(&bench, world);
	protect_destroy(&world->partition);
	free(world->bitmap);
	free(world);
	return bench_end(&bench);
}
