/* SPDX-License-Identifier: BSD-2-Clause */
/* LEB128 in base64, decoded by unpack() in data.js. */
#ifndef TOOL_REPORT_PACK_H
#define TOOL_REPORT_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

struct pack {
	uint8_t *bytes;
	size_t size, capacity;
	bool failed; /* out of memory: later numbers are missing */
};

/* Numbers above 53 bits, the limit of JavaScript, are clamped. */
void pack_add(struct pack *pack, uint64_t number);
/* As a string. */
void pack_json(struct json *json, const char *key, const struct pack *pack);
void pack_free(struct pack *pack);

#endif
