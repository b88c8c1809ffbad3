/* SPDX-License-Identifier: BSD-2-Clause */
/* QEMU's firmware configuration for test kernels: 0x510 selects an item, 0x511 reads its bytes. */
#include "device/testdev.h"

#include <string.h>

#define SELECTOR 0x510u
#define DATA	 0x511u

/* Items, by QEMU's docs/specs/fw_cfg.rst and its header. */
enum {
	SIGNATURE = 0x00,
	INTERFACE = 0x01,
	RAM_SIZE = 0x03,
	PROCESSORS = 0x05,
	MAX_PROCESSORS = 0x0f
};

/* Returns the item's size. */
static uint32_t item(const struct vmm_testdev *testdev, uint8_t bytes[8])
{
	uint64_t value = 0;
	uint32_t size = 0;

	switch (testdev->fw_cfg_item) {
	case SIGNATURE:
		memcpy(&value, "QEMU", 4);
		size = 4;
		break;
	case INTERFACE:
		value = 1; /* without DMA */
		size = 4;
		break;
	case RAM_SIZE:
		value = testdev->ram_size;
		size = 8;
		break;
	case PROCESSORS:
	case MAX_PROCESSORS:
		value = testdev->processors;
		size = 2;
		break;
	default:
		break;
	}
	memcpy(bytes, &value, sizeof(value));
	return size;
}

static uint32_t read_port(void *opaque, uint16_t port, unsigned int size)
{
	struct vmm_testdev *testdev = opaque;
	uint8_t bytes[8];

	if (port != DATA || size != 1)
		return 0xffffffffu;
	if (testdev->fw_cfg_offset >= item(testdev, bytes))
		return 0;
	return bytes[testdev->fw_cfg_offset++];
}

static void write_port(void *opaque, uint16_t port, unsigned int size, uint32_t value)
{
	struct vmm_testdev *testdev = opaque;

	if (port != SELECTOR || size != 2)
		return;
	testdev->fw_cfg_item = (uint16_t)value;
	testdev->fw_cfg_offset = 0;
}

int vmm_fw_cfg_add(struct vmm_testdev *testdev, struct vmm_ports *ports)
{
	const struct vmm_port_range range = {"fw_cfg",	SELECTOR,   DATA,   2,
					     read_port, write_port, testdev};

	return vmm_ports_add(ports, &range);
}
