/* SPDX-License-Identifier: BSD-2-Clause */
/* Access rights (SDM 3A 4.6): whether a translation allows reads, writes and execution. */
#ifndef WALK_ACCESS_H
#define WALK_ACCESS_H

#include <vsm/walk.h>

#include "bits.h"

/* Inputs as bits: privilege of the access, enforced rules, properties of the page. */
enum walk_fact {
	AS_USER = 1 << 0, /* with AS_SUPERVISOR: both must be allowed; neither: VSM_WALK_EXEMPT */
	AS_SUPERVISOR = 1 << 1,
	WP = 1 << 2,
	SMEP = 1 << 3,
	SMAP = 1 << 4, /* CR4.SMAP, without an override by EFLAGS.AC */
	USER_PAGE = 1 << 5,
	READ_ONLY_PAGE = 1 << 6,
	NO_EXECUTE_PAGE = 1 << 7,
	KEY_DENIES_ACCESS = 1 << 8,
	KEY_DENIES_WRITE = 1 << 9,
};

/* One byte for each access (read, write, execute), which holds the reason for a denial. */
#define R__ 0x0000ffu
#define _W_ 0x00ff00u
#define __X 0xff0000u
#define RW_ (R__ | _W_)
#define RWX (R__ | _W_ | __X)

/*
 * The rules of SDM 3A 4.6.1 and 4.6.2: facts that must be true, facts that must be false, and the
 * accesses that are denied then. The last rule that matches an access gives the reason.
 */
static const struct walk_rule {
	uint16_t is;
	uint16_t is_not;
	uint32_t denies;
	uint32_t reason;
} walk_rules[] = {
	{KEY_DENIES_WRITE | WP, 0, _W_, VSM_WALK_KEY_DENIED},
	{KEY_DENIES_WRITE | AS_USER, 0, _W_, VSM_WALK_KEY_DENIED},
	{KEY_DENIES_ACCESS, 0, RW_, VSM_WALK_KEY_DENIED},
	{AS_SUPERVISOR | USER_PAGE | SMAP, 0, RW_, VSM_WALK_SMAP_DENIED},
	{AS_SUPERVISOR | USER_PAGE | SMEP, 0, __X, VSM_WALK_SMEP_DENIED},
	{NO_EXECUTE_PAGE, 0, __X, VSM_WALK_EXECUTE_DENIED},
	{READ_ONLY_PAGE | WP, 0, _W_, VSM_WALK_WRITE_DENIED},
	{READ_ONLY_PAGE | AS_USER, 0, _W_, VSM_WALK_WRITE_DENIED},
	{AS_USER, USER_PAGE, RWX, VSM_WALK_USER_DENIED},
};

#undef R__
#undef _W_
#undef __X
#undef RW_
#undef RWX

static inline bool walk_rule_matches(const struct walk_rule *rule, unsigned int facts)
{
	return (facts & (rule->is | rule->is_not)) == rule->is;
}

/* The reason for a denial (enum vsm_walk_reason): byte 0 for read, 1 for write, 2 for execute. */
static inline uint32_t walk_denials(unsigned int facts)
{
	uint32_t why = 0;

#pragma GCC unroll 16
	for (unsigned int i = 0; i < sizeof(walk_rules) / sizeof(walk_rules[0]); i++) {
		const struct walk_rule *rule = &walk_rules[i];

		if (walk_rule_matches(rule, facts))
			why = (why & ~rule->denies) | (rule->reason * 0x010101u & rule->denies);
	}
	return why;
}

/* Whether the protection key denies @access (0: read, 1: write). */
static inline bool walk_denied_by_key(unsigned int facts, unsigned int access)
{
	for (unsigned int i = 0; i < sizeof(walk_rules) / sizeof(walk_rules[0]); i++) {
		const struct walk_rule *rule = &walk_rules[i];

		if (rule->reason == VSM_WALK_KEY_DENIED && walk_rule_matches(rule, facts) &&
		    rule->denies >> (8 * access) & 1)
			return true;
	}
	return false;
}

/* The facts that depend on the request, the CPL, RFLAGS and the control registers. */
static inline unsigned int walk_facts_of_request(const struct vsm_walk_context *context,
						 unsigned int flags)
{
	unsigned int facts = 0;
	bool lifted = context->rflags & FLAGS_AC || flags & VSM_WALK_OVERRIDE_SMAP;

	if (flags & VSM_WALK_ENFORCE_SMAP)
		lifted = false;
	if (flags & VSM_WALK_EXEMPT) {
		/* Neither AS_USER nor AS_SUPERVISOR: rules that need one of them do not match. */
	} else if (flags & VSM_WALK_IMPLICIT) {
		facts = AS_SUPERVISOR;
		lifted = false;
	} else if (flags & (VSM_WALK_USER | VSM_WALK_SUPERVISOR)) {
		facts |= flags & VSM_WALK_USER ? AS_USER : 0;
		facts |= flags & VSM_WALK_SUPERVISOR ? AS_SUPERVISOR : 0;
	} else {
		facts = context->cpl == 3 ? AS_USER : AS_SUPERVISOR;
	}
	facts |= context->cr0 & CR0_WP ? WP : 0;
	facts |= context->cr4 & CR4_SMEP ? SMEP : 0;
	facts |= context->cr4 & CR4_SMAP && !lifted ? SMAP : 0;
	return facts;
}

/* The facts that depend on the page's protection key (SDM 3A 4.6.2). */
static inline unsigned int walk_facts_of_key(const struct vsm_walk_context *context,
					     unsigned int facts, unsigned int key)
{
	uint32_t rights = 0;

	if (facts & USER_PAGE)
		rights = context->cr4 & CR4_PKE ? context->pkru : 0;
	else if (facts & AS_SUPERVISOR)
		rights = context->cr4 & CR4_PKS ? context->pkrs : 0;
	rights >>= 2 * key;
	return (rights & 1 ? KEY_DENIES_ACCESS : 0) | (rights & 2 ? KEY_DENIES_WRITE : 0);
}

#endif
