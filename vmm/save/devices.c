/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Serialization of devices: one table of fields, each with its largest legal value, then the parts
 * of variable length (I/O APIC, routes and connections of the Hyper-V test device).
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include <vsm/hv/hv.h>

#include "array.h"
#include "guest/guest.h"
#include "save/save.h"

#define ANY UINT64_MAX

struct field {
	const char *name;
	size_t offset; /* in struct vmm_guest */
	uint32_t size; /* of an element: 1, 2, 4 or 8 */
	uint32_t count;
	uint64_t max;
};

#define MEMBER(path) (((struct vmm_guest *)0)->machine.path)
#define FIELD(path, largest)                                                                      \
	{                                                                                         \
#path, offsetof(struct vmm_guest, machine.path), sizeof(MEMBER(path)), 1, largest \
	}
#define ARRAY(path)                                                                       \
	{                                                                                 \
#path, offsetof(struct vmm_guest, machine.path), sizeof(MEMBER(path[0])), \
			sizeof(MEMBER(path)) / sizeof(MEMBER(path[0])), ANY               \
	}

static const struct field fields[] = {
	FIELD(serial.interrupt_enable, 0xf),
	FIELD(serial.fifo_control, 0xc1),
	FIELD(serial.line_control, 0xff),
	FIELD(serial.modem_control, 0x1f),
	FIELD(serial.scratch, 0xff),
	ARRAY(serial.divisor),
	FIELD(serial.modem_changes, 0xf),
	FIELD(serial.overrun, 1),
	FIELD(serial.transmitter_pending, 1),
	FIELD(serial.line_level, 1),
	ARRAY(serial.receiver),
	FIELD(serial.received, VMM_SERIAL_FIFO),
	ARRAY(serial.queue),
	FIELD(serial.queue_first, VMM_SERIAL_QUEUE - 1),
	FIELD(serial.queue_count, VMM_SERIAL_QUEUE),
	FIELD(cmos.index, 0x7f),
	ARRAY(cmos.ram),
	FIELD(pci.address, 0x80fffffc),
	FIELD(testdev.latch, ANY),
	FIELD(testdev.fw_cfg_item, ANY),
	FIELD(testdev.fw_cfg_offset, ANY),
	FIELD(serial_lines, 1u << VMM_SERIAL_INTERRUPT),
	FIELD(test_lines, (1u << VMM_IRQ_LINES) - 1),
};

#define FIELDS ARRAY_SIZE(fields)

/* After the fields. */
struct tail {
	struct vsm_ioapic_state ioapic;
	uint64_t connections[VMM_KINDS][VMM_CONNECTIONS / 64];
	struct vmm_route route[VMM_KINDS][VMM_CONNECTIONS];
	/* and sint_routes, two bytes for each processor */
};

static size_t fields_size(void)
{
	size_t size = 0;

	for (size_t i = 0; i < FIELDS; i++)
		size += (size_t)fields[i].size * fields[i].count;
	return size;
}

static size_t size_of(uint32_t processors)
{
	return fields_size() + sizeof(struct tail) +
	       processors * sizeof(*((struct vmm_guest *)0)->sint_routes);
}

size_t vmm_devices_size(const struct vmm_guest *guest)
{
	return size_of(guest->config->cpus);
}

void vmm_devices_save(const struct vmm_guest *guest, uint8_t *data)
{
	struct tail tail;

	for (size_t i = 0; i < FIELDS; i++) {
		const size_t size = (size_t)fields[i].size * fields[i].count;

		memcpy(data, (const uint8_t *)guest + fields[i].offset, size);
		data += size;
	}
	memset(&tail, 0, sizeof(tail));
	(void)vsm_ioapic_export(&guest->machine.ioapic, VSM_IOAPIC_FORMAT_1, &tail.ioapic,
				sizeof(tail.ioapic));
	memcpy(tail.connections, guest->connections, sizeof(tail.connections));
	memcpy(tail.route, guest->route, sizeof(tail.route));
	memcpy(data, &tail, sizeof(tail));
	memcpy(data + sizeof(tail), guest->sint_routes,
	       guest->config->cpus * sizeof(*guest->sint_routes));
}

/* ------------------------------------------------------------------ restore */

static int bad(const struct vsm_log *log, const char *what)
{
	return vsm_error(log, EILSEQ, "the saved machine's devices: %s is not legal", what);
}

static uint64_t element(const uint8_t *data, uint32_t size)
{
	uint64_t value = 0;

	memcpy(&value, data, size);
	return value;
}

static int check_fields(const uint8_t *data, const struct vsm_log *log)
{
	for (size_t i = 0; i < FIELDS; i++)
		for (uint32_t n = 0; n < fields[i].count; n++, data += fields[i].size)
			if (element(data, fields[i].size) > fields[i].max)
				return bad(log, fields[i].name);
	return 0;
}

static bool is_connected(const struct tail *tail, unsigned int kind, unsigned int id)
{
	return tail->connections[kind][id / 64] >> id % 64 & 1;
}

static int check_tail(const struct vmm_guest *guest, const struct tail *tail,
		      const struct vsm_log *log)
{
	struct vsm_ioapic scratch = guest->machine.ioapic;
	struct vsm_ioapic_refusal refusal;

	if (vsm_ioapic_import(&scratch, VSM_IOAPIC_FORMAT_1, &tail->ioapic, sizeof(tail->ioapic),
			      &refusal))
		return bad(log, refusal.field);
	for (unsigned int kind = 0; kind < VMM_KINDS; kind++)
		for (unsigned int id = 0; id < VMM_CONNECTIONS; id++)
			if (is_connected(tail, kind, id) &&
			    (tail->route[kind][id].vp >= guest->config->cpus ||
			     tail->route[kind][id].sint >= HV_SYNIC_SINT_COUNT))
				return bad(log, "a connection");
	return 0;
}

static void take_fields(struct vmm_machine *machine, const uint8_t *data)
{
	uint8_t *base = (uint8_t *)machine - offsetof(struct vmm_guest, machine);

	for (size_t i = 0; i < FIELDS; i++) {
		const size_t size = (size_t)fields[i].size * fields[i].count;

		memcpy(base + fields[i].offset, data, size);
		data += size;
	}
}

int vmm_devices_load(struct vmm_guest *guest, const uint8_t *data, size_t size,
		     const struct vsm_log *log)
{
	struct vmm_machine *machine = &guest->machine;
	const size_t head = fields_size();
	struct tail tail;
	int error;

	if (size != vmm_devices_size(guest))
		return bad(log, "their size");
	memcpy(&tail, data + head, sizeof(tail));
	error = check_fields(data, log);
	if (!error)
		error = check_tail(guest, &tail, log);
	if (error)
		return error;
	take_fields(machine, data);
	/* Without its FIFO the receiver holds one byte. */
	if (!(machine->serial.fifo_control & 1) && machine->serial.received > 1)
		return bad(log, "serial.received");
	(void)vsm_ioapic_import(&machine->ioapic, VSM_IOAPIC_FORMAT_1, &tail.ioapic,
				sizeof(tail.ioapic), NULL);
	/* Deliver edges that were pending in the I/O APIC; the APICs are complete now. */
	(void)vsm_ioapic_retry(&machine->ioapic);
	memcpy(guest->sint_routes, data + head + sizeof(tail),
	       guest->config->cpus * sizeof(*guest->sint_routes));
	for (unsigned int kind = 0; kind < VMM_KINDS && !error; kind++)
		for (unsigned int id = 0; id < VMM_CONNECTIONS && !error; id++)
			if (is_connected(&tail, kind, id))
				error = vmm_hv_test_connect(guest, (enum vsm_connection_kind)kind,
							    (uint8_t)id, tail.route[kind][id]);
	return error;
}

/* ------------------------------------------------------------------ description */

static const uint8_t *describe_fields(const uint8_t *data, const struct vmm_saved_lines *lines)
{
	for (size_t i = 0; i < FIELDS; i++) {
		for (uint32_t n = 0; n < fields[i].count; n++, data += fields[i].size) {
			const uint64_t value = element(data, fields[i].size);

			if (fields[i].count == 1)
				vmm_saved_say(lines, "    %s = %#" PRIx64, fields[i].name, value);
			else if (value)
				vmm_saved_say(lines, "    %s[%u] = %#" PRIx64, fields[i].name, n,
					      value);
		}
	}
	return data;
}

static void describe_ioapic(const struct vsm_ioapic_state *state,
			    const struct vmm_saved_lines *lines)
{
	vmm_saved_say(lines, "    ioapic.id = %#x", state->id);
	vmm_saved_say(lines, "    ioapic.index = %#x", state->index);
	for (uint32_t pin = 0; pin < VSM_IOAPIC_MAX_PINS && pin < state->pins; pin++)
		vmm_saved_say(lines, "    ioapic.entry[%u] = %#" PRIx64 "%s%s", pin,
			      state->entry[pin],
			      state->line[pin / 64] >> pin % 64 & 1 ? ", asserted" : "",
			      state->pending[pin / 64] >> pin % 64 & 1 ? ", pending" : "");
}

int vmm_devices_describe(const struct vmm_saved *saved, const uint8_t *data, size_t size,
			 const struct vmm_saved_lines *lines)
{
	static const char *const kinds[VMM_KINDS] = {"message", "event"};
	struct tail tail;
	uint16_t routes;
	int error;

	if (size != size_of(saved->header.cpus))
		return bad(saved->log, "their size");
	error = check_fields(data, saved->log);
	if (error)
		return error;
	data = describe_fields(data, lines);
	memcpy(&tail, data, sizeof(tail));
	describe_ioapic(&tail.ioapic, lines);
	for (unsigned int kind = 0; kind < VMM_KINDS; kind++)
		for (unsigned int id = 0; id < VMM_CONNECTIONS; id++)
			if (is_connected(&tail, kind, id))
				vmm_saved_say(lines, "    %s connection %u: vp %u, sint %u",
					      kinds[kind], id, tail.route[kind][id].vp,
					      tail.route[kind][id].sint);
	data += sizeof(tail);
	for (uint32_t vp = 0; vp < saved->header.cpus; vp++, data += sizeof(routes)) {
		memcpy(&routes, data, sizeof(routes));
		if (routes)
			vmm_saved_say(lines, "    sint_routes[%u] = %#x", vp, routes);
	}
	return 0;
}
