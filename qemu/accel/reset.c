/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reset of the machine: of the partition, and of what QEMU's chipsets keep although the RAM behind
 * it may be zeroed.
 */
#include "qemu/osdep.h"
#include "accel.h"
#include "hw/pci-host/i440fx.h"
#include "hw/pci-host/pam.h"
#include "hw/pci-host/q35.h"
#include "hw/pci/pci.h"
#include "qemu/error-report.h"
#include "system/reset.h"
#include "system/runstate.h"

/*
 * QEMU does not reset the PAM registers, since firmware restores the copy of itself that they map at
 * 0xf0000 before it resets the machine. A reset with VTL1 active zeroes that copy.
 */
static const struct {
	const char *type;
	uint32_t first; /* PAM register */
} chipsets[] = {
	{TYPE_I440FX_PCI_DEVICE, 0x59},
	{TYPE_MCH_PCI_DEVICE, MCH_HOST_BRIDGE_PAM0},
};

enum {
	PAM_REGISTERS = 7
};

/* ROM is at 0xc0000 to 0xfffff again, as after power-on. */
static void reset_pam(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(chipsets); i++) {
		Object *object = object_resolve_path_type("", chipsets[i].type, NULL);

		if (!object)
			continue;
		for (uint32_t k = 0; k < PAM_REGISTERS; k++)
			PCI_DEVICE_GET_CLASS(object)->config_write(PCI_DEVICE(object),
								   chipsets[i].first + k, 0, 1);
	}
}

/* The CPUs are stopped. RAM is zeroed, if need be, before QEMU loads its ROMs again. */
static void reset(void *opaque)
{
	VsmState *vsm = opaque;

	if (vsm_partition_reset(vsm->partition)) {
		error_report("vsm: the reset failed, and no CPU can run");
		vm_stop_force_state(RUN_STATE_INTERNAL_ERROR);
	} else {
		vsm_memory_reset(vsm);
	}
	reset_pam();
}

void vsm_reset_init(VsmState *vsm)
{
	qemu_register_reset(reset, vsm);
}
