/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest/registers.h"
#include "array.h"

#define CR0_PE	   UINT64_C(0x00000001)
#define CR0_PG	   UINT64_C(0x80000000)
#define EFER_LMA   UINT64_C(0x00000400)
#define RFLAGS_VM  UINT64_C(0x00020000)
#define SEGMENT_L  0x2000u
#define SEGMENT_DB 0x4000u

static const struct vmm_register numbers[] = {
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

static const struct vmm_register segments[] = {
	{HV_X64_REGISTER_CS, "cs"}, {HV_X64_REGISTER_SS, "ss"},	    {HV_X64_REGISTER_DS, "ds"},
	{HV_X64_REGISTER_ES, "es"}, {HV_X64_REGISTER_FS, "fs"},	    {HV_X64_REGISTER_GS, "gs"},
	{HV_X64_REGISTER_TR, "tr"}, {HV_X64_REGISTER_LDTR, "ldtr"},
};

static const struct vmm_register tables[] = {
	{HV_X64_REGISTER_GDTR, "gdtr"},
	{HV_X64_REGISTER_IDTR, "idtr"},
};

static const struct vmm_register synic[] = {
	{HV_REGISTER_SCONTROL, "scontrol"},
	{HV_REGISTER_SIFP, "siefp"},
	{HV_REGISTER_SIPP, "simp"},
	{HV_REGISTER_VP_ASSIST_PAGE, "assist"},
	{HV_REGISTER_SINT0, "sint0"},
	{HV_REGISTER_SINT1, "sint1"},
	{HV_REGISTER_SINT2, "sint2"},
	{HV_REGISTER_SINT3, "sint3"},
	{HV_REGISTER_SINT4, "sint4"},
	{HV_REGISTER_SINT5, "sint5"},
	{HV_REGISTER_SINT6, "sint6"},
	{HV_REGISTER_SINT7, "sint7"},
	{HV_REGISTER_SINT8, "sint8"},
	{HV_REGISTER_SINT9, "sint9"},
	{HV_REGISTER_SINT10, "sint10"},
	{HV_REGISTER_SINT11, "sint11"},
	{HV_REGISTER_SINT12, "sint12"},
	{HV_REGISTER_SINT13, "sint13"},
	{HV_REGISTER_SINT14, "sint14"},
	{HV_REGISTER_SINT15, "sint15"},
	{HV_REGISTER_STIMER0_CONFIG, "stimer0_config"},
	{HV_REGISTER_STIMER0_COUNT, "stimer0_count"},
	{HV_REGISTER_STIMER1_CONFIG, "stimer1_config"},
	{HV_REGISTER_STIMER1_COUNT, "stimer1_count"},
	{HV_REGISTER_STIMER2_CONFIG, "stimer2_config"},
	{HV_REGISTER_STIMER2_COUNT, "stimer2_count"},
	{HV_REGISTER_STIMER3_CONFIG, "stimer3_config"},
	{HV_REGISTER_STIMER3_COUNT, "stimer3_count"},
};

static const struct vmm_register vsm[] = {
	{HV_REGISTER_VSM_CAPABILITIES, "vsm_capabilities"},
	{HV_REGISTER_VSM_PARTITION_STATUS, "vsm_partition_status"},
	{HV_REGISTER_GUEST_OS_ID, "guest_os_id"},
	{HV_REGISTER_TIME_REF_COUNT, "time_ref_count"},
	{HV_REGISTER_PROCESSOR_CLOCK_FREQUENCY, "tsc_hz"},
	{HV_REGISTER_REFERENCE_TSC, "reference_tsc"},
};

#define LIST(array)                         \
	{                                   \
		(array), ARRAY_SIZE(array), \
	}

const struct vmm_register_list vmm_numbers = LIST(numbers);
const struct vmm_register_list vmm_segments = LIST(segments);
const struct vmm_register_list vmm_tables = LIST(tables);
const struct vmm_register_list vmm_synic = LIST(synic);
const struct vmm_register_list vmm_vsm = LIST(vsm);

_Static_assert(ARRAY_SIZE(numbers) <= VMM_REGISTERS_MAX &&
		       ARRAY_SIZE(segments) <= VMM_REGISTERS_MAX &&
		       ARRAY_SIZE(tables) <= VMM_REGISTERS_MAX &&
		       ARRAY_SIZE(synic) <= VMM_REGISTERS_MAX &&
		       ARRAY_SIZE(vsm) <= VMM_REGISTERS_MAX,
	       "room for all values");

bool vmm_read_registers(struct vsm_vp *vp, uint8_t vtl, const struct vmm_register_list *list,
			union hv_register_value value[VMM_REGISTERS_MAX])
{
	uint32_t name[VMM_REGISTERS_MAX];

	for (size_t i = 0; i < list->count; i++)
		name[i] = list->entry[i].name;
	return vsm_vp_get_registers(vp, vtl, name, value, list->count) == (int)list->count;
}

uint64_t vmm_read_register(struct vsm_vp *vp, uint8_t vtl, uint32_t name)
{
	union hv_register_value value = {0};

	(void)vsm_vp_get_registers(vp, vtl, &name, &value, 1);
	return value.reg64;
}

struct vmm_vtls vmm_read_vtls(struct vsm_vp *vp)
{
	const uint64_t status = vmm_read_register(vp, 0, HV_REGISTER_VSM_VP_STATUS);

	return (struct vmm_vtls){
		.active = status & HV_VSM_VP_STATUS_ACTIVE_VTL_MASK,
		.enabled = (uint16_t)((status & HV_VSM_VP_STATUS_ENABLED_VTL_SET_MASK) >>
				      HV_VSM_VP_STATUS_ENABLED_VTL_SET_SHIFT),
	};
}

/* ------------------------------------------------------------------ descriptions of the state */

const char *vmm_mode(struct vsm_vp *vp, uint8_t vtl)
{
	static const uint32_t cs = HV_X64_REGISTER_CS;
	const uint64_t cr0 = vmm_read_register(vp, vtl, HV_X64_REGISTER_CR0);
	union hv_register_value value = {0};

	(void)vsm_vp_get_registers(vp, vtl, &cs, &value, 1);
	if (!(cr0 & CR0_PE))
		return "real mode";
	if (vmm_read_register(vp, vtl, HV_X64_REGISTER_EFER) & EFER_LMA)
		return value.segment.attributes & SEGMENT_L ? "64-bit mode" : "compatibility mode";
	if (vmm_read_register(vp, vtl, HV_X64_REGISTER_RFLAGS) & RFLAGS_VM)
		return "virtual-8086 mode";
	if (value.segment.attributes & SEGMENT_DB)
		return cr0 & CR0_PG ? "32-bit mode, paging on" : "32-bit mode, paging off";
	return "16-bit protected mode";
}

const char *vmm_activity(struct vsm_vp *vp, uint8_t vtl)
{
	const uint64_t state = vmm_read_register(vp, vtl, HV_REGISTER_INTERNAL_ACTIVITY_STATE);

	if (state & HV_INTERNAL_ACTIVITY_STARTUP_SUSPEND)
		return "waits to be started";
	if (state & HV_INTERNAL_ACTIVITY_HALT_SUSPEND)
		return "halted";
	if (state & HV_INTERNAL_ACTIVITY_IDLE_SUSPEND)
		return "idle";
	return "runs";
}
