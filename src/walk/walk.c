/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk: tables from the top, access rights, the caller's check, accessed and dirty bits. */
#include <vsm/walk.h>

#include "access.h"
#include "fault.h"
#include "format.h"
#include "memory.h"
#include "walk.h"

/* Ends the walk at step @i, or at the page itself for @i == walk->steps. */
static enum vsm_walk_reason stop(struct walk *walk, unsigned int i, enum vsm_walk_reason reason)
{
	bool at_page = i == walk->steps;

	walk->stopped = i;
	walk->result->stop_gpa = at_page ? walk->result->gpa : walk->step[i].gpa;
	walk->result->level = at_page ? 0 : walk->format->levels - i;
	return reason;
}

static enum vsm_walk_reason refused(struct walk *walk, unsigned int i, enum vsm_walk_reason reason,
				    enum vsm_walk_refusal refusal)
{
	/* An illegal return value of the caller's function counts as unmapped. */
	walk->result->refusal = refusal < VSM_WALK_CHANGED ? refusal : VSM_WALK_UNMAPPED;
	return stop(walk, i, reason);
}

/* The page that @entry maps (SDM 3A 4.3, 4.4.2, 4.5.4), and its memory type (4.9.2). */
static inline __attribute__((always_inline)) void found(struct walk *walk,
							const struct walk_format *format,
							const struct walk_level *level,
							uint64_t entry, bool large)
{
	const struct vsm_walk_context *context = walk->context;
	struct vsm_walk_result *result = walk->result;
	uint64_t offset = BIT(level->shift) - 1;
	uint64_t pat_bit = large ? PTE_PAT_LARGE : PTE_PAT;
	unsigned int pat_index = (entry & pat_bit ? 4 : 0) | (entry & (PTE_PCD | PTE_PWT)) >> 3;
	uint64_t common = walk->common;

	result->gpa = (entry & PTE_ADDRESS & ~offset) | (walk->gva & offset);
	if (large && format->entry_size == 4)
		result->gpa |= (entry & BITS(20, 13)) << (32 - 13); /* PSE-36 */
	result->stop_gpa = walk->step[walk->steps - 1].gpa;
	result->level = format->levels - (walk->steps - 1);
	result->translated = true;
	result->page_shift = level->shift;
	result->cache = context->pat >> (8 * pat_index) & 7;
	result->key = format->has_keys ? entry >> 59 & 15 : 0;
	result->rights = (common & PTE_RW ? VSM_WALK_RIGHT_WRITE : 0) |
			 (common & PTE_US ? VSM_WALK_RIGHT_USER : 0) |
			 (common & PTE_XD ? VSM_WALK_RIGHT_EXECUTE : 0) |
			 (entry & PTE_G && context->cr4 & CR4_PGE ? VSM_WALK_RIGHT_GLOBAL : 0);
}

/* CR0.PG is 0: linear addresses are physical ones, and everything is allowed (SDM 3A 4.1.1). */
static enum vsm_walk_reason identity(struct walk *walk)
{
	walk->steps = 0;
	*walk->result = (struct vsm_walk_result){
		.gpa = walk->gva,
		.translated = true,
		.page_shift = 12,
		.rights = VSM_WALK_RIGHT_WRITE | VSM_WALK_RIGHT_USER | VSM_WALK_RIGHT_EXECUTE,
		.cache = VSM_WALK_CACHE_WB,
		.allowed = VSM_WALK_READ | VSM_WALK_WRITE | VSM_WALK_EXECUTE,
	};
	return VSM_WALK_OK;
}

/*
 * Instantiated for each format, so that its row of the table becomes constants and the loop is
 * unrolled. The locals avoid reloads, as stores to a step may alias context and memory.
 */
static inline __attribute__((always_inline)) enum vsm_walk_reason
descend_by(struct walk *walk, const struct walk_format *format)
{
	const struct vsm_walk_direct ram = walk_first_direct(walk->memory);
	const unsigned int size = format->entry_size;
	const uint64_t gva = walk->gva, always_reserved = walk->reserved;
	uint64_t table = walk->root, common = ~UINT64_C(0);

#pragma GCC unroll 5
	for (unsigned int i = 0; i < format->levels; i++) {
		const struct walk_level *level = &format->level[i];
		uint64_t index = gva >> level->shift & level->index_mask;
		struct step *step = &walk->step[i];
		uint64_t gpa = table + index * size, entry, reserved;
		bool large;

		walk->steps = i + 1;
		step->gpa = gpa;
		if (i == 0 && format->loads_pdptes && walk->pdptes_loaded) {
			step->gpa = 0;
			entry = walk->context->pdpte[index];
		} else if (gpa - ram.gpa < ram.size) {
			entry = walk_load((const char *)ram.host + (gpa - ram.gpa), size);
		} else {
			enum vsm_walk_refusal refusal = walk_read(walk->memory, gpa, size, &entry);

			if (refusal)
				return refused(walk, i, VSM_WALK_TABLE_NOT_READABLE, refusal);
		}
		step->entry = entry;
		if (!(entry & PTE_P))
			return stop(walk, i, VSM_WALK_NOT_PRESENT);

		large = level->may_be_large && entry & PTE_PS;
		reserved = always_reserved | (level->reserved_amd & walk->reserved_amd);
		reserved |= large ? level->reserved_large | walk->reserved_large : level->reserved;
		if (entry & reserved)
			return stop(walk, i, VSM_WALK_RESERVED_BIT);

		common &= (entry ^ PTE_XD) | level->assume;
		if (large || i + 1 == format->levels) {
			walk->common = common;
			found(walk, format, level, entry, large);
			return VSM_WALK_OK;
		}
		table = entry & PTE_ADDRESS;
	}
	__builtin_unreachable();
}

static enum vsm_walk_reason descend(struct walk *walk)
{
	switch (walk->format_id) {
	case FORMAT_32:
		return descend_by(walk, &walk_formats[FORMAT_32]);
	case FORMAT_32_PSE:
		return descend_by(walk, &walk_formats[FORMAT_32_PSE]);
	case FORMAT_PAE:
		return descend_by(walk, &walk_formats[FORMAT_PAE]);
	case FORMAT_4LEVEL:
		return descend_by(walk, &walk_formats[FORMAT_4LEVEL]);
	case FORMAT_4LEVEL_1G:
		return descend_by(walk, &walk_formats[FORMAT_4LEVEL_1G]);
	case FORMAT_5LEVEL:
		return descend_by(walk, &walk_formats[FORMAT_5LEVEL]);
	case FORMAT_5LEVEL_1G:
		return descend_by(walk, &walk_formats[FORMAT_5LEVEL_1G]);
	case FORMAT_NONE:
		break;
	}
	return identity(walk);
}

/* The topmost step whose entry lacks one of @bits (XD inverted), or the last step. */
static unsigned int step_that_lacks(const struct walk *walk, uint64_t bits)
{
	unsigned int i = 0;

	while (i + 1 < walk->steps) {
		uint64_t entry = (walk->step[i].entry ^ PTE_XD) | walk->format->level[i].assume;

		if (~entry & bits)
			break;
		i++;
	}
	return i;
}

static enum vsm_walk_reason check_rights(struct walk *walk)
{
	static const uint64_t needs[] = {
		[VSM_WALK_USER_DENIED] = PTE_US,
		[VSM_WALK_WRITE_DENIED] = PTE_RW,
		[VSM_WALK_EXECUTE_DENIED] = PTE_XD,
		/* Reported for the last level. */
		[VSM_WALK_SMEP_DENIED] = 0,
		[VSM_WALK_SMAP_DENIED] = 0,
		[VSM_WALK_KEY_DENIED] = 0,
	};
	struct vsm_walk_result *result = walk->result;
	unsigned int facts = walk->facts;
	enum vsm_walk_reason reason;
	uint32_t why;

	facts |= walk->common & PTE_US ? USER_PAGE : 0;
	facts |= walk->common & PTE_RW ? 0 : READ_ONLY_PAGE;
	facts |= walk->common & PTE_XD ? 0 : NO_EXECUTE_PAGE;
	if (walk->format->has_keys)
		facts |= walk_facts_of_key(walk->context, facts, result->key);
	walk->facts_of_page = facts;

	why = walk_denials(facts);
	result->why[0] = why;
	result->why[1] = why >> 8;
	result->why[2] = why >> 16;
	result->allowed = (result->why[0] ? 0 : VSM_WALK_READ) |
			  (result->why[1] ? 0 : VSM_WALK_WRITE) |
			  (result->why[2] ? 0 : VSM_WALK_EXECUTE);
	if (!(walk->request->access & ~result->allowed))
		return VSM_WALK_OK;

	reason = walk_reason_of(walk->request->access & ~result->allowed, result->why);
	return stop(walk, needs[reason] ? step_that_lacks(walk, needs[reason]) : walk->steps - 1,
		    reason);
}

static enum vsm_walk_reason check_page(struct walk *walk)
{
	const struct vsm_walk_memory *memory = walk->memory;
	enum vsm_walk_refusal refusal;

	if (!memory->check_page)
		return VSM_WALK_OK;
	refusal = memory->check_page(memory->opaque, walk->result->gpa, walk->request->access,
				     walk->result->rights & VSM_WALK_RIGHT_USER);
	return refusal ? refused(walk, walk->steps, VSM_WALK_PAGE_REFUSED, refusal) : VSM_WALK_OK;
}

/*
 * Sets accessed and dirty bits (SDM 3A 4.8). After a failure, only with AD_SET_TO_FAILURE and only
 * in the entries above the one that stopped the walk.
 */
static enum vsm_walk_reason mark(struct walk *walk, enum vsm_walk_reason reason)
{
	unsigned int last = walk->steps - 1;
	bool dirty = reason == VSM_WALK_OK && walk->request->access & VSM_WALK_WRITE;
	unsigned int end = reason == VSM_WALK_OK ? walk->steps : walk->stopped;

	if (reason != VSM_WALK_OK && walk->request->ad != VSM_WALK_AD_SET_TO_FAILURE)
		return reason;
	for (unsigned int i = 0; i < end; i++) {
		const struct step *step = &walk->step[i];
		uint64_t bits = i == last && dirty ? PTE_A | PTE_D : PTE_A;
		enum vsm_walk_refusal refusal;

		bits &= ~(step->entry | walk->format->level[i].assume);
		if (!bits)
			continue;
		refusal = walk_set_bits(walk->memory, step->gpa, walk->format->entry_size,
					step->entry, bits);
		if (refusal == VSM_WALK_CHANGED)
			return VSM_WALK_TRY_AGAIN;
		if (refusal)
			return refused(walk, i, VSM_WALK_TABLE_NOT_WRITABLE, refusal);
	}
	return reason;
}

static enum vsm_walk_reason attempt(struct walk *walk)
{
	enum vsm_walk_reason reason = descend(walk);

	if (reason == VSM_WALK_OK && walk->format_id != FORMAT_NONE)
		reason = check_rights(walk);
	if (reason == VSM_WALK_OK)
		reason = check_page(walk);
	return walk->request->ad == VSM_WALK_AD_LEAVE ? reason : mark(walk, reason);
}

static enum vsm_walk_reason check(const struct vsm_walk_context *context,
				  const struct vsm_walk_request *request)
{
	const uint32_t accesses = VSM_WALK_READ | VSM_WALK_WRITE | VSM_WALK_EXECUTE;
	const uint32_t flags = (VSM_WALK_SHADOW_STACK << 1) - 1;

	if (context->max_phys_addr < 32 || context->max_phys_addr > 52 ||
	    request->access & ~accesses || request->flags & ~flags ||
	    (unsigned int)request->ad > VSM_WALK_AD_SET_TO_FAILURE)
		return VSM_WALK_INVALID;
	return request->flags & VSM_WALK_SHADOW_STACK ? VSM_WALK_UNSUPPORTED : VSM_WALK_OK;
}

static void prepare(struct walk *walk, const struct vsm_walk_context *context,
		    const struct vsm_walk_memory *memory, const struct vsm_walk_request *request,
		    struct vsm_walk_result *result)
{
	enum walk_format_id id = walk_format_of(context);
	const struct walk_format *format = &walk_formats[id];
	uint64_t above = ~UINT64_C(0) << context->max_phys_addr;

	walk->context = context;
	walk->memory = memory;
	walk->request = request;
	walk->result = result;
	walk->format = format;
	walk->format_id = id;
	walk->gva = walk->request->gva;
	if (format->address_bits == 32)
		walk->gva = (uint32_t)walk->gva;
	walk->root = context->cr3 & format->table_of_cr3 & ~above;
	walk->pdptes_loaded = format->loads_pdptes && context->cpu & VSM_WALK_CPU_PDPTES_LOADED;
	walk->facts = walk_facts_of_request(context, walk->request->flags);
	walk->reserved_amd = context->cpu & VSM_WALK_CPU_PML4E_BIT8_RESERVED ? ~UINT64_C(0) : 0;
	walk->reserved = format->reserved_above & above;
	walk->reserved_large = 0;
	if (format->entry_size == 8) {
		walk->reserved |= context->efer & EFER_NXE ? 0 : PTE_XD;
	} else {
		/* SDM 3A 4.3: M is the lesser of 40 and MAXPHYADDR; bits 21:(M-19) are reserved. */
		unsigned int m = context->max_phys_addr < 40 ? context->max_phys_addr : 40;

		if (!(context->cpu & VSM_WALK_CPU_PSE36))
			m = 32;
		walk->reserved_large = BITS(21, m - 19);
	}
}

static enum vsm_walk_reason walk_all(struct walk *walk)
{
	/* The upper bits, which must equal the sign bit in a canonical address (SDM 1, 3.3.7.1). */
	unsigned int spare = 64 - walk->format->address_bits;
	enum vsm_walk_reason reason;
	unsigned int attempts = 0;

	*walk->result = (struct vsm_walk_result){0};
	if (spare < 32 && (uint64_t)((int64_t)(walk->gva << spare) >> spare) != walk->gva)
		return VSM_WALK_NON_CANONICAL;
	do {
		reason = attempt(walk);
		attempts++;
		if (reason == VSM_WALK_TRY_AGAIN)
			*walk->result = (struct vsm_walk_result){0};
		walk->result->attempts = attempts;
	} while (reason == VSM_WALK_TRY_AGAIN && attempts < VSM_WALK_MAX_ATTEMPTS);
	return reason;
}

enum vsm_walk_reason vsm_walk(const struct vsm_walk_context *context,
			      const struct vsm_walk_memory *memory,
			      const struct vsm_walk_request *request,
			      struct vsm_walk_result *result)
{
	enum vsm_walk_reason reason = check(context, request);
	struct walk walk;

	if (reason != VSM_WALK_OK) {
		*result = (struct vsm_walk_result){.reason = reason, .failed = request->access & 7};
		return reason;
	}
	prepare(&walk, context, memory, request, result);
	reason = walk_all(&walk);
	if (reason != VSM_WALK_OK)
		walk_explain(&walk, reason);
	return reason;
}
