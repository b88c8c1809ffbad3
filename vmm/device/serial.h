/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A serial port: National Semiconductor PC16550D. There is no clock: a byte is transmitted, and a
 * character time-out signalled, immediately.
 */
#ifndef VMM_DEVICE_SERIAL_H
#define VMM_DEVICE_SERIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "device/port.h"
#include "device/saved.h"

#define VMM_SERIAL_PORT	     0x3f8u
#define VMM_SERIAL_INTERRUPT 4u
#define VMM_SERIAL_FIFO	     16u
#define VMM_SERIAL_QUEUE     4096u

typedef void vmm_serial_output_fn(void *opaque, uint8_t byte);
typedef void vmm_serial_line_fn(void *opaque, bool level);

struct vmm_serial {
	vmm_serial_output_fn *output;
	vmm_serial_line_fn *line;
	void *opaque;

	uint8_t interrupt_enable, fifo_control, line_control, modem_control, scratch;
	uint8_t divisor[2];
	uint8_t modem_changes; /* bits 3:0 of MSR */
	bool overrun;
	bool transmitter_pending;
	bool line_level;
	uint8_t receiver[VMM_SERIAL_FIFO];
	unsigned int received;
	/* Ring of input for which the receiver has no space yet. */
	uint8_t queue[VMM_SERIAL_QUEUE];
	size_t queue_first, queue_count;
};

void vmm_serial_init(struct vmm_serial *serial, vmm_serial_output_fn *output,
		     vmm_serial_line_fn *line, void *opaque);

int vmm_serial_add(struct vmm_serial *serial, struct vmm_ports *ports, uint16_t base);

/* Requires the lock of the ports. Returns the number of bytes accepted. */
size_t vmm_serial_feed(struct vmm_serial *serial, const uint8_t *data, size_t size);

extern const struct vmm_fields vmm_serial_fields;

#endif
