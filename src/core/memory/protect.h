/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VTL protections (TLFS "Memory Access Protections").
 *
 * There is one map for each (owner, restricted) pair, so that VTL1's own accesses are never subject
 * to its restrictions on VTL0 (P16). The rights of VTL m are the intersection over all owners above
 * m.
 */
#ifndef CORE_PROTECT_H
#define CORE_PROTECT_H

#include "core/core.h"

/*
 * The rights to page @gpn that @owner gives @vtl (enum gpa_access): all rights if it never had RAM.
 * A page of a file that is at several GPAs, or was restricted at a former GPA, has the intersection
 * of the rights at these GPAs. Memory lock held for reading.
 */
uint8_t protect_by_owner(const struct vsm_partition *partition, uint8_t owner, uint8_t vtl,
			 uint64_t gpn);
/* The rights of @vtl to page @gpn, by all owners. Memory lock held for reading. */
uint8_t protect_effective(const struct vsm_partition *partition, uint8_t vtl, uint64_t gpn);
/*
 * Number of pages from @gpn on, at most @limit, in one region and with the same rights for @vtl in
 * the maps of all owners. @gpn has RAM. Memory lock held for reading.
 */
uint64_t protect_run(const struct vsm_partition *partition, uint8_t vtl, uint64_t gpn,
		     uint64_t limit);
/* Whether an owner restricts any VTL at any page of the range, even if there is no RAM. */
bool protect_is_restricted(const struct vsm_partition *partition, uint64_t gpn, uint64_t pages);
/* The VTL that gets the intercept of @access: the lowest owner that denies it; 0: none. */
uint8_t protect_denier(const struct vsm_partition *partition, uint8_t vtl, uint64_t gpn,
		       uint8_t access);

/* Whether kernel and user execute differ in the masks of @owner (TLFS "MBEC configuration"). */
static inline bool protect_has_mbec(const struct vsm_partition *partition, uint8_t owner)
{
	return atomic_load(&partition->mbec_vtls) & vtl_bit(owner);
}

/*
 * Whether user execute governs fetches of @vtl from user pages (backend_run.mbec): every higher VTL
 * that has MBEC has enabled it for @vtl on this VP, as the CPU has one setting for all of them
 * (TLFS "MBEC configuration").
 */
bool protect_mbec_governs(const struct vsm_vp *vp, uint8_t vtl);

/*
 * Whether @flags (HV_MAP_GPA_FLAGS) is a protection that the engine can enforce: HV_STATUS_SUCCESS,
 * INVALID_PARAMETER (illegal), or OPERATION_DENIED (legal, but cannot be enforced; this is logged).
 */
uint16_t protect_check_flags(struct vsm_partition *partition, uint8_t owner, uint32_t flags);

/* Whether @flags is legal and can be enforced; @user_execute: the owner has MBEC. Logs nothing. */
bool protect_possible(const struct vsm_partition *partition, uint32_t flags, bool user_execute);

/*
 * Sets the rights of @restricted (or, if negative, of every VTL below @owner) to @count pages. In
 * force on every VP when it returns. Stops at the first page that fails; *done: pages done before
 * it. Takes the memory lock for writing. INVALID_PARAMETER: never RAM since the last reset;
 * INSUFFICIENT_MEMORY, OPERATION_DENIED or OPERATION_FAILED: if the backend failed, this page and
 * perhaps some before it are unchanged.
 */
uint16_t protect_set(struct vsm_partition *partition, uint8_t owner, int restricted,
		     const uint64_t *gpn, size_t count, uint8_t access, size_t *done);
uint16_t protect_set_default(struct vsm_partition *partition, uint8_t owner, uint8_t access);

/*
 * Logs that @what could not be restored after a failed change, and disables the backend: the rights
 * in force are undefined. Memory lock held for writing.
 */
void protect_undo_failed(struct vsm_partition *partition, int error, const char *what);
/* Returns -EIO, logged, after protect_undo_failed(). */
int protect_check_lost(const struct vsm_partition *partition);

/* Grows the maps for spans that were added. Memory lock held for writing. */
int protect_grow(struct vsm_partition *partition);
/*
 * Set the rights of @vtl to memory of the range in the backend: protect_new() for new memory, for
 * which the backend has set all rights, protect_reapply() for memory whose other GPAs changed.
 * Memory lock held for writing.
 */
int protect_new(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn, uint64_t pages);
int protect_reapply(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn, uint64_t pages);
/* Sets VTL0's rights at the VMM's mappings of a range of RAM. Memory lock held for writing. */
int protect_guards(struct vsm_partition *partition, uint64_t gpn, uint64_t pages);
/* The same at the VMM's mappings in memory.former, of restricted memory that left the map. */
int protect_former_guards(struct vsm_partition *partition);
int protect_reset(struct vsm_partition *partition);
void protect_destroy(struct vsm_partition *partition);
/*
 * Calls @run for each run of pages, with RAM or without, for which @owner gives @restricted other
 * rights than its default. The partition is stopped, or the memory lock held for reading.
 */
typedef void protect_run_fn(void *opaque, uint64_t gpn, uint64_t pages, uint8_t access);
void protect_each(const struct vsm_partition *partition, uint8_t owner, uint8_t restricted,
		  protect_run_fn *run, void *opaque);
size_t protect_memory_used(const struct vsm_partition *partition);

#endif
