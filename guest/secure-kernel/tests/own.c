/* SPDX-License-Identifier: BSD-2-Clause */
/* A secure kernel that defines calls, for the tests of calls.c. */
#include "own.h"

#include "kit/memory.h"
#include "kit/secure/secure.h"
#include "kit/vtl.h"

static uint64_t runs[OWN_CALLS];

static enum secure_kernel_status echo(struct secure_call *call)
{
	(void)call;
	runs[OWN_ECHO]++;
	return SECURE_KERNEL_OK;
}

/* Writes a page; returns the size and the status that the request names. */
static enum secure_kernel_status claim(struct secure_call *call)
{
	const struct own_claim asked = *(const struct own_claim *)(const void *)call->data;

	runs[OWN_CLAIM]++;
	memset(call->data, OWN_SECRET, SECURE_KERNEL_CALL_MAX);
	call->size = asked.size;
	return (enum secure_kernel_status)asked.status;
}

/* Returns an answer of a page without writing it. */
static enum secure_kernel_status rest(struct secure_call *call)
{
	runs[OWN_REST]++;
	call->size = SECURE_KERNEL_CALL_MAX;
	return SECURE_KERNEL_OK;
}

static enum secure_kernel_status count(struct secure_call *call)
{
	runs[OWN_COUNT]++;
	memcpy(call->data, runs, sizeof(runs));
	call->size = sizeof(runs);
	return SECURE_KERNEL_OK;
}

static enum secure_kernel_status use_page(struct secure_call *call)
{
	const struct own_page asked = *(const struct own_page *)(const void *)call->data;
	uint64_t value = OWN_SECRET;

	call->size = 0;
	switch (asked.action) {
	case OWN_VTL_PROTECT:
		return vtl_protect(asked.gpa, 1, asked.rights) == HV_STATUS_SUCCESS
			       ? SECURE_KERNEL_OK
			       : SECURE_KERNEL_REFUSED;
	case OWN_PROTECT:
		return guest_protect(asked.gpa, asked.rights);
	case OWN_LOCK:
		return guest_lock(asked.gpa, 1, (enum secure_kernel_rights)asked.rights);
	case OWN_READ:
		return guest_read(asked.gpa, &value, sizeof(value));
	case OWN_WRITE:
		return guest_write(asked.gpa, &value, sizeof(value));
	default:
		return SECURE_KERNEL_BAD_ARGUMENT;
	}
}

/* Writes to an address that VTL1's page tables do not map. */
static enum secure_kernel_status crash(struct secure_call *call)
{
	volatile uint8_t *volatile nowhere = NULL;

	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the fault is intended */
	*nowhere = call->data[0];
	return SECURE_KERNEL_OK;
}

static secure_call_service *const calls[OWN_CALLS] = {
	[OWN_ECHO] = echo,   [OWN_CLAIM] = claim,   [OWN_REST] = rest,
	[OWN_COUNT] = count, [OWN_PAGE] = use_page, [OWN_CRASH] = crash};

const struct secure_program secure_program = {.calls = calls, .call_count = OWN_CALLS};
