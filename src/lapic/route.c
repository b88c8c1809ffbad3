/* SPDX-License-Identifier: BSD-2-Clause */
/* The targets of a message (SDM 11.6.2, 11.12.9), and lowest-priority arbitration (11.6.2.4). */
#include "router.h"

static void none(const struct vsm_lapic_router *router, struct vsm_lapic_targets *targets)
{
	targets->count = 0;
	targets->words = router->words;
	for (uint32_t i = 0; i < router->words; i++)
		targets->map[i] = 0;
}

static void include(const struct vsm_lapic_router *router, struct vsm_lapic_targets *targets,
		    uint32_t set)
{
	const uint64_t *word = router_set(router, set);

	for (uint32_t i = 0; i < router->words; i++)
		targets->map[i] |= __atomic_load_n(&word[i], __ATOMIC_ACQUIRE);
}

static void include_one(struct vsm_lapic_targets *targets, int index)
{
	targets->map[index / 64] |= 1ull << (index % 64);
}

static void exclude_one(struct vsm_lapic_targets *targets, int index)
{
	targets->map[index / 64] &= ~(1ull << (index % 64));
}

/* Includes the APIC with this x2APIC ID, if it is in x2APIC mode. */
static void include_x2apic(const struct vsm_lapic_router *router, struct vsm_lapic_targets *targets,
			   uint32_t id)
{
	int index = vsm_lapic_router_find(router, id);

	if (index >= 0 && router_in_set(router, SET_X2APIC, index))
		include_one(targets, index);
}

static void include_physical(const struct vsm_lapic_router *router,
			     struct vsm_lapic_targets *targets, uint32_t id)
{
	include_x2apic(router, targets, id);
	if (id <= 0xff)
		include(router, targets, SET_PHYSICAL + id);
}

/*
 * Each APIC compares the destination by its mode (SDM 11.6.2.2, 11.12.10): in x2APIC mode with the
 * cluster and bit derived from its ID, in xAPIC mode with the 8 bits of its LDR.
 */
static void include_logical(const struct vsm_lapic_router *router,
			    struct vsm_lapic_targets *targets, uint32_t destination)
{
	for (uint32_t left = destination & 0xffff; left; left &= left - 1)
		include_x2apic(router, targets,
			       destination >> 16 << 4 | (uint32_t)__builtin_ctz(left));
	if (destination > 0xff)
		return;
	for (uint32_t left = destination; left; left &= left - 1)
		include(router, targets, SET_FLAT + (uint32_t)__builtin_ctz(left));
	for (uint32_t left = destination & 15; left; left &= left - 1)
		include(router, targets,
			SET_CLUSTER + (destination >> 4) * 4 + (uint32_t)__builtin_ctz(left));
}

static void include_destination(const struct vsm_lapic_router *router,
				struct vsm_lapic_targets *targets, const struct vsm_lapic_ipi *ipi)
{
	uint32_t broadcast = ipi->flags & VSM_LAPIC_IPI_WIDE ? UINT32_MAX : 0xff;
	uint32_t destination = ipi->destination & broadcast;

	if (destination == broadcast)
		include(router, targets, SET_ENABLED);
	else if (ipi->flags & VSM_LAPIC_IPI_LOGICAL)
		include_logical(router, targets, destination);
	else
		include_physical(router, targets, destination);
}

/* SDM 11.6.2.4: the class of the PPR. Unlike vsm_lapic_ppr(), any thread may call it. */
static uint32_t arbitration_priority(const struct vsm_lapic *apic)
{
	uint32_t tpr = LAPIC_LOAD(&apic->tpr) & 0xf0;
	int in_service = lapic_highest(apic->isr);
	uint32_t service_class = in_service < 0 ? 0 : (uint32_t)in_service & 0xf0;

	return tpr >= service_class ? tpr : service_class;
}

/* A focus processor has the vector pending or in service, and focus checking on (SVR[9] = 0). */
static bool is_focus(const struct vsm_lapic *apic, uint8_t vector)
{
	return !(LAPIC_LOAD(&apic->svr) & LAPIC_SVR_NO_FOCUS) &&
	       (lapic_test(apic->irr, vector) || lapic_test(apic->isr, vector));
}

/* Keeps one target: the focus processor, or one of lowest priority; the vector breaks ties. */
static void choose(const struct vsm_lapic_router *router, struct vsm_lapic_targets *targets,
		   uint8_t vector)
{
	struct vsm_lapic_targets best;
	uint32_t lowest = UINT32_MAX, ties = 0, skip;

	none(router, &best);
	for (int i = -1; (i = vsm_lapic_targets_next(targets, i)) >= 0;) {
		const struct vsm_lapic *apic = vsm_lapic_router_apic(router, i);
		uint32_t priority;

		if (!lapic_accepts_messages(apic))
			continue;
		if (is_focus(apic, vector)) {
			none(router, targets);
			include_one(targets, i);
			return;
		}
		priority = arbitration_priority(apic);
		if (priority < lowest) {
			none(router, &best);
			lowest = priority;
			ties = 0;
		}
		if (priority == lowest) {
			include_one(&best, i);
			ties++;
		}
	}
	none(router, targets);
	if (!ties)
		return;
	skip = vector % ties;
	for (int i = -1; (i = vsm_lapic_targets_next(&best, i)) >= 0;)
		if (!skip--) {
			include_one(targets, i);
			return;
		}
}

static uint32_t population(uint64_t word)
{
	uint32_t n = 0;

	/* Not the builtin, which is a call to the compiler's library without -mpopcnt. */
	for (; word; word &= word - 1)
		n++;
	return n;
}

uint32_t vsm_lapic_router_route(const struct vsm_lapic_router *router, int source,
				const struct vsm_lapic_ipi *ipi, struct vsm_lapic_targets *targets)
{
	bool known = source >= 0 && (uint32_t)source < router->count;

	none(router, targets);
	switch (ipi->shorthand) {
	case VSM_LAPIC_TO_DESTINATION:
		include_destination(router, targets, ipi);
		break;
	case VSM_LAPIC_TO_SELF:
		if (known && router_in_set(router, SET_ENABLED, source))
			include_one(targets, source);
		break;
	case VSM_LAPIC_TO_ALL:
		include(router, targets, SET_ENABLED);
		break;
	case VSM_LAPIC_TO_OTHERS:
		if (known) {
			include(router, targets, SET_ENABLED);
			exclude_one(targets, source);
		}
		break;
	default:
		break;
	}
	if (ipi->delivery == VSM_LAPIC_LOWEST_PRIORITY)
		choose(router, targets, ipi->vector);
	for (uint32_t i = 0; i < targets->words; i++)
		targets->count += population(targets->map[i]);
	return targets->count;
}

enum vsm_lapic_posted vsm_lapic_router_send(const struct vsm_lapic_router *router, int source,
					    const struct vsm_lapic_ipi *ipi,
					    struct vsm_lapic_targets *kick)
{
	struct vsm_lapic_targets targets;
	enum vsm_lapic_posted highest = VSM_LAPIC_IGNORED;

	vsm_lapic_router_route(router, source, ipi, &targets);
	if (kick)
		none(router, kick);
	for (int i = -1; (i = vsm_lapic_targets_next(&targets, i)) >= 0;) {
		enum vsm_lapic_posted posted =
			vsm_lapic_post_message(vsm_lapic_router_apic(router, i), ipi);

		if (posted > highest)
			highest = posted;
		if (posted == VSM_LAPIC_KICK && kick) {
			include_one(kick, i);
			kick->count++;
		}
	}
	return highest;
}

int vsm_lapic_targets_next(const struct vsm_lapic_targets *targets, int after)
{
	uint32_t from = (uint32_t)(after + 1), i = from / 64;
	uint64_t word;

	if (i >= targets->words)
		return -1;
	word = targets->map[i] & (~0ull << (from % 64));
	while (!word) {
		if (++i >= targets->words)
			return -1;
		word = targets->map[i];
	}
	return (int)(i * 64) + __builtin_ctzll(word);
}
