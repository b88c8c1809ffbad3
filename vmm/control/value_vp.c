/* SPDX-License-Identifier: BSD-2-Clause */
/* Values of a VP and of each of its VTLs. One answer is a consistent snapshot. */
#include <string.h>
#include <vsm/lapic.h>

#include "control/value.h"
#include "guest/guest.h"
#include "guest/registers.h"

/* Time limit for a VP that is busy with an exit; then the request is refused. */
#define TIMEOUT_MS 500

/* State of one moment, read while the VP is stopped. */
struct snapshot {
	uint8_t vtl;
	struct vmm_vtls vtls;
	const char *mode, *activity;
	const struct vmm_register_list *list[3];
	union hv_register_value value[3][VMM_REGISTERS_MAX];
	bool lapic_requested, failed;
	struct vsm_lapic_state lapic;
};

static void take(struct vsm_vp *vp, void *opaque)
{
	struct snapshot *snapshot = opaque;

	snapshot->vtls = vmm_read_vtls(vp);
	if (!(snapshot->vtls.enabled >> snapshot->vtl & 1))
		return;
	snapshot->mode = vmm_mode(vp, snapshot->vtl);
	snapshot->activity = vmm_activity(vp, snapshot->vtl);
	for (size_t i = 0; i < 3 && snapshot->list[i]; i++)
		snapshot->failed |= !vmm_read_registers(vp, snapshot->vtl, snapshot->list[i],
							snapshot->value[i]);
	if (snapshot->lapic_requested)
		snapshot->failed |= vsm_vp_lapic(vp, snapshot->vtl, &snapshot->lapic) != 0;
}

/* False: refused. @needs: the VTL must be enabled. */
static bool take_snapshot(const struct vmm_value_query *query, struct snapshot *snapshot,
			  bool needs, struct vmm_refused *refused)
{
	snapshot->vtl = query->vtl;
	if (vsm_vp_call(query->guest->processor[query->vp].vp, TIMEOUT_MS, take, snapshot))
		vmm_refuse(refused, VMM_REFUSE_BUSY, "VP %u waits for a device", query->vp);
	else if (needs && !(snapshot->vtls.enabled >> query->vtl & 1))
		vmm_refuse(refused, VMM_REFUSE_NOT_FOUND, "VTL %u is not enabled on VP %u",
			   query->vtl, query->vp);
	else if (snapshot->failed)
		vmm_refuse(refused, VMM_REFUSE_FAILED, "VP %u: registers could not be read",
			   query->vp);
	else
		return true;
	return false;
}

json_t *vmm_value_vp(const struct vmm_value_query *query, struct vmm_refused *refused)
{
	struct snapshot snapshot = {0};
	json_t *enabled;

	if (!take_snapshot(query, &snapshot, false, refused))
		return NULL;
	enabled = json_array();
	for (uint32_t vtl = 0; vtl < VSM_VTL_MAX; vtl++)
		if (snapshot.vtls.enabled >> vtl & 1)
			json_array_append_new(enabled, json_integer(vtl));
	return json_pack("{s:i, s:o}", "active_vtl", (int)snapshot.vtls.active, "enabled_vtls",
			 enabled);
}

json_t *vmm_value_vtl(const struct vmm_value_query *query, struct vmm_refused *refused)
{
	struct snapshot snapshot = {0};

	if (!take_snapshot(query, &snapshot, false, refused))
		return NULL;
	return json_pack("{s:b, s:b, s:s*, s:s*}", "enabled",
			 (int)(snapshot.vtls.enabled >> query->vtl & 1), "active",
			 (int)(snapshot.vtls.active == query->vtl), "mode", snapshot.mode,
			 "activity", snapshot.activity);
}

static void add_numbers(json_t *value, const struct snapshot *snapshot, size_t index)
{
	const struct vmm_register_list *list = snapshot->list[index];

	for (size_t i = 0; i < list->count; i++)
		json_object_set_new(value, list->entry[i].label,
				    vmm_hex(snapshot->value[index][i].reg64));
}

json_t *vmm_value_registers(const struct vmm_value_query *query, struct vmm_refused *refused)
{
	struct snapshot snapshot = {.list = {&vmm_numbers, &vmm_segments, &vmm_tables}};
	json_t *value;

	if (!take_snapshot(query, &snapshot, true, refused))
		return NULL;
	value = json_object();
	add_numbers(value, &snapshot, 0);
	for (size_t i = 0; i < vmm_segments.count; i++) {
		const struct hv_x64_segment_register *segment = &snapshot.value[1][i].segment;

		json_object_set_new(
			value, vmm_segments.entry[i].label,
			json_pack("{s:o, s:o, s:o, s:o}", "selector", vmm_hex(segment->selector),
				  "base", vmm_hex(segment->base), "limit", vmm_hex(segment->limit),
				  "attributes", vmm_hex(segment->attributes)));
	}
	for (size_t i = 0; i < vmm_tables.count; i++) {
		const struct hv_x64_table_register *table = &snapshot.value[2][i].table;

		json_object_set_new(value, vmm_tables.entry[i].label,
				    json_pack("{s:o, s:o}", "base", vmm_hex(table->base), "limit",
					      vmm_hex(table->limit)));
	}
	return value;
}

json_t *vmm_value_synic(const struct vmm_value_query *query, struct vmm_refused *refused)
{
	struct snapshot snapshot = {.list = {&vmm_synic}};
	json_t *value;

	if (!take_snapshot(query, &snapshot, true, refused))
		return NULL;
	value = json_object();
	add_numbers(value, &snapshot, 0);
	return value;
}

static json_t *vectors(const uint32_t bits[8])
{
	json_t *list = json_array();

	for (unsigned int vector = 0; vector < 256; vector++)
		if (bits[vector / 32] >> vector % 32 & 1)
			json_array_append_new(list, json_integer(vector));
	return list;
}

json_t *vmm_value_lapic(const struct vmm_value_query *query, struct vmm_refused *refused)
{
	static const char *const lvt[VSM_LAPIC_LVT_COUNT] = {
		[VSM_LAPIC_LVT_CMCI] = "lvt_cmci",
		[VSM_LAPIC_LVT_TIMER] = "lvt_timer",
		[VSM_LAPIC_LVT_THERMAL] = "lvt_thermal",
		[VSM_LAPIC_LVT_PERFORMANCE] = "lvt_performance",
		[VSM_LAPIC_LVT_LINT0] = "lvt_lint0",
		[VSM_LAPIC_LVT_LINT1] = "lvt_lint1",
		[VSM_LAPIC_LVT_ERROR] = "lvt_error",
	};
	struct snapshot snapshot = {.lapic_requested = true};
	const struct vsm_lapic_state *state = &snapshot.lapic;
	json_t *value;

	if (!take_snapshot(query, &snapshot, true, refused))
		return NULL;
	value = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "apic_base",
			  vmm_hex(state->apic_base), "id", vmm_hex(state->id), "tpr",
			  vmm_hex(state->tpr), "svr", vmm_hex(state->svr), "esr",
			  vmm_hex(state->esr), "ldr", vmm_hex(state->ldr), "dfr",
			  vmm_hex(state->dfr), "icr", vmm_hex(state->icr), "initial_count",
			  vmm_hex(state->initial_count), "divide", vmm_hex(state->divide),
			  "tsc_deadline", vmm_hex(state->tsc_deadline));
	for (unsigned int i = 0; i < VSM_LAPIC_LVT_COUNT; i++)
		json_object_set_new(value, lvt[i], vmm_hex(state->lvt[i]));
	json_object_set_new(value, "irr", vectors(state->irr));
	json_object_set_new(value, "isr", vectors(state->isr));
	json_object_set_new(value, "tmr", vectors(state->tmr));
	return value;
}
