/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine of the reference VMM on the sim backend, without running processors. */
#ifndef FUZZ_SIM_GUEST_VMM_H
#define FUZZ_SIM_GUEST_VMM_H

#include "guest/guest.h"

/* Aborts on failure. @config must be valid as long as the guest. */
struct vmm_guest *fuzz_guest(struct vmm_config *config);
void fuzz_guest_free(struct vmm_guest *guest);

#endif
