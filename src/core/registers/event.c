/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pending events, interruptions and the activity state of a VTL (TLFS "Virtual processor
 * registers").
 */
#include "core/registers/table.h"
#include "core/vp/vp.h"

/* Ends waits, except for a SIPI or a TLB lock. */
static void wake(struct vp_vtl *vtl)
{
	if (vtl->activity == VP_HALTED || vtl->activity == VP_IDLE ||
	    vtl->activity == VP_INTERCEPT_SUSPENDED)
		vtl->activity = VP_RUNNING;
}

uint16_t regs_get_pending_event0(const struct regs_target *target, union hv_register_value *value)
{
	const struct vcpu_events *events = &vcpu_get(target->vp, target->vtl, VCPU_EVENTS)->events;

	if (!events->exception_pending)
		return HV_STATUS_SUCCESS;
	value->reg128.low = HV_PENDING_EVENT_PENDING | (uint64_t)events->exception_vector
							       << HV_PENDING_EXCEPTION_VECTOR_SHIFT;
	if (events->exception_has_error_code)
		value->reg128.low |= HV_PENDING_EXCEPTION_DELIVER_ERROR_CODE |
				     (uint64_t)events->exception_error_code
					     << HV_PENDING_EXCEPTION_ERROR_CODE_SHIFT;
	value->reg128.high = events->exception_parameter;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_pending_event0(const struct regs_target *target,
				 const union hv_register_value *value)
{
	const uint64_t low = value->reg128.low;
	const uint64_t vector =
		(low & HV_PENDING_EXCEPTION_VECTOR_MASK) >> HV_PENDING_EXCEPTION_VECTOR_SHIFT;
	const bool with_error = low & HV_PENDING_EXCEPTION_DELIVER_ERROR_CODE;

	if (!(low & HV_PENDING_EVENT_PENDING)) {
		vcpu_edit(target->vp, target->vtl, VCPU_EVENTS)->events.exception_pending = false;
		return HV_STATUS_SUCCESS;
	}
	if ((low & HV_PENDING_EVENT_TYPE_MASK) >> HV_PENDING_EVENT_TYPE_SHIFT !=
		    HV_PENDING_EVENT_EXCEPTION ||
	    (low & (HV_PENDING_EVENT_RESERVED_MASK | HV_PENDING_EXCEPTION_RESERVED_MASK)))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	if (!regs_exception_is_legal(vector) || (with_error && !regs_exception_has_error(vector)))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	/* In real mode no exception has an error code. */
	if (!with_error && regs_exception_has_error(vector) &&
	    (vcpu_get(target->vp, target->vtl, VCPU_SYSTEM)->cr0 & X64_CR0_PE))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	/* Not merged into a double fault: writing back a pending event must not alter it (P35). */
	vp_set_exception(target->vp, target->vtl, (uint8_t)vector, with_error,
			 with_error ? (uint32_t)(low >> HV_PENDING_EXCEPTION_ERROR_CODE_SHIFT) : 0,
			 value->reg128.high);
	wake(&target->vp->vtl[target->vtl]);
	return HV_STATUS_SUCCESS;
}

/* The second half of an event: 0, as exceptions have none. */
uint16_t regs_get_pending_event1(const struct regs_target *target, union hv_register_value *value)
{
	(void)target;
	(void)value;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_pending_event1(const struct regs_target *target,
				 const union hv_register_value *value)
{
	(void)target;
	if (value->reg128.low || value->reg128.high)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	return HV_STATUS_SUCCESS;
}

/* The event whose delivery the CPU has begun. */
uint16_t regs_get_pending_interruption(const struct regs_target *target,
				       union hv_register_value *value)
{
	const struct vcpu_events *events = &vcpu_get(target->vp, target->vtl, VCPU_EVENTS)->events;
	uint64_t type;
	uint64_t vector;

	if (events->interrupt_injected) {
		type = events->interrupt_soft ? HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT
					      : HV_INTERRUPTION_TYPE_EXTERNAL_INTERRUPT;
		vector = events->interrupt_vector;
	} else if (events->nmi_injected) {
		type = HV_INTERRUPTION_TYPE_NMI;
		vector = 2;
	} else {
		return HV_STATUS_SUCCESS;
	}
	value->reg64 = HV_PENDING_INTERRUPTION_PENDING |
		       type << HV_PENDING_INTERRUPTION_TYPE_SHIFT |
		       vector << HV_PENDING_INTERRUPTION_VECTOR_SHIFT;
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_pending_interruption(const struct regs_target *target,
				       const union hv_register_value *value)
{
	const uint64_t wanted = value->reg64;
	const uint64_t vector = (wanted & HV_PENDING_INTERRUPTION_VECTOR_MASK) >>
				HV_PENDING_INTERRUPTION_VECTOR_SHIFT;
	const uint64_t type =
		(wanted & HV_PENDING_INTERRUPTION_TYPE_MASK) >> HV_PENDING_INTERRUPTION_TYPE_SHIFT;
	const bool pending = wanted & HV_PENDING_INTERRUPTION_PENDING;
	struct vcpu_events *events;

	/* Exceptions are set by PendingEvent0, which holds all of their fields. */
	if (pending && type != HV_INTERRUPTION_TYPE_EXTERNAL_INTERRUPT &&
	    type != HV_INTERRUPTION_TYPE_NMI && type != HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	if (pending && (vector > 255 || (type == HV_INTERRUPTION_TYPE_NMI && vector != 2) ||
			(type == HV_INTERRUPTION_TYPE_EXTERNAL_INTERRUPT && vector < 16) ||
			(wanted & HV_PENDING_INTERRUPTION_DELIVER_ERROR_CODE)))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	events = &vcpu_edit(target->vp, target->vtl, VCPU_EVENTS)->events;
	events->nmi_injected = pending && type == HV_INTERRUPTION_TYPE_NMI;
	events->interrupt_injected = pending && type != HV_INTERRUPTION_TYPE_NMI;
	events->interrupt_soft = pending && type == HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT;
	events->interrupt_vector = events->interrupt_injected ? (uint8_t)vector : 0;
	if (pending)
		wake(&target->vp->vtl[target->vtl]);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_get_interrupt_state(const struct regs_target *target, union hv_register_value *value)
{
	const struct vcpu_events *events = &vcpu_get(target->vp, target->vtl, VCPU_EVENTS)->events;

	value->reg64 = (events->interrupt_shadow ? HV_INTERRUPT_STATE_SHADOW : 0) |
		       (events->nmi_masked ? HV_INTERRUPT_STATE_NMI_MASKED : 0);
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_interrupt_state(const struct regs_target *target,
				  const union hv_register_value *value)
{
	struct vcpu_events *events;

	if (value->reg64 & ~(HV_INTERRUPT_STATE_SHADOW | HV_INTERRUPT_STATE_NMI_MASKED))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	events = &vcpu_edit(target->vp, target->vtl, VCPU_EVENTS)->events;
	events->interrupt_shadow = value->reg64 & HV_INTERRUPT_STATE_SHADOW;
	events->nmi_masked = value->reg64 & HV_INTERRUPT_STATE_NMI_MASKED;
	return HV_STATUS_SUCCESS;
}

/* A VTL that will repeat its instruction, for a TLB lock or another reason, counts as running. */
static const uint64_t activity_bits[] = {
	[VP_RUNNING] = 0,
	[VP_HALTED] = HV_INTERNAL_ACTIVITY_HALT_SUSPEND,
	[VP_IDLE] = HV_INTERNAL_ACTIVITY_IDLE_SUSPEND,
	[VP_WAIT_FOR_SIPI] = HV_INTERNAL_ACTIVITY_STARTUP_SUSPEND,
	[VP_TLB_LOCKED] = 0,
	[VP_INTERCEPT_SUSPENDED] = 0,
};

uint16_t regs_get_activity(const struct regs_target *target, union hv_register_value *value)
{
	value->reg64 = activity_bits[target->vp->vtl[target->vtl].activity];
	return HV_STATUS_SUCCESS;
}

uint16_t regs_set_activity(const struct regs_target *target, const union hv_register_value *value)
{
	for (unsigned int activity = VP_RUNNING; activity <= VP_WAIT_FOR_SIPI; activity++)
		if (activity_bits[activity] == value->reg64) {
			target->vp->vtl[target->vtl].activity = (enum vp_activity)activity;
			return HV_STATUS_SUCCESS;
		}
	return HV_STATUS_INVALID_REGISTER_VALUE;
}

uint16_t regs_get_emulation_hints(const struct regs_target *target, union hv_register_value *value)
{
	const struct vsm_partition *partition = target->vp->partition;

	if (atomic_load(&partition->enabled_vtls) & vtls_above(0))
		value->reg64 |= HV_EMULATION_HINT_PARTITION_SECURE_VTL_ENABLED;
	if (atomic_load(&partition->mbec_vtls))
		value->reg64 |= HV_EMULATION_HINT_MBEC_USER_EXECUTE_CONTROL;
	return HV_STATUS_SUCCESS;
}
