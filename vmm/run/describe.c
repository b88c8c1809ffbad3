/* SPDX-License-Identifier: BSD-2-Clause */
/* Register dumps: all VPs in every enabled VTL. */
#include <stdio.h>

#include "array.h"
#include "run/parts.h"
#include "guest/registers.h"

#define COLUMNS 4u
/* Time limit for a VP that waits for the reader of its console. */
#define TIMEOUT_MS 500

static void describe_pending(struct vsm_vp *vp, uint8_t vtl)
{
	const uint64_t event = vmm_read_register(vp, vtl, HV_REGISTER_PENDING_EVENT0);
	const uint64_t interruption = vmm_read_register(vp, vtl, HV_REGISTER_PENDING_INTERRUPTION);

	if ((event & HV_PENDING_EVENT_PENDING) &&
	    (event & HV_PENDING_EVENT_TYPE_MASK) >> HV_PENDING_EVENT_TYPE_SHIFT ==
		    HV_PENDING_EVENT_EXCEPTION)
		fprintf(stderr, "    exception %llu is pending, error code %#llx\n",
			(unsigned long long)((event & HV_PENDING_EXCEPTION_VECTOR_MASK) >>
					     HV_PENDING_EXCEPTION_VECTOR_SHIFT),
			(unsigned long long)((event & HV_PENDING_EXCEPTION_ERROR_CODE_MASK) >>
					     HV_PENDING_EXCEPTION_ERROR_CODE_SHIFT));
	if (interruption & HV_PENDING_INTERRUPTION_PENDING)
		fprintf(stderr, "    vector %llu is being delivered\n",
			(unsigned long long)((interruption & HV_PENDING_INTERRUPTION_VECTOR_MASK) >>
					     HV_PENDING_INTERRUPTION_VECTOR_SHIFT));
}

/* ------------------------------------------------------------------ registers */

static void print_numbers(struct vsm_vp *vp, uint8_t vtl)
{
	union hv_register_value value[VMM_REGISTERS_MAX] = {0};

	if (!vmm_read_registers(vp, vtl, &vmm_numbers, value))
		return;
	for (size_t i = 0; i < vmm_numbers.count; i++)
		fprintf(stderr, "%s%-6s %016llx%s", i % COLUMNS ? "  " : "    ",
			vmm_numbers.entry[i].label, (unsigned long long)value[i].reg64,
			i % COLUMNS == COLUMNS - 1 || i == vmm_numbers.count - 1 ? "\n" : "");
}

static void print_segments(struct vsm_vp *vp, uint8_t vtl)
{
	union hv_register_value value[VMM_REGISTERS_MAX] = {0};

	if (!vmm_read_registers(vp, vtl, &vmm_segments, value))
		return;
	for (size_t i = 0; i < vmm_segments.count; i++)
		fprintf(stderr, "    %-6s %04x base %016llx limit %08x attributes %04x\n",
			vmm_segments.entry[i].label, value[i].segment.selector,
			(unsigned long long)value[i].segment.base, value[i].segment.limit,
			value[i].segment.attributes);
	if (!vmm_read_registers(vp, vtl, &vmm_tables, value))
		return;
	for (size_t i = 0; i < vmm_tables.count; i++)
		fprintf(stderr, "    %-6s      base %016llx limit %04x\n",
			vmm_tables.entry[i].label, (unsigned long long)value[i].table.base,
			value[i].table.limit);
}

static void describe_vtl(struct vsm_vp *vp, uint8_t vtl, bool active)
{
	fprintf(stderr, "  VTL%u%s: %s, %s\n", vtl, active ? " (active)" : "", vmm_mode(vp, vtl),
		vmm_activity(vp, vtl));
	describe_pending(vp, vtl);
	print_numbers(vp, vtl);
	print_segments(vp, vtl);
}

/*
 * Bytes other than printable ASCII, tab and line feed become '?': the guest must not send escape
 * sequences to the user's terminal.
 */
static void describe_message(const char *text, uint32_t size)
{
	bool line_begins = true;

	if (!size)
		return;
	fputs("  its text:\n", stderr);
	for (uint32_t i = 0; i < size && text[i]; i++) {
		if (line_begins)
			fputs("    ", stderr);
		line_begins = text[i] == '\n';
		fputc(line_begins || text[i] == '\t' || (text[i] >= ' ' && text[i] <= '~') ? text[i]
											   : '?',
		      stderr);
	}
	if (!line_begins)
		fputc('\n', stderr);
}

static void describe_end(const struct vmm_processor *processor)
{
	if (processor->triple_fault)
		fprintf(stderr,
			"  shutdown: an exception could not be delivered, nor the double fault "
			"after it;\n"
			"  some hosts (AMD) then reset the registers of the active VTL\n");
	if (processor->reported_crash) {
		fprintf(stderr, "  it reported a crash: control %#llx, parameters",
			(unsigned long long)processor->crash_control);
		for (size_t i = 0; i < ARRAY_SIZE(processor->crash); i++)
			fprintf(stderr, " %#llx", (unsigned long long)processor->crash[i]);
		fputc('\n', stderr);
		describe_message(processor->crash_message, processor->crash_message_size);
	}
}

static void describe_vp(struct vsm_vp *vp, void *opaque)
{
	const struct vmm_processor *processor = opaque;
	const struct vmm_vtls vtls = vmm_read_vtls(vp);

	fprintf(stderr, "vp %u: VTL%u is active\n", processor->index, vtls.active);
	describe_end(processor);
	for (uint8_t vtl = 0; vtl < processor->guest->config->vtls; vtl++)
		if (vtls.enabled >> vtl & 1)
			describe_vtl(vp, vtl, vtl == vtls.active);
}

void vmm_describe(const struct vmm_guest *guest)
{
	for (uint32_t i = 0; i < guest->config->cpus; i++) {
		struct vmm_processor *processor = &guest->processor[i];

		if (vsm_vp_call(processor->vp, TIMEOUT_MS, describe_vp, processor))
			fprintf(stderr,
				"vp %u: waits for a device, such as a console without a "
				"reader\n",
				i);
	}
}
