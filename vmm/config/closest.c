/* SPDX-License-Identifier: BSD-2-Clause */
/* Edit distance in which a transposition counts as one edit. */
#include "config/closest.h"

#include <string.h>

#define LONGEST 32

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Optimal string alignment distance; both strings are at most LONGEST characters. */
static unsigned int distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned int d[LONGEST + 1][LONGEST + 1];

	for (size_t i = 0; i <= na; i++)
		d[i][0] = (unsigned int)i;
	for (size_t j = 0; j <= nb; j++)
		d[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= na; i++) {
		for (size_t j = 1; j <= nb; j++) {
			unsigned int change = a[i - 1] == b[j - 1] ? 0 : 1;
			unsigned int best = least(d[i - 1][j], d[i][j - 1]) + 1;

			best = least(best, d[i - 1][j - 1] + change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = least(best, d[i - 2][j - 2] + 1);
			d[i][j] = best;
		}
	}
	return d[na][nb];
}

const char *closest_name(const char *typed, const char *const *names, size_t count)
{
	size_t length = strlen(typed);
	unsigned int best = (unsigned int)(length / 3) + 2;
	const char *found = NULL;

	if (length == 0 || length > LONGEST)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t other = strlen(names[i]);
		unsigned int d;

		if (other > LONGEST)
			continue;
		d = distance(typed, length, names[i], other);
		if (length >= 2 && strncmp(typed, names[i], length) == 0)
			d = 1;
		if (d < best) {
			best = d;
			found = names[i];
		}
	}
	return found;
}
