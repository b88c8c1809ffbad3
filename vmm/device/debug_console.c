/* SPDX-License-Identifier: BSD-2-Clause */
/* Debug console at 0xe9: prints each byte written; a read returns 0xe9, to detect the device. */
#include "device/testdev.h"

#define PORT 0xe9u

static uint32_t read_port(void *opaque, uint16_t port, unsigned int size)
{
	(void)opaque;
	(void)port;
	(void)size;
	return 0xe9;
}

static void write_port(void *opaque, uint16_t port, unsigned int size, uint32_t value)
{
	struct vmm_testdev *testdev = opaque;

	(void)port;
	(void)size;
	testdev->ops.console(testdev->ops.opaque, (uint8_t)value);
}

int vmm_debug_console_add(struct vmm_testdev *testdev, struct vmm_ports *ports)
{
	const struct vmm_port_range range = {"debug console", PORT,	  PORT,	  1,
					     read_port,	      write_port, testdev};

	return vmm_ports_add(ports, &range);
}
