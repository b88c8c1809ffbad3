/* SPDX-License-Identifier: BSD-2-Clause */
/* Encrypt-then-MAC: HMAC-SHA-256 in counter mode gives the key stream; HMAC-SHA-256 with a second key over
 * nonce, size and ciphertext gives the tag. Both keys depend on the sealing key and the caller. */
#include "seal.h"

void seal_derive(const uint8_t root[SHA256_SIZE], const char *label, uint8_t key[SHA256_SIZE])
{
	struct hmac hmac;

	hmac_init(&hmac, root, SHA256_SIZE);
	hmac_update(&hmac, label, __builtin_strlen(label));
	hmac_final(&hmac, key);
}

static void caller_key(const uint8_t key[SHA256_SIZE], const uint8_t caller[SHA256_SIZE],
		       const char *label, uint8_t out[SHA256_SIZE])
{
	uint8_t bound[SHA256_SIZE];
	struct hmac hmac;

	hmac_init(&hmac, key, SHA256_SIZE);
	hmac_update(&hmac, caller, SHA256_SIZE);
	hmac_final(&hmac, bound);
	seal_derive(bound, label, out);
	sha256_wipe(bound, sizeof(bound));
}

static void apply_stream(const uint8_t key[SHA256_SIZE], const uint8_t caller[SHA256_SIZE],
			 uint64_t nonce, const uint8_t *from, uint8_t *to, uint32_t size)
{
	uint8_t stream_key[SHA256_SIZE], stream[SHA256_SIZE];

	caller_key(key, caller, "stream", stream_key);
	for (uint32_t at = 0; at < size; at++) {
		const uint64_t counter[2] = {nonce, at / SHA256_SIZE};
		struct hmac hmac;

		if (at % SHA256_SIZE == 0) {
			hmac_init(&hmac, stream_key, sizeof(stream_key));
			hmac_update(&hmac, counter, sizeof(counter));
			hmac_final(&hmac, stream);
		}
		to[at] = from[at] ^ stream[at % SHA256_SIZE];
	}
	sha256_wipe(stream_key, sizeof(stream_key));
	sha256_wipe(stream, sizeof(stream));
}

static void make_tag(const uint8_t key[SHA256_SIZE], const uint8_t caller[SHA256_SIZE],
		     const struct secure_kernel_sealed *sealed, uint8_t tag[SHA256_SIZE])
{
	uint8_t tag_key[SHA256_SIZE];
	struct hmac hmac;

	caller_key(key, caller, "tag", tag_key);
	hmac_init(&hmac, tag_key, sizeof(tag_key));
	hmac_update(&hmac, &sealed->nonce, sizeof(sealed->nonce));
	hmac_update(&hmac, &sealed->size, sizeof(sealed->size));
	hmac_update(&hmac, sealed->data, sealed->size);
	hmac_final(&hmac, tag);
	sha256_wipe(tag_key, sizeof(tag_key));
}

enum secure_kernel_status seal(const uint8_t key[SHA256_SIZE], uint64_t nonce,
			       const struct secure_kernel_secret *secret,
			       struct secure_kernel_sealed *sealed)
{
	if (!secret->size || secret->size > SECURE_KERNEL_SECRET_MAX)
		return SECURE_KERNEL_BAD_ARGUMENT;
	__builtin_memset(sealed, 0, sizeof(*sealed));
	sealed->nonce = nonce;
	sealed->size = secret->size;
	apply_stream(key, secret->caller, nonce, secret->data, sealed->data, secret->size);
	make_tag(key, secret->caller, sealed, sealed->tag);
	return SECURE_KERNEL_OK;
}

enum secure_kernel_status unseal(const uint8_t key[SHA256_SIZE], const uint8_t caller[SHA256_SIZE],
				 const struct secure_kernel_sealed *sealed,
				 struct secure_kernel_secret *secret)
{
	uint8_t tag[SHA256_SIZE];

	if (!sealed->size || sealed->size > SECURE_KERNEL_SECRET_MAX)
		return SECURE_KERNEL_BAD_ARGUMENT;
	make_tag(key, caller, sealed, tag);
	if (!sha256_same(tag, sealed->tag))
		return SECURE_KERNEL_MISMATCH;
	__builtin_memset(secret, 0, sizeof(*secret));
	__builtin_memcpy(secret->caller, caller, SHA256_SIZE);
	secret->size = sealed->size;
	apply_stream(key, caller, sealed->nonce, sealed->data, secret->data, sealed->size);
	return SECURE_KERNEL_OK;
}
