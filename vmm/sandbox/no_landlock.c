/* SPDX-License-Identifier: BSD-2-Clause */
/* Replaces landlock.c in a build with sanitizers, whose run-time reads /proc at the end. */
#include <errno.h>

#include "sandbox/internal.h"

bool vmm_landlock_available(void)
{
	return false;
}

int vmm_landlock(const struct vmm_config *config, const struct vsm_log *log)
{
	(void)config;
	(void)log;
	return -EOPNOTSUPP;
}
