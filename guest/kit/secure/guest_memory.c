/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VTL1 may access all memory, so requests of VTL0 are checked against VTL0's rights. The hypervisor
 * determines what is RAM: it confirms VTL0's existing rights, or refuses.
 */
#include "kit/secure/state.h"

#include "kit/memory.h"

enum secure_kernel_status guest_map(uint64_t gpa, uint64_t size, bool write, void **at)
{
	const uint64_t page = gpa & ~(uint64_t)(PAGE_SIZE - 1);
	uint32_t flags = PROTECT_ALL;

	if (!size || gpa >= secure.address_limit || (gpa & (PAGE_SIZE - 1)) + size > PAGE_SIZE)
		return SECURE_KERNEL_BAD_ARGUMENT;
	if (!policy_allows(secure.policy, page, PAGE_SIZE, write))
		return SECURE_KERNEL_DENIED;
	if (!policy_allows(secure.policy, page, PAGE_SIZE, true))
		flags = PROTECT_EXECUTE;
	if (vtl_protect(page, 1, flags) != HV_STATUS_SUCCESS)
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
