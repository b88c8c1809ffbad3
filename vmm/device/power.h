/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ports that reset or power off a PC: ACPI sleep and reset registers (addresses in
 * acpi/acpi.h), PM1a control at 0x604 as in QEMU's machines, the keyboard controller's reset pulse,
 * and the reset control register at 0xcf9.
 */
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
