/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/secure/policy.h"

#define PAGE 4096ull

static bool touches(const struct policy_range *range, uint64_t begin, uint64_t end)
{
	return begin < range->first + range->pages * PAGE && end > range->first;
}

static bool denies(enum policy_kind kind, bool write)
{
	return kind == POLICY_PRIVATE || (write && kind != POLICY_DATA);
}

static bool continues(const struct policy *policy, uint64_t first, enum policy_kind kind)
{
	const struct policy_range *last;

	if (policy->count == 0)
		return false;
	last = &policy->range[policy->count - 1];
	return last->kind == kind && last->first + last->pages * PAGE == first;
}

enum secure_kernel_status policy_check(const struct policy *policy, uint64_t first, uint64_t pages,
				       enum policy_kind kind)
{
	if (policy->locked)
		return SECURE_KERNEL_LOCKED;
	if (!pages || first % PAGE || first >= POLICY_LIMIT ||
	    pages > (POLICY_LIMIT - first) / PAGE)
		return SECURE_KERNEL_BAD_ARGUMENT;
	for (uint32_t i = 0; i < policy->count; i++)
		if (touches(&policy->range[i], first, first + pages * PAGE))
			return SECURE_KERNEL_DENIED;
	if (policy->count == POLICY_RANGES && !continues(policy, first, kind))
		return SECURE_KERNEL_FULL;
	return SECURE_KERNEL_OK;
}

void policy_add_own(struct policy *policy, uint64_t first, uint64_t pages, enum policy_kind kind)
{
	if (continues(policy, first, kind)) {
		policy->range[policy->count - 1].pages += pages;
		return;
	}
	policy->range[policy->count++] =
		(struct policy_range){.first = first, .pages = pages, .kind = kind};
}

void policy_add(struct policy *policy, uint64_t first, uint64_t pages, enum policy_kind kind)
{
	policy_add_own(policy, first, pages, kind);
	if (denies(kind, true))
		policy->read_only_pages += pages;
}

void policy_lock(struct policy *policy)
{
	policy->locked = 1;
}

enum policy_kind policy_kind_of(const struct policy *policy, uint64_t address)
{
	for (uint32_t i = 0; i < policy->count; i++)
		if (touches(&policy->range[i], address, address + 1))
			return policy->range[i].kind;
	return POLICY_KINDS;
}

bool policy_allows(const struct policy *policy, uint64_t address, uint64_t size, bool write)
{
	if (address >= POLICY_LIMIT || size > POLICY_LIMIT - address)
		return false;
	for (uint32_t i = 0; i < policy->count; i++)
		if (touches(&policy->range[i], address, address + size) &&
		    denies(policy->range[i].kind, write))
			return false;
	return true;
}
