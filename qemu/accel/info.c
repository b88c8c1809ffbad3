/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor's command `info vsm`: VTLs, protections, counters. */
#include "qemu/osdep.h"
#include "accel.h"
#include <vsm/hv/names.h>
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "monitor/monitor-internal.h"

enum {
	RANGES_MAX = 64
};

/* Runs on the CPU's own thread: waiting for the CPU with the BQL held would be a deadlock. */
static void print_vp(CPUState *cpu, run_on_cpu_data data)
{
	Monitor *mon = data.host_ptr;
	const uint32_t name = HV_REGISTER_VSM_VP_STATUS;
	union hv_register_value status = {0};
	struct vsm_counters counters;
	uint32_t enabled;

	if (vsm_vp_get_registers(vsm_vp(cpu), 0, &name, &status, 1) != 1)
		return;
	vsm_vp_counters(vsm_vp(cpu), &counters);
	enabled = (status.reg64 & HV_VSM_VP_STATUS_ENABLED_VTL_SET_MASK) >>
		  HV_VSM_VP_STATUS_ENABLED_VTL_SET_SHIFT;
	monitor_printf(mon, "CPU %d: VTL %u active, VTLs enabled", cpu->cpu_index,
		       (unsigned)(status.reg64 & HV_VSM_VP_STATUS_ACTIVE_VTL_MASK));
	for (unsigned vtl = 0; vtl < VSM_VTL_MAX; vtl++)
		if (enabled & 1u << vtl)
			monitor_printf(mon, " %u", vtl);
	monitor_printf(mon,
		       "; %" PRIu64 " exits, %" PRIu64 " VTL switches, %" PRIu64 " intercepts\n",
		       counters.exits, counters.vtl_switches, counters.intercepts);
}

/* Prints the size of memory restricted for a VTL, and its first ranges. */
static void print_protections(Monitor *mon, uint8_t vtl)
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
		monitor_printf(mon, "  0x%012" PRIx64 " to 0x%012" PRIx64 ": %s\n", range.gpa,
			       range.gpa + range.size - 1, rights);
	}
	if (count > RANGES_MAX)
		monitor_printf(mon, "  and %u further ranges\n", count - RANGES_MAX);
	if (count)
		monitor_printf(mon, "VTL %u: %" PRIu64 " KiB restricted\n", vtl, total / 1024);
}

static void info_vsm(Monitor *mon, const QDict *arguments)
{
	CPUState *cpu;

	if (strcmp(current_accel_name(), "VSM")) {
		monitor_printf(mon, "The accelerator is not vsm.\n");
		return;
	}
	CPU_FOREACH(cpu)
	run_on_cpu(cpu, print_vp, RUN_ON_CPU_HOST_PTR(mon));
	monitor_printf(mon, "Accesses refused to devices: %" PRIu64 "%s\n",
		       qatomic_read(&vsm_state()->refusals),
		       vsm_is_guarded(vsm_state()) ? "" : " (device-guard=off)");
	for (uint8_t vtl = 0; vtl < vsm_state()->max_vtl; vtl++)
		print_protections(mon, vtl);
}

/* Replaces QEMU's table of `info` commands by a larger copy, since the table has no free entry. */
void vsm_info_init(void)
{
	const HMPCommand command = {
		.name = "vsm",
		.args_type = "",
		.params = "",
		.help = "show VTLs, protections and counters of the accelerator vsm",
		.cmd = info_vsm,
	};
	HMPCommand *info = hmp_cmds, *table;
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
