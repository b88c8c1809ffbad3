/* SPDX-License-Identifier: BSD-2-Clause */
#include "sha256.h"

/* FIPS 180-4, 4.2.2: the fractions of the cube roots of the first 64 primes. */
static const uint32_t round_constant[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotate(uint32_t value, unsigned int by)
{
	return value >> by | value << (32 - by);
}

static uint32_t load_be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void store_be32(uint8_t *at, uint32_t value)
{
	for (unsigned int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* FIPS 180-4, 6.2.2, with w[] as a ring of 16. */
static void compress(uint32_t state[8], const uint8_t *block)
{
	uint32_t w[16], v[8];

	for (unsigned int i = 0; i < 16; i++)
		w[i] = load_be32(block + 4 * i);
	__builtin_memcpy(v, state, sizeof(v));
	for (unsigned int t = 0; t < 64; t++) {
		const uint32_t w15 = w[(t + 1) & 15], w2 = w[(t + 14) & 15];
		uint32_t t1, t2;

		t1 = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) +
		     ((v[4] & v[5]) ^ (~v[4] & v[6])) + round_constant[t] + w[t & 15];
		t2 = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) +
		     ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		/* The word of round t + 16 replaces this one. */
		w[t & 15] += (rotate(w15, 7) ^ rotate(w15, 18) ^ w15 >> 3) + w[(t + 9) & 15] +
			     (rotate(w2, 17) ^ rotate(w2, 19) ^ w2 >> 10);
		for (unsigned int i = 7; i > 0; i--)
			v[i] = v[i - 1];
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (unsigned int i = 0; i < 8; i++)
		state[i] += v[i];
}

void sha256_init(struct sha256 *hash)
{
	static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

	__builtin_memcpy(hash->state, initial, sizeof(initial));
	hash->length = 0;
}

void sha256_update(struct sha256 *hash, const void *data, size_t size)
{
	const uint8_t *from = data;
	size_t used = hash->length % SHA256_BLOCK;

	hash->length += size;
	while (size) {
		size_t now = SHA256_BLOCK - used;

		if (now > size)
			now = size;
		__builtin_memcpy(hash->block + used, from, now);
		from += now;
		size -= now;
		used += now;
		if (used == SHA256_BLOCK) {
			compress(hash->state, hash->block);
			used = 0;
		}
	}
}

void sha256_final(struct sha256 *hash, uint8_t digest[SHA256_SIZE])
{
	static const uint8_t padding[SHA256_BLOCK] = {0x80};
	const uint64_t bits = hash->length * 8;
	const size_t used = hash->length % SHA256_BLOCK;
	uint8_t length[8];

	store_be32(length, (uint32_t)(bits >> 32));
	store_be32(length + 4, (uint32_t)bits);
	sha256_update(hash, padding, (used < 56 ? 56 : 120) - used);
	sha256_update(hash, length, sizeof(length));
	for (unsigned int i = 0; i < 8; i++)
		store_be32(digest + 4 * i, hash->state[i]);
	sha256_wipe(hash, sizeof(*hash));
}

void hmac_init(struct hmac *hmac, const void *key, size_t size)
{
	uint8_t block[SHA256_BLOCK] = {0};

	if (size > SHA256_BLOCK) {
		sha256_init(&hmac->inner);
		sha256_update(&hmac->inner, key, size);
		sha256_final(&hmac->inner, block);
	} else {
		__builtin_memcpy(block, key, size);
	}
	for (unsigned int i = 0; i < SHA256_BLOCK; i++)
		block[i] ^= 0x36;
	sha256_init(&hmac->inner);
	sha256_update(&hmac->inner, block, sizeof(block));
	for (unsigned int i = 0; i < SHA256_BLOCK; i++)
		block[i] ^= 0x36 ^ 0x5c;
	sha256_init(&hmac->outer);
	sha256_update(&hmac->outer, block, sizeof(block));
	sha256_wipe(block, sizeof(block));
}

void hmac_update(struct hmac *hmac, const void *data, size_t size)
{
	sha256_update(&hmac->inner, data, size);
}

void hmac_final(struct hmac *hmac, uint8_t digest[SHA256_SIZE])
{
	uint8_t inner[SHA256_SIZE];

	sha256_final(&hmac->inner, inner);
	sha256_update(&hmac->outer, inner, sizeof(inner));
	sha256_final(&hmac->outer, digest);
	sha256_wipe(inner, sizeof(inner));
}

bool sha256_same(const uint8_t a[SHA256_SIZE], const uint8_t b[SHA256_SIZE])
{
	uint8_t different = 0;

	for (unsigned int i = 0; i < SHA256_SIZE; i++)
		different |= a[i] ^ b[i];
	return !different;
}

void sha256_wipe(void *data, size_t size)
{
	__builtin_memset(data, 0, size);
	__asm__ volatile("" : : "r"(data) : "memory");
}
