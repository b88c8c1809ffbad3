/* SPDX-License-Identifier: BSD-2-Clause */
#include "pack.h"

#include <stdlib.h>

#define NUMBER_MAX   ((UINT64_C(1) << 53) - 1)
#define NUMBER_BYTES 8u

void pack_add(struct pack *pack, uint64_t number)
{
	number = number < NUMBER_MAX ? number : NUMBER_MAX;
	if (pack->capacity - pack->size < NUMBER_BYTES) {
		const size_t capacity = pack->capacity ? pack->capacity * 2 : 256;
		uint8_t *grown = realloc(pack->bytes, capacity);

		if (!grown) {
			pack->failed = true;
			return;
		}
		pack->bytes = grown;
		pack->capacity = capacity;
	}
	do {
		const uint8_t low = number & 0x7f;

		number >>= 7;
		pack->bytes[pack->size++] = (uint8_t)(low | (number ? 0x80 : 0));
	} while (number);
}

void pack_json(struct json *json, const char *key, const struct pack *pack)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	/* No character here needs an escape. */
	json_put_raw(json, key);
	fputc('"', json->out);
	for (size_t i = 0; i < pack->size; i += 3) {
		const size_t left = pack->size - i;
		const uint32_t word = (uint32_t)pack->bytes[i] << 16 |
				      (left > 1 ? (uint32_t)pack->bytes[i + 1] << 8 : 0) |
				      (left > 2 ? pack->bytes[i + 2] : 0u);

		fputc(digits[word >> 18], json->out);
		fputc(digits[word >> 12 & 63], json->out);
		fputc(left > 1 ? digits[word >> 6 & 63] : '=', json->out);
		fputc(left > 2 ? digits[word & 63] : '=', json->out);
	}
	fputc('"', json->out);
}

void pack_free(struct pack *pack)
{
	free(pack->bytes);
	*pack = (struct pack){0};
}
