/* SPDX-License-Identifier: BSD-2-Clause */
/* Converts a boot state to registers for vsm_vp_set_registers(). */
#ifndef VMM_BOOT_REGISTERS_H
#define VMM_BOOT_REGISTERS_H

#include <vsm/hv/hv.h>

#include "load/boot_state.h"

#define VMM_BOOT_REGISTERS 32u

/* For vsm_vp_set_registers(); paging comes last, after the registers that it depends on. */
void vmm_boot_registers(const struct vmm_boot_state *state, uint32_t name[VMM_BOOT_REGISTERS],
			union hv_register_value value[VMM_BOOT_REGISTERS]);

#endif
