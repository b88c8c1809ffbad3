/* SPDX-License-Identifier: BSD-2-Clause */
/* All services run with secure.lock held, on copies of VTL0's arguments. */
#include "kit/secure/state.h"

static enum secure_kernel_status get_version(struct secure_request *request)
{
	request->answer[0] = SECURE_KERNEL_VERSION;
	request->answer[1] = SECURE_KERNEL_PAGES_MAX;
	request->answer[2] = (uint64_t)secure.log;
	return SECURE_KERNEL_OK;
}

static enum secure_kernel_status get_status(struct secure_request *request)
{
	request->answer[0] = (secure.policy->locked ? SECURE_KERNEL_POLICY_LOCKED : 0) |
			     (secure.denies_execute ? SECURE_KERNEL_DENIES_EXECUTE : 0) |
			     (secure.watches_registers ? SECURE_KERNEL_WATCHES_REGISTERS : 0);
	request->answer[1] = (uint64_t)secure.vps_ready << 32 | secure.policy->read_only_pages;
	request->answer[2] = secure.intercepts;
	return SECURE_KERNEL_OK;
}

static enum secure_kernel_status lock_range(struct secure_request *request)
{
	const uint64_t rights = request->argument[2];

	if (rights >= SECURE_KERNEL_RIGHTS)
		return SECURE_KERNEL_BAD_ARGUMENT;
	return guest_lock(request->argument[0], request->argument[1],
			  (enum secure_kernel_rights)rights);
}

static enum secure_kernel_status lock_policy(struct secure_request *request)
{
	(void)request;
	if (secure.policy->locked)
		return SECURE_KERNEL_LOCKED;
	policy_lock(secure.policy);
	/* Other VPs may still have a writable TLB entry, but no code writes to a locked policy. */
	paging_set(secure.policy, false, false);
	secure_log(SECURE_KERNEL_EVENT_POLICY, 0, 0, secure.policy->read_only_pages);
	return SECURE_KERNEL_OK;
}

static secure_service *const services[] = {
	[SECURE_KERNEL_GET_VERSION] = get_version,
	[SECURE_KERNEL_GET_STATUS] = get_status,
	[SECURE_KERNEL_LOCK_RANGE] = lock_range,
	[SECURE_KERNEL_LOCK_POLICY] = lock_policy,
};

#define SERVICES (sizeof(services) / sizeof(services[0]))

static secure_service *find(uint64_t number)
{
	if (number < SERVICES)
		return services[number];
	return number < secure_program.service_count ? secure_program.services[number] : NULL;
}

static enum secure_kernel_status serve(uint64_t number, struct secure_request *request)
{
	enum secure_kernel_status status = SECURE_KERNEL_UNKNOWN_SERVICE;
	secure_service *const service = find(number);

	if (secure.failed)
		return SECURE_KERNEL_REFUSED;
	if (number >= SECURE_KERNEL_CALL_FIRST)
		status = call_serve(number - SECURE_KERNEL_CALL_FIRST, request);
	else if (service)
		status = service(request);
	if (status != SECURE_KERNEL_OK)
		secure_log(SECURE_KERNEL_EVENT_DENIED, request->argument[0], 0,
			   number << 8 | status);
	return status;
}

void request_serve(struct processor *processor)
{
	uint64_t *gpr = processor->gpr;
	struct secure_request request = {.argument = {gpr[GPR_R8], gpr[GPR_R9], gpr[GPR_R10]},
					 .in = processor->in,
					 .out = processor->out};

	lock_take(&secure.lock);
	gpr[GPR_R8] = serve(gpr[GPR_RBX], &request);
	lock_drop(&secure.lock);
	gpr[GPR_R9] = request.answer[0];
	gpr[GPR_R10] = request.answer[1];
	gpr[GPR_R11] = request.answer[2];
}
