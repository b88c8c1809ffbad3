/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KIT_ACPI_H
#define KIT_ACPI_H

#include <stdint.h>

/* Reads the APIC IDs of usable processors from the MADT; the RSDP is searched below 1 MiB (ACPI 6.5,
 * 5.2.5.1). Returns their number, at most @max; 0 if a table is absent or longer than 1 MiB. */
uint32_t acpi_processors(uint32_t *apic_id, uint32_t max);

#endif
