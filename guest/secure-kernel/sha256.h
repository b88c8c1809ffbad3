/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 (FIPS 180-4) and HMAC-SHA-256 (FIPS 198-1). */
#ifndef SECURE_KERNEL_SHA256_H
#define SECURE_KERNEL_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE  32u
#define SHA256_BLOCK 64u

struct sha256 {
	uint32_t state[8];
	uint64_t length; /* bytes hashed so far */
	uint8_t block[SHA256_BLOCK];
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t size);
void sha256_final(struct sha256 *hash, uint8_t digest[SHA256_SIZE]);

struct hmac {
	struct sha256 inner, outer;
};

/* A key longer than a block is hashed first. */
void hmac_init(struct hmac *hmac, const void *key, size_t size);
void hmac_update(struct hmac *hmac, const void *data, size_t size);
void hmac_final(struct hmac *hmac, uint8_t digest[SHA256_SIZE]);

/* Compares in constant time. */
bool sha256_same(const uint8_t a[SHA256_SIZE], const uint8_t b[SHA256_SIZE]);

/* Zeros keys; unlike a call of memset(), this cannot be removed by the compiler. */
void sha256_wipe(void *data, size_t size);

#endif
