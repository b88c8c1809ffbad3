/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/code.h"

static bool number(const char *typed, uint64_t *value)
{
	char *end;

	if (*typed < '0' || *typed > '9')
		return false;
	errno = 0;
	*value = strtoull(typed, &end, 0);
	return !*end && !errno;
}

bool inspect_address(const struct symbols *symbols, const char *typed, uint64_t *address)
{
	const char *plus = strrchr(typed, '+');
	uint64_t distance = 0;
	char name[512];

	if (number(typed, address) || symbols_find(symbols, typed, address))
		return true;
	if (!plus || (size_t)(plus - typed) >= sizeof(name) || !number(plus + 1, &distance))
		return false;
	memcpy(name, typed, (size_t)(plus - typed));
	name[plus - typed] = 0;
	if (!symbols_find(symbols, name, address))
		return false;
	*address += distance;
	return true;
}
