/* SPDX-License-Identifier: BSD-2-Clause */
/* Port devices without a VMM, whose calls of the machine are recorded. */
#ifndef VSM_TESTS_DEVICE_BENCH_H
#define VSM_TESTS_DEVICE_BENCH_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "../unit_test.h"
#include "device/port.h"
#include "device/stop.h"

struct machine {
	struct vmm_ports ports;
	unsigned int stops;
	enum vmm_stop stop;
	int status;
};

static inline void record_stop(void *opaque, enum vmm_stop stop, int status)
{
	struct machine *machine = opaque;

	machine->stops++;
	machine->stop = stop;
	machine->status = status;
}

static inline void out8(struct machine *machine, uint16_t port, uint32_t value)
{
	vmm_ports_write(&machine->ports, port, 1, value);
}

static inline uint32_t in8(struct machine *machine, uint16_t port)
{
	return vmm_ports_read(&machine->ports, port, 1);
}

static inline void out32(struct machine *machine, uint16_t port, uint32_t value)
{
	vmm_ports_write(&machine->ports, port, 4, value);
}

static inline uint32_t in32(struct machine *machine, uint16_t port)
{
	return vmm_ports_read(&machine->ports, port, 4);
}

#endif
