/* SPDX-License-Identifier: BSD-2-Clause */
/* The BIOS data area and the extended one: kernels read them before ACPI tables. */
#ifndef VMM_BOOT_BIOS_DATA_H
#define VMM_BOOT_BIOS_DATA_H

#include <vsm/log.h>

#include "machine/memory.h"

/*
 * Call before a kernel is loaded, as it may be linked to their addresses. Returns: 0, or the error
 * of @memory->write, with a line in the log.
 */
int vmm_bios_data_put(const struct vmm_memory *memory, const struct vsm_log *log);

#endif
