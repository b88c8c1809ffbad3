/* SPDX-License-Identifier: BSD-2-Clause */
#include "device/nmi_status.h"

#define PORT 0x61u

/* Bits 7 and 6, the hardware errors SERR# and IOCHK#, are 0. */
#define TIMER2_OUTPUT 0x20u /* high: ends loops that wait for the missing timer */
#define REFRESH	      0x10u /* toggles at each read */

static uint32_t read_port(void *opaque, uint16_t port, unsigned int size)
{
	struct vmm_nmi_status *status = opaque;

	(void)port;
	(void)size;
	status->refresh ^= REFRESH;
	return TIMER2_OUTPUT | status->refresh;
}

int vmm_nmi_status_add(struct vmm_nmi_status *status, struct vmm_ports *ports)
{
	const struct vmm_port_range range = {.name = "NMI status",
					     .first = PORT,
					     .last = PORT,
					     .max_size = 1,
					     .read = read_port,
					     .opaque = status};

	status->refresh = 0;
	return vmm_ports_add(ports, &range);
}
