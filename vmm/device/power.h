/* SPDX-License-Identifier: BSD-2-Clause */
/* The ports that reset or power off a PC; PM1a control is at 0x604, as in QEMU's machines. */
#ifndef VMM_DEVICE_POWER_H
#define VMM_DEVICE_POWER_H

#include "device/port.h"
#include "device/stop.h"

struct vmm_power {
	vmm_stop_fn *stop;
	void *opaque;
};

int vmm_power_add(struct vmm_power *power, struct vmm_ports *ports);

#endif
