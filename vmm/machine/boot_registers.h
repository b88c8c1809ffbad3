/* SPDX-License-Identifier: BSD-2-Clause */
/* A boot state as the registers that vsm_vp_set_registers() takes. */
#ifndef VMM_MACHINE_BOOT_REGISTERS_H
#define VMM_MACHINE_BOOT_REGISTERS_H

#include <vsm/hv/hv.h>

#include "load/boot_state.h"

#define VMM_BOOT_REGISTERS 32u

/* Fills names and values; paging comes last, when what it needs is there. */
void vmm_boot_registers(const struct vmm_boot_state *state, uint32_t name[VMM_BOOT_REGISTERS],
			union hv_register_value value[VMM_BOOT_REGISTERS]);

#endif
