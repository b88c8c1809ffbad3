/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls with a buffer: the request is copied in, the service runs, the answer is copied out. */
#include "kit/memory.h"
#include "kit/secure/state.h"

_Static_assert(SECURE_KERNEL_CALL_MAX == PAGE_SIZE, "a call's data is one page");

static enum secure_kernel_status run(secure_call_service *service, uint64_t gpa,
				     struct secure_call *call)
{
	const uint32_t bytes = call->size > call->room ? call->size : call->room;
	enum secure_kernel_status status = SECURE_KERNEL_OK;
	void *at = NULL;

	/* The service does not run if its answer could not be written. */
	if (bytes)
		status = guest_map(gpa, bytes, call->room != 0, &at);
	if (status != SECURE_KERNEL_OK)
		return status;
	memcpy(call->data, at, call->size);
	status = service(call);
	if (status == SECURE_KERNEL_OK && call->size > call->room)
		status = SECURE_KERNEL_FULL;
	if (status == SECURE_KERNEL_OK && call->size)
		status = guest_write(gpa, call->data, call->size);
	return status;
}

enum secure_kernel_status call_serve(uint64_t index, struct secure_request *request)
{
	const uint64_t gpa = request->argument[0], size = request->argument[1],
		       room = request->argument[2];
	struct secure_call call = {request->in, (uint32_t)size, (uint32_t)room};
	enum secure_kernel_status status;

	if (index >= secure_program.call_count || !secure_program.calls[index])
		return SECURE_KERNEL_UNKNOWN_SERVICE;
	if (size > SECURE_KERNEL_CALL_MAX || room > SECURE_KERNEL_CALL_MAX)
		return SECURE_KERNEL_BAD_ARGUMENT;
	/* The service must not see or return data of earlier requests. */
	memset(request->in, 0, PAGE_SIZE);
	status = run(secure_program.calls[index], gpa, &call);
	memset(request->in, 0, PAGE_SIZE);
	if (status == SECURE_KERNEL_OK)
		request->answer[0] = call.size;
	return status;
}
