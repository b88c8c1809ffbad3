/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A serial port: National Semiconductor PC16550D.
 *
 * A transmitted byte has left at once, so the transmitter is always empty; its interrupt is still the
 * real one: pending when the interrupt is enabled and after each byte, gone when IIR has been read.
 * A character time-out (which needs a clock) is told at once.
 */
#ifndef VMM_DEVICE_SERIAL_H
#define VMM_DEVICE_SERIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "device/port.h"

#define VMM_SERIAL_PORT	     0x3f8u
#define VMM_SERIAL_INTERRUPT 4u
#define VMM_SERIAL_FIFO	     16u
#define VMM_SERIAL_QUEUE     4096u

typedef void vmm_serial_output_fn(void *opaque, uint8_t byte);
typedef void vmm_serial_line_fn(void *opaque, bool level);

struct vmm_serial {
	vmm_serial_output_fn *output;
	vmm_serial_line_fn *line; /* the interrupt line; called when it changes */
	void *opaque;

	uint8_t interrupt_enable, fifo_control, line_control, modem_control, scratch;
	uint8_t divisor[2];
	uint8_t modem_changes; /* MSR 3:0 */
	bool overrun;
	bool transmitter_pending;
	bool line_level;
	uint8_t receiver[VMM_SERIAL_FIFO];
	unsigned int received;
	/* What the user typed and the receiver has no room for yet: a ring. */
	uint8_t queue[VMM_SERIAL_QUEUE];
	size_t queue_first, queue_count;
};

/* The reset state. */
void vmm_serial_init(struct vmm_serial *serial, vmm_serial_output_fn *output,
		     vmm_serial_line_fn *line, void *opaque);

int vmm_serial_add(struct vmm_serial *serial, struct vmm_ports *ports, uint16_t base);

/* Bytes from outside, with the lock of the ports held. Returns how many were taken. */
size_t vmm_serial_feed(struct vmm_serial *serial, const uint8_t *data, size_t size);

#endif
