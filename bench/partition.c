/* SPDX-License-Identifier: BSD-2-Clause */
/* Heap of a partition. The sim backend's tables are not on the heap. */
#include <malloc.h>

#include "bench.h"
#include "core/partition.h"
#include "sim/sim.h"

#define TIB	     (UINT64_C(1) << 40)
#define LIMIT	     1024.0 /* KiB */
#define LIMIT_PER_VP 64.0

static double heap_kib(void)
{
	const struct mallinfo2 info = mallinfo2();

	return (double)(info.uordblks + info.hblkhd) / 1024;
}

static struct vsm_partition *make(uint32_t vps, uint64_t ram)
{
	struct vsm_partition *partition;
	struct vsm_config config;
	void *host;

	vsm_config_init(&config);
	config.vp_count = vps;
	if (partition_create(&config, &sim_ops, NULL, &partition))
		return NULL;
	if (ram && vsm_memory_add(partition, 0, ram, -1, 0, &host)) {
		vsm_partition_destroy(partition);
		return NULL;
	}
	return partition;
}

/* Below 0: the partition could not be created. */
static double measure(uint32_t vps, uint64_t ram)
{
	const double before = heap_kib();
	struct vsm_partition *partition = make(vps, ram);
	const double took = heap_kib() - before;

	if (!partition)
		return -1;
	vsm_partition_destroy(partition);
	return took;
}

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);
	const double tebibyte = measure(1, TIB);
	const double nothing = measure(1, 0);

	if (tebibyte < 0 || nothing < 0) {
		bench_skip(&bench, "partition.1tib_heap",
			   "this host does not give that much address space");
		return bench_end(&bench);
	}
	bench_at_most(&bench, "partition.1tib_heap", tebibyte, "KiB", LIMIT);
	bench_figure(&bench, "partition.no_ram_heap", nothing, "KiB", 0, 0);
	bench_at_most(&bench, "partition.heap_per_vp", (measure(65, TIB) - tebibyte) / 64, "KiB",
		      LIMIT_PER_VP);
	return bench_end(&bench);
}
