/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port 0x61 (ICH9 data sheet, "NMI Status and Control Register"): where a kernel that got an NMI looks for an error
 * of the hardware. There never is one here; nor are there the timer and the speaker that the same port controls.
 */
#ifndef VMM_DEVICE_NMI_STATUS_H
#define VMM_DEVICE_NMI_STATUS_H

#include "device/port.h"

struct vmm_nmi_status {
	uint8_t refresh; /* bit 4 as last read; all that a guest may wait for is its change: not saved */
};

int vmm_nmi_status_add(struct vmm_nmi_status *status, struct vmm_ports *ports);

#endif
