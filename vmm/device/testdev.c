/* SPDX-License-Identifier: BSD-2-Clause */
#include "device/testdev.h"

#include <string.h>

void vmm_testdev_init(struct vmm_testdev *testdev, const struct vmm_testdev_ops *ops,
		      uint64_t ram_size, uint32_t processors)
{
	memset(testdev, 0, sizeof(*testdev));
	testdev->ops = *ops;
	testdev->ram_size = ram_size;
	testdev->processors = processors;
}

int vmm_testdev_add(struct vmm_testdev *testdev, struct vmm_ports *ports)
{
	static int (*const add[])(struct vmm_testdev *, struct vmm_ports *) = {
		vmm_debug_exit_add, vmm_debug_console_add, vmm_irq_lines_add, vmm_latch_add,
		vmm_page_flush_add, vmm_fw_cfg_add,	   vmm_hv_test_add,
	};
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(add) && !error; i++)
		error = add[i](testdev, ports);
	return error;
}

static const struct vmm_field fields[] = {
	VMM_FIELD(vmm_testdev, latch, UINT64_MAX),
	VMM_FIELD(vmm_testdev, fw_cfg_item, UINT64_MAX),
	VMM_FIELD(vmm_testdev, fw_cfg_offset, UINT64_MAX),
};

const struct vmm_fields vmm_testdev_fields = {fields, ARRAY_SIZE(fields), NULL};
