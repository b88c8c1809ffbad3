/* SPDX-License-Identifier: BSD-2-Clause */
/* The services of interface.h. All run with kernel.lock held, on copies of VTL0's arguments. */
#include "secure_kernel.h"

#include "kit/memory.h"
#include "seal.h"

struct request {
	struct processor *processor;
	uint64_t argument[3]; /* R8, R9, R10 */
	uint64_t answer[3];   /* R9, R10, R11 */
};

typedef enum secure_kernel_status service(struct request *request);

static enum secure_kernel_status get_version(struct request *request)
{
	request->answer[0] = SECURE_KERNEL_VERSION;
	request->answer[1] = SECURE_KERNEL_PAGES_MAX;
	request->answer[2] = (uint64_t)kernel.log;
	return SECURE_KERNEL_OK;
}

static enum secure_kernel_status get_status(struct request *request)
{
	request->answer[0] = kernel.policy->locked;
	request->answer[1] = (uint64_t)kernel.vps_ready << 32 | kernel.policy->read_only_pages;
	request->answer[2] = kernel.intercepts;
	return SECURE_KERNEL_OK;
}

static void unlock(uint64_t gpa, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		vtl_protect(gpa + i * PAGE_SIZE, 1, PROTECT_ALL);
}

static enum secure_kernel_status lock_range(struct request *request)
{
	const uint64_t gpa = request->argument[0], pages = request->argument[1];
	enum secure_kernel_status status;
	uint64_t at;
	uint32_t name;

	/* Locks need VTL1 on every VP: a VP without it could not handle its intercepts. */
	if (kernel.vps_ready != kernel.vps)
		return SECURE_KERNEL_NOT_READY;
	if (pages > SECURE_KERNEL_PAGES_MAX)
		return SECURE_KERNEL_BAD_ARGUMENT;
	status = policy_check(kernel.policy, gpa, pages, POLICY_READ_ONLY);
	if (status != SECURE_KERNEL_OK)
		return status;
	if (vtl_protect(gpa, pages, PROTECT_EXECUTE) != HV_STATUS_SUCCESS) {
		/* Some pages may have changed before the refusal. */
		unlock(gpa, pages);
		return SECURE_KERNEL_REFUSED;
	}
	/* VTL0 would see the overlay, not the locked page. */
	if (overlay_lies_in(gpa, pages, &at, &name)) {
		unlock(gpa, pages);
		kernel_log(SECURE_KERNEL_EVENT_OVERLAY, at, 0, name);
		return SECURE_KERNEL_DENIED;
	}
	policy_add(kernel.policy, gpa, pages, POLICY_READ_ONLY);
	kernel_log(SECURE_KERNEL_EVENT_LOCK, gpa, 0, pages);
	return SECURE_KERNEL_OK;
}

static enum secure_kernel_status lock_policy(struct request *request)
{
	(void)request;
	if (kernel.policy->locked)
		return SECURE_KERNEL_LOCKED;
	policy_lock(kernel.policy);
	/*
	 * Other VPs may still have a writable TLB entry, but no code that writes the locked policy.
	 */
	paging_set(kernel.policy, false, false);
	kernel_log(SECURE_KERNEL_EVENT_POLICY, 0, 0, kernel.policy->read_only_pages);
	return SECURE_KERNEL_OK;
}

static enum secure_kernel_status measure(struct request *request)
{
	struct sha256 hash;
	uint8_t digest[SHA256_SIZE];
	enum secure_kernel_status status;

	if (!request->argument[1] || request->argument[1] > SECURE_KERNEL_MEASURE_MAX)
		return SECURE_KERNEL_BAD_ARGUMENT;
	sha256_init(&hash);
	status = guest_measure(request->argument[0], request->argument[1], &hash);
	if (status != SECURE_KERNEL_OK)
		return status;
	sha256_final(&hash, digest);
	return guest_write(request->argument[2], digest, sizeof(digest));
}

static enum secure_kernel_status measure_begin(struct request *request)
{
	struct measurement *measurement = &kernel.measurement;

	sha256_init(&measurement->hash);
	measurement->open = true;
	request->answer[0] = ++measurement->number;
	return SECURE_KERNEL_OK;
}

static bool is_measured(uint64_t number)
{
	return kernel.measurement.open && number == kernel.measurement.number;
}

static enum secure_kernel_status measure_add(struct request *request)
{
	struct measurement *measurement = &kernel.measurement;
	const uint64_t size = request->argument[1];
	enum secure_kernel_status status;

	if (!is_measured(request->argument[2]))
		return SECURE_KERNEL_MISMATCH;
	if (!size || size > SECURE_KERNEL_MEASURE_MAX)
		return SECURE_KERNEL_BAD_ARGUMENT;
	status = guest_measure(request->argument[0], size, &measurement->hash);
	/* The range may be hashed in part: the measurement is invalid. */
	if (status != SECURE_KERNEL_OK)
		measurement->open = false;
	return status;
}

static enum secure_kernel_status measure_end(struct request *request)
{
	uint8_t digest[SHA256_SIZE];

	if (!is_measured(request->argument[1]))
		return SECURE_KERNEL_MISMATCH;
	kernel.measurement.open = false;
	sha256_final(&kernel.measurement.hash, digest);
	return guest_write(request->argument[0], digest, sizeof(digest));
}

static enum secure_kernel_status authenticate(struct request *request)
{
	uint8_t *data = request->processor->in;
	const uint64_t size = request->argument[1];
	uint8_t digest[SHA256_SIZE];
	enum secure_kernel_status status;
	struct hmac hmac;

	if (size > SECURE_KERNEL_HMAC_MAX)
		return SECURE_KERNEL_BAD_ARGUMENT;
	status = guest_read(request->argument[0], data, (uint32_t)size);
	if (status != SECURE_KERNEL_OK)
		return status;
	hmac_init(&hmac, kernel.hmac_key, sizeof(kernel.hmac_key));
	hmac_update(&hmac, data, size);
	hmac_final(&hmac, digest);
	return guest_write(request->argument[2], digest, sizeof(digest));
}

static enum secure_kernel_status seal_secret(struct request *request)
{
	struct secure_kernel_secret *secret = (void *)request->processor->in;
	struct secure_kernel_sealed *sealed = (void *)request->processor->out;
	enum secure_kernel_status status;

	status = guest_read(request->argument[0], secret, sizeof(*secret));
	if (status == SECURE_KERNEL_OK)
		status = seal(kernel.seal_key, ++kernel.nonce, secret, sealed);
	if (status == SECURE_KERNEL_OK)
		status = guest_write(request->argument[1], sealed, sizeof(*sealed));
	sha256_wipe(secret, sizeof(*secret));
	return status;
}

static enum secure_kernel_status unseal_secret(struct request *request)
{
	const struct secure_kernel_sealed *sealed = (void *)request->processor->in;
	struct secure_kernel_secret *secret = (void *)request->processor->out;
	uint8_t caller[SHA256_SIZE];
	enum secure_kernel_status status;

	status = guest_read(request->argument[0], request->processor->in, sizeof(*sealed));
	if (status == SECURE_KERNEL_OK)
		status = guest_read(request->argument[2], caller, sizeof(caller));
	if (status == SECURE_KERNEL_OK)
		status = unseal(kernel.seal_key, caller, sealed, secret);
	if (status == SECURE_KERNEL_OK)
		status = guest_write(request->argument[1], secret, sizeof(*secret));
	sha256_wipe(secret, sizeof(*secret));
	return status;
}

static service *const services[] = {
	[SECURE_KERNEL_GET_VERSION] = get_version,
	[SECURE_KERNEL_GET_STATUS] = get_status,
	[SECURE_KERNEL_LOCK_RANGE] = lock_range,
	[SECURE_KERNEL_LOCK_POLICY] = lock_policy,
	[SECURE_KERNEL_MEASURE] = measure,
	[SECURE_KERNEL_HMAC] = authenticate,
	[SECURE_KERNEL_SEAL] = seal_secret,
	[SECURE_KERNEL_UNSEAL] = unseal_secret,
	[SECURE_KERNEL_MEASURE_BEGIN] = measure_begin,
	[SECURE_KERNEL_MEASURE_ADD] = measure_add,
	[SECURE_KERNEL_MEASURE_END] = measure_end,
};

static enum secure_kernel_status serve(uint64_t number, struct request *request)
{
	enum secure_kernel_status status = SECURE_KERNEL_UNKNOWN_SERVICE;

	if (kernel.failed)
		return SECURE_KERNEL_REFUSED;
	if (number < sizeof(services) / sizeof(services[0]) && services[number])
		status = services[number](request);
	if (status != SECURE_KERNEL_OK)
		kernel_log(SECURE_KERNEL_EVENT_DENIED, request->argument[0], 0,
			   number << 8 | status);
	return status;
}

void request_serve(struct processor *processor)
{
	uint64_t *gpr = processor->gpr;
	struct request request = {processor, {gpr[GPR_R8], gpr[GPR_R9], gpr[GPR_R10]}, {0, 0, 0}};

	lock_take(&kernel.lock);
	gpr[GPR_R8] = serve(gpr[GPR_RBX], &request);
	lock_drop(&kernel.lock);
	gpr[GPR_R9] = request.answer[0];
	gpr[GPR_R10] = request.answer[1];
	gpr[GPR_R11] = request.answer[2];
}
