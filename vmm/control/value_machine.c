/* SPDX-License-Identifier: BSD-2-Clause */
/* Values of the machine and its partition. */
#include <errno.h>
#include <vsm/hv/names.h>

#include "control/value.h"
#include "guest/guest.h"
#include "guest/registers.h"

/* Time limit for a VP that is busy with an exit; then the request is refused. */
#define TIMEOUT_MS 500
/* A guest can make as many ranges as it has pages. */
#define RANGES_MAX 256u
/* Lookups for one answer; adjacent ranges with equal rights are merged into one. */
#define LOOKS_MAX 65536u

json_t *vmm_value_machine(const struct vmm_value_query *query, struct vmm_refused *refused)
{
	const struct vmm_guest *guest = query->guest;
	const struct vmm_config *config = guest->config;

	(void)refused;
	return json_pack("{s:s, s:s, s:i, s:o*, s:i, s:I, s:i, s:i, s:b, s:i}", "state",
			 atomic_load(&guest->paused) ? "paused" : "running", "version",
			 vsm_version(), "protocol", 1, "kernel",
			 config->kernel ? vmm_text(config->kernel) : NULL, "cpus",
			 (int)config->cpus, "memory", (json_int_t)config->memory, "vtls",
			 (int)config->vtls, "boot_vtl", (int)config->boot_vtl, "testdev",
			 (int)config->testdev, "resets", (int)atomic_load(&guest->resets));
}

static json_t *counters(const struct vsm_counters *counters)
{
	return json_pack("{s:I, s:I, s:I}", "exits", (json_int_t)counters->exits, "vtl_switches",
			 (json_int_t)counters->vtl_switches, "intercepts",
			 (json_int_t)counters->intercepts);
}

json_t *vmm_value_counters(const struct vmm_value_query *query, struct vmm_refused *refused)
{
	const struct vmm_guest *guest = query->guest;
	struct vsm_counters sum = {0};
	json_t *list = json_array();

	(void)refused;
	for (uint32_t i = 0; i < guest->config->cpus; i++) {
		struct vsm_counters one;

		vsm_vp_counters(guest->processor[i].vp, &one);
		sum.exits += one.exits;
		sum.vtl_switches += one.vtl_switches;
		sum.intercepts += one.intercepts;
		json_array_append_new(list, counters(&one));
	}
	return json_pack("{s:o, s:o}", "all", counters(&sum), "vp", list);
}

struct registers {
	union hv_register_value value[VMM_REGISTERS_MAX];
	bool read;
};

static void read_vsm(struct vsm_vp *vp, void *opaque)
{
	struct registers *registers = opaque;

	registers->read = vmm_read_registers(vp, 0, &vmm_vsm, registers->value);
}

json_t *vmm_value_partition(const struct vmm_value_query *query, struct vmm_refused *refused)
{
	struct registers registers = {.read = false};
	json_t *value;

	if (vsm_vp_call(query->guest->processor[0].vp, TIMEOUT_MS, read_vsm, &registers))
		return vmm_refuse(refused, VMM_REFUSE_BUSY, "VP 0 waits for a device");
	if (!registers.read)
		return vmm_refuse(refused, VMM_REFUSE_FAILED, "registers could not be read");
	value = json_object();
	for (size_t i = 0; i < vmm_vsm.count; i++)
		json_object_set_new(value, vmm_vsm.entry[i].label,
				    vmm_hex(registers.value[i].reg64));
	return value;
}

json_t *vmm_value_memory(const struct vmm_value_query *query, struct vmm_refused *refused)
{
	json_t *list = json_array();

	(void)refused;
	for (size_t i = 0; i < VMM_REGIONS; i++) {
		const struct vmm_region *region = &query->guest->region[i];

		if (region->size)
			json_array_append_new(list,
					      json_pack("{s:o, s:o}", "gpa", vmm_hex(region->gpa),
							"size", vmm_hex(region->size)));
	}
	return json_pack("{s:o}", "regions", list);
}

json_t *vmm_value_protection(const struct vmm_value_query *query, struct vmm_refused *refused)
{
	struct vsm_protection run = {0}, found = {.gpa = query->from};
	json_t *ranges = json_array(), *next = NULL;
	bool have = false;

	(void)refused;
	for (unsigned int i = 0;; i++) {
		const uint64_t at = found.gpa + found.size;
		const int error = at < found.gpa ? -ENOENT
						 : vsm_protection_find(query->guest->partition,
								       query->vtl, at, &found);
		char access[4];

		/* vsm_protection_find() may divide a range of equal rights. */
		if (have && !error && i < LOOKS_MAX && found.access == run.access &&
		    found.gpa == run.gpa + run.size) {
			run.size += found.size;
			continue;
		}
		if (have) {
			hv_map_gpa_rights_text(access, run.access);
			json_array_append_new(
				ranges, json_pack("{s:o, s:o, s:s}", "gpa", vmm_hex(run.gpa),
						  "size", vmm_hex(run.size), "access", access));
		}
		if (error)
			break;
		run = found;
		have = true;
		if (json_array_size(ranges) == RANGES_MAX || i >= LOOKS_MAX) {
			next = vmm_hex(found.gpa);
			break;
		}
	}
	return json_pack("{s:o, s:o*}", "ranges", ranges, "next", next);
}
