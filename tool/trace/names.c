/* SPDX-License-Identifier: BSD-2-Clause */
#include "names.h"

#include <inttypes.h>
#include <string.h>

#include <vsm/hv/hv.h>
#include <vsm/hv/names.h>
#include <vsm/lapic.h>

#include "array.h"
#include "trace/instruction.h"

const struct trace_event_info trace_events[] = {
#define EVENT(number, name, ...) {(number), #name, {__VA_ARGS__}},
	VSM_TRACE_EVENTS(EVENT)
#undef EVENT
};
const size_t trace_event_count = ARRAY_SIZE(trace_events);

static const struct trace_event_info unknown = {0, "?", {"a", "b", "c", "d"}};

const struct trace_event_info *trace_event(uint16_t number)
{
	/* Numbers begin with 1, without gaps. */
	return number && number <= trace_event_count ? &trace_events[number - 1] : &unknown;
}

bool trace_is_own(uint16_t event)
{
	switch (event) {
	case VSM_TRACE_COUNTERS:
	case VSM_TRACE_EVENT_FLAG:
	case VSM_TRACE_EXCEPTION:
	case VSM_TRACE_MEMORY:
	case VSM_TRACE_MESSAGE:
	case VSM_TRACE_OVERLAY:
	case VSM_TRACE_PROTECT:
	case VSM_TRACE_PROTECT_DEFAULT:
		return false;
	default:
		return true;
	}
}

struct number_name {
	uint64_t number;
	const char *name;
};

/* SDM volume 4. */
static const struct number_name msrs[] = {
	{0x10, "IA32_TIME_STAMP_COUNTER"},
	{0x17, "IA32_PLATFORM_ID"},
	{0x1b, "IA32_APIC_BASE"},
	{0x3a, "IA32_FEATURE_CONTROL"},
	{0x3b, "IA32_TSC_ADJUST"},
	{0x48, "IA32_SPEC_CTRL"},
	{0x49, "IA32_PRED_CMD"},
	{0x79, "IA32_BIOS_UPDT_TRIG"},
	{0x8b, "IA32_BIOS_SIGN_ID"},
	{0xfe, "IA32_MTRRCAP"},
	{0x10a, "IA32_ARCH_CAPABILITIES"},
	{0x174, "IA32_SYSENTER_CS"},
	{0x175, "IA32_SYSENTER_ESP"},
	{0x176, "IA32_SYSENTER_EIP"},
	{0x179, "IA32_MCG_CAP"},
	{0x17a, "IA32_MCG_STATUS"},
	{0x1a0, "IA32_MISC_ENABLE"},
	{0x1d9, "IA32_DEBUGCTL"},
	{0x250, "IA32_MTRR_FIX64K_00000"},
	{0x258, "IA32_MTRR_FIX16K_80000"},
	{0x259, "IA32_MTRR_FIX16K_A0000"},
	{0x268, "IA32_MTRR_FIX4K_C0000"},
	{0x269, "IA32_MTRR_FIX4K_C8000"},
	{0x26a, "IA32_MTRR_FIX4K_D0000"},
	{0x26b, "IA32_MTRR_FIX4K_D8000"},
	{0x26c, "IA32_MTRR_FIX4K_E0000"},
	{0x26d, "IA32_MTRR_FIX4K_E8000"},
	{0x26e, "IA32_MTRR_FIX4K_F0000"},
	{0x26f, "IA32_MTRR_FIX4K_F8000"},
	{0x277, "IA32_PAT"},
	{0x2ff, "IA32_MTRR_DEF_TYPE"},
	{0x6e0, "IA32_TSC_DEADLINE"},
	{0xda0, "IA32_XSS"},
	{0xc0000080, "IA32_EFER"},
	{0xc0000081, "IA32_STAR"},
	{0xc0000082, "IA32_LSTAR"},
	{0xc0000083, "IA32_CSTAR"},
	{0xc0000084, "IA32_FMASK"},
	{0xc0000100, "IA32_FS_BASE"},
	{0xc0000101, "IA32_GS_BASE"},
	{0xc0000102, "IA32_KERNEL_GS_BASE"},
	{0xc0000103, "IA32_TSC_AUX"},
};

/* SDM volume 3A, table 11-6. */
static const struct number_name x2apic[] = {
	{0x802, "X2APIC_ID"},	     {0x803, "X2APIC_VERSION"},	   {0x808, "X2APIC_TPR"},
	{0x80a, "X2APIC_PPR"},	     {0x80b, "X2APIC_EOI"},	   {0x80d, "X2APIC_LDR"},
	{0x80f, "X2APIC_SVR"},	     {0x828, "X2APIC_ESR"},	   {0x82f, "X2APIC_LVT_CMCI"},
	{0x830, "X2APIC_ICR"},	     {0x832, "X2APIC_LVT_TIMER"},  {0x833, "X2APIC_LVT_THERMAL"},
	{0x834, "X2APIC_LVT_PMI"},   {0x835, "X2APIC_LVT_LINT0"},  {0x836, "X2APIC_LVT_LINT1"},
	{0x837, "X2APIC_LVT_ERROR"}, {0x838, "X2APIC_INIT_COUNT"}, {0x839, "X2APIC_CUR_COUNT"},
	{0x83e, "X2APIC_DIV_CONF"},  {0x83f, "X2APIC_SELF_IPI"},
};

static const struct {
	uint32_t first, count, step;
	const char *name;
} msr_rows[] = {
	{0x200, 10, 2, "IA32_MTRR_PHYSBASE"}, {0x201, 10, 2, "IA32_MTRR_PHYSMASK"},
	{0x810, 8, 1, "X2APIC_ISR"},	      {0x818, 8, 1, "X2APIC_TMR"},
	{0x820, 8, 1, "X2APIC_IRR"},
};

static const struct number_name deliveries[] = {
	{VSM_LAPIC_FIXED, "fixed"},   {VSM_LAPIC_LOWEST_PRIORITY, "lowest"},
	{VSM_LAPIC_SMI, "SMI"},	      {VSM_LAPIC_NMI, "NMI"},
	{VSM_LAPIC_INIT, "INIT"},     {VSM_LAPIC_SIPI, "SIPI"},
	{VSM_LAPIC_EXTINT, "ExtINT"},
};

static const struct number_name starts[] = {
	{VSM_LAPIC_INIT, "INIT"},
	{VSM_LAPIC_SIPI, "SIPI"},
	{0xff, "HvCallStartVirtualProcessor"},
};

static const struct number_name activities[] = {
	{1, "halted"},
	{2, "idle"},
};

static const struct number_name overlays[] = {
	{0, "hypercall-page"},	 {1, "reference-TSC-page"}, {2, "VP-assist-page"},
	{3, "event-flags-page"}, {4, "message-page"},
};

static const struct number_name internal_status[] = {
	{0xfff0, "continued"},
	{0xfff1, "again"},
	{0xfff2, "intercepted"},
};

static const char *find_name(const struct number_name *table, size_t count, uint64_t number)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].number == number)
			return table[i].name;
	return NULL;
}

#define FIND(table, number) find_name(table, ARRAY_SIZE(table), number)

static bool is_known(const char *name)
{
	return name && strcmp(name, "?") != 0;
}

/* @lead and the number if the name is unknown. */
static void named(char *text, size_t size, const char *name, const char *lead, uint64_t number)
{
	if (is_known(name))
		snprintf(text, size, "%s", name);
	else
		snprintf(text, size, "%s0x%" PRIx64, lead, number);
}

void trace_hypercall_name(char *text, size_t size, uint64_t code)
{
	named(text, size, code <= UINT16_MAX ? hv_hypercall_name((uint16_t)code) : NULL, "call-",
	      code);
}

void trace_status_name(char *text, size_t size, uint64_t status)
{
	const char *name = FIND(internal_status, status);

	if (!name && status <= UINT16_MAX)
		name = hv_status_name((uint16_t)status);
	named(text, size, name, "status-", status);
}

void trace_msr_name(char *text, size_t size, uint64_t msr)
{
	const char *name = FIND(msrs, msr);

	for (size_t i = 0; i < ARRAY_SIZE(msr_rows); i++) {
		const uint64_t place = msr - msr_rows[i].first;

		if (msr < msr_rows[i].first || place % msr_rows[i].step ||
		    place / msr_rows[i].step >= msr_rows[i].count)
			continue;
		snprintf(text, size, "%s%u", msr_rows[i].name,
			 (unsigned int)(place / msr_rows[i].step));
		return;
	}
	if (!name)
		name = FIND(x2apic, msr);
	if (!name && msr <= UINT32_MAX)
		name = hv_msr_name((uint32_t)msr);
	named(text, size, name, "MSR-", msr);
}

void trace_access_name(char *text, size_t size, uint64_t access)
{
	const uint64_t execute = access & HV_MAP_GPA_EXECUTABLE;

	if (access & ~(uint64_t)HV_MAP_GPA_PERMISSIONS_MASK)
		snprintf(text, size, "0x%" PRIx64, access);
	else
		snprintf(text, size, "%s%s%s%s%s", access ? "" : "none",
			 access & HV_MAP_GPA_READABLE ? "R" : "",
			 access & HV_MAP_GPA_WRITABLE ? "W" : "", execute ? "X" : "",
			 execute == HV_MAP_GPA_KERNEL_EXECUTABLE ? "k"
			 : execute == HV_MAP_GPA_USER_EXECUTABLE ? "u"
								 : "");
}

static void put_hex(char *text, size_t size, uint64_t value)
{
	snprintf(text, size, value < 10 ? "%" PRIu64 : "0x%" PRIx64, value);
}

static void put_decimal(char *text, size_t size, uint64_t value)
{
	snprintf(text, size, "%" PRIu64, value);
}

static void put_signed(char *text, size_t size, uint64_t value)
{
	snprintf(text, size, "%" PRId64, (int64_t)value);
}

static void put_vtl(char *text, size_t size, uint64_t value)
{
	snprintf(text, size, "VTL%" PRIu64, value);
}

/* -1: all lower VTLs. */
static void put_restricted(char *text, size_t size, uint64_t value)
{
	if (value == UINT64_MAX)
		snprintf(text, size, "all-below");
	else
		put_vtl(text, size, value);
}

static void put_vtls(char *text, size_t size, uint64_t value)
{
	size_t used = 0;

	if (!value || value >> VSM_VTL_MAX) {
		put_hex(text, size, value);
		return;
	}
	for (unsigned int vtl = 0; vtl < VSM_VTL_MAX && used < size; vtl++)
		if (value >> vtl & 1)
			used += (size_t)snprintf(text + used, size - used, "%sVTL%u",
						 used ? "|" : "", vtl);
}

static void put_gpn(char *text, size_t size, uint64_t value)
{
	snprintf(text, size, "0x%" PRIx64, value);
}

static void put_reason(char *text, size_t size, uint64_t value)
{
	named(text, size, value <= UINT32_MAX ? hv_vtl_entry_reason_name((uint32_t)value) : NULL,
	      "", value);
}

static void put_message(char *text, size_t size, uint64_t value)
{
	named(text, size, value <= UINT32_MAX ? hv_message_type_name((uint32_t)value) : NULL, "",
	      value);
}

static void put_register(char *text, size_t size, uint64_t value)
{
	named(text, size, value < 64 ? hv_cr_intercept_name((unsigned int)value) : NULL, "bit-",
	      value);
}

static void put_yes(char *text, size_t size, uint64_t value)
{
	snprintf(text, size, "%s", value ? "yes" : "no");
}

static void put_write(char *text, size_t size, uint64_t value)
{
	snprintf(text, size, "%s", value ? "write" : "read");
}

static void put_delivery(char *text, size_t size, uint64_t value)
{
	named(text, size, FIND(deliveries, value), "", value);
}

static void put_start(char *text, size_t size, uint64_t value)
{
	named(text, size, FIND(starts, value), "", value);
}

static void put_activity(char *text, size_t size, uint64_t value)
{
	named(text, size, FIND(activities, value), "", value);
}

static void put_overlay(char *text, size_t size, uint64_t value)
{
	named(text, size, FIND(overlays, value), "", value);
}

/* Units of 100 ns. */
static void put_time(char *text, size_t size, uint64_t value)
{
	snprintf(text, size, "%" PRIu64 ".%07" PRIu64 "s", value / 10000000, value % 10000000);
}

/* A hypercall input value without its code. */
static void put_control(char *text, size_t size, uint64_t value)
{
	size_t used =
		(size_t)snprintf(text, size, "%s", value & HV_HYPERCALL_FAST ? "fast" : "memory");

	if (value & HV_HYPERCALL_REP_COUNT_MASK && used < size)
		used += (size_t)snprintf(text + used, size - used, ",rep:%u-%u",
					 hv_hypercall_rep_start(value),
					 hv_hypercall_rep_count(value));
	if (hv_hypercall_varhead(value) && used < size)
		used += (size_t)snprintf(text + used, size - used, ",varhead:%u",
					 hv_hypercall_varhead(value));
	if (value & (HV_HYPERCALL_RESERVED_MASK | HV_HYPERCALL_NESTED) && used < size)
		snprintf(text + used, size - used, ",0x%" PRIx64, value);
}

/* An argument without a row is a number. */
static const struct {
	const char *argument;
	void (*put)(char *text, size_t size, uint64_t value);
} kinds[] = {
	{"access", trace_access_name},
	{"activity", put_activity},
	{"code", trace_hypercall_name},
	{"control", put_control},
	{"delivery", put_delivery},
	{"due", put_time},
	{"fast", put_yes},
	{"fault", put_yes},
	{"from", put_vtl},
	{"exits", put_decimal},
	{"gpn", put_gpn},
	{"held", put_yes},
	{"how", put_start},
	{"intercepts", put_decimal},
	{"locked", put_vtl},
	{"mapped", put_yes},
	{"mbec", put_yes},
	{"msr", trace_msr_name},
	{"now", put_time},
	{"overlay", put_overlay},
	{"owner", put_vtl},
	{"pages", put_decimal},
	{"reason", put_reason},
	{"register", put_register},
	{"reps", put_decimal},
	{"restricted", put_restricted},
	{"result", put_signed},
	{"size", put_decimal},
	{"status", trace_status_name},
	{"switches", put_decimal},
	{"to", put_vtl},
	{"type", put_message},
	{"vp", put_decimal},
	{"vps", put_decimal},
	{"vtl", put_vtl},
	{"vtls", put_vtls},
	{"write", put_write},
};

void trace_value(char *text, size_t size, const char *argument, uint64_t value)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].argument, argument) == 0) {
			kinds[i].put(text, size, value);
			return;
		}
	}
	put_hex(text, size, value);
}

static void put_instruction(FILE *out, const struct vsm_trace_record *record)
{
	struct trace_instruction instruction;
	char text[TRACE_TEXT];

	trace_instruction_read(&instruction, record);
	fprintf(out, "rip=0x%" PRIx64, instruction.rip);
	trace_instruction_bytes(text, sizeof(text), &instruction);
	fprintf(out, " bytes=%s", text);
	trace_instruction_text(text, sizeof(text), &instruction);
	fprintf(out, " text=%s", text);
}

void trace_arguments(FILE *out, const struct vsm_trace_record *record)
{
	const struct trace_event_info *info = trace_event(record->event);
	const char *blank = "";

	if (record->event == VSM_TRACE_INSTRUCTION) {
		put_instruction(out, record);
		return;
	}
	if (info == &unknown) {
		fprintf(out, "number=%u", record->event);
		blank = " ";
	}
	for (size_t i = 0; i < 4; i++) {
		char text[TRACE_TEXT];

		if (!info->argument[i][0])
			continue;
		trace_value(text, sizeof(text), info->argument[i], record->argument[i]);
		fprintf(out, "%s%s=%s", blank, info->argument[i], text);
		blank = " ";
	}
}
