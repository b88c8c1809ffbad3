/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a machine is doing, or was when it crashed: the registers of every processor in every VTL that it has.
 */
#include <stdio.h>

#include "run/guest.h"

#define COLUMNS 4u
#define NAMES	32u

#define CR0_PE	   UINT64_C(0x00000001)
#define CR0_PG	   UINT64_C(0x80000000)
#define EFER_LMA   UINT64_C(0x00000400)
#define RFLAGS_VM  UINT64_C(0x00020000)
#define SEGMENT_L  0x2000u
#define SEGMENT_DB 0x4000u

struct entry {
	uint32_t name;
	const char *label;
};

static const struct entry numbers[] = {
	{HV_X64_REGISTER_RIP, "rip"},	{HV_X64_REGISTER_RFLAGS, "rflags"},
	{HV_X64_REGISTER_RSP, "rsp"},	{HV_X64_REGISTER_RBP, "rbp"},
	{HV_X64_REGISTER_RAX, "rax"},	{HV_X64_REGISTER_RBX, "rbx"},
	{HV_X64_REGISTER_RCX, "rcx"},	{HV_X64_REGISTER_RDX, "rdx"},
	{HV_X64_REGISTER_RSI, "rsi"},	{HV_X64_REGISTER_RDI, "rdi"},
	{HV_X64_REGISTER_R8, "r8"},	{HV_X64_REGISTER_R9, "r9"},
	{HV_X64_REGISTER_R10, "r10"},	{HV_X64_REGISTER_R11, "r11"},
	{HV_X64_REGISTER_R12, "r12"},	{HV_X64_REGISTER_R13, "r13"},
	{HV_X64_REGISTER_R14, "r14"},	{HV_X64_REGISTER_R15, "r15"},
	{HV_X64_REGISTER_CR0, "cr0"},	{HV_X64_REGISTER_CR2, "cr2"},
	{HV_X64_REGISTER_CR3, "cr3"},	{HV_X64_REGISTER_CR4, "cr4"},
	{HV_X64_REGISTER_EFER, "efer"}, {HV_X64_REGISTER_APIC_BASE, "apic"},
};

static const struct entry segments[] = {
	{HV_X64_REGISTER_CS, "cs"}, {HV_X64_REGISTER_SS, "ss"},	    {HV_X64_REGISTER_DS, "ds"},
	{HV_X64_REGISTER_ES, "es"}, {HV_X64_REGISTER_FS, "fs"},	    {HV_X64_REGISTER_GS, "gs"},
	{HV_X64_REGISTER_TR, "tr"}, {HV_X64_REGISTER_LDTR, "ldtr"},
};

static const struct entry tables[] = {
	{HV_X64_REGISTER_GDTR, "gdtr"},
	{HV_X64_REGISTER_IDTR, "idtr"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

_Static_assert(COUNT(numbers) <= NAMES && COUNT(segments) <= NAMES, "room for all values");

/* Reads all of a list; false if the library refused one of them (it says which). */
static bool read_list(struct vsm_vp *vp, uint8_t vtl, const struct entry *list, size_t count,
		      union hv_register_value value[NAMES])
{
	uint32_t name[NAMES];

	for (size_t i = 0; i < count; i++)
		name[i] = list[i].name;
	return vsm_vp_get_registers(vp, vtl, name, value, count) == (int)count;
}

static uint64_t read_one(struct vsm_vp *vp, uint8_t vtl, uint32_t name)
{
	union hv_register_value value = {0};

	(void)vsm_vp_get_registers(vp, vtl, &name, &value, 1);
	return value.reg64;
}

/* ------------------------------------------------------------------ in words */

static const char *mode(struct vsm_vp *vp, uint8_t vtl)
{
	static const uint32_t cs = HV_X64_REGISTER_CS;
	const uint64_t cr0 = read_one(vp, vtl, HV_X64_REGISTER_CR0);
	union hv_register_value value = {0};

	(void)vsm_vp_get_registers(vp, vtl, &cs, &value, 1);
	if (!(cr0 & CR0_PE))
		return "real mode";
	if (read_one(vp, vtl, HV_X64_REGISTER_EFER) & EFER_LMA)
		return value.segment.attributes & SEGMENT_L ? "64-bit mode" : "compatibility mode";
	if (read_one(vp, vtl, HV_X64_REGISTER_RFLAGS) & RFLAGS_VM)
		return "virtual-8086 mode";
	if (value.segment.attributes & SEGMENT_DB)
		return cr0 & CR0_PG ? "32-bit mode, paging on" : "32-bit mode, paging off";
	return "16-bit protected mode";
}

static const char *activity(struct vsm_vp *vp, uint8_t vtl)
{
	const uint64_t state = read_one(vp, vtl, HV_REGISTER_INTERNAL_ACTIVITY_STATE);

	if (state & HV_INTERNAL_ACTIVITY_STARTUP_SUSPEND)
		return "waits to be started";
	if (state & HV_INTERNAL_ACTIVITY_HALT_SUSPEND)
		return "halted";
	if (state & HV_INTERNAL_ACTIVITY_IDLE_SUSPEND)
		return "idle";
	return "runs";
}

/* An exception or interruption on its way, as PendingEvent0 and PendingInterruption have it. */
static void describe_pending(struct vsm_vp *vp, uint8_t vtl)
{
	const uint64_t event = read_one(vp, vtl, HV_REGISTER_PENDING_EVENT0);
	const uint64_t interruption = read_one(vp, vtl, HV_REGISTER_PENDING_INTERRUPTION);

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
	union hv_register_value value[NAMES] = {0};

	if (!read_list(vp, vtl, numbers, COUNT(numbers), value))
		return;
	for (size_t i = 0; i < COUNT(numbers); i++)
		fprintf(stderr, "%s%-6s %016llx%s", i % COLUMNS ? "  " : "    ", numbers[i].label,
			(unsigned long long)value[i].reg64,
			i % COLUMNS == COLUMNS - 1 || i == COUNT(numbers) - 1 ? "\n" : "");
}

static void print_segments(struct vsm_vp *vp, uint8_t vtl)
{
	union hv_register_value value[NAMES] = {0};

	if (!read_list(vp, vtl, segments, COUNT(segments), value))
		return;
	for (size_t i = 0; i < COUNT(segments); i++)
		fprintf(stderr, "    %-6s %04x base %016llx limit %08x attributes %04x\n",
			segments[i].label, value[i].segment.selector,
			(unsigned long long)value[i].segment.base, value[i].segment.limit,
			value[i].segment.attributes);
	if (!read_list(vp, vtl, tables, COUNT(tables), value))
		return;
	for (size_t i = 0; i < COUNT(tables); i++)
		fprintf(stderr, "    %-6s      base %016llx limit %04x\n", tables[i].label,
			(unsigned long long)value[i].table.base, value[i].table.limit);
}

static void describe_vtl(struct vsm_vp *vp, uint8_t vtl, bool active)
{
	fprintf(stderr, "  VTL%u%s: %s, %s\n", vtl, active ? " (active)" : "", mode(vp, vtl),
		activity(vp, vtl));
	describe_pending(vp, vtl);
	print_numbers(vp, vtl);
	print_segments(vp, vtl);
}

static void describe_end(const struct vmm_processor *processor)
{
	if (processor->triple_fault)
		fprintf(stderr,
			"  it shut down: an exception could not be delivered, nor the double fault "
			"after it;\n"
			"  some hosts (AMD) have reset the registers of the active VTL then\n");
	if (processor->told_crash) {
		fprintf(stderr, "  it told of a crash: control %#llx, parameters",
			(unsigned long long)processor->crash_control);
		for (size_t i = 0; i < COUNT(processor->crash); i++)
			fprintf(stderr, " %#llx", (unsigned long long)processor->crash[i]);
		fputc('\n', stderr);
	}
}

void vmm_describe(const struct vmm_guest *guest)
{
	for (uint32_t i = 0; i < guest->config->cpus; i++) {
		const struct vmm_processor *processor = &guest->processor[i];
		const uint64_t status = read_one(processor->vp, 0, HV_REGISTER_VSM_VP_STATUS);
		const uint8_t active = status & HV_VSM_VP_STATUS_ACTIVE_VTL_MASK;
		const uint64_t enabled = (status & HV_VSM_VP_STATUS_ENABLED_VTL_SET_MASK) >>
					 HV_VSM_VP_STATUS_ENABLED_VTL_SET_SHIFT;

		fprintf(stderr, "vp %u: VTL%u is active\n", i, active);
		describe_end(processor);
		for (uint8_t vtl = 0; vtl < guest->config->vtls; vtl++)
			if (enabled >> vtl & 1)
				describe_vtl(processor->vp, vtl, vtl == active);
	}
}
