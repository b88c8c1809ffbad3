/* SPDX-License-Identifier: BSD-2-Clause */
/* Limits of the process. */
#ifndef VMM_SANDBOX_LIMITS_H
#define VMM_SANDBOX_LIMITS_H

#include "config/config.h"

/*
 * Raises the limit of descriptors to what all VTLs of all VPs need. If this user may not raise it,
 * logs only a warning, since the guest may use fewer VTLs.
 */
void vmm_limits_raise(const struct vmm_config *config, const struct vsm_log *log);

#endif
