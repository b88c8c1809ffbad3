/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading of register files from the backend, and pending exceptions. */

#include "core/trace/trace.h"
#include "core/vp/vp.h"

void vcpu_load(struct vsm_vp *vp, uint8_t vtl, uint32_t missing)
{
	if (vp->partition->ops->vp_load(vp->backend, vtl, missing)) {
		vp->broken = true;
		vp->unread = true;
	}
	vp->cpu[vtl]->valid |= missing;
	if (missing & CORE_SELDOM)
		vp->vtl[vtl].seldom_version = 0;
}

/* The classes of SDM 3A table 6-4, which determine a double fault. */
enum exception_class {
	EXCEPTION_BENIGN,
	EXCEPTION_CONTRIBUTORY,
	EXCEPTION_PAGE_FAULT,
	EXCEPTION_DOUBLE_FAULT,
};

static enum exception_class exception_class(uint8_t vector)
{
	switch (vector) {
	case 0:
	case 10:
	case 11:
	case 12:
	case 13:
	case 21:
		return EXCEPTION_CONTRIBUTORY;
	case 14:
		return EXCEPTION_PAGE_FAULT;
	case 8:
		return EXCEPTION_DOUBLE_FAULT;
	default:
		return EXCEPTION_BENIGN;
	}
}

void vp_inject_exception(struct vsm_vp *vp, uint8_t vtl, uint8_t vector, bool has_error_code,
			 uint32_t error_code, uint64_t parameter)
{
	struct vcpu_events *events = &vcpu_edit(vp, vtl, VCPU_EVENTS)->events;

	if (events->exception_pending) {
		enum exception_class first = exception_class(events->exception_vector);
		enum exception_class second = exception_class(vector);

		if (first == EXCEPTION_DOUBLE_FAULT && second != EXCEPTION_BENIGN) {
			/* SDM 3A 6.15: a fault during the delivery of a double fault. */
			events->exception_pending = false;
			vp->vtl[vtl].triple_fault = true;
			return;
		}
		if ((first == EXCEPTION_CONTRIBUTORY && second == EXCEPTION_CONTRIBUTORY) ||
		    (first == EXCEPTION_PAGE_FAULT && second != EXCEPTION_BENIGN)) {
			vector = 8;
			has_error_code = true;
			error_code = 0;
			parameter = 0;
		}
	}
	vp_set_exception(vp, vtl, vector, has_error_code, error_code, parameter);
}

void vp_set_exception(struct vsm_vp *vp, uint8_t vtl, uint8_t vector, bool has_error_code,
		      uint32_t error_code, uint64_t parameter)
{
	struct vcpu_events *events = &vcpu_edit(vp, vtl, VCPU_EVENTS)->events;

	vp->vtl[vtl].exception = vector;
	events->exception_pending = true;
	events->exception_vector = vector;
	events->exception_has_error_code = has_error_code;
	events->exception_error_code = error_code;
	events->exception_parameter = parameter;
	trace_about(vp, vtl, VSM_TRACE_EXCEPTION, vtl, vector, has_error_code ? error_code : 0,
		    parameter);
}
