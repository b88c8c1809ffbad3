/* SPDX-License-Identifier: BSD-2-Clause */
/* The BIOS data area and the extended one, as a PC's firmware leaves them: kernels look there before they have ACPI. */
#ifndef VMM_MACHINE_BIOS_DATA_H
#define VMM_MACHINE_BIOS_DATA_H

#include <vsm/log.h>

#include "load/memory.h"

/*
 * Writes both areas. Before a kernel is loaded, which may be linked over them. Returns: 0, or what @memory->write
 * returned, with a line in the log.
 */
int vmm_bios_data_put(const struct vmm_memory *memory, const struct vsm_log *log);

#endif
