/* SPDX-License-Identifier: BSD-2-Clause */
/* The APIC ids of all processors. */
#ifndef KIT_ACPI_H
#define KIT_ACPI_H

#include <stdint.h>

/*
 * From the MADT of the ACPI tables, whose RSDP is looked for below 1 MiB (ACPI 6.5, 5.2.5.1). Returns how
 * many there are, at most @max; 0 if there are no tables, or damaged ones.
 */
uint32_t acpi_processors(uint32_t *apic_id, uint32_t max);

#endif
