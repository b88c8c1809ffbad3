/* SPDX-License-Identifier: BSD-2-Clause */
/* With which engine the tests run: VSM_TEST_ENGINE is uffd, attr, or not set. */
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
