/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration space, mechanism 1, without devices: every register reads all-ones. */
#ifndef VMM_DEVICE_PCI_H
#define VMM_DEVICE_PCI_H

#include "device/port.h"

struct vmm_pci {
	uint32_t address;
};

int vmm_pci_add(struct vmm_pci *pci, struct vmm_ports *ports);

#endif
