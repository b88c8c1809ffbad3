/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process accesses the ports itself: Debian's cloud kernel has no driver for a parallel port.
 *
 * To the host: the parallel port, a byte for each rising strobe. From it: the second serial port
 * with its FIFO off, so that Bochs fetches the next byte from the host only after a read of this
 * one.
 */
#include "channel.h"

#include "agent.h"

#include <stdint.h>
#include <sys/io.h>
#include <time.h>

enum {
	PARALLEL_DATA = 0x378,
	PARALLEL_CONTROL = 0x37a,
	CONTROL_IDLE = 0x0c, /* selected, not in reset */
	CONTROL_STROBE = 0x0d,

	SERIAL = 0x2f8,
	SERIAL_DATA = SERIAL,		/* divisor, low byte, while LINE_DIVISOR is set */
	SERIAL_INTERRUPTS = SERIAL + 1, /* divisor, high byte */
	SERIAL_FIFO = SERIAL + 2,
	SERIAL_LINE = SERIAL + 3,
	SERIAL_STATUS = SERIAL + 5,
	LINE_8_BITS = 0x03,
	LINE_DIVISOR = 0x80,
	STATUS_READY = 0x01,
};

/* The emulated CPU is idle meanwhile, so its clock runs faster than the host's. */
static const struct timespec poll_interval = {.tv_nsec = 1000000};

static void ports_write(struct channel *channel, const void *data, size_t length)
{
	const uint8_t *at = data;

	(void)channel;
	for (; length; length--) {
		outb(*at++, PARALLEL_DATA);
		outb(CONTROL_STROBE, PARALLEL_CONTROL);
		outb(CONTROL_IDLE, PARALLEL_CONTROL);
	}
}

static bool ports_pending(struct channel *channel)
{
	(void)channel;
	return inb(SERIAL_STATUS) & STATUS_READY;
}

static void ports_read(struct channel *channel, void *data, size_t length)
{
	uint8_t *at = data;

	for (; length; length--) {
		while (!ports_pending(channel))
			nanosleep(&poll_interval, NULL);
		*at++ = inb(SERIAL_DATA);
	}
}

struct channel *ports_channel_open(void)
{
	static struct channel channel = {ports_write, ports_read, ports_pending, -1};

	if (ioperm(PARALLEL_DATA, 3, 1) || ioperm(SERIAL, 8, 1))
		power_off("ioperm");
	outb(CONTROL_IDLE, PARALLEL_CONTROL);
	outb(LINE_DIVISOR, SERIAL_LINE);
	outb(1, SERIAL_DATA); /* 115200 baud */
	outb(0, SERIAL_INTERRUPTS);
	outb(LINE_8_BITS, SERIAL_LINE);
	outb(0, SERIAL_INTERRUPTS);
	outb(0, SERIAL_FIFO);
	return &channel;
}
