/* SPDX-License-Identifier: BSD-2-Clause */
#include "fault.h"

#include "access.h"

/* Page-fault error code, SDM 3A 4.7. */
enum {
	PF_P = 1 << 0,
	PF_WR = 1 << 1,
	PF_US = 1 << 2,
	PF_RSVD = 1 << 3,
	PF_ID = 1 << 4,
	PF_PK = 1 << 5,
};

enum {
	VECTOR_GP = 13,
	VECTOR_PF = 14,
};

/* The guest's fault for a reason. Indexed by enum vsm_walk_reason. */
static const struct meaning {
	const char *name;
	uint8_t vector;
	uint8_t error_code; /* the bits that depend only on the reason */
	bool by_rights;	    /* denied by access rights: other accesses may be allowed */
} meanings[] = {
	[VSM_WALK_OK] = {"ok"},
	[VSM_WALK_NON_CANONICAL] = {"non-canonical address", VECTOR_GP},
	[VSM_WALK_NOT_PRESENT] = {"not present", VECTOR_PF},
	[VSM_WALK_RESERVED_BIT] = {"reserved bit", VECTOR_PF, PF_P | PF_RSVD},
	[VSM_WALK_USER_DENIED] = {"user access denied", VECTOR_PF, PF_P, true},
	[VSM_WALK_WRITE_DENIED] = {"write denied", VECTOR_PF, PF_P, true},
	[VSM_WALK_EXECUTE_DENIED] = {"execute denied", VECTOR_PF, PF_P, true},
	[VSM_WALK_SMEP_DENIED] = {"execute denied by SMEP", VECTOR_PF, PF_P, true},
	[VSM_WALK_SMAP_DENIED] = {"access denied by SMAP", VECTOR_PF, PF_P, true},
	[VSM_WALK_KEY_DENIED] = {"access denied by protection key", VECTOR_PF, PF_P, true},
	[VSM_WALK_TABLE_NOT_READABLE] = {"page table not readable"},
	[VSM_WALK_TABLE_NOT_WRITABLE] = {"page table not writable"},
	[VSM_WALK_PAGE_REFUSED] = {"page refused"},
	[VSM_WALK_TRY_AGAIN] = {"try again"},
	[VSM_WALK_UNSUPPORTED] = {"unsupported"},
	[VSM_WALK_INVALID] = {"invalid request"},
};

const char *vsm_walk_reason_name(enum vsm_walk_reason reason)
{
	const unsigned int count = sizeof(meanings) / sizeof(meanings[0]);

	return (unsigned int)reason < count ? meanings[reason].name : "?";
}

/* The bit number of the access that a CPU reports: a read-modify-write is a write. */
static unsigned int reported(unsigned int failed)
{
	if (failed & VSM_WALK_WRITE)
		return 1;
	return failed & VSM_WALK_EXECUTE && !(failed & VSM_WALK_READ) ? 2 : 0;
}

enum vsm_walk_reason walk_reason_of(unsigned int failed, const uint8_t why[3])
{
	return why[reported(failed)];
}

static unsigned int page_fault(const struct walk *walk, const struct meaning *meaning)
{
	const struct vsm_walk_context *context = walk->context;
	unsigned int bit = reported(walk->result->failed);
	unsigned int facts = walk->facts;
	unsigned int code = meaning->error_code;
	bool user = facts & AS_USER;

	code |= bit == 1 ? PF_WR : 0;
	/* Without SMEP or NX, a fetch is reported as a read. */
	if (bit == 2 &&
	    (context->cr4 & CR4_SMEP || (context->cr4 & CR4_PAE && context->efer & EFER_NXE)))
		code |= PF_ID;
	if (meaning->by_rights) {
		facts = walk->facts_of_page;
		/* Both privileges were requested: PF_US unless only the supervisor access fails. */
		if (user && facts & AS_SUPERVISOR)
			user = walk_denials(facts & ~(unsigned int)AS_SUPERVISOR) >> (8 * bit) &
			       0xff;
		code |= walk_denied_by_key(facts, bit) ? PF_PK : 0;
	}
	return code | (user ? PF_US : 0);
}

void walk_explain(struct walk *walk, enum vsm_walk_reason reason)
{
	const struct meaning *meaning = &meanings[reason];
	struct vsm_walk_result *result = walk->result;

	result->reason = reason;
	result->failed = walk->request->access;
	if (meaning->by_rights)
		result->failed &= ~result->allowed;
	result->vector = meaning->vector;
	if (meaning->vector == VECTOR_PF)
		result->error_code = page_fault(walk, meaning);
}
