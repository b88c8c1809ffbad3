/* SPDX-License-Identifier: BSD-2-Clause */
#include "device/serial.h"

#include <string.h>

/* Registers, by offset [PC16550D, table I]. */
enum {
	DATA,
	INTERRUPT_ENABLE,
	INTERRUPT_ID,
	LINE_CONTROL,
	MODEM_CONTROL,
	LINE_STATUS,
	MODEM_STATUS,
	SCRATCH
};

#define IER_RECEIVER	0x01u
#define IER_TRANSMITTER 0x02u
#define IER_LINE	0x04u
#define IER_MODEM	0x08u
#define IIR_NONE	0x01u
#define IIR_MODEM	0x00u
#define IIR_TRANSMITTER 0x02u
#define IIR_RECEIVER	0x04u
#define IIR_LINE	0x06u
#define IIR_TIME_OUT	0x0cu
#define IIR_FIFO	0xc0u
#define FCR_ENABLE	0x01u
#define FCR_CLEAR	0x02u
#define LCR_DIVISOR	0x80u
#define MCR_DTR		0x01u
#define MCR_RTS		0x02u
#define MCR_OUT1	0x04u
#define MCR_OUT2	0x08u /* gates the interrupt on a PC */
#define MCR_LOOP	0x10u
#define LSR_READY	0x01u
#define LSR_OVERRUN	0x02u
#define LSR_EMPTY	0x60u /* holding register and transmitter */
#define MSR_CTS		0x10u
#define MSR_DSR		0x20u
#define MSR_RI		0x40u
#define MSR_DCD		0x80u
#define DELTA_RI	0x04u /* trailing edge of RI; the bits for other lines are their MSR_ bits >> 4 */

static unsigned int depth(const struct vmm_serial *serial)
{
	return serial->fifo_control & FCR_ENABLE ? VMM_SERIAL_FIFO : 1;
}

static unsigned int trigger(const struct vmm_serial *serial)
{
	static const uint8_t level[] = {1, 4, 8, 14};

	return serial->fifo_control & FCR_ENABLE ? level[serial->fifo_control >> 6] : 1;
}

/* The highest pending interrupt, as in IIR [PC16550D, table IV]. */
static uint8_t interrupt_id(const struct vmm_serial *serial)
{
	if ((serial->interrupt_enable & IER_LINE) && serial->overrun)
		return IIR_LINE;
	if ((serial->interrupt_enable & IER_RECEIVER) && serial->received)
		return serial->received >= trigger(serial) ? IIR_RECEIVER : IIR_TIME_OUT;
	if ((serial->interrupt_enable & IER_TRANSMITTER) && serial->transmitter_pending)
		return IIR_TRANSMITTER;
	if ((serial->interrupt_enable & IER_MODEM) && serial->modem_changes)
		return IIR_MODEM;
	return IIR_NONE;
}

static void update_line(struct vmm_serial *serial)
{
	const bool level = interrupt_id(serial) != IIR_NONE && (serial->modem_control & MCR_OUT2) &&
			   !(serial->modem_control & MCR_LOOP);

	if (level == serial->line_level)
		return;
	serial->line_level = level;
	serial->line(serial->opaque, level);
}

static void receive(struct vmm_serial *serial, uint8_t byte)
{
	if (serial->received == depth(serial)) {
		serial->overrun = true;
		/* Without a FIFO, the new byte overwrites the old one. */
		if (depth(serial) == 1)
			serial->receiver[0] = byte;
		return;
	}
	serial->receiver[serial->received++] = byte;
}

static void refill(struct vmm_serial *serial)
{
	while (serial->queue_count && serial->received < depth(serial) &&
	       !(serial->modem_control & MCR_LOOP)) {
		receive(serial, serial->queue[serial->queue_first]);
		serial->queue_first = (serial->queue_first + 1) % VMM_SERIAL_QUEUE;
		serial->queue_count--;
	}
}

static uint8_t take_received(struct vmm_serial *serial)
{
	const uint8_t byte = serial->receiver[0];

	if (serial->received) {
		serial->received--;
		memmove(serial->receiver, serial->receiver + 1, serial->received);
		refill(serial);
	}
	return byte;
}

/* The peer is always present and ready. In loop mode the outputs are fed back [PC16550D, 8.6]. */
static uint8_t modem_lines(const struct vmm_serial *serial)
{
	const uint8_t control = serial->modem_control;

	if (!(control & MCR_LOOP))
		return MSR_DCD | MSR_DSR | MSR_CTS;
	return (uint8_t)((control & MCR_RTS ? MSR_CTS : 0) | (control & MCR_DTR ? MSR_DSR : 0) |
			 (control & MCR_OUT1 ? MSR_RI : 0) | (control & MCR_OUT2 ? MSR_DCD : 0));
}

static void write_modem_control(struct vmm_serial *serial, uint8_t value)
{
	const uint8_t before = modem_lines(serial);
	uint8_t changed;

	serial->modem_control = value & 0x1f;
	changed = before ^ modem_lines(serial);
	serial->modem_changes |= (changed & ~MSR_RI) >> 4;
	if (changed & before & MSR_RI)
		serial->modem_changes |= DELTA_RI;
	refill(serial);
}

static void transmit(struct vmm_serial *serial, uint8_t byte)
{
	/* Lower and raise the line: one edge for each byte. */
	serial->transmitter_pending = false;
	update_line(serial);
	if (serial->modem_control & MCR_LOOP)
		receive(serial, byte);
	else
		serial->output(serial->opaque, byte);
	serial->transmitter_pending = true;
}

static void write_register(void *opaque, uint16_t port, unsigned int size, uint32_t value)
{
	struct vmm_serial *serial = opaque;
	const bool divisor = serial->line_control & LCR_DIVISOR;
	const uint8_t byte = (uint8_t)value;

	(void)size;
	switch (port & 7) {
	case DATA:
	case INTERRUPT_ENABLE:
		if (divisor) {
			serial->divisor[port & 7] = byte;
		} else if ((port & 7) == DATA) {
			transmit(serial, byte);
		} else {
			if (byte & ~serial->interrupt_enable & IER_TRANSMITTER)
				serial->transmitter_pending = true;
			serial->interrupt_enable = byte & 0xf;
		}
		break;
	case INTERRUPT_ID: /* FCR */
		if ((byte & FCR_CLEAR) || ((byte ^ serial->fifo_control) & FCR_ENABLE))
			serial->received = 0;
		serial->fifo_control = byte & 0xc1;
		refill(serial);
		break;
	case LINE_CONTROL:
		serial->line_control = byte;
		break;
	case MODEM_CONTROL:
		write_modem_control(serial, byte);
		break;
	case SCRATCH:
		serial->scratch = byte;
		break;
	default:
		break;
	}
	update_line(serial);
}

static uint8_t read_status(struct vmm_serial *serial)
{
	const uint8_t value = (uint8_t)(LSR_EMPTY | (serial->received ? LSR_READY : 0) |
					(serial->overrun ? LSR_OVERRUN : 0));

	serial->overrun = false;
	return value;
}

static uint8_t read_interrupt_id(struct vmm_serial *serial)
{
	const uint8_t id = interrupt_id(serial);

	if (id == IIR_TRANSMITTER)
		serial->transmitter_pending = false;
	return serial->fifo_control & FCR_ENABLE ? id | IIR_FIFO : id;
}

static uint32_t read_register(void *opaque, uint16_t port, unsigned int size)
{
	struct vmm_serial *serial = opaque;
	const bool divisor = serial->line_control & LCR_DIVISOR;
	uint8_t value = 0;

	(void)size;
	switch (port & 7) {
	case DATA:
		value = divisor ? serial->divisor[0] : take_received(serial);
		break;
	case INTERRUPT_ENABLE:
		value = divisor ? serial->divisor[1] : serial->interrupt_enable;
		break;
	case INTERRUPT_ID:
		value = read_interrupt_id(serial);
		break;
	case LINE_CONTROL:
		value = serial->line_control;
		break;
	case MODEM_CONTROL:
		value = serial->modem_control;
		break;
	case LINE_STATUS:
		value = read_status(serial);
		break;
	case MODEM_STATUS:
		value = modem_lines(serial) | serial->modem_changes;
		serial->modem_changes = 0;
		break;
	default:
		value = serial->scratch;
	}
	update_line(serial);
	return value;
}

void vmm_serial_init(struct vmm_serial *serial, vmm_serial_output_fn *output,
		     vmm_serial_line_fn *line, void *opaque)
{
	memset(serial, 0, sizeof(*serial));
	serial->output = output;
	serial->line = line;
	serial->opaque = opaque;
	serial->divisor[0] = 1; /* 115,200 baud, for guests that read it */
}

int vmm_serial_add(struct vmm_serial *serial, struct vmm_ports *ports, uint16_t base)
{
	const struct vmm_port_range range = {.name = "serial port",
					     .first = base,
					     .last = (uint16_t)(base + 7),
					     .max_size = 1,
					     .read = read_register,
					     .write = write_register,
					     .opaque = serial};

	return vmm_ports_add(ports, &range);
}

size_t vmm_serial_feed(struct vmm_serial *serial, const uint8_t *data, size_t size)
{
	size_t taken = 0;

	while (taken < size && serial->queue_count < VMM_SERIAL_QUEUE) {
		const size_t at = (serial->queue_first + serial->queue_count) % VMM_SERIAL_QUEUE;

		serial->queue[at] = data[taken++];
		serial->queue_count++;
	}
	refill(serial);
	update_line(serial);
	return taken;
}

/* ------------------------------------------------------------------ saved state */

static const struct vmm_field fields[] = {
	VMM_FIELD(vmm_serial, interrupt_enable, 0xf),
	VMM_FIELD(vmm_serial, fifo_control, 0xc1),
	VMM_FIELD(vmm_serial, line_control, 0xff),
	VMM_FIELD(vmm_serial, modem_control, 0x1f),
	VMM_FIELD(vmm_serial, scratch, 0xff),
	VMM_FIELD_ARRAY(vmm_serial, divisor),
	VMM_FIELD(vmm_serial, modem_changes, 0xf),
	VMM_FIELD(vmm_serial, overrun, 1),
	VMM_FIELD(vmm_serial, transmitter_pending, 1),
	VMM_FIELD(vmm_serial, line_level, 1),
	VMM_FIELD_ARRAY(vmm_serial, receiver),
	VMM_FIELD(vmm_serial, received, VMM_SERIAL_FIFO),
	VMM_FIELD_ARRAY(vmm_serial, queue),
	VMM_FIELD(vmm_serial, queue_first, VMM_SERIAL_QUEUE - 1),
	VMM_FIELD(vmm_serial, queue_count, VMM_SERIAL_QUEUE),
};

/* Without a FIFO, the receiver holds one byte. */
static const char *wrong_field(const void *device)
{
	const struct vmm_serial *serial = device;

	return !(serial->fifo_control & 1) && serial->received > 1 ? "received" : NULL;
}

const struct vmm_fields vmm_serial_fields = {fields, ARRAY_SIZE(fields), wrong_field};
