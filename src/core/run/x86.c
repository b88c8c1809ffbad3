/* SPDX-License-Identifier: BSD-2-Clause */
/* The x86 state of a VTL as one structure (vsm/x86.h). */
#include <errno.h>
#include <string.h>

#include <vsm/hv/names.h>
#include <vsm/x86.h>

#include "core/msr/msr.h"
#include "core/registers/regs.h"
#include "core/vp/cpu_registers.h"
#include "core/vp/vp.h"
#include "core/x64.h"

struct field {
	uint32_t group;
	uint32_t name;	 /* first HvRegister */
	uint16_t offset; /* of the first value */
	uint8_t count;	 /* of consecutive names and values */
	uint8_t size;	 /* of a value */
};

#define ONE(group, register, field)                                                            \
	{                                                                                      \
		(group), HV_X64_REGISTER_##register, offsetof(struct vsm_x86_state, field), 1, \
			sizeof(((struct vsm_x86_state *)0)->field)                             \
	}
#define ARRAY(group, register, field)                                                       \
	{                                                                                   \
		(group), HV_X64_REGISTER_##register, offsetof(struct vsm_x86_state, field), \
			ARRAY_SIZE(((struct vsm_x86_state *)0)->field),                     \
			sizeof(((struct vsm_x86_state *)0)->field[0])                       \
	}

/* In the order in which they are set: the checks of RIP and RFLAGS depend on EFER. */
static const struct field fields[] = {
	ONE(VSM_X86_CONTROL, CR0, cr0),	      ONE(VSM_X86_CONTROL, CR2, cr2),
	ONE(VSM_X86_CONTROL, CR3, cr3),	      ONE(VSM_X86_CONTROL, CR4, cr4),
	ONE(VSM_X86_CONTROL, CR8, cr8),	      ONE(VSM_X86_CONTROL, XFEM, xcr0),
	ONE(VSM_X86_CONTROL, EFER, efer),     ARRAY(VSM_X86_SEGMENTS, ES, segment),
	ONE(VSM_X86_SEGMENTS, IDTR, idtr),    ONE(VSM_X86_SEGMENTS, GDTR, gdtr),
	ARRAY(VSM_X86_GENERAL, RAX, gpr),     ONE(VSM_X86_GENERAL, RIP, rip),
	ONE(VSM_X86_GENERAL, RFLAGS, rflags), ARRAY(VSM_X86_DEBUG, DR0, dr),
	ONE(VSM_X86_DEBUG, DR6, dr6),	      ONE(VSM_X86_DEBUG, DR7, dr7),
};

_Static_assert(sizeof(struct vsm_x86_segment) == sizeof(struct hv_x64_segment_register), "segment");
_Static_assert(sizeof(struct vsm_x86_table) == sizeof(struct hv_x64_table_register), "table");
_Static_assert((int)VSM_X86_TR == (int)SEGMENT_TR, "order of segments");

static const struct regs_caller host = {.host = true};

struct access {
	uint8_t vtl;
	uint32_t groups;
	struct vsm_x86_state *get;
	const struct vsm_x86_state *set;
	int error;
};

static int refused(const struct vsm_vp *vp, uint8_t vtl, const char *what, uint64_t value)
{
	return vsm_error(&vp->partition->log, EINVAL, "vp %u, vtl %u: %s %#llx is refused",
			 vp->index, vtl, what, (unsigned long long)value);
}

static int set_register(struct vsm_vp *vp, uint8_t vtl, uint32_t name,
			const union hv_register_value *value)
{
	const uint16_t status = regs_set(vp, vtl, name, &host, value);

	return status == HV_STATUS_SUCCESS ? 0
					   : refused(vp, vtl, hv_register_name(name), value->reg64);
}

/* False: an MSR of the APIC, or one with side effects or without a value (PATCH_LOADER). */
static bool is_state(uint32_t msr)
{
	static const struct {
		uint32_t first;
		uint32_t last;
	} others[] = {
		{VSM_LAPIC_MSR_X2APIC_FIRST, VSM_LAPIC_MSR_X2APIC_LAST},
		{HV_X64_MSR_RESET, HV_X64_MSR_RESET},
		{HV_X64_MSR_EOI, HV_X64_MSR_TPR},
		{HV_X64_MSR_EOM, HV_X64_MSR_EOM},
		{HV_X64_MSR_GUEST_IDLE, HV_X64_MSR_GUEST_IDLE},
		{X64_MSR_PATCH_LOADER, X64_MSR_PATCH_LOADER},
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (msr >= others[i].first && msr <= others[i].last)
			return false;
	return true;
}

static bool get_msr(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value)
{
	const unsigned int which = vcpu_msr_find(msr);

	*value = 0;
	if (!is_state(msr))
		return false;
	if (which == VCPU_MSR_COUNT || !msr_is_native(vp->partition, msr, false))
		return msr_read(vp, vtl, msr, value);
	*value = vcpu_get(vp, vtl, VCPU_MSR)->msr[which];
	return true;
}

static int set_msr(struct vsm_vp *vp, uint8_t vtl, const struct vsm_x86_msr *msr)
{
	const unsigned int which = vcpu_msr_find(msr->index);
	struct vcpu_state *cpu;
	uint64_t old;

	if (which == VCPU_MSR_COUNT || !msr_is_native(vp->partition, msr->index, true)) {
		if (is_state(msr->index) && msr_write(vp, vtl, msr->index, msr->value))
			return 0;
	} else {
		vcpu_get(vp, vtl, VCPU_SYSTEM);
		cpu = vcpu_edit(vp, vtl, VCPU_MSR);
		old = cpu->msr[which];
		cpu->msr[which] = msr->value;
		vp->unchecked |= vtl_bit(vtl);
		if (!regs_contradiction(&vp->partition->features, cpu, VCPU_MSR))
			return 0;
		cpu->msr[which] = old;
	}
	return vsm_error(&vp->partition->log, EINVAL, "vp %u, vtl %u: MSR %#x, %#llx: refused",
			 vp->index, vtl, msr->index, (unsigned long long)msr->value);
}

/* The VTLs share the XSAVE state; only the register file of the active VTL is up to date. */
static int set_xsave(struct vsm_vp *vp, const struct vsm_x86_state *from)
{
	struct vcpu_state *cpu = vcpu_edit(vp, vp->active_vtl, VCPU_FPU);
	struct vcpu_state fpu_only = {.xsave = from->xsave, .xsave_size = from->xsave_size};

	if (!from->xsave || from->xsave_size != cpu->xsave_size)
		return refused(vp, vp->active_vtl, "xsave_size", from->xsave_size);
	if (regs_contradiction(&vp->partition->features, &fpu_only, VCPU_FPU))
		return refused(vp, vp->active_vtl, "xsave: its header or MXCSR", 0);
	memcpy(cpu->xsave, from->xsave, cpu->xsave_size);
	vp->unchecked |= vtl_bit(vp->active_vtl);
	return 0;
}

static int get_xsave(struct vsm_vp *vp, struct vsm_x86_state *to)
{
	const struct vcpu_state *cpu = vcpu_get(vp, vp->active_vtl, VCPU_FPU);
	const bool fits = to->xsave && to->xsave_size >= cpu->xsave_size;

	to->xsave_size = cpu->xsave_size;
	if (!fits)
		return -ENOBUFS;
	memcpy(to->xsave, cpu->xsave, cpu->xsave_size);
	return 0;
}

static void get_events(struct vsm_vp *vp, uint8_t vtl, struct vsm_x86_events *to)
{
	const struct vcpu_events *from = &vcpu_get(vp, vtl, VCPU_EVENTS)->events;

	*to = (struct vsm_x86_events){
		.exception_pending = from->exception_pending,
		.exception_has_error_code = from->exception_has_error_code,
		.exception_vector = from->exception_vector,
		.interrupt_injected = from->interrupt_injected,
		.interrupt_soft = from->interrupt_soft,
		.interrupt_vector = from->interrupt_vector,
		.nmi_injected = from->nmi_injected,
		.nmi_masked = from->nmi_masked,
		.nmi_pending = from->nmi_pending,
		.interrupt_shadow = from->interrupt_shadow,
		.exception_error_code = from->exception_error_code,
		.exception_parameter = from->exception_parameter,
	};
}

/*
 * The exception is checked as HvRegisterPendingEvent0. The next entry checks whether the events fit
 * together.
 */
static int set_events(struct vsm_vp *vp, uint8_t vtl, const struct vsm_x86_events *from)
{
	union hv_register_value exception = {0};
	struct vcpu_events *to;
	int error;

	if (from->nmi_pending > 2)
		return refused(vp, vtl, "nmi_pending", from->nmi_pending);
	if (from->interrupt_injected && from->nmi_injected)
		return refused(vp, vtl,
			       "an injected NMI and interrupt together:", from->interrupt_vector);
	if (from->exception_pending) {
		exception.reg128.low =
			HV_PENDING_EVENT_PENDING | (uint64_t)from->exception_vector
							   << HV_PENDING_EXCEPTION_VECTOR_SHIFT;
		exception.reg128.high = from->exception_parameter;
	}
	if (from->exception_pending && from->exception_has_error_code)
		exception.reg128.low |= HV_PENDING_EXCEPTION_DELIVER_ERROR_CODE |
					(uint64_t)from->exception_error_code
						<< HV_PENDING_EXCEPTION_ERROR_CODE_SHIFT;
	error = set_register(vp, vtl, HV_REGISTER_PENDING_EVENT0, &exception);
	if (error)
		return error;
	to = &vcpu_edit(vp, vtl, VCPU_EVENTS)->events;
	to->interrupt_injected = from->interrupt_injected;
	to->interrupt_soft = from->interrupt_soft;
	to->interrupt_vector = from->interrupt_vector;
	to->nmi_injected = from->nmi_injected;
	to->nmi_masked = from->nmi_masked;
	to->nmi_pending = from->nmi_pending;
	to->interrupt_shadow = from->interrupt_shadow;
	return 0;
}

static const struct {
	enum vsm_x86_activity activity;
	uint64_t suspend;
} activities[] = {
	{VSM_X86_RUNNING, 0},
	{VSM_X86_HALTED, HV_INTERNAL_ACTIVITY_HALT_SUSPEND},
	{VSM_X86_IDLE, HV_INTERNAL_ACTIVITY_IDLE_SUSPEND},
	{VSM_X86_WAIT_FOR_SIPI, HV_INTERNAL_ACTIVITY_STARTUP_SUSPEND},
};

static int set_activity(struct vsm_vp *vp, uint8_t vtl, uint32_t activity)
{
	union hv_register_value value = {0};

	if (activity >= ARRAY_SIZE(activities))
		return refused(vp, vtl, "activity", activity);
	value.reg64 = activities[activity].suspend;
	return set_register(vp, vtl, HV_REGISTER_INTERNAL_ACTIVITY_STATE, &value);
}

static uint32_t get_activity(struct vsm_vp *vp, uint8_t vtl)
{
	union hv_register_value value = {0};

	regs_get(vp, vtl, HV_REGISTER_INTERNAL_ACTIVITY_STATE, &host, &value);
	for (size_t i = 0; i < ARRAY_SIZE(activities); i++)
		if (activities[i].suspend == value.reg64)
			return activities[i].activity;
	return VSM_X86_RUNNING;
}

static void get_field(struct vsm_vp *vp, uint8_t vtl, const struct field *field,
		      struct vsm_x86_state *state)
{
	for (unsigned int i = 0; i < field->count; i++) {
		union hv_register_value value = {0};

		regs_get(vp, vtl, field->name + i, &host, &value);
		memcpy((uint8_t *)state + field->offset + (size_t)i * field->size, &value,
		       field->size);
	}
}

static int set_field(struct vsm_vp *vp, uint8_t vtl, const struct field *field,
		     const struct vsm_x86_state *state)
{
	int error = 0;

	for (unsigned int i = 0; i < field->count && !error; i++) {
		union hv_register_value value = {0};

		memcpy(&value, (const uint8_t *)state + field->offset + (size_t)i * field->size,
		       field->size);
		error = set_register(vp, vtl, field->name + i, &value);
	}
	return error;
}

static void get_all(struct vsm_vp *vp, void *argument)
{
	struct access *access = argument;
	struct vsm_x86_state *state = access->get;

	if (access->groups & VSM_X86_XSAVE)
		access->error = get_xsave(vp, state);
	if (access->error)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (access->groups & fields[i].group)
			get_field(vp, access->vtl, &fields[i], state);
	for (uint32_t i = 0; access->groups & VSM_X86_MSRS && i < state->msr_count; i++)
		state->msr[i].exists =
			get_msr(vp, access->vtl, state->msr[i].index, &state->msr[i].value);
	if (access->groups & VSM_X86_EVENTS)
		get_events(vp, access->vtl, &state->events);
	if (access->groups & VSM_X86_ACTIVITY)
		state->activity = get_activity(vp, access->vtl);
	if (vp->unread)
		access->error =
			vsm_error(&vp->partition->log, EIO,
				  "vp %u: the backend has failed to read registers", vp->index);
}

static void set_all(struct vsm_vp *vp, void *argument)
{
	struct access *access = argument;
	const struct vsm_x86_state *state = access->set;
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fields) && !error; i++)
		if (access->groups & fields[i].group)
			error = set_field(vp, access->vtl, &fields[i], state);
	for (uint32_t i = 0; access->groups & VSM_X86_MSRS && i < state->msr_count && !error; i++)
		error = set_msr(vp, access->vtl, &state->msr[i]);
	if (!error && access->groups & VSM_X86_XSAVE)
		error = set_xsave(vp, state);
	if (!error && access->groups & VSM_X86_EVENTS)
		error = set_events(vp, access->vtl, &state->events);
	if (!error && access->groups & VSM_X86_ACTIVITY)
		error = set_activity(vp, access->vtl, state->activity);
	access->error = error;
}

static int check(const struct vsm_vp *vp, uint8_t vtl, size_t size, uint32_t groups)
{
	const struct vsm_log *log = &vp->partition->log;

	if (size != sizeof(struct vsm_x86_state))
		return vsm_error(log, EINVAL, "state.size %zu: this library has %zu", size,
				 sizeof(struct vsm_x86_state));
	if (vtl >= vp->partition->vtl_count)
		return vsm_error(log, EINVAL, "vp %u: no VTL %u", vp->index, vtl);
	if (groups & ~(uint32_t)VSM_X86_ALL)
		return vsm_error(log, EINVAL, "groups %#x: unknown", groups);
	return 0;
}

int vsm_vp_get_x86(struct vsm_vp *vp, uint8_t vtl, struct vsm_x86_state *state, uint32_t groups)
{
	struct access access = {.vtl = vtl, .groups = groups, .get = state};
	int error = check(vp, vtl, state->size, groups);

	if (error)
		return error;
	vp_query(NULL, vp, get_all, &access);
	return access.error;
}

int vsm_vp_set_x86(struct vsm_vp *vp, uint8_t vtl, const struct vsm_x86_state *state,
		   uint32_t groups)
{
	struct access access = {.vtl = vtl, .groups = groups, .set = state};
	int error = check(vp, vtl, state->size, groups);

	if (error)
		return error;
	vp_call(NULL, vp, set_all, &access);
	return access.error;
}

struct lapic_change {
	uint8_t vtl;
	const struct vsm_lapic_state *state;
	const char *refused;
};

static void set_lapic(struct vsm_vp *vp, void *argument)
{
	struct lapic_change *change = argument;

	change->refused = vsm_lapic_load(&vp->vtl[change->vtl].lapic, change->state);
	if (change->refused)
		return;
	vsm_lapic_router_update(vp->partition->router[change->vtl], vp->index);
	vp->deadline_stale = true;
}

int vsm_vp_set_lapic(struct vsm_vp *vp, uint8_t vtl, const struct vsm_lapic_state *state)
{
	struct lapic_change change = {.vtl = vtl, .state = state};

	if (vtl >= vp->partition->vtl_count)
		return vsm_error(&vp->partition->log, EINVAL, "vp %u: no VTL %u", vp->index, vtl);
	vp_call(NULL, vp, set_lapic, &change);
	return change.refused ? vsm_error(&vp->partition->log, EINVAL,
					  "vp %u, vtl %u: local APIC: %s is illegal", vp->index,
					  vtl, change.refused)
			      : 0;
}
