/* SPDX-License-Identifier: BSD-2-Clause */
/* The optional services of interface.h: hashes, HMAC, sealed secrets. */
#include "secure_kernel.h"

#include "kit/memory.h"
#include "seal.h"

static struct secure_kernel kernel;

static enum secure_kernel_status guest_measure(uint64_t gpa, uint64_t size, struct sha256 *hash)
{
	while (size) {
		const uint64_t left = PAGE_SIZE - (gpa & (PAGE_SIZE - 1));
		const uint64_t now = size < left ? size : left;
		enum secure_kernel_status status;
		void *at;

		status = guest_map(gpa, now, false, &at);
		if (status != SECURE_KERNEL_OK)
			return status;
		sha256_update(hash, at, now);
		gpa += now;
		size -= now;
	}
	return SECURE_KERNEL_OK;
}

static enum secure_kernel_status measure(struct secure_request *request)
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

static enum secure_kernel_status measure_begin(struct secure_request *request)
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

static enum secure_kernel_status measure_add(struct secure_request *request)
{
	struct measurement *measurement = &kernel.measurement;
	const uint64_t size = request->argument[1];
	enum secure_kernel_status status;

	if (!is_measured(request->argument[2]))
		return SECURE_KERNEL_MISMATCH;
	if (!size || size > SECURE_KERNEL_MEASURE_MAX)
		return SECURE_KERNEL_BAD_ARGUMENT;
	status = guest_measure(request->argument[0], size, &measurement->hash);
	/* A part of the range may have been hashed, so the measurement is invalid. */
	if (status != SECURE_KERNEL_OK)
		measurement->open = false;
	return status;
}

static enum secure_kernel_status measure_end(struct secure_request *request)
{
	uint8_t digest[SHA256_SIZE];

	if (!is_measured(request->argument[1]))
		return SECURE_KERNEL_MISMATCH;
	kernel.measurement.open = false;
	sha256_final(&kernel.measurement.hash, digest);
	return guest_write(request->argument[0], digest, sizeof(digest));
}

static enum secure_kernel_status authenticate(struct secure_request *request)
{
	uint8_t *data = request->in;
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

static enum secure_kernel_status seal_secret(struct secure_request *request)
{
	struct secure_kernel_secret *secret = (void *)request->in;
	struct secure_kernel_sealed *sealed = (void *)request->out;
	enum secure_kernel_status status;

	status = guest_read(request->argument[0], secret, sizeof(*secret));
	if (status == SECURE_KERNEL_OK)
		status = seal(kernel.seal_key, ++kernel.nonce, secret, sealed);
	if (status == SECURE_KERNEL_OK)
		status = guest_write(request->argument[1], sealed, sizeof(*sealed));
	sha256_wipe(secret, sizeof(*secret));
	return status;
}

static enum secure_kernel_status unseal_secret(struct secure_request *request)
{
	const struct secure_kernel_sealed *sealed = (void *)request->in;
	struct secure_kernel_secret *secret = (void *)request->out;
	uint8_t caller[SHA256_SIZE];
	enum secure_kernel_status status;

	status = guest_read(request->argument[0], request->in, sizeof(*sealed));
	if (status == SECURE_KERNEL_OK)
		status = guest_read(request->argument[2], caller, sizeof(caller));
	if (status == SECURE_KERNEL_OK)
		status = unseal(kernel.seal_key, caller, sealed, secret);
	if (status == SECURE_KERNEL_OK)
		status = guest_write(request->argument[1], secret, sizeof(*secret));
	sha256_wipe(secret, sizeof(*secret));
	return status;
}

static secure_service *const services[] = {
	[SECURE_KERNEL_MEASURE] = measure,
	[SECURE_KERNEL_HMAC] = authenticate,
	[SECURE_KERNEL_SEAL] = seal_secret,
	[SECURE_KERNEL_UNSEAL] = unseal_secret,
	[SECURE_KERNEL_MEASURE_BEGIN] = measure_begin,
	[SECURE_KERNEL_MEASURE_ADD] = measure_add,
	[SECURE_KERNEL_MEASURE_END] = measure_end,
};

static void start(const uint8_t seed[SECURE_KERNEL_DIGEST])
{
	keys_make(&kernel, seed);
}

const struct secure_program secure_program = {
	.start = start,
	.services = services,
	.service_count = sizeof(services) / sizeof(services[0]),
};
