/* SPDX-License-Identifier: BSD-2-Clause */
/* Inputs of the I/O APIC at ports 0x2000 + line: 0 lowers, other values raise. */
#include "device/testdev.h"

#define PORT 0x2000u

static void write_port(void *opaque, uint16_t port, unsigned int size, uint32_t value)
{
	struct vmm_testdev *testdev = opaque;

	(void)size;
	testdev->ops.set_line(testdev->ops.opaque, port - PORT, value != 0);
}

int vmm_irq_lines_add(struct vmm_testdev *testdev, struct vmm_ports *ports)
{
	/* A smaller max_size would split a write of four bytes, which would then set four lines. */
	const struct vmm_port_range range = {
		"interrupt lines", PORT, PORT + VMM_IRQ_LINES - 1, 4, NULL, write_port, testdev};

	return vmm_ports_add(ports, &range);
}
