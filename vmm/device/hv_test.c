/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's Hyper-V test device: a guest requests interrupts, messages and events for its own SynIC.
 * Bits of a write: 7:0 SINT, 15:8 VP, 23:16 command, 31:24 connection.
 */
#include "device/testdev.h"

#define PORT  0x3000u
#define SINTS 16u

static void write_port(void *opaque, uint16_t port, unsigned int size, uint32_t value)
{
	struct vmm_testdev *testdev = opaque;
	const struct vmm_hv_test_request request = {
		.command = (enum vmm_hv_test_command)(value >> 16 & 0xff),
		.sint = (uint8_t)value,
		.vp = (uint8_t)(value >> 8),
		.connection = (uint8_t)(value >> 24),
	};

	(void)port;
	if (size != 4 || (value & 0xff) >= SINTS || request.vp >= testdev->processors ||
	    request.command < VMM_HV_TEST_CREATE_SINT_ROUTE ||
	    request.command > VMM_HV_TEST_DESTROY_EVENT_CONNECTION)
		return;
	testdev->ops.hv_test(testdev->ops.opaque, &request);
}

int vmm_hv_test_add(struct vmm_testdev *testdev, struct vmm_ports *ports)
{
	const struct vmm_port_range range = {
		"Hyper-V test device", PORT, PORT + 3, 4, NULL, write_port, testdev};

	return vmm_ports_add(ports, &range);
}
