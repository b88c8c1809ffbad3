/* SPDX-License-Identifier: BSD-2-Clause */
#include "secure_kernel.h"

#include "kit/x64.h"
#include "seal.h"

#define CPUID_RDRAND (1u << 30)
#define RANDOM_TRIES 64u

/* Returns 0 without RDRAND; the keys then depend on the seed and the TSC only. */
static uint64_t cpu_random(void)
{
	uint64_t value = 0;
	uint8_t good = 0;

	if (!(cpuid(1, 0).ecx & CPUID_RDRAND))
		return 0;
	for (uint32_t i = 0; i < RANDOM_TRIES && !good; i++)
		__asm__ volatile("rdrand %0; setc %1" : "=r"(value), "=qm"(good) : : "cc");
	return good ? value : 0;
}

void keys_make(struct secure_kernel *kernel, const uint8_t seed[SHA256_SIZE])
{
	uint8_t root[SHA256_SIZE];
	struct sha256 hash;

	sha256_init(&hash);
	sha256_update(&hash, seed, SHA256_SIZE);
	for (uint32_t i = 0; i < SHA256_SIZE / 8; i++) {
		uint64_t words[2] = {cpu_random(), rdtsc()};

		sha256_update(&hash, words, sizeof(words));
		sha256_wipe(words, sizeof(words));
	}
	sha256_final(&hash, root);
	seal_derive(root, "hmac", kernel->hmac_key);
	seal_derive(root, "seal", kernel->seal_key);
	sha256_wipe(root, sizeof(root));
}
