/* SPDX-License-Identifier: BSD-2-Clause */
/* Sealed secrets: encrypted and authenticated under a key of VTL1, for one caller. */
#ifndef SECURE_KERNEL_SEAL_H
#define SECURE_KERNEL_SEAL_H

#include "kit/secure/interface.h"
#include "sha256.h"

/* Derives independent keys from one root: HMAC(root, label). */
void seal_derive(const uint8_t root[SHA256_SIZE], const char *label, uint8_t key[SHA256_SIZE]);

/* @nonce: unique for the key. BAD_ARGUMENT for a size out of range. */
enum secure_kernel_status seal(const uint8_t key[SHA256_SIZE], uint64_t nonce,
			       const struct secure_kernel_secret *secret,
			       struct secure_kernel_sealed *sealed);

/* MISMATCH if the data was sealed with another key or for another caller, or was changed. */
enum secure_kernel_status unseal(const uint8_t key[SHA256_SIZE], const uint8_t caller[SHA256_SIZE],
				 const struct secure_kernel_sealed *sealed,
				 struct secure_kernel_secret *secret);

#endif
