/* SPDX-License-Identifier: BSD-2-Clause */
/* Local APIC router, compared with a model that checks every APIC for a match. */
#include "lapic_test.h"

#include <errno.h>
#include <stdlib.h>

struct system {
	uint32_t count;
	void *memory;
	struct vsm_lapic_router *router;
	struct vsm_lapic *apic;
};

static struct system make(uint32_t count, uint32_t (*id_of)(uint32_t index), uint32_t flags)
{
	struct system s = {.count = count};
	size_t size = vsm_lapic_router_size(count);

	assert_true(size > 0);
	s.memory = aligned_alloc(64, (size + 63) & ~(size_t)63);
	s.apic = aligned_alloc(64, count * sizeof(*s.apic));
	assert_non_null(s.memory);
	assert_non_null(s.apic);
	s.router = vsm_lapic_router_init(s.memory, size, count);
	assert_non_null(s.router);
	for (uint32_t i = 0; i < count; i++) {
		power_up(&s.apic[i], id_of(i), flags);
		vsm_lapic_software_enable(&s.apic[i]);
		assert_int_equal(vsm_lapic_router_add(s.router, i, &s.apic[i]), 0);
	}
	return s;
}

static void drop(struct system *s)
{
	free(s->memory);
	free(s->apic);
}

static uint32_t same(uint32_t index)
{
	return index;
}

/* IDs with gaps, as CPU packages number their cores, and beyond 8 bits. */
static uint32_t sparse(uint32_t index)
{
	return index / 6 * 16 + index % 6 + index / 60 * 4096;
}

/* SDM 11.6.2.1 (physical), 11.6.2.2 (logical: flat and cluster), 11.12.10 (x2APIC logical). */
static bool matches(const struct vsm_lapic *apic, bool self, int source,
		    const struct vsm_lapic_ipi *ipi)
{
	bool wide = ipi->flags & VSM_LAPIC_IPI_WIDE, x2apic;
	uint32_t d = wide ? ipi->destination : ipi->destination & 0xff, logical;

	if (vsm_lapic_mode(apic) == VSM_LAPIC_DISABLED)
		return false;
	x2apic = vsm_lapic_mode(apic) == VSM_LAPIC_X2APIC;
	if (ipi->shorthand == VSM_LAPIC_TO_SELF)
		return self;
	if (ipi->shorthand == VSM_LAPIC_TO_ALL)
		return true;
	if (ipi->shorthand == VSM_LAPIC_TO_OTHERS)
		return source >= 0 && !self;
	if (d == (wide ? 0xffffffff : 0xff))
		return true;
	if (!(ipi->flags & VSM_LAPIC_IPI_LOGICAL))
		return apic->id == d;
	if (x2apic)
		return apic->ldr >> 16 == d >> 16 && apic->ldr & d & 0xffff;
	logical = apic->ldr >> 24;
	if (d > 0xff)
		return false;
	if (apic->dfr == 0xffffffff)
		return logical & d;
	if (apic->dfr == 0x0fffffff)
		return logical >> 4 == d >> 4 && logical & d & 15;
	return false;
}

static void compare(const struct system *s, int source, const struct vsm_lapic_ipi *ipi)
{
	struct vsm_lapic_targets targets;
	uint32_t count = vsm_lapic_router_route(s->router, source, ipi, &targets), expected = 0;
	int next = -1;

	for (uint32_t i = 0; i < s->count; i++) {
		if (!matches(&s->apic[i], source == (int)i, source, ipi))
			continue;
		expected++;
		next = vsm_lapic_targets_next(&targets, next);
		assert_int_equal(next, i);
	}
	assert_int_equal(vsm_lapic_targets_next(&targets, next), -1);
	assert_int_equal(count, expected);
	assert_int_equal(targets.count, expected);
}

static uint32_t seed;

static uint32_t chance(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)seed * below >> 32);
}

static struct vsm_lapic_ipi any_ipi(const struct system *s)
{
	struct vsm_lapic_ipi ipi = {
		.vector = 0x40,
		.shorthand = chance(4) ? 0 : chance(4),
		.flags = chance(4),
	};

	if (chance(2))
		ipi.flags |= VSM_LAPIC_IPI_WIDE;
	ipi.flags &= VSM_LAPIC_IPI_LOGICAL | VSM_LAPIC_IPI_WIDE;
	switch (chance(6)) {
	case 0:
		ipi.destination = 0xff;
		break;
	case 1:
		ipi.destination = UINT32_MAX;
		break;
	case 2:
		ipi.destination = s->apic[chance(s->count)].config.id;
		break;
	case 3: /* a cluster and some of its members */
		ipi.destination = s->apic[chance(s->count)].config.id >> 4 << 16 | chance(0x10000);
		break;
	default:
		ipi.destination = chance(0x100);
	}
	return ipi;
}

static void change_something(const struct system *s)
{
	uint32_t i = chance(s->count);
	struct vsm_lapic *apic = &s->apic[i];

	if (vsm_lapic_mode(apic) == VSM_LAPIC_XAPIC) {
		wr(apic, LDR, chance(256) << 24);
		wr(apic, DFR, chance(2) ? 0xffffffff : chance(2) ? 0x0fffffff : 0x5fffffff);
		wr(apic, ID, chance(256) << 24);
	}
	wrmsr(apic, VSM_LAPIC_MSR_BASE, chance(8) ? BASE_XAPIC : BASE_DISABLED);
	wrmsr(apic, VSM_LAPIC_MSR_BASE, BASE_X2APIC - chance(2) * 0x400);
	vsm_lapic_router_update(s->router, i);
}

static void random_destinations_find_the_apics_of_the_model(void **state)
{
	static const struct {
		uint32_t count;
		uint32_t (*id_of)(uint32_t index);
	} systems[] = {{1, same}, {7, same}, {64, same}, {65, sparse}, {300, sparse}, {2048, same}};

	seed = 20240607;
	print_message("# seed %u\n", seed);
	for (size_t n = 0; n < sizeof(systems) / sizeof(systems[0]); n++) {
		struct system s = make(systems[n].count, systems[n].id_of,
				       ALL_FEATURES | VSM_LAPIC_ID_WRITABLE);
		uint32_t rounds = 40000 / (s.count + 20);

		for (uint32_t i = 0; i < rounds * 10; i++) {
			struct vsm_lapic_ipi ipi = any_ipi(&s);

			change_something(&s);
			compare(&s, (int)chance(s.count + 1) - 1, &ipi);
		}
		drop(&s);
	}
}

static void all_8_bit_destinations_match_in_both_logical_models(void **state)
{
	struct system s = make(24, same, ALL_FEATURES);

	for (uint32_t model = 0; model < 2; model++) {
		for (uint32_t i = 0; i < s.count; i++) {
			wr(&s.apic[i], LDR,
			   model ? (i / 4) << 28 | 1u << (24 + i % 4) : 1u << (24 + i % 8));
			wr(&s.apic[i], DFR, model ? 0x0fffffff : 0xffffffff);
			vsm_lapic_router_update(s.router, i);
		}
		for (uint32_t d = 0; d < 256; d++) {
			struct vsm_lapic_ipi ipi = {.destination = d,
						    .flags = VSM_LAPIC_IPI_LOGICAL};

			compare(&s, 0, &ipi);
		}
	}
	drop(&s);
}

/* SDM 11.6.2.4: focus first, then the lowest priority; software-disabled APICs are excluded. */
static void lowest_priority_selects_the_focus_or_the_lowest_ppr(void **state)
{
	struct system s = make(8, same, ALL_FEATURES);
	struct vsm_lapic_ipi ipi = {
		.destination = 0xff, .vector = 0x60, .delivery = VSM_LAPIC_LOWEST_PRIORITY};
	struct vsm_lapic_targets targets;
	uint32_t seen = 0;

	for (uint32_t i = 0; i < 8; i++)
		wr(&s.apic[i], TPR, i == 5 ? 0x20 : 0x50);
	assert_int_equal(vsm_lapic_router_route(s.router, -1, &ipi, &targets), 1);
	assert_int_equal(vsm_lapic_targets_next(&targets, -1), 5);

	/* A vector in service raises the priority like the TPR does. */
	vsm_lapic_post(&s.apic[5], 0x90, VSM_LAPIC_EDGE);
	take(&s.apic[5]);
	assert_int_equal(vsm_lapic_router_route(s.router, -1, &ipi, &targets), 1);
	assert_int_not_equal(vsm_lapic_targets_next(&targets, -1), 5);

	/* APICs of equal priority get the messages in turn. */
	for (uint32_t vector = 0x60; vector < 0x60 + 7; vector++) {
		ipi.vector = vector;
		vsm_lapic_router_route(s.router, -1, &ipi, &targets);
		seen |= 1u << vsm_lapic_targets_next(&targets, -1);
	}
	assert_int_equal(seen, 0xdf);

	/* An APIC with the same vector pending is the focus, unless SVR[9] disables focus checking. */
	ipi.vector = 0x60;
	wr(&s.apic[3], TPR, 0xf0);
	vsm_lapic_post(&s.apic[3], 0x60, VSM_LAPIC_EDGE);
	vsm_lapic_router_route(s.router, -1, &ipi, &targets);
	assert_int_equal(vsm_lapic_targets_next(&targets, -1), 3);
	wr(&s.apic[3], SVR, 0x3ff);
	vsm_lapic_router_route(s.router, -1, &ipi, &targets);
	assert_int_not_equal(vsm_lapic_targets_next(&targets, -1), 3);

	for (uint32_t i = 0; i < 8; i++)
		wr(&s.apic[i], SVR, 0xff);
	assert_int_equal(vsm_lapic_router_route(s.router, -1, &ipi, &targets), 0);
	drop(&s);
}

static void sending_posts_to_each_target_and_returns_the_vps_to_kick(void **state)
{
	struct system s = make(100, same, ALL_FEATURES);
	struct vsm_lapic_ipi ipi = {.vector = 0x60, .shorthand = VSM_LAPIC_TO_OTHERS};
	struct vsm_lapic_targets kick;

	/* APIC 7's VP needs no other kick: an interrupt is pending. APIC 8 is disabled by
	 * software. */
	vsm_lapic_post(&s.apic[7], 0x50, VSM_LAPIC_EDGE);
	wr(&s.apic[8], SVR, 0xff);
	assert_int_equal(vsm_lapic_router_send(s.router, 3, &ipi, &kick), VSM_LAPIC_KICK);
	assert_int_equal(kick.count, 97);
	for (int i = 0, next = -1; i < 100; i++) {
		assert_int_equal(vsm_lapic_highest_irr(&s.apic[i]), i == 3 || i == 8 ? -1 : 0x60);
		if (i == 3 || i == 7 || i == 8)
			continue;
		next = vsm_lapic_targets_next(&kick, next);
		assert_int_equal(next, i);
	}
	assert_int_equal(vsm_lapic_router_send(s.router, 3, &ipi, NULL), VSM_LAPIC_COALESCED);
	ipi.shorthand = VSM_LAPIC_TO_DESTINATION;
	ipi.destination = 200;
	assert_int_equal(vsm_lapic_router_send(s.router, 3, &ipi, NULL), VSM_LAPIC_IGNORED);
	drop(&s);
}

static void a_target_with_an_error_interrupt_is_kicked(void **state)
{
	struct system s = make(3, same, ALL_FEATURES);
	struct vsm_lapic_targets kick;
	struct vsm_lapic_ipi ipi;

	wr(&s.apic[1], LVT_ERROR, 0xfe);
	/* A device may write any vector into its MSI. */
	assert_true(vsm_lapic_ipi_from_msi(0xfeeff000, 0x5, true, &ipi));
	assert_int_equal(vsm_lapic_router_send(s.router, -1, &ipi, &kick), VSM_LAPIC_KICK);
	assert_int_equal(kick.count, 1);
	assert_int_equal(vsm_lapic_targets_next(&kick, -1), 1);
	assert_int_equal(vsm_lapic_highest_irr(&s.apic[0]), -1);
	assert_int_equal(vsm_lapic_highest_irr(&s.apic[1]), 0xfe);
	drop(&s);
}

static void a_device_reaches_no_apic_by_the_shorthands_others_and_self(void **state)
{
	struct system s = make(4, same, ALL_FEATURES);
	struct vsm_lapic_ipi ipi = {.vector = 0x60, .shorthand = VSM_LAPIC_TO_OTHERS};
	struct vsm_lapic_targets targets;

	assert_int_equal(vsm_lapic_router_route(s.router, -1, &ipi, &targets), 0);
	ipi.shorthand = VSM_LAPIC_TO_SELF;
	assert_int_equal(vsm_lapic_router_route(s.router, -1, &ipi, &targets), 0);
	assert_int_equal(vsm_lapic_router_route(s.router, 4, &ipi, &targets), 0);
	ipi.shorthand = VSM_LAPIC_TO_ALL;
	assert_int_equal(vsm_lapic_router_route(s.router, -1, &ipi, &targets), 4);
	drop(&s);
}

static void apics_that_cannot_be_added_are_refused(void **state)
{
	struct system s = make(4, same, ALL_FEATURES);
	size_t size = vsm_lapic_router_size(4);
	struct vsm_lapic other;

	power_up(&other, 77, ALL_FEATURES);
	assert_int_equal(vsm_lapic_router_add(s.router, 4, &other), -EINVAL);
	assert_int_equal(vsm_lapic_router_add(s.router, 3, &other), -EEXIST);
	assert_int_equal(vsm_lapic_router_size(0), 0);
	assert_int_equal(vsm_lapic_router_size(VSM_LAPIC_ROUTER_MAX + 1), 0);
	assert_null(vsm_lapic_router_init(s.memory, size - 1, 4));
	assert_null(vsm_lapic_router_init((char *)s.memory + 8, size, 4));
	assert_null(vsm_lapic_router_init(NULL, size, 4));
	assert_null(vsm_lapic_router_apic(s.router, 4));
	assert_ptr_equal(vsm_lapic_router_apic(s.router, 2), &s.apic[2]);
	assert_int_equal(vsm_lapic_router_find(s.router, 2), 2);
	assert_int_equal(vsm_lapic_router_find(s.router, 77), -1);

	s.router = vsm_lapic_router_init(s.memory, size, 4);
	assert_int_equal(vsm_lapic_router_add(s.router, 0, &s.apic[1]), 0);
	assert_int_equal(vsm_lapic_router_add(s.router, 1, &s.apic[1]), -EEXIST);
	drop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_destinations_find_the_apics_of_the_model),
		cmocka_unit_test(all_8_bit_destinations_match_in_both_logical_models),
		cmocka_unit_test(lowest_priority_selects_the_focus_or_the_lowest_ppr),
		cmocka_unit_test(sending_posts_to_each_target_and_returns_the_vps_to_kick),
		cmocka_unit_test(a_target_with_an_error_interrupt_is_kicked),
		cmocka_unit_test(a_device_reaches_no_apic_by_the_shorthands_others_and_self),
		cmocka_unit_test(apics_that_cannot_be_added_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
