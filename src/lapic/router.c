/* SPDX-License-Identifier: BSD-2-Clause */
/* The router's sets of APICs by destination. */
#include "router.h"

#include <errno.h>
#include <string.h>

struct layout {
	size_t entries, slots, sets, size;
	uint32_t words, slot_bits;
};

static size_t aligned(size_t size)
{
	return (size + 63) & ~(size_t)63;
}

static struct layout layout_for(uint32_t count)
{
	struct layout l = {.words = (count + 63) / 64, .slot_bits = 4};

	/* At most a quarter of the slots is used, so that the first probe nearly always hits. */
	while (1u << l.slot_bits < 4 * count)
		l.slot_bits++;
	l.entries = aligned(sizeof(struct vsm_lapic_router));
	l.slots = l.entries + aligned(count * sizeof(struct router_entry));
	l.sets = l.slots + aligned((sizeof(uint16_t) << l.slot_bits));
	l.size = l.sets + aligned((size_t)SET_COUNT * l.words * sizeof(uint64_t));
	return l;
}

size_t vsm_lapic_router_size(uint32_t count)
{
	return count && count <= VSM_LAPIC_ROUTER_MAX ? layout_for(count).size : 0;
}

struct vsm_lapic_router *vsm_lapic_router_init(void *memory, size_t size, uint32_t count)
{
	struct vsm_lapic_router *router = memory;
	struct layout l;

	if (!memory || (uintptr_t)memory % 64 || !count || count > VSM_LAPIC_ROUTER_MAX)
		return NULL;
	l = layout_for(count);
	if (size < l.size)
		return NULL;

	memset(memory, 0, l.size);
	*router = (struct vsm_lapic_router){
		.count = count,
		.words = l.words,
		.slot_shift = 32 - l.slot_bits,
		.slot_mask = (1u << l.slot_bits) - 1,
		.entry = (struct router_entry *)((char *)memory + l.entries),
		.slot = (uint16_t *)((char *)memory + l.slots),
		.set = (uint64_t *)((char *)memory + l.sets),
	};
	return router;
}

struct vsm_lapic *vsm_lapic_router_apic(const struct vsm_lapic_router *router, uint32_t index)
{
	return index < router->count ? __atomic_load_n(&router->entry[index].apic, __ATOMIC_ACQUIRE)
				     : NULL;
}

/* The slot of @id, or an empty slot for it. The table always has empty slots. */
static uint32_t slot_for(const struct vsm_lapic_router *router, uint32_t id)
{
	uint32_t at = (id * 0x9e3779b1u) >> router->slot_shift;
	uint16_t found;

	while ((found = __atomic_load_n(&router->slot[at], __ATOMIC_ACQUIRE)) &&
	       router->entry[found - 1].apic->config.id != id)
		at = (at + 1) & router->slot_mask;
	return at;
}

int vsm_lapic_router_find(const struct vsm_lapic_router *router, uint32_t id)
{
	return __atomic_load_n(&router->slot[slot_for(router, id)], __ATOMIC_ACQUIRE) - 1;
}

int vsm_lapic_router_add(struct vsm_lapic_router *router, uint32_t index, struct vsm_lapic *apic)
{
	uint32_t slot = slot_for(router, apic->config.id);

	if (index >= router->count)
		return -EINVAL;
	if (vsm_lapic_router_apic(router, index) || router->slot[slot])
		return -EEXIST;
	__atomic_store_n(&router->entry[index].apic, apic, __ATOMIC_RELEASE);
	/* Readers find an index in a slot or a set only after the entry is complete. */
	__atomic_store_n(&router->slot[slot], index + 1, __ATOMIC_RELEASE);
	vsm_lapic_router_update(router, index);
	return 0;
}

/* SDM 11.6.2.2: the LDR is 8 bits in the flat model, or a cluster and 4 bits. */
static uint32_t logical_members(const struct vsm_lapic *apic, uint16_t *member)
{
	uint32_t logical = LAPIC_LOAD(&apic->ldr) >> 24, dfr = LAPIC_LOAD(&apic->dfr), n = 0;

	if (dfr >> 28 == 0xf) {
		for (uint32_t bit = 0; bit < 8; bit++)
			if (logical >> bit & 1)
				member[n++] = SET_FLAT + bit;
	} else if (dfr >> 28 == 0) {
		for (uint32_t bit = 0; bit < 4; bit++)
			if (logical >> bit & 1)
				member[n++] = SET_CLUSTER + (logical >> 4) * 4 + bit;
	}
	return n;
}

static uint32_t members(const struct vsm_lapic *apic, uint16_t member[ROUTER_MEMBERSHIPS])
{
	uint32_t n = 0;

	switch (vsm_lapic_mode(apic)) {
	case VSM_LAPIC_DISABLED:
		break;
	case VSM_LAPIC_X2APIC:
		/* ID and LDR are constant, so the hash of IDs finds the APIC. */
		member[n++] = SET_ENABLED;
		member[n++] = SET_X2APIC;
		break;
	case VSM_LAPIC_XAPIC:
		member[n++] = SET_ENABLED;
		member[n++] = SET_PHYSICAL + (LAPIC_LOAD(&apic->id) & 0xff);
		n += logical_members(apic, member + n);
		break;
	}
	return n;
}

static bool contains(const uint16_t *member, uint32_t count, uint16_t number)
{
	for (uint32_t i = 0; i < count; i++)
		if (member[i] == number)
			return true;
	return false;
}

void vsm_lapic_router_update(struct vsm_lapic_router *router, uint32_t index)
{
	const struct vsm_lapic *apic = vsm_lapic_router_apic(router, index);
	struct router_entry *entry;
	uint16_t member[ROUTER_MEMBERSHIPS];
	uint64_t bit = 1ull << (index % 64);
	uint32_t n;

	if (!apic)
		return;
	entry = &router->entry[index];
	n = members(apic, member);
	/* Added first, then removed, so that a change from one set to another has no gap. */
	for (uint32_t i = 0; i < n; i++)
		if (!contains(entry->member, entry->member_count, member[i]))
			__atomic_fetch_or(&router_set(router, member[i])[index / 64], bit,
					  __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < entry->member_count; i++)
		if (!contains(member, n, entry->member[i]))
			__atomic_fetch_and(&router_set(router, entry->member[i])[index / 64], ~bit,
					   __ATOMIC_RELEASE);
	memcpy(entry->member, member, sizeof(member));
	entry->member_count = n;
}
