/* SPDX-License-Identifier: BSD-2-Clause */
/* VTL1 may access all memory, so requests of VTL0 are checked against VTL0's rights. guest_map() sets VTL0's
 * current rights again by HvCallModifyVtlProtectionMask, which fails where the GPA is not RAM. */
#include "kit/secure/state.h"

#include "kit/hypercall.h"
#include "kit/memory.h"

#define CHECKED 32u /* pages of one hypercall */

uint32_t guest_rights(enum policy_kind kind)
{
	static const uint32_t rights[] = {
		[POLICY_PRIVATE] = 0,
		[POLICY_CODE] = HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE,
		[POLICY_CONSTANT] = HV_MAP_GPA_READABLE,
		[POLICY_DATA] = HV_MAP_GPA_READABLE | HV_MAP_GPA_WRITABLE,
	};

	if (kind != POLICY_KINDS)
		return rights[kind];
	return secure_program.initial_rights ? secure_program.initial_rights
					     : HV_MAP_GPA_PERMISSIONS_MASK;
}

enum secure_kernel_status guest_protect(uint64_t gpa, uint32_t rights)
{
	const uint64_t page = gpa & ~(uint64_t)(PAGE_SIZE - 1);

	if (policy_kind_of(secure.policy, page) != POLICY_KINDS)
		return SECURE_KERNEL_DENIED;
	return vtl_protect(page, 1, rights) == HV_STATUS_SUCCESS ? SECURE_KERNEL_OK
								 : SECURE_KERNEL_REFUSED;
}

bool guest_permits(uint64_t gpa, uint8_t access)
{
	static const uint32_t right[] = {
		[HV_INTERCEPT_ACCESS_READ] = HV_MAP_GPA_READABLE,
		[HV_INTERCEPT_ACCESS_WRITE] = HV_MAP_GPA_WRITABLE,
		[HV_INTERCEPT_ACCESS_EXECUTE] = HV_MAP_GPA_EXECUTABLE,
	};
	const uint64_t page = gpa & ~(uint64_t)(PAGE_SIZE - 1);
	const enum policy_kind kind = policy_kind_of(secure.policy, page);

	if (access >= sizeof(right) / sizeof(right[0]))
		return false;
	/* If another VP has locked the page after the access was denied, the lock decides. */
	if (kind != POLICY_KINDS)
		return guest_rights(kind) & right[access];
	return secure_program.denied && secure_program.denied(page, access);
}

/* False if VTL0 cannot access the page as memory, but no VTL restricts it (SMRAM): the program cannot permit
 * an access. */
static bool take_rights(uint64_t result, uint8_t *rights)
{
	const uint64_t code = result & HV_CHECK_GPA_PAGE_RESULT_MASK;

	*rights = (uint8_t)(HV_MAP_GPA_PERMISSIONS_MASK &
			    ~(result >> HV_CHECK_GPA_PAGE_DENIED_ACCESS_SHIFT));
	return code == HV_CHECK_GPA_PAGE_SUCCESS ||
	       (code == HV_CHECK_GPA_PAGE_MEMORY_INTERCEPT &&
		result & HV_CHECK_GPA_PAGE_INTERCEPTING_VTL_MASK);
}

/* Queries the hypervisor: the policy does not contain rights set by guest_protect(). */
bool guest_rights_now(uint64_t gpa, uint64_t pages, uint8_t *rights)
{
	struct {
		struct hv_check_sparse_gpa_page_vtl_access_input header;
		uint64_t page[CHECKED];
	} input = {.header = {.partition_id = HV_PARTITION_ID_SELF,
			      .input_vtl = input_vtl(0),
			      .desired_access = HV_MAP_GPA_PERMISSIONS_MASK}};
	uint64_t result[CHECKED];

	while (pages) {
		const uint32_t now = pages < CHECKED ? (uint32_t)pages : CHECKED;

		for (uint32_t i = 0; i < now; i++)
			input.page[i] = (gpa >> HV_PAGE_SHIFT) + i;
		if (hv_hypercall_result_status(hypercall_memory(
			    hypercall_word(HV_CALL_CHECK_SPARSE_GPA_PAGE_VTL_ACCESS, now, 0),
			    &input, sizeof(input.header) + now * sizeof(input.page[0]), result,
			    now * (uint32_t)sizeof(result[0]))) != HV_STATUS_SUCCESS)
			return false;
		for (uint32_t i = 0; i < now; i++)
			if (!take_rights(result[i], rights++))
				return false;
		gpa += (uint64_t)now << HV_PAGE_SHIFT;
		pages -= now;
	}
	return true;
}

enum secure_kernel_status guest_map(uint64_t gpa, uint64_t size, bool write, void **at)
{
	const uint64_t page = gpa & ~(uint64_t)(PAGE_SIZE - 1);
	uint8_t rights;

	if (!size || gpa >= secure.address_limit || (gpa & (PAGE_SIZE - 1)) + size > PAGE_SIZE)
		return SECURE_KERNEL_BAD_ARGUMENT;
	if (!policy_allows(secure.policy, page, PAGE_SIZE, write) ||
	    !guest_rights_now(page, 1, &rights))
		return SECURE_KERNEL_DENIED;
	/* As for a write by VTL0, the program may first have to revoke execution of the page. */
	if (write && !(rights & HV_MAP_GPA_WRITABLE) &&
	    (!guest_permits(page, HV_INTERCEPT_ACCESS_WRITE) ||
	     !guest_rights_now(page, 1, &rights) || !(rights & HV_MAP_GPA_WRITABLE)))
		return SECURE_KERNEL_DENIED;
	if (!(rights & HV_MAP_GPA_READABLE) || vtl_protect(page, 1, rights) != HV_STATUS_SUCCESS)
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
