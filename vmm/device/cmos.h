/* SPDX-License-Identifier: BSD-2-Clause */
/* CMOS RAM and a read-only real-time clock (Motorola MC146818) with the host's time in UTC. */
#ifndef VMM_DEVICE_CMOS_H
#define VMM_DEVICE_CMOS_H

#include <time.h>

#include "device/port.h"
#include "device/saved.h"
#include "machine/memory.h"

typedef time_t vmm_clock_fn(void *opaque);

struct vmm_cmos {
	vmm_clock_fn *clock; /* NULL: the host's */
	void *opaque;
	uint8_t index;
	uint8_t ram[128];
};

/* Stores @memory and @processors where firmware does, as QEMU does for test kernels. */
void vmm_cmos_init(struct vmm_cmos *cmos, const struct vmm_memory *memory, uint32_t processors,
		   vmm_clock_fn *clock, void *opaque);
int vmm_cmos_add(struct vmm_cmos *cmos, struct vmm_ports *ports);

extern const struct vmm_fields vmm_cmos_fields;

#endif
