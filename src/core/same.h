/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inline: a VTL switch compares short areas that are nearly always equal, so a call would cost more
 * than the comparison.
 */
#ifndef CORE_SAME_H
#define CORE_SAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* @size: a multiple of 8. */
static inline bool same_words(const void *a, const void *b, size_t size)
{
	uint64_t differ = 0;

	for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
		uint64_t x;
		uint64_t y;

		memcpy(&x, (const uint8_t *)a + i, sizeof(x));
		memcpy(&y, (const uint8_t *)b + i, sizeof(y));
		differ |= x ^ y;
	}
	return !differ;
}

#endif
