/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VTL1 may access all memory, so requests of VTL0 are checked against VTL0's rights. The hypervisor
 * determines what is RAM: it confirms VTL0's existing rights, or refuses.
 */
#include "kit/secure/state.h"

#include "kit/memory.h"

uint32_t guest_rights(enum policy_kind kind)
{
	static const uint32_t rights[] = {
		[POLICY_PRIVATE] = 0,
		[POLICY_CODE] = HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE,
		[POLICY_CONSTANT] = HV_MAP_GPA_READABLE,
		[POLICY_DATA] = HV_MAP_GPA_READABLE | HV_MAP_GPA_WRITABLE,
		[POLICY_KINDS] = HV_MAP_GPA_PERMISSIONS_MASK,
	};

	return rights[kind];
}

enum secure_kernel_status guest_map(uint64_t gpa, uint64_t size, bool write, void **at)
{
	const uint64_t page = gpa & ~(uint64_t)(PAGE_SIZE - 1);

	if (!size || gpa >= secure.address_limit || (gpa & (PAGE_SIZE - 1)) + size > PAGE_SIZE)
		return SECURE_KERNEL_BAD_ARGUMENT;
	if (!policy_allows(secure.policy, page, PAGE_SIZE, write))
		return SECURE_KERNEL_DENIED;
	if (vtl_protect(page, 1, guest_rights(policy_kind_of(secure.policy, page))) !=
	    HV_STATUS_SUCCESS)
		return SECURE_KERNEL_DENIED;
	*at = paging_window(gpa);
	return SECURE_KERNEL_OK;
}

enum secure_kernel_status guest_read(uint64_t gpa, void *to, uint32_t size)
{
	void *at;
	const enum secure_kernel_status status = guest_map(gpa, size, false, &at);

	if (status == SECURE_KERNEL_OK)
		memcpy(to, at, size);
	return status;
}

enum secure_kernel_status guest_write(uint64_t gpa, const void *from, uint32_t size)
{
	void *at;
	const enum secure_kernel_status status = guest_map(gpa, size, true, &at);

	if (status == SECURE_KERNEL_OK)
		memcpy(at, from, size);
	return status;
}
