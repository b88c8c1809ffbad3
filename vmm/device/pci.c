/* SPDX-License-Identifier: BSD-2-Clause */
#include "device/pci.h"

#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_DATA    0xcfcu

/*
 * Only doubleword accesses reach the register [PCI 2.2, "Software Generation of Configuration
 * Transactions"].
 */
static uint32_t read_address(void *opaque, uint16_t port, unsigned int size)
{
	const struct vmm_pci *pci = opaque;

	(void)port;
	return size == 4 ? pci->address : 0xffffffffu;
}

static void write_address(void *opaque, uint16_t port, unsigned int size, uint32_t value)
{
	struct vmm_pci *pci = opaque;

	(void)port;
	if (size == 4)
		pci->address = value & 0x80fffffcu;
}

int vmm_pci_add(struct vmm_pci *pci, struct vmm_ports *ports)
{
	const struct vmm_port_range address = {
		"PCI address", CONFIG_ADDRESS, CONFIG_ADDRESS, 4, read_address, write_address, pci};
	const struct vmm_port_range data = {"PCI data", CONFIG_DATA, CONFIG_DATA + 3, 4, NULL,
					    NULL,	pci};
	const int error = vmm_ports_add(ports, &address);

	pci->address = 0;
	return error ? error : vmm_ports_add(ports, &data);
}

static const struct vmm_field fields[] = {
	VMM_FIELD(vmm_pci, address, 0x80fffffc),
};

const struct vmm_fields vmm_pci_fields = {fields, ARRAY_SIZE(fields), NULL};
