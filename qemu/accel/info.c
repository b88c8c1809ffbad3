/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor's command `info vsm`: VTLs, protections, counters. */
#include "qemu/osdep.h"
#include "accel.h"
#include <vsm/hv/names.h>
#include "qapi/error.h"
#include "qapi/type-helpers.h"

enum {
	RANGES_MAX = 64
};

/* Runs on the CPU's own thread: waiting for the CPU with the BQL held would be a deadlock. */
static void print_vp(CPUState *cpu, run_on_cpu_data data)
{
	GString *text = data.host_ptr;
	const uint32_t name = HV_REGISTER_VSM_VP_STATUS;
	union hv_register_value status = {0};
	struct vsm_counters counters;
	uint32_t enabled;

	if (vsm_vp_get_registers(vsm_vp(cpu), 0, &name, &status, 1) != 1)
		return;
	vsm_vp_counters(vsm_vp(cpu), &counters);
	enabled = (status.reg64 & HV_VSM_VP_STATUS_ENABLED_VTL_SET_MASK) >>
		  HV_VSM_VP_STATUS_ENABLED_VTL_SET_SHIFT;
	g_string_append_printf(text, "CPU %d: VTL %u active, VTLs enabled", cpu->cpu_index,
			       (unsigned)(status.reg64 & HV_VSM_VP_STATUS_ACTIVE_VTL_MASK));
	for (unsigned vtl = 0; vtl < VSM_VTL_MAX; vtl++)
		if (enabled & 1u << vtl)
			g_string_append_printf(text, " %u", vtl);
	g_string_append_printf(
		text, "; %" PRIu64 " exits, %" PRIu64 " VTL switches, %" PRIu64 " intercepts\n",
		counters.exits, counters.vtl_switches, counters.intercepts);
}

static void print_protections(GString *text, uint8_t vtl)
{
	struct vsm_protection range = {0};
	uint64_t total = 0;
	unsigned count = 0;
	char rights[64];

	while (!vsm_protection_find(vsm_partition(), vtl, range.gpa + range.size, &range)) {
		if ((range.access & HV_MAP_GPA_PERMISSIONS_MASK) == HV_MAP_GPA_PERMISSIONS_MASK)
			continue;
		total += range.size;
		if (count++ >= RANGES_MAX)
			continue;
		hv_map_gpa_flags_text(rights, sizeof(rights), range.access);
		g_string_append_printf(text, "  0x%012" PRIx64 " to 0x%012" PRIx64 ": %s\n",
				       range.gpa, range.gpa + range.size - 1, rights);
	}
	if (count > RANGES_MAX)
		g_string_append_printf(text, "  and %u further ranges\n", count - RANGES_MAX);
	if (count)
		g_string_append_printf(text, "VTL %u: %" PRIu64 " KiB restricted\n", vtl,
				       total / 1024);
}

static HumanReadableText *info_vsm(Error **errp)
{
	g_autoptr(GString) text = g_string_new(NULL);
	CPUState *cpu;

	if (strcmp(current_accel_name(), "VSM")) {
		error_setg(errp, "the accelerator is not vsm");
		return NULL;
	}
	CPU_FOREACH(cpu)
	run_on_cpu(cpu, print_vp, RUN_ON_CPU_HOST_PTR(text));
	g_string_append_printf(text, "Accesses refused to devices: %" PRIu64 "%s\n",
			       qatomic_read(&vsm_state()->refusals),
			       vsm_is_guarded(vsm_state()) ? "" : " (device-guard=off)");
	for (uint8_t vtl = 0; vtl < vsm_state()->max_vtl; vtl++)
		print_protections(text, vtl);
	return human_readable_text_from_str(text);
}

/* QEMU's table of `info` commands has no free entry, so a larger copy replaces the table. */
void vsm_info_init(void)
{
	const HMPCommand command = {
		.name = "vsm",
		.args_type = "",
		.params = "",
		.help = "show VTLs, protections and counters of the accelerator vsm",
		.cmd_info_hrt = info_vsm,
	};
	HMPCommand *info = vsm_hmp_commands(), *table;
	size_t count = 0;

	while (info->name && strcmp(info->name, "info") != 0)
		info++;
	if (!info->name || !info->sub_table)
		return;
	while (info->sub_table[count].name)
		count++;
	table = g_new0(HMPCommand, count + 2);
	memcpy(table, info->sub_table, count * sizeof(*table));
	table[count] = command;
	info->sub_table = table;
}
