/* SPDX-License-Identifier: BSD-2-Clause */
/* The section has the fields of each device, then the parts with a layout of their own. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "guest/guest.h"
#include "save/save.h"

struct tail {
	struct vsm_ioapic_state ioapic;
	struct vmm_connections connections;
	/* and sint_routes, two bytes for each processor */
};

/* Initially zero; next_field() advances it. */
struct place {
	const struct vmm_machine_device *device;
	const struct vmm_field *field;
	size_t in_machine;
	size_t in_file;
	size_t size;
	size_t devices, fields; /* of the next device, and of its next field */
};

static bool next_field(struct place *at)
{
	at->in_file += at->size;
	while (at->devices < VMM_MACHINE_DEVICES &&
	       at->fields == vmm_machine_device[at->devices].fields->count) {
		at->devices++;
		at->fields = 0;
	}
	if (at->devices == VMM_MACHINE_DEVICES)
		return false;
	at->device = &vmm_machine_device[at->devices];
	at->field = &at->device->fields->field[at->fields++];
	at->in_machine = at->device->offset + at->field->offset;
	at->size = (size_t)at->field->size * at->field->count;
	return true;
}

static size_t fields_size(void)
{
	struct place at = {0};

	while (next_field(&at))
		;
	return at.in_file;
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

	for (struct place at = {0}; next_field(&at);)
		memcpy(data + at.in_file, (const uint8_t *)&guest->machine + at.in_machine,
		       at.size);
	memset(&tail, 0, sizeof(tail));
	(void)vsm_ioapic_export(&guest->machine.ioapic, VSM_IOAPIC_FORMAT_1, &tail.ioapic,
				sizeof(tail.ioapic));
	tail.connections = guest->connections;
	data += fields_size();
	memcpy(data, &tail, sizeof(tail));
	memcpy(data + sizeof(tail), guest->sint_routes,
	       guest->config->cpus * sizeof(*guest->sint_routes));
}

/* ------------------------------------------------------------------ restore */

static int bad(const struct vsm_log *log, const char *device, const char *what)
{
	return vsm_error(log, EILSEQ, "the saved machine's devices: %s%s is invalid", device, what);
}

static uint64_t element(const uint8_t *data, uint32_t size)
{
	uint64_t value = 0;

	memcpy(&value, data, size);
	return value;
}

static int check_fields(const uint8_t *data, const struct vsm_log *log)
{
	for (struct place at = {0}; next_field(&at);)
		for (size_t n = 0; n < at.size; n += at.field->size)
			if (element(data + at.in_file + n, at.field->size) > at.field->max)
				return bad(log, at.device->name, at.field->name);
	return 0;
}

static int check_tail(const struct vmm_guest *guest, const struct tail *tail,
		      const struct vsm_log *log)
{
	struct vsm_ioapic scratch = guest->machine.ioapic;
	struct vsm_ioapic_refusal refusal;

	if (vsm_ioapic_import(&scratch, VSM_IOAPIC_FORMAT_1, &tail->ioapic, sizeof(tail->ioapic),
			      &refusal))
		return bad(log, "", refusal.field);
	return vmm_connections_are_legal(&tail->connections, guest->config->cpus)
		       ? 0
		       : bad(log, "", "a connection");
}

static int take_fields(struct vmm_machine *machine, const uint8_t *data, const struct vsm_log *log)
{
	for (struct place at = {0}; next_field(&at);)
		memcpy((uint8_t *)machine + at.in_machine, data + at.in_file, at.size);
	for (size_t i = 0; i < VMM_MACHINE_DEVICES; i++) {
		const struct vmm_machine_device *device = &vmm_machine_device[i];
		const char *wrong =
			device->fields->wrong
				? device->fields->wrong((const uint8_t *)machine + device->offset)
				: NULL;

		if (wrong)
			return bad(log, device->name, wrong);
	}
	return 0;
}

int vmm_devices_load(struct vmm_guest *guest, const uint8_t *data, size_t size,
		     const struct vsm_log *log)
{
	struct vmm_machine *machine = &guest->machine;
	const size_t head = fields_size();
	struct tail tail;
	int error;

	if (size != vmm_devices_size(guest))
		return bad(log, "", "their size");
	memcpy(&tail, data + head, sizeof(tail));
	error = check_fields(data, log);
	if (!error)
		error = check_tail(guest, &tail, log);
	if (!error)
		error = take_fields(machine, data, log);
	if (error)
		return error;
	(void)vsm_ioapic_import(&machine->ioapic, VSM_IOAPIC_FORMAT_1, &tail.ioapic,
				sizeof(tail.ioapic), NULL);
	/* Deliver edges that were pending in the I/O APIC; the APICs are complete now. */
	(void)vsm_ioapic_retry(&machine->ioapic);
	memcpy(guest->sint_routes, data + head + sizeof(tail),
	       guest->config->cpus * sizeof(*guest->sint_routes));
	return vmm_hv_test_connect(guest, &tail.connections);
}

/* ------------------------------------------------------------------ description */

static void describe_fields(const uint8_t *data, const struct vmm_saved_lines *lines)
{
	for (struct place at = {0}; next_field(&at);) {
		for (uint32_t n = 0; n < at.field->count; n++) {
			const uint64_t value =
				element(data + at.in_file + n * at.field->size, at.field->size);

			if (at.field->count == 1)
				vmm_saved_say(lines, "    %s%s = %#" PRIx64, at.device->name,
					      at.field->name, value);
			else if (value)
				vmm_saved_say(lines, "    %s%s[%u] = %#" PRIx64, at.device->name,
					      at.field->name, n, value);
		}
	}
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
		return bad(saved->log, "", "their size");
	error = check_fields(data, saved->log);
	if (error)
		return error;
	describe_fields(data, lines);
	data += fields_size();
	memcpy(&tail, data, sizeof(tail));
	describe_ioapic(&tail.ioapic, lines);
	for (unsigned int kind = 0; kind < VMM_KINDS; kind++)
		for (unsigned int id = 0; id < VMM_CONNECTIONS; id++)
			if (vmm_is_connected(&tail.connections, kind, id))
				vmm_saved_say(lines, "    %s connection %u: vp %u, sint %u",
					      kinds[kind], id, tail.connections.route[kind][id].vp,
					      tail.connections.route[kind][id].sint);
	data += sizeof(tail);
	for (uint32_t vp = 0; vp < saved->header.cpus; vp++, data += sizeof(routes)) {
		memcpy(&routes, data, sizeof(routes));
		if (routes)
			vmm_saved_say(lines, "    sint_routes[%u] = %#x", vp, routes);
	}
	return 0;
}
