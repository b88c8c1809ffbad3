/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine of the tests: VSM_TEST_ENGINE is uffd, attr or nested; not set: VSM_ENGINE_AUTO. */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <vsm/vsm.h>

static inline uint8_t test_engine(void)
{
	const char *name = getenv("VSM_TEST_ENGINE");

	if (!name)
		return VSM_ENGINE_AUTO;
	if (!strcmp(name, "nested"))
		return VSM_ENGINE_NESTED;
	return strcmp(name, "attr") ? VSM_ENGINE_UFFD : VSM_ENGINE_ATTR;
}

#endif
