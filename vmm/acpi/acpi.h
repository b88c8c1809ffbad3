/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI tables of a hardware-reduced machine (ACPI Specification 6.5, chapter 5.2). */
#ifndef VMM_ACPI_ACPI_H
#define VMM_ACPI_ACPI_H

#include <stddef.h>
#include <stdint.h>

#define VMM_ACPI_PROCESSORS_MAX 4096u

/* Ports of the sleep and reset registers [4.8.3.7, 4.8.3.6]. */
#define VMM_ACPI_SLEEP_CONTROL 0x610u
#define VMM_ACPI_SLEEP_STATUS  0x611u
#define VMM_ACPI_RESET	       0x612u
#define VMM_ACPI_RESET_VALUE   1u
#define VMM_ACPI_S5	       5u /* SLP_TYP of soft off, as in _S5 of the DSDT */

struct vmm_acpi_machine {
	uint32_t processors;	 /* 1 to VMM_ACPI_PROCESSORS_MAX */
	const uint32_t *apic_id; /* [processors]; NULL: the index */
	uint32_t ioapic_base;
	uint8_t ioapic_id;
	uint16_t serial_port; /* 0: no serial port */
	uint32_t serial_interrupt;
};

/*
 * Writes all tables to @buffer, for the guest address @gpa; the RSDP is first. Returns the bytes
 * used, -EINVAL (@gpa is no multiple of 16, or the number of processors is out of range) or
 * -ENOSPC.
 */
long vmm_acpi_build(const struct vmm_acpi_machine *machine, uint64_t gpa, uint8_t *buffer,
		    size_t size);

#endif
