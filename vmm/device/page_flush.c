/* SPDX-License-Identifier: BSD-2-Clause */
/* Page flush at 0xe4: a write of a 32-bit GPA makes the hypervisor drop its mapping of the page. */
#include "device/testdev.h"

#define PORT 0xe4u

static void write_port(void *opaque, uint16_t port, unsigned int size, uint32_t value)
{
	struct vmm_testdev *testdev = opaque;

	(void)port;
	if (size == 4)
		testdev->ops.flush_page(testdev->ops.opaque, value & ~0xfffull);
}

int vmm_page_flush_add(struct vmm_testdev *testdev, struct vmm_ports *ports)
{
	const struct vmm_port_range range = {"page flush", PORT,       PORT,   4,
					     NULL,	   write_port, testdev};

	return vmm_ports_add(ports, &range);
}
