/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration space, mechanism 1, without devices: every register reads all-ones. */
#ifndef VMM_DEVICE_PCI_H
#define VMM_DEVICE_PCI_H

#include "device/port.h"
#include "device/saved.h"

struct vmm_pci {
	uint32_t address;
};

int vmm_pci_add(struct vmm_pci *pci, struct vmm_ports *ports);

extern const struct vmm_fields vmm_pci_fields;

#endif
