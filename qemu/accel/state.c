/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers of the active VTL for the monitor and gdb. Only registers that QEMU has changed are written back,
 * so that an inspection does not change a VP. */
#include "qemu/osdep.h"
#include "accel.h"
#include "qemu/error-report.h"

enum kind {
	PLAIN,	 /* 64 bits */
	SEGMENT, /* SegmentCache */
	TABLE,	 /* SegmentCache of IDTR, GDTR */
	XMM,
	X87,	     /* no offset */
	X87_CONTROL, /* all of its fields; no offset */
	PRIORITY,    /* CR8, in the APIC; no offset */
	SSE_CONTROL, /* all of its fields; no offset */
};

struct entry {
	uint32_t name;
	enum kind kind;
	size_t offset; /* in CPUX86State */
};

static const struct entry entries[] = {
	/* First, since TOP selects the place of each x87 register. */
	{HV_X64_REGISTER_FP_CONTROL_STATUS, X87_CONTROL, 0},
	{HV_X64_REGISTER_CR8, PRIORITY, 0},
	{HV_X64_REGISTER_RAX, PLAIN, offsetof(CPUX86State, regs[R_EAX])},
	{HV_X64_REGISTER_RCX, PLAIN, offsetof(CPUX86State, regs[R_ECX])},
	{HV_X64_REGISTER_RDX, PLAIN, offsetof(CPUX86State, regs[R_EDX])},
	{HV_X64_REGISTER_RBX, PLAIN, offsetof(CPUX86State, regs[R_EBX])},
	{HV_X64_REGISTER_RSP, PLAIN, offsetof(CPUX86State, regs[R_ESP])},
	{HV_X64_REGISTER_RBP, PLAIN, offsetof(CPUX86State, regs[R_EBP])},
	{HV_X64_REGISTER_RSI, PLAIN, offsetof(CPUX86State, regs[R_ESI])},
	{HV_X64_REGISTER_RDI, PLAIN, offsetof(CPUX86State, regs[R_EDI])},
	{HV_X64_REGISTER_R8, PLAIN, offsetof(CPUX86State, regs[8])},
	{HV_X64_REGISTER_R9, PLAIN, offsetof(CPUX86State, regs[9])},
	{HV_X64_REGISTER_R10, PLAIN, offsetof(CPUX86State, regs[10])},
	{HV_X64_REGISTER_R11, PLAIN, offsetof(CPUX86State, regs[11])},
	{HV_X64_REGISTER_R12, PLAIN, offsetof(CPUX86State, regs[12])},
	{HV_X64_REGISTER_R13, PLAIN, offsetof(CPUX86State, regs[13])},
	{HV_X64_REGISTER_R14, PLAIN, offsetof(CPUX86State, regs[14])},
	{HV_X64_REGISTER_R15, PLAIN, offsetof(CPUX86State, regs[15])},
	{HV_X64_REGISTER_RIP, PLAIN, offsetof(CPUX86State, eip)},
	{HV_X64_REGISTER_RFLAGS, PLAIN, offsetof(CPUX86State, eflags)},
	{HV_X64_REGISTER_CR0, PLAIN, offsetof(CPUX86State, cr[0])},
	{HV_X64_REGISTER_CR2, PLAIN, offsetof(CPUX86State, cr[2])},
	{HV_X64_REGISTER_CR3, PLAIN, offsetof(CPUX86State, cr[3])},
	{HV_X64_REGISTER_CR4, PLAIN, offsetof(CPUX86State, cr[4])},
	{HV_X64_REGISTER_EFER, PLAIN, offsetof(CPUX86State, efer)},
	{HV_X64_REGISTER_DR0, PLAIN, offsetof(CPUX86State, dr[0])},
	{HV_X64_REGISTER_DR1, PLAIN, offsetof(CPUX86State, dr[1])},
	{HV_X64_REGISTER_DR2, PLAIN, offsetof(CPUX86State, dr[2])},
	{HV_X64_REGISTER_DR3, PLAIN, offsetof(CPUX86State, dr[3])},
	{HV_X64_REGISTER_DR6, PLAIN, offsetof(CPUX86State, dr[6])},
	{HV_X64_REGISTER_DR7, PLAIN, offsetof(CPUX86State, dr[7])},
	{HV_X64_REGISTER_KERNEL_GS_BASE, PLAIN, offsetof(CPUX86State, kernelgsbase)},
	{HV_X64_REGISTER_STAR, PLAIN, offsetof(CPUX86State, star)},
	{HV_X64_REGISTER_LSTAR, PLAIN, offsetof(CPUX86State, lstar)},
	{HV_X64_REGISTER_ES, SEGMENT, offsetof(CPUX86State, segs[R_ES])},
	{HV_X64_REGISTER_CS, SEGMENT, offsetof(CPUX86State, segs[R_CS])},
	{HV_X64_REGISTER_SS, SEGMENT, offsetof(CPUX86State, segs[R_SS])},
	{HV_X64_REGISTER_DS, SEGMENT, offsetof(CPUX86State, segs[R_DS])},
	{HV_X64_REGISTER_FS, SEGMENT, offsetof(CPUX86State, segs[R_FS])},
	{HV_X64_REGISTER_GS, SEGMENT, offsetof(CPUX86State, segs[R_GS])},
	{HV_X64_REGISTER_LDTR, SEGMENT, offsetof(CPUX86State, ldt)},
	{HV_X64_REGISTER_TR, SEGMENT, offsetof(CPUX86State, tr)},
	{HV_X64_REGISTER_IDTR, TABLE, offsetof(CPUX86State, idt)},
	{HV_X64_REGISTER_GDTR, TABLE, offsetof(CPUX86State, gdt)},
	{HV_X64_REGISTER_XMM0, XMM, offsetof(CPUX86State, xmm_regs[0])},
	{HV_X64_REGISTER_XMM1, XMM, offsetof(CPUX86State, xmm_regs[1])},
	{HV_X64_REGISTER_XMM2, XMM, offsetof(CPUX86State, xmm_regs[2])},
	{HV_X64_REGISTER_XMM3, XMM, offsetof(CPUX86State, xmm_regs[3])},
	{HV_X64_REGISTER_XMM4, XMM, offsetof(CPUX86State, xmm_regs[4])},
	{HV_X64_REGISTER_XMM5, XMM, offsetof(CPUX86State, xmm_regs[5])},
	{HV_X64_REGISTER_XMM6, XMM, offsetof(CPUX86State, xmm_regs[6])},
	{HV_X64_REGISTER_XMM7, XMM, offsetof(CPUX86State, xmm_regs[7])},
	{HV_X64_REGISTER_XMM8, XMM, offsetof(CPUX86State, xmm_regs[8])},
	{HV_X64_REGISTER_XMM9, XMM, offsetof(CPUX86State, xmm_regs[9])},
	{HV_X64_REGISTER_XMM10, XMM, offsetof(CPUX86State, xmm_regs[10])},
	{HV_X64_REGISTER_XMM11, XMM, offsetof(CPUX86State, xmm_regs[11])},
	{HV_X64_REGISTER_XMM12, XMM, offsetof(CPUX86State, xmm_regs[12])},
	{HV_X64_REGISTER_XMM13, XMM, offsetof(CPUX86State, xmm_regs[13])},
	{HV_X64_REGISTER_XMM14, XMM, offsetof(CPUX86State, xmm_regs[14])},
	{HV_X64_REGISTER_XMM15, XMM, offsetof(CPUX86State, xmm_regs[15])},
	{HV_X64_REGISTER_FP_MMX0, X87, 0},
	{HV_X64_REGISTER_FP_MMX1, X87, 0},
	{HV_X64_REGISTER_FP_MMX2, X87, 0},
	{HV_X64_REGISTER_FP_MMX3, X87, 0},
	{HV_X64_REGISTER_FP_MMX4, X87, 0},
	{HV_X64_REGISTER_FP_MMX5, X87, 0},
	{HV_X64_REGISTER_FP_MMX6, X87, 0},
	{HV_X64_REGISTER_FP_MMX7, X87, 0},
	{HV_X64_REGISTER_XMM_CONTROL_STATUS, SSE_CONTROL, 0},
};

enum {
	COUNT = G_N_ELEMENTS(entries)
};

static void *place(CPUX86State *env, const struct entry *entry)
{
	return (uint8_t *)env + entry->offset;
}

enum {
	X87_TOP_SHIFT = 11, /* of the field TOP in the x87 status word */
	X87_TOP_MASK = 7,
	X87_BYTES = 10, /* of a register */
};

/* The library numbers x87 registers from TOP on, QEMU numbers the physical registers. */
static void *x87_place(CPUX86State *env, const struct entry *entry)
{
	const unsigned number = entry->name - HV_X64_REGISTER_FP_MMX0;

	return &env->fpregs[(number + env->fpstt) & X87_TOP_MASK];
}

static void x87_control_to_qemu(CPUX86State *env,
				const struct hv_x64_fp_control_status_register *x87)
{
	env->fpuc = x87->control;
	env->fpus = x87->status;
	env->fpstt = x87->status >> X87_TOP_SHIFT & X87_TOP_MASK;
	for (unsigned i = 0; i < G_N_ELEMENTS(env->fptags); i++)
		env->fptags[i] = !(x87->tag & 1u << i);
	env->fpop = x87->last_opcode;
	env->fpip = x87->last_rip;
}

static void x87_control_from_qemu(const CPUX86State *env,
				  struct hv_x64_fp_control_status_register *x87)
{
	x87->control = env->fpuc;
	x87->status = (env->fpus & ~(X87_TOP_MASK << X87_TOP_SHIFT)) | env->fpstt << X87_TOP_SHIFT;
	for (unsigned i = 0; i < G_N_ELEMENTS(env->fptags); i++)
		x87->tag |= !env->fptags[i] << i;
	x87->last_opcode = env->fpop;
	x87->last_rip = env->fpip;
}

static void to_qemu(CPUX86State *env, const struct entry *entry,
		    const union hv_register_value *value)
{
	SegmentCache *cache = place(env, entry);

	switch (entry->kind) {
	case PLAIN:
		memcpy(place(env, entry), &value->reg64, sizeof(value->reg64));
		break;
	case SEGMENT:
		cache->selector = value->segment.selector;
		cache->base = value->segment.base;
		cache->limit = value->segment.limit;
		cache->flags = (value->segment.attributes & ~HV_X64_SEGMENT_RESERVED_MASK)
			       << DESC_TYPE_SHIFT;
		break;
	case TABLE:
		cache->base = value->table.base;
		cache->limit = value->table.limit;
		break;
	case XMM:
		memcpy(place(env, entry), value->bytes, sizeof(value->bytes));
		break;
	case X87:
		memcpy(x87_place(env, entry), value->bytes, X87_BYTES);
		break;
	case X87_CONTROL:
		x87_control_to_qemu(env, &value->fp_control_status);
		break;
	case PRIORITY:
		cpu_set_apic_tpr(env_archcpu(env)->apic_state, value->reg64);
		break;
	case SSE_CONTROL:
		env->mxcsr = value->xmm_control_status.mxcsr;
		env->fpdp = value->xmm_control_status.last_rdp;
		break;
	}
}

static union hv_register_value from_qemu(CPUX86State *env, const struct entry *entry)
{
	union hv_register_value value = {.reg128 = {0}};
	const SegmentCache *cache = place(env, entry);

	switch (entry->kind) {
	case PLAIN:
		memcpy(&value.reg64, place(env, entry), sizeof(value.reg64));
		break;
	case SEGMENT:
		value.segment.selector = cache->selector;
		value.segment.base = cache->base;
		value.segment.limit = cache->limit;
		value.segment.attributes =
			(cache->flags >> DESC_TYPE_SHIFT) & ~HV_X64_SEGMENT_RESERVED_MASK;
		break;
	case TABLE:
		value.table.base = cache->base;
		value.table.limit = cache->limit;
		break;
	case XMM:
		memcpy(value.bytes, place(env, entry), sizeof(value.bytes));
		break;
	case X87:
		memcpy(value.bytes, x87_place(env, entry), X87_BYTES);
		break;
	case X87_CONTROL:
		x87_control_from_qemu(env, &value.fp_control_status);
		break;
	case PRIORITY:
		value.reg64 = cpu_get_apic_tpr(env_archcpu(env)->apic_state);
		break;
	case SSE_CONTROL:
		value.xmm_control_status.mxcsr = env->mxcsr;
		value.xmm_control_status.last_rdp = env->fpdp;
		break;
	}
	return value;
}

uint8_t vsm_active_vtl(CPUState *cpu)
{
	const uint32_t name = HV_REGISTER_VSM_VP_STATUS;
	union hv_register_value status = {.reg128 = {0}};

	vsm_vp_get_registers(vsm_vp(cpu), 0, &name, &status, 1);
	return status.reg64 & HV_VSM_VP_STATUS_ACTIVE_VTL_MASK;
}

void vsm_registers_get(CPUState *cpu)
{
	CPUX86State *env = cpu_env(cpu);
	struct AccelCPUState *own = cpu->accel;
	uint32_t name[COUNT];

	if (!own->read)
		own->read = g_new0(union hv_register_value, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		name[i] = entries[i].name;
	own->vtl = vsm_active_vtl(cpu);
	if (vsm_vp_get_registers(own->vp, own->vtl, name, own->read, COUNT) != COUNT) {
		error_report("vsm: the registers of CPU %d cannot be read", cpu->cpu_index);
		return;
	}
	for (size_t i = 0; i < COUNT; i++) {
		to_qemu(env, &entries[i], &own->read[i]);
		/* Convert back: a part of the register that QEMU cannot store must not count as a change by
		 * QEMU. */
		own->read[i] = from_qemu(env, &entries[i]);
	}
	x86_update_hflags(env);
}

void vsm_registers_put(CPUState *cpu)
{
	struct AccelCPUState *own = cpu->accel;

	for (size_t i = 0; own->read && i < COUNT; i++) {
		union hv_register_value value = from_qemu(cpu_env(cpu), &entries[i]);

		if (memcmp(&value, &own->read[i], sizeof(value)) != 0 &&
		    vsm_vp_set_registers(own->vp, own->vtl, &entries[i].name, &value, 1) != 1)
			error_report("vsm: a register of CPU %d keeps its value", cpu->cpu_index);
	}
}
