/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "control/value.h"
#include "guest/guest.h"
#include "save/save.h"

/* Bounds the size of answers. */
#define READ_MAX 4096u
/* Time limit for a VP that is busy with an exit; then the request is refused. */
#define TIMEOUT_MS 500u

/* ------------------------------------------------------------------ fields of a request */

/* An integer, or a string as in "0x1f" or "31". */
static bool get_number(const json_t *value, uint64_t max, uint64_t *number)
{
	const char *text = json_string_value(value);
	char *end;

	if (json_is_integer(value)) {
		*number = (uint64_t)json_integer_value(value);
		return json_integer_value(value) >= 0 && *number <= max;
	}
	/* strtoull() would accept signs and spaces. */
	if (!text || text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &end, text[1] == 'x' || text[1] == 'X' ? 16 : 10);
	return errno == 0 && *end == 0 && *number <= max;
}

/* ------------------------------------------------------------------ commands */

struct request {
	struct vmm_guest *guest;
	uint64_t client;
	const char *text;   /* value of the string field */
	uint64_t number[4]; /* values of the number fields, in the order of the command's row */
	struct vmm_effect *effect;
	struct vmm_refused refused;
};

/* NULL: refused, or (effect->deferred) later. */
typedef json_t *command_fn(struct request *request);

#define NUMBERS 4u

struct command {
	const char *name;
	const char *help;
	command_fn *function;
	const char *text; /* name of the string field, or NULL */
	const char *number[NUMBERS];
	const char *optional[NUMBERS]; /* 0 if absent */
};

static command_fn help, inspect, memory, gva, pause_machine, resume, save, core, nmi, events, reset,
	quit;

static const struct command commands[] = {
	{"help", "the list of commands", help, NULL, {NULL}, {NULL}},
	{"inspect", "the value at a path", inspect, "path", {NULL}, {"from"}},
	{"memory",
	 "guest memory, regardless of VTL protections",
	 memory,
	 NULL,
	 {"gpa", "size"},
	 {NULL}},
	{"gva",
	 "memory at a virtual address of a VTL, regardless of protections",
	 gva,
	 NULL,
	 {"vp", "vtl", "gva", "size"},
	 {NULL}},
	{"pause", "stops all processors", pause_machine, NULL, {NULL}, {NULL}},
	{"resume", "resumes all processors", resume, NULL, {NULL}, {NULL}},
	{"save", "saves the machine to a file, then resumes it", save, "file", {NULL}, {NULL}},
	{"core",
	 "an ELF core file of the machine, which then resumes",
	 core,
	 "file",
	 {NULL},
	 {NULL}},
	{"nmi", "a non-maskable interrupt for VTL0 of a processor", nmi, NULL, {"vp"}, {NULL}},
	{"events", "sends events on this connection from now on", events, NULL, {NULL}, {NULL}},
	{"reset", "resets the machine", reset, NULL, {NULL}, {NULL}},
	{"quit", "ends the machine", quit, NULL, {NULL}, {NULL}},
};

#define COMMANDS ARRAY_SIZE(commands)

static json_t *help(struct request *request)
{
	json_t *list = json_array();

	(void)request;
	for (size_t i = 0; i < COMMANDS; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "command", commands[i].name,
						      "help", commands[i].help));
	return json_pack("{s:o}", "commands", list);
}

static json_t *inspect(struct request *request)
{
	return vmm_tree_value(request->guest, request->text, request->number[0], &request->refused);
}

static void put_bytes(char *text, const uint8_t *data, uint64_t size)
{
	for (uint64_t n = 0; n < size; n++)
		snprintf(text + 2 * n, 3, "%02x", data[n]);
}

/* VTL protections do not apply: the socket's owner can read all memory of the VMM's process. */
static json_t *memory(struct request *request)
{
	const uint64_t gpa = request->number[0], size = request->number[1];
	char text[2 * READ_MAX + 1];
	const uint8_t *host;

	if (size == 0 || size > READ_MAX)
		return vmm_refuse(&request->refused, VMM_REFUSE_BAD_REQUEST, "size is from 1 to %u",
				  READ_MAX);
	host = vmm_guest_ram(request->guest, gpa, size);
	if (!host)
		return vmm_refuse(&request->refused, VMM_REFUSE_NOT_FOUND,
				  "%" PRIu64 " bytes at %#" PRIx64 " are not RAM", size, gpa);
	put_bytes(text, host, size);
	return json_pack("{s:o, s:s}", "gpa", vmm_hex(gpa), "data", text);
}

static json_t *gva(struct request *request)
{
	struct vmm_guest *guest = request->guest;
	const uint64_t vp = request->number[0], vtl = request->number[1];
	const uint64_t address = request->number[2], size = request->number[3];
	char text[2 * READ_MAX + 1];
	uint8_t data[READ_MAX];
	int error;

	if (size == 0 || size > READ_MAX)
		return vmm_refuse(&request->refused, VMM_REFUSE_BAD_REQUEST, "size is from 1 to %u",
				  READ_MAX);
	if (vp >= guest->config->cpus || vtl >= guest->config->vtls)
		return vmm_refuse(&request->refused, VMM_REFUSE_NOT_FOUND,
				  "there is no VTL %" PRIu64 " on a VP %" PRIu64, vtl, vp);
	error = vmm_guest_virtual(guest, (uint32_t)vp, (uint8_t)vtl, address, data, (size_t)size,
				  TIMEOUT_MS);
	if (error == -ETIMEDOUT)
		return vmm_refuse(&request->refused, VMM_REFUSE_BUSY,
				  "VP %" PRIu64 " waits for a device", vp);
	if (error)
		return vmm_refuse(&request->refused, VMM_REFUSE_NOT_FOUND,
				  "%" PRIu64 " bytes at %#" PRIx64 " of VTL %" PRIu64
				  " on VP %" PRIu64 " are not mapped to RAM",
				  size, address, vtl, vp);
	put_bytes(text, data, size);
	return json_pack("{s:o, s:s}", "gva", vmm_hex(address), "data", text);
}

static json_t *put_order(struct request *request, enum vmm_order_kind kind, char *path)
{
	const struct vmm_order order = {.kind = kind, .client = request->client, .path = path};

	if (!vmm_order_put(&request->guest->orders, &order)) {
		free(path);
		return vmm_refuse(&request->refused, VMM_REFUSE_BUSY,
				  "too many orders are pending: try again");
	}
	request->effect->deferred = true;
	vmm_stop_processors(&request->guest->stopper, VMM_ORDER, 0);
	return NULL;
}

static json_t *pause_machine(struct request *request)
{
	return put_order(request, VMM_ORDER_PAUSE, NULL);
}

static json_t *resume(struct request *request)
{
	return put_order(request, VMM_ORDER_RESUME, NULL);
}

static json_t *put_file_order(struct request *request, enum vmm_order_kind kind)
{
	char *path;

	if (!request->text[0])
		return vmm_refuse(&request->refused, VMM_REFUSE_BAD_REQUEST, "the name is empty");
	path = vmm_save_path(request->guest->config, request->text);
	if (!path)
		return vmm_refuse(&request->refused, VMM_REFUSE_FAILED, "no memory for the name");
	return put_order(request, kind, path);
}

static json_t *save(struct request *request)
{
	return put_file_order(request, VMM_ORDER_SAVE);
}

static json_t *core(struct request *request)
{
	return put_file_order(request, VMM_ORDER_CORE);
}

static json_t *nmi(struct request *request)
{
	const struct vmm_guest *guest = request->guest;

	if (request->number[0] >= guest->config->cpus)
		return vmm_refuse(&request->refused, VMM_REFUSE_NOT_FOUND,
				  "there is no VP %" PRIu64, request->number[0]);
	vsm_nmi(guest->processor[request->number[0]].vp);
	return json_object();
}

static json_t *events(struct request *request)
{
	request->effect->events_requested = true;
	return json_object();
}

static json_t *reset(struct request *request)
{
	if (!request->guest->config->kernel)
		return vmm_refuse(&request->refused, VMM_REFUSE_FAILED,
				  "no kernel to boot after a reset: none was set with "
				  "--restore");
	vmm_stop_processors(&request->guest->stopper, VMM_RESET, 0);
	return json_object();
}

static json_t *quit(struct request *request)
{
	vmm_stop_processors(&request->guest->stopper, VMM_USER, 0);
	return json_object();
}

/* ------------------------------------------------------------------ reading a request */

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static bool accepts_field(const struct command *command, const char *key)
{
	if (!strcmp(key, "id") || !strcmp(key, "command"))
		return true;
	if (command->text && !strcmp(key, command->text))
		return true;
	for (size_t i = 0; i < NUMBERS; i++)
		if ((command->number[i] && !strcmp(key, command->number[i])) ||
		    (command->optional[i] && !strcmp(key, command->optional[i])))
			return true;
	return false;
}

/* False: refused. */
static bool take_fields(const struct command *command, json_t *object, struct request *request)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) if (!accepts_field(command, key))
	{
		vmm_refuse(&request->refused, VMM_REFUSE_BAD_REQUEST, "%s has no field '%.64s'",
			   command->name, key);
		return false;
	}
	if (command->text) {
		request->text = json_string_value(json_object_get(object, command->text));
		if (!request->text) {
			vmm_refuse(&request->refused, VMM_REFUSE_BAD_REQUEST,
				   "%s needs a field '%s' that is a string", command->name,
				   command->text);
			return false;
		}
	}
	for (size_t i = 0; i < NUMBERS; i++) {
		const char *name = command->number[i] ? command->number[i] : command->optional[i];

		value = name ? json_object_get(object, name) : NULL;
		if (!name || (!value && !command->number[i]))
			continue;
		if (!get_number(value, UINT64_MAX, &request->number[i])) {
			vmm_refuse(&request->refused, VMM_REFUSE_BAD_REQUEST,
				   "%s needs a field '%s': a number, or a string as in \"0x1f\"",
				   command->name, name);
			return false;
		}
	}
	return true;
}

static json_t *dispatch(json_t *object, struct request *request)
{
	const char *name = json_string_value(json_object_get(object, "command"));
	const struct command *command = name ? find_command(name) : NULL;

	if (!name)
		return vmm_refuse(&request->refused, VMM_REFUSE_BAD_REQUEST,
				  "a request is an object with a field 'command', a string");
	if (!command)
		return vmm_refuse(&request->refused, VMM_REFUSE_BAD_REQUEST,
				  "no command is called '%.64s': see 'help'", name);
	return take_fields(command, object, request) ? command->function(request) : NULL;
}

static bool is_id(const json_t *id)
{
	return !id || json_is_string(id) || json_is_integer(id);
}

json_t *vmm_request(struct vmm_guest *guest, uint64_t client, const char *line, size_t size,
		    struct vmm_effect *effect)
{
	struct request request = {.guest = guest, .client = client, .effect = effect};
	json_t *object, *id, *result;
	json_error_t wrong;

	*effect = (struct vmm_effect){0};
	object = json_loadb(line, size, JSON_REJECT_DUPLICATES, &wrong);
	if (!object)
		return vmm_refusal(NULL, VMM_REFUSE_BAD_REQUEST, "not JSON, column %d: %s",
				   wrong.column, wrong.text);
	id = json_object_get(object, "id");
	if (!is_id(id)) {
		json_decref(object);
		return vmm_refusal(NULL, VMM_REFUSE_BAD_REQUEST, "an id is a string or an integer");
	}
	id = json_incref(id);
	result = dispatch(object, &request);
	json_decref(object);
	if (result)
		return vmm_answer(id, result);
	if (!effect->deferred)
		return vmm_refusal(id, request.refused.code, "%s", request.refused.message);
	effect->id = id;
	return NULL;
}
