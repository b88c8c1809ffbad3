/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reset of the machine: resets the partition, and chipset registers that QEMU preserves although
 * their RAM may be zeroed.
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
 * QEMU does not reset the PAM registers, which map a copy of the firmware at 0xf0000; firmware restores the
 * copy before it resets the machine. A reset while VTL1 is enabled zeroes the copy, so map ROM again.
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

/* Maps ROM at 0xc0000 to 0xfffff, as after power-on. */
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

/* Called while the CPUs are stopped, and before QEMU loads ROMs, since a reset can zero RAM. */
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
