/* SPDX-License-Identifier: BSD-2-Clause */
#include "walk_reference.h"

#include <string.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

struct reference {
	const struct vsm_walk_context *context;
	const uint8_t *ram;
	uint64_t size;
	struct reference_answer answer;
	/* Combined bits of the used entries. */
	bool not_present, reserved;
	bool all_user, all_writable, any_no_execute;
	unsigned int key;
	bool long_mode;
};

static bool bit(uint64_t value, unsigned int n)
{
	return (value >> n) % 2 == 1;
}

static uint64_t field(uint64_t value, unsigned int high, unsigned int low)
{
	return (value >> low) % (UINT64_C(1) << (high - low + 1));
}

static bool cr0_wp(const struct reference *walk)
{
	return bit(walk->context->cr0, 16);
}

static bool nxe(const struct reference *walk)
{
	return bit(walk->context->efer, 11);
}

static unsigned int maxphyaddr(const struct reference *walk)
{
	return walk->context->max_phys_addr;
}

static bool fetch(struct reference *walk, uint64_t at, unsigned int bytes, bool has_a,
		  uint64_t *entry)
{
	*entry = 0;
	if (at + bytes > walk->size) {
		walk->answer.no_memory = true;
		return false;
	}
	memcpy(entry, walk->ram + at, bytes);
	if (!bit(*entry, 0)) {
		walk->not_present = true;
		return false;
	}
	walk->answer.entry_at[walk->answer.used] = at;
	walk->answer.has_accessed_bit[walk->answer.used] = has_a;
	walk->answer.used++;
	return true;
}

static void collect(struct reference *walk, uint64_t entry)
{
	if (!bit(entry, 1))
		walk->all_writable = false;
	if (!bit(entry, 2))
		walk->all_user = false;
	if (bit(entry, 63))
		walk->any_no_execute = true;
}

static void page(struct reference *walk, uint64_t frame, uint64_t offset, uint64_t size, bool pat,
		 uint64_t entry)
{
	unsigned int index = (pat ? 4 : 0) + (bit(entry, 4) ? 2 : 0) + (bit(entry, 3) ? 1 : 0);

	walk->answer.translated = true;
	walk->answer.gpa = frame + offset;
	walk->answer.page_size = size;
	walk->answer.cache = field(walk->context->pat, 8 * index + 2, 8 * index);
	walk->key = field(entry, 62, 59);
}

/* "If the P flag is 1 and a reserved bit is set": false ends the walk. */
static bool reserved_are_clear(struct reference *walk, uint64_t entry, unsigned int high,
			       unsigned int low)
{
	if (high >= low && field(entry, high, low) != 0) {
		walk->reserved = true;
		return false;
	}
	return true;
}

/* SDM 4.3 */
static void paging_32_bit(struct reference *walk, uint32_t linear)
{
	uint64_t cr3 = field(walk->context->cr3, 31, 12) * 4 * KIB;
	uint64_t pde, pte;

	if (!fetch(walk, cr3 + field(linear, 31, 22) * 4, 4, true, &pde))
		return;
	if (bit(walk->context->cr4, 4) && bit(pde, 7)) {
		unsigned int m = 32;

		if (walk->context->cpu & VSM_WALK_CPU_PSE36)
			m = maxphyaddr(walk) < 40 ? maxphyaddr(walk) : 40;
		if (!reserved_are_clear(walk, pde, 21, m - 19))
			return;
		collect(walk, pde);
		page(walk, field(pde, 20, 13) * 4 * GIB + field(pde, 31, 22) * 4 * MIB,
		     field(linear, 21, 0), 4 * MIB, bit(pde, 12), pde);
		return;
	}
	collect(walk, pde);
	if (!fetch(walk, field(pde, 31, 12) * 4 * KIB + field(linear, 21, 12) * 4, 4, true, &pte))
		return;
	collect(walk, pte);
	page(walk, field(pte, 31, 12) * 4 * KIB, field(linear, 11, 0), 4 * KIB, bit(pte, 7), pte);
}

static bool xd_is_legal(struct reference *walk, uint64_t entry)
{
	return nxe(walk) || reserved_are_clear(walk, entry, 63, 63);
}

/* The lowest two levels, which PAE and long mode share; SDM tables 4-9 to 4-11 and 4-18 to 4-20. Bits
 * MAXPHYADDR to @top are reserved. */
static void directory_and_table(struct reference *walk, uint64_t directory, uint64_t linear,
				unsigned int top)
{
	uint64_t pde, pte;

	if (!fetch(walk, directory + field(linear, 29, 21) * 8, 8, true, &pde))
		return;
	if (!xd_is_legal(walk, pde) || !reserved_are_clear(walk, pde, top, maxphyaddr(walk)))
		return;
	if (bit(pde, 7)) {
		if (!reserved_are_clear(walk, pde, 20, 13))
			return;
		collect(walk, pde);
		page(walk, field(pde, 51, 21) * 2 * MIB, field(linear, 20, 0), 2 * MIB,
		     bit(pde, 12), pde);
		return;
	}
	collect(walk, pde);
	if (!fetch(walk, field(pde, 51, 12) * 4 * KIB + field(linear, 20, 12) * 8, 8, true, &pte))
		return;
	if (!xd_is_legal(walk, pte) || !reserved_are_clear(walk, pte, top, maxphyaddr(walk)))
		return;
	collect(walk, pte);
	page(walk, field(pte, 51, 12) * 4 * KIB, field(linear, 11, 0), 4 * KIB, bit(pte, 7), pte);
}

/* SDM 4.4 */
static void paging_pae(struct reference *walk, uint32_t linear)
{
	uint64_t pdpte, index = field(linear, 31, 30);

	if (walk->context->cpu & VSM_WALK_CPU_PDPTES_LOADED) {
		pdpte = walk->context->pdpte[index];
		if (!bit(pdpte, 0)) {
			walk->not_present = true;
			return;
		}
	} else if (!fetch(walk, field(walk->context->cr3, 31, 5) * 32 + index * 8, 8, false,
			  &pdpte)) {
		return;
	}
	if (!reserved_are_clear(walk, pdpte, 2, 1) || !reserved_are_clear(walk, pdpte, 8, 5) ||
	    !reserved_are_clear(walk, pdpte, 63, maxphyaddr(walk)))
		return;
	directory_and_table(walk, field(pdpte, 51, 12) * 4 * KIB, linear, 62);
}

/* SDM 4.5 */
static void paging_long(struct reference *walk, uint64_t linear)
{
	bool amd = walk->context->cpu & VSM_WALK_CPU_PML4E_BIT8_RESERVED;
	uint64_t table = field(walk->context->cr3, maxphyaddr(walk) - 1, 12) * 4 * KIB;
	uint64_t entry;

	walk->long_mode = true;
	for (unsigned int low = bit(walk->context->cr4, 12) ? 48 : 39; low >= 39; low -= 9) {
		if (!fetch(walk, table + field(linear, low + 8, low) * 8, 8, true, &entry))
			return;
		if (!xd_is_legal(walk, entry) || !reserved_are_clear(walk, entry, 7, 7) ||
		    !reserved_are_clear(walk, entry, 51, maxphyaddr(walk)) ||
		    (amd && !reserved_are_clear(walk, entry, 8, 8)))
			return;
		collect(walk, entry);
		table = field(entry, 51, 12) * 4 * KIB;
	}
	if (!fetch(walk, table + field(linear, 38, 30) * 8, 8, true, &entry))
		return;
	if (!xd_is_legal(walk, entry) || !reserved_are_clear(walk, entry, 51, maxphyaddr(walk)))
		return;
	if (bit(entry, 7)) {
		if (!(walk->context->cpu & VSM_WALK_CPU_PAGE1GB)) {
			walk->reserved = true;
			return;
		}
		if (!reserved_are_clear(walk, entry, 29, 13))
			return;
		collect(walk, entry);
		page(walk, field(entry, 51, 30) * GIB, field(linear, 29, 0), GIB, bit(entry, 12),
		     entry);
		return;
	}
	collect(walk, entry);
	directory_and_table(walk, field(entry, 51, 12) * 4 * KIB, linear, 51);
}

/* "The sign extension of bit n - 1." */
static bool canonical(uint64_t linear, unsigned int n)
{
	uint64_t upper = linear >> (n - 1);

	return upper == 0 || upper == (UINT64_C(1) << (64 - n + 1)) - 1;
}

/* SDM 4.6.2: whether the page's key denies the data access. */
static bool key_denies(const struct reference *walk, enum reference_access access,
		       enum reference_who who)
{
	uint32_t rights;

	if (!walk->long_mode || access == REFERENCE_FETCH)
		return false;
	if (walk->all_user) {
		if (!bit(walk->context->cr4, 22))
			return false;
		rights = walk->context->pkru;
	} else {
		if (!bit(walk->context->cr4, 24))
			return false;
		if (who == REFERENCE_USER || who == REFERENCE_EXEMPT)
			return false;
		rights = walk->context->pkrs;
	}
	if (bit(rights, 2 * walk->key))
		return true;
	return access == REFERENCE_WRITE && bit(rights, 2 * walk->key + 1) &&
	       (cr0_wp(walk) || who == REFERENCE_USER);
}

/* SDM 4.6.1 by kind of access, then 4.6.2. */
static bool denied(const struct reference *walk, enum reference_access access,
		   enum reference_who who, bool ac)
{
	bool supervisor = who == REFERENCE_SUPERVISOR || who == REFERENCE_IMPLICIT;
	bool smap = bit(walk->context->cr4, 21), smep = bit(walk->context->cr4, 20);
	bool lifted = ac && who == REFERENCE_SUPERVISOR;

	if (who == REFERENCE_USER && !walk->all_user)
		return true;
	switch (access) {
	case REFERENCE_READ:
		if (supervisor && walk->all_user && smap && !lifted)
			return true;
		break;
	case REFERENCE_WRITE:
		if (supervisor && walk->all_user && smap && !lifted)
			return true;
		if (!walk->all_writable && (who == REFERENCE_USER || cr0_wp(walk)))
			return true;
		break;
	case REFERENCE_FETCH:
		if (supervisor && walk->all_user && smep)
			return true;
		if (walk->any_no_execute)
			return true;
		break;
	}
	return key_denies(walk, access, who);
}

struct reference_answer reference_walk(const struct vsm_walk_context *context, const uint8_t *ram,
				       uint64_t size, uint64_t gva, enum reference_access access,
				       enum reference_who who, bool ac)
{
	struct reference walk = {
		.context = context,
		.ram = ram,
		.size = size,
		.all_user = true,
		.all_writable = true,
	};
	bool pae = bit(context->cr4, 5), lma = bit(context->efer, 10), la57 = bit(context->cr4, 12);
	uint32_t code = 0;

	if (!bit(context->cr0, 31)) {
		walk.answer.translated = true;
		walk.answer.gpa = field(gva, 31, 0);
		walk.answer.page_size = 4 * KIB;
		walk.answer.cache = 6;
		return walk.answer;
	}
	if (!pae) {
		paging_32_bit(&walk, (uint32_t)gva);
	} else if (!lma) {
		paging_pae(&walk, (uint32_t)gva);
	} else if (!canonical(gva, la57 ? 57 : 48)) {
		walk.answer.general_protection = true;
		return walk.answer;
	} else {
		paging_long(&walk, gva);
	}
	if (walk.answer.no_memory)
		return walk.answer;

	/* SDM 4.7 */
	if (walk.not_present)
		walk.answer.page_fault = true;
	else if (walk.reserved)
		walk.answer.page_fault = true, code |= 1 + 8;
	else if (denied(&walk, access, who, ac))
		walk.answer.page_fault = true,
		code |= 1 + (key_denies(&walk, access, who) ? 32 : 0);
	if (!walk.answer.page_fault)
		return walk.answer;
	if (access == REFERENCE_WRITE)
		code |= 2;
	if (who == REFERENCE_USER)
		code |= 4;
	if (access == REFERENCE_FETCH && (bit(context->cr4, 20) || (pae && nxe(&walk))))
		code |= 16;
	walk.answer.error_code = code;
	return walk.answer;
}
