/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files of the sandbox. */
#ifndef VMM_SANDBOX_INTERNAL_H
#define VMM_SANDBOX_INTERNAL_H

#include "sandbox/sandbox.h"

enum vmm_path_use {
	VMM_PATH_READ,	 /* a file: read */
	VMM_PATH_DEVICE, /* a device: read, write, ioctl */
	VMM_PATH_CREATE, /* a folder: files and sockets are created, renamed and removed in it */
};

/*
 * Calls @add for every path that a run of @config needs after vmm_sandbox_begin(). Stops at the
 * first error and returns it. @optional: a missing path is no error.
 */
typedef int vmm_path_fn(void *opaque, const char *path, enum vmm_path_use use, bool optional);
int vmm_paths_each(const struct vmm_config *config, vmm_path_fn *add, void *opaque);

int vmm_user_change(const char *name, const struct vsm_log *log);
/* As far as this process may. Call before the user changes. */
void vmm_bounding_set_drop(void);
/* Drops all capabilities except those of the bits @keep; adds none. Sets no_new_privs. */
int vmm_capabilities_drop(uint32_t keep, const struct vsm_log *log);

int vmm_limits_lower(const struct vsm_log *log);

bool vmm_landlock_available(void);
int vmm_landlock(const struct vmm_config *config, const struct vsm_log *log);

/* Without libseccomp, vmm_filter_build() returns -EOPNOTSUPP without a line in the log. */
bool vmm_filter_available(void);
/*
 * The filter of @role, or of the union of all roles for VMM_ROLE_MAIN. @only_log: calls are logged
 * instead of refused.
 */
int vmm_filter_build(struct vmm_program *program, enum vmm_role role, bool only_log,
		     const struct vsm_log *log);
int vmm_filter_report(const struct vsm_log *log);
/* NULL: unknown. The caller frees it. */
char *vmm_filter_name(int call);

#endif
