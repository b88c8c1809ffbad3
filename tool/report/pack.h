/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many numbers in few characters: as LEB128 (seven bits a byte, the lowest first, the eighth bit says that more
 * follow), and all of it in base64. The page's script takes it apart (page.js: unpack).
 */
#ifndef TOOL_REPORT_PACK_H
#define TOOL_REPORT_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

struct pack {
	uint8_t *bytes;
	size_t size, capacity;
	bool failed; /* no memory: what was added since is not there */
};

/* Numbers have 53 bits at most, which is what the reader's have; a larger one becomes the largest. */
void pack_add(struct pack *pack, uint64_t number);
/* Writes all of it as a string. */
void pack_json(struct json *json, const char *key, const struct pack *pack);
void pack_free(struct pack *pack);

#endif
