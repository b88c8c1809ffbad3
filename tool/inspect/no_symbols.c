/* SPDX-License-Identifier: BSD-2-Clause */
/* Used in a build without libelf. */
#include "symbols.h"

#include <stddef.h>
#include <stdio.h>

struct symbols *symbols_open(const char *path, uint64_t offset)
{
	(void)offset;
	fprintf(stderr,
		"vsm inspect: %s: this vsm was built without libelf, and reads no symbols\n", path);
	return NULL;
}

void symbols_close(struct symbols *symbols)
{
	(void)symbols;
}

const char *symbols_at(const struct symbols *symbols, uint64_t address, uint64_t *distance)
{
	(void)symbols;
	(void)address;
	(void)distance;
	return NULL;
}

bool symbols_find(const struct symbols *symbols, const char *name, uint64_t *address)
{
	(void)symbols;
	(void)name;
	(void)address;
	return false;
}
