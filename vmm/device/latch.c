/* SPDX-License-Identifier: BSD-2-Clause */
/* A latch for test kernels: four bytes of memory at ports 0xe0 to 0xe3. */
#include "device/testdev.h"

#define PORT 0xe0u

static uint32_t read_port(void *opaque, uint16_t port, unsigned int size)
{
	const struct vmm_testdev *testdev = opaque;

	(void)size;
	return testdev->latch >> (8 * (port - PORT));
}

static void write_port(void *opaque, uint16_t port, unsigned int size, uint32_t value)
{
	struct vmm_testdev *testdev = opaque;
	const unsigned int shift = 8 * (port - PORT);
	const uint32_t mask = (size == 4 ? 0xffffffffu : (1u << (8 * size)) - 1) << shift;

	testdev->latch = (testdev->latch & ~mask) | (value << shift & mask);
}

int vmm_latch_add(struct vmm_testdev *testdev, struct vmm_ports *ports)
{
	const struct vmm_port_range range = {"latch",	PORT,	    PORT + 3, 4,
					     read_port, write_port, testdev};

	return vmm_ports_add(ports, &range);
}
