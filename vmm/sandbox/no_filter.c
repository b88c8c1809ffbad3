/* SPDX-License-Identifier: BSD-2-Clause */
/* Replaces filter.c in a build without libseccomp. */
#include <errno.h>
#include <stddef.h>

#include "sandbox/internal.h"

bool vmm_filter_available(void)
{
	return false;
}

int vmm_filter_build(struct vmm_program *program, enum vmm_role role, bool only_log,
		     const struct vsm_log *log)
{
	(void)program;
	(void)role;
	(void)only_log;
	(void)log;
	return -EOPNOTSUPP;
}

int vmm_filter_report(const struct vsm_log *log)
{
	(void)log;
	return -EOPNOTSUPP;
}

char *vmm_filter_name(int call)
{
	(void)call;
	return NULL;
}
