/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The router's memory: this header, the entries, a hash of initial IDs, and sets of APICs, each a
 * bitmap of `words` words. Sets give the targets of a message; the hash gives those in x2APIC mode.
 */
#ifndef LAPIC_ROUTER_H
#define LAPIC_ROUTER_H

#include "internal.h"

/* The sets, by number. */
enum {
	SET_ENABLED = 0,	       /* not disabled by hardware */
	SET_X2APIC = 1,		       /* in x2APIC mode */
	SET_PHYSICAL = 2,	       /* + xAPIC ID, for those in xAPIC mode */
	SET_FLAT = SET_PHYSICAL + 256, /* + bit of the LDR, flat model */
	SET_CLUSTER = SET_FLAT + 8,    /* + cluster * 4 + bit, cluster model */
	SET_COUNT = SET_CLUSTER + 16 * 4,
};

/* Limit of sets that one APIC is a member of: enabled, physical and at most 8 logical. */
#define ROUTER_MEMBERSHIPS 10

struct router_entry {
	struct vsm_lapic *apic; /* NULL until added, then constant */
	uint32_t member_count;	/* entries of member[]; accessed only by the owner of the APIC */
	uint16_t member[ROUTER_MEMBERSHIPS];
};

/* Constant after init, except the arrays that `entry`, `slot` and `set` point to. */
struct vsm_lapic_router {
	uint32_t count;
	uint32_t words;
	uint32_t slot_shift; /* the hash has 1 << (32 - slot_shift) slots */
	uint32_t slot_mask;
	struct router_entry *entry;
	uint16_t *slot; /* index + 1, or 0; written once */
	uint64_t *set;
};

static inline uint64_t *router_set(const struct vsm_lapic_router *router, uint32_t number)
{
	return router->set + (size_t)number * router->words;
}

static inline bool router_in_set(const struct vsm_lapic_router *router, uint32_t number,
				 uint32_t index)
{
	return LAPIC_LOAD(&router_set(router, number)[index / 64]) >> (index % 64) & 1;
}

#endif
