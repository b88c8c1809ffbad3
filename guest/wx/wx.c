/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * W^X by VTL1: no page is both writable and executable for VTL0, regardless of VTL0's page tables. A refused
 * fetch makes a writable page executable and read-only, a refused write makes it writable again. VTL0 cannot
 * get both rights by an alias or another processor: each change is in force on every processor when the
 * hypercall returns, and one intercept is handled at a time.
 */
#include "wx.h"

#include "kit/memory.h"
#include "kit/secure/secure.h"

#include <vsm/hv/hv.h>

#define WRITABLE   (HV_MAP_GPA_READABLE | HV_MAP_GPA_WRITABLE)
#define EXECUTABLE (HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE)

static struct wx_counts counts;

static bool denied(uint64_t gpa, uint8_t access)
{
	const bool fetch = access == HV_INTERCEPT_ACCESS_EXECUTE;

	if (access == HV_INTERCEPT_ACCESS_READ ||
	    guest_protect(gpa, fetch ? EXECUTABLE : WRITABLE) != SECURE_KERNEL_OK)
		return false;
	counts.fetches += fetch;
	counts.writes += !fetch;
	return true;
}

static enum secure_kernel_status get_counts(struct secure_call *call)
{
	memcpy(call->data, &counts, sizeof(counts));
	call->size = sizeof(counts);
	return SECURE_KERNEL_OK;
}

static secure_call_service *const calls[] = {get_counts};
const struct secure_program secure_program = {
	.calls = calls, .call_count = 1, .initial_rights = WRITABLE, .denied = denied};
