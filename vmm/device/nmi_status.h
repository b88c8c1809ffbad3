/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port 0x61 (ICH9 data sheet, "NMI Status and Control Register"), which a kernel's NMI handler
 * reads. The timer and speaker of the port are absent.
 */
#ifndef VMM_DEVICE_NMI_STATUS_H
#define VMM_DEVICE_NMI_STATUS_H

#include "device/port.h"

struct vmm_nmi_status {
	uint8_t refresh; /* bit 4 as last read; not saved, as only its changes matter */
};

int vmm_nmi_status_add(struct vmm_nmi_status *status, struct vmm_ports *ports);

#endif
