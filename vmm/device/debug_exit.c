/* SPDX-License-Identifier: BSD-2-Clause */
/* Debug exit at 0xf4: a write of v ends the machine with an exit status that is never 0. */
#include "device/testdev.h"

#define PORT 0xf4u

static void write_port(void *opaque, uint16_t port, unsigned int size, uint32_t value)
{
	struct vmm_testdev *testdev = opaque;

	(void)port;
	(void)size;
	/* A process's exit status has 8 bits. */
	testdev->ops.stop(testdev->ops.opaque, VMM_STOP_EXIT, (int)((value << 1 | 1) & 0xff));
}

int vmm_debug_exit_add(struct vmm_testdev *testdev, struct vmm_ports *ports)
{
	const struct vmm_port_range range = {"debug exit", PORT,       PORT + 3, 4,
					     NULL,	   write_port, testdev};

	return vmm_ports_add(ports, &range);
}
