/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef VMM_CONFIG_CLOSEST_H
#define VMM_CONFIG_CLOSEST_H

#include <stddef.h>

/* The name in @names (@count of them) closest to @typed, or NULL if none is close. */
const char *closest_name(const char *typed, const char *const *names, size_t count);

#endif
