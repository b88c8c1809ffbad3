/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The floor is the least of any lock-free implementation: the atomic operations on the IRR and on
 * the word of pending work.
 */
#include <stdlib.h>
#include <vsm/lapic.h>

#include "bench.h"

enum {
	APICS = 256,
	CLUSTERS = 4,
	VECTOR = 0x61
};

struct world {
	struct vsm_lapic *apic;
	struct vsm_lapic_router *router;
	struct line {
		_Alignas(64) uint64_t irr;
		uint32_t attention;
	} line[CLUSTERS * 16];
};

static struct world *make_world(void)
{
	struct world *w = aligned_alloc(64, sizeof(*w));
	size_t size = vsm_lapic_router_size(APICS);
	void *memory = aligned_alloc(64, (size + 63) & ~(size_t)63);

	if (!w || !memory)
		abort();
	memset(w, 0, sizeof(*w));
	w->apic = aligned_alloc(64, APICS * sizeof(*w->apic));
	w->router = vsm_lapic_router_init(memory, size, APICS);
	if (!w->apic || !w->router)
		abort();
	for (uint32_t i = 0; i < APICS; i++) {
		struct vsm_lapic_config config = {.id = i,
						  .flags = VSM_LAPIC_HAS_X2APIC,
						  .tsc_khz = 1000000,
						  .timer_khz = 1000000,
						  .max_phys_bits = 40};
		struct vsm_lapic_effect effect;

		if (vsm_lapic_init(&w->apic[i], &config) ||
		    !vsm_lapic_msr_write(&w->apic[i], 0, VSM_LAPIC_MSR_BASE, 0xfee00c00, &effect) ||
		    vsm_lapic_router_add(w->router, i, &w->apic[i]))
			abort();
		vsm_lapic_software_enable(&w->apic[i]);
	}
	return w;
}

static void post_take_eoi(void *arg, uint64_t n)
{
	struct world *w = arg;
	struct vsm_lapic *apic = &w->apic[0];

	for (uint64_t i = 0; i < n; i++) {
		struct vsm_lapic_taken taken = {0};
		struct vsm_lapic_effect effect;

		vsm_lapic_post(apic, VECTOR, VSM_LAPIC_EDGE);
		vsm_lapic_look(apic);
		vsm_lapic_take(apic, &taken);
		vsm_lapic_eoi(apic, &effect);
		bench_keep(taken.vector);
	}
}

static void set_and_clear(void *arg, uint64_t n)
{
	struct line *line = &((struct world *)arg)->line[0];

	for (uint64_t i = 0; i < n; i++) {
		__atomic_fetch_or(&line->irr, 2, __ATOMIC_SEQ_CST);
		bench_keep(__atomic_exchange_n(&line->attention, 1, __ATOMIC_SEQ_CST));
		bench_keep(__atomic_exchange_n(&line->attention, 0, __ATOMIC_SEQ_CST));
		__atomic_fetch_and(&line->irr, ~2ull, __ATOMIC_SEQ_CST);
	}
}

/*
 * By x2APIC logical destinations, each of which covers up to 16 APICs in a cluster. The time
 * includes two plain stores that make each target accept the interrupt again.
 */
static void multicast(void *arg, uint64_t n)
{
	struct world *w = arg;

	for (uint64_t i = 0; i < n; i++)
		for (uint32_t cluster = 0; cluster < CLUSTERS; cluster++) {
			struct vsm_lapic_ipi ipi = {
				.destination = (cluster * 4) << 16 | 0xffff,
				.vector = VECTOR,
				.flags = VSM_LAPIC_IPI_LOGICAL | VSM_LAPIC_IPI_WIDE,
			};
			struct vsm_lapic_targets kick;

			if (vsm_lapic_router_send(w->router, 255, &ipi, &kick) != VSM_LAPIC_KICK ||
			    kick.count != 16)
				abort();
			for (uint32_t j = 0; j < 16; j++) {
				struct vsm_lapic *apic = &w->apic[cluster * 64 + j];

				__atomic_store_n(&apic->irr[VECTOR / 64], 0, __ATOMIC_RELAXED);
				__atomic_store_n(&apic->attention, 0, __ATOMIC_RELAXED);
			}
		}
}

static void set_each(void *arg, uint64_t n)
{
	struct world *w = arg;

	for (uint64_t i = 0; i < n; i++)
		for (uint32_t j = 0; j < CLUSTERS * 16; j++) {
			struct line *line = &w->line[j];

			__atomic_fetch_or(&line->irr, 2, __ATOMIC_SEQ_CST);
			bench_keep(__atomic_exchange_n(&line->attention, 1, __ATOMIC_SEQ_CST));
			__atomic_store_n(&line->irr, 0, __ATOMIC_RELAXED);
			__atomic_store_n(&line->attention, 0, __ATOMIC_RELAXED);
		}
}

/* Sends to one of 256 APICs by its ID, as an MSI. */
static void unicast(void *arg, uint64_t n)
{
	struct world *w = arg;
	struct vsm_lapic *apic = &w->apic[77];

	for (uint64_t i = 0; i < n; i++) {
		struct vsm_lapic_ipi ipi = {
			.destination = 77, .vector = VECTOR, .flags = VSM_LAPIC_IPI_WIDE};

		bench_keep(vsm_lapic_router_send(w->router, -1, &ipi, NULL));
		__atomic_store_n(&apic->irr[VECTOR / 64], 0, __ATOMIC_RELAXED);
		__atomic_store_n(&apic->attention, 0, __ATOMIC_RELAXED);
	}
}

static void set_one(void *arg, uint64_t n)
{
	struct line *line = &((struct world *)arg)->line[0];

	for (uint64_t i = 0; i < n; i++) {
		__atomic_fetch_or(&line->irr, 2, __ATOMIC_SEQ_CST);
		bench_keep(__atomic_exchange_n(&line->attention, 1, __ATOMIC_SEQ_CST));
		__atomic_store_n(&line->irr, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&line->attention, 0, __ATOMIC_RELAXED);
	}
}

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);
	struct world *w = make_world();
	double ns;

	ns = bench_against(&bench, "lapic.post_take_eoi", post_take_eoi, set_and_clear, w, 4);
	bench_at_most(&bench, "lapic.post_take_eoi.budget", ns, "ns", 60);
	ns = bench_against(&bench, "lapic.multicast_64_of_256", multicast, set_each, w, 4);
	bench_at_most(&bench, "lapic.multicast_64_of_256.budget", ns, "ns", 4000);
	bench_against(&bench, "lapic.unicast_of_256", unicast, set_one, w, 4);
	return bench_end(&bench);
}
