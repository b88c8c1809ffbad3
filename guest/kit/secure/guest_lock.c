/* SPDX-License-Identifier: BSD-2-Clause */
/* A lock must only remove rights: with a lock request VTL0 must not get a right that the program denies
 * it. */
#include "kit/secure/state.h"

#include "kit/memory.h"

static void restore(uint64_t gpa, uint64_t pages, const uint8_t *rights)
{
	for (uint64_t i = 0; i < pages; i++)
		vtl_protect(gpa + i * PAGE_SIZE, 1, rights[i]);
}

/* Whether the program grants VTL0 the @missing rights to a page. */
static bool grant_missing(uint64_t page, uint32_t missing)
{
	static const struct {
		uint32_t right;
		uint8_t access;
	} accesses[] = {
		{HV_MAP_GPA_READABLE, HV_INTERCEPT_ACCESS_READ},
		{HV_MAP_GPA_WRITABLE, HV_INTERCEPT_ACCESS_WRITE},
		{HV_MAP_GPA_EXECUTABLE, HV_INTERCEPT_ACCESS_EXECUTE},
	};

	for (uint32_t i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++)
		if (missing & accesses[i].right && !guest_permits(page, accesses[i].access))
			return false;
	return true;
}

static enum secure_kernel_status protect(uint64_t gpa, uint64_t pages, uint32_t rights,
					 const uint8_t *before)
{
	uint64_t at;
	uint32_t name;

	for (uint64_t i = 0; i < pages; i++)
		if (!grant_missing(gpa + i * PAGE_SIZE, rights & ~(uint32_t)before[i]))
			return SECURE_KERNEL_DENIED;
	if (vtl_protect(gpa, pages, rights) != HV_STATUS_SUCCESS)
		return SECURE_KERNEL_REFUSED;
	/* VTL0 would access the overlay, not the locked page. */
	if (!overlay_lies_in(gpa, pages, &at, &name))
		return SECURE_KERNEL_OK;
	secure_log(SECURE_KERNEL_EVENT_OVERLAY, at, 0, name);
	return SECURE_KERNEL_DENIED;
}

enum secure_kernel_status guest_lock(uint64_t gpa, uint64_t pages, enum secure_kernel_rights rights)
{
	static const enum policy_kind kinds[SECURE_KERNEL_RIGHTS] = {
		[SECURE_KERNEL_CODE] = POLICY_CODE,
		[SECURE_KERNEL_CONSTANT] = POLICY_CONSTANT,
		[SECURE_KERNEL_DATA] = POLICY_DATA,
	};
	uint8_t before[SECURE_KERNEL_PAGES_MAX];
	enum secure_kernel_status status;
	enum policy_kind kind;

	/* Locks need VTL1 on every VP: a VP without VTL1 could not handle its intercepts. */
	if (secure.vps_ready != secure.vps)
		return SECURE_KERNEL_NOT_READY;
	if (pages > SECURE_KERNEL_PAGES_MAX || rights >= SECURE_KERNEL_RIGHTS)
		return SECURE_KERNEL_BAD_ARGUMENT;
	if (rights != SECURE_KERNEL_CODE && !secure.denies_execute)
		return SECURE_KERNEL_NOT_ENFORCED;
	kind = kinds[rights];
	status = policy_check(secure.policy, gpa, pages, kind);
	if (status != SECURE_KERNEL_OK)
		return status;
	if (!guest_rights_now(gpa, pages, before))
		return SECURE_KERNEL_REFUSED;
	status = protect(gpa, pages, guest_rights(kind), before);
	if (status != SECURE_KERNEL_OK) {
		/* The rights of some pages may have changed before the error. */
		restore(gpa, pages, before);
		return status;
	}
	policy_add(secure.policy, gpa, pages, kind);
	secure_log(SECURE_KERNEL_EVENT_LOCK, gpa, 0, pages);
	return SECURE_KERNEL_OK;
}
