/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SECURE_KERNEL_H
#define SECURE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "kit/secure/secure.h"

#include "sha256.h"

struct measurement {
	struct sha256 hash;
	uint64_t number; /* number of the newest measurement, from 1 */
	bool open;
};

/* The kit serves one request at a time. */
struct secure_kernel {
	uint64_t nonce;
	struct measurement measurement;
	uint8_t hmac_key[SHA256_SIZE];
	uint8_t seal_key[SHA256_SIZE];
};

/* keys.c: makes the keys from the loader's seed, and RDRAND if available. */
void keys_make(struct secure_kernel *kernel, const uint8_t seed[SHA256_SIZE]);

#endif
