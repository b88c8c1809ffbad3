/* SPDX-License-Identifier: BSD-2-Clause */
/* HvCallGetVpRegisters and HvCallSetVpRegisters (TLFS "Virtual processor registers"). */
#include <string.h>

#include "core/hypercall/hypercall.h"
#include "core/memory/turn.h"
#include "core/registers/regs.h"
#include "core/vp/vp.h"

/* The elements of one call, processed together by the thread that owns the VP. */
struct batch {
	struct hypercall *call;
	struct regs_caller caller;
	uint8_t vtl;
	uint16_t status;
	uint64_t retry_at; /* TSC of the next try of memory_turn_begin(), or 0 */
};

typedef uint16_t element_fn(struct vsm_vp *vp, struct batch *batch, uint16_t index);

static uint16_t get_element(struct vsm_vp *vp, struct batch *batch, uint16_t index)
{
	const struct hypercall *call = batch->call;
	union hv_register_value value;
	uint16_t status;
	uint32_t name;

	memcpy(&name, call->element + index * sizeof(name), sizeof(name));
	status = regs_get(vp, batch->vtl, name, &batch->caller, &value);
	if (status == HV_STATUS_SUCCESS)
		memcpy(call->output + index * sizeof(value), &value, sizeof(value));
	return status;
}

/* Registers whose write maps overlays, changes their contents or sets the default protection. */
static bool changes_memory(uint32_t name)
{
	switch (name) {
	case HV_X64_REGISTER_TSC:
	case HV_X64_REGISTER_TSC_ADJUST:
	case HV_REGISTER_GUEST_OS_ID:
	case HV_X64_REGISTER_HYPERCALL:
	case HV_REGISTER_REFERENCE_TSC:
	case HV_REGISTER_VP_ASSIST_PAGE:
	case HV_REGISTER_SIFP:
	case HV_REGISTER_SIPP:
	case HV_REGISTER_VSM_PARTITION_CONFIG:
		return true;
	default:
		return false;
	}
}

static uint16_t set_element(struct vsm_vp *vp, struct batch *batch, uint16_t index)
{
	const struct hypercall *call = batch->call;
	struct hv_register_assoc assoc;
	struct memory_turn turn = {0};
	uint16_t status;

	memcpy(&assoc, call->element + index * sizeof(assoc), sizeof(assoc));
	if (changes_memory(assoc.name) &&
	    !memory_turn_begin(vp->partition, batch->caller.vtl, &turn)) {
		batch->retry_at = turn.retry_at;
		return HYPERCALL_CONTINUE;
	}
	status = regs_set(vp, batch->vtl, assoc.name, &batch->caller, &assoc.value);
	memory_turn_end(vp->partition, &turn);
	return status;
}

/* Up to the first failure or the end of the time slice. */
static void run_batch(struct vsm_vp *vp, struct batch *batch, element_fn *element)
{
	struct hypercall *call = batch->call;

	hypercall_begin_slice(call);
	while (call->rep_done < call->rep_count) {
		if (hypercall_time_is_up(call)) {
			batch->status = HYPERCALL_CONTINUE;
			return;
		}
		batch->status = element(vp, batch, call->rep_done);
		if (vp->unread)
			batch->status = HV_STATUS_OPERATION_FAILED;
		if (batch->status != HV_STATUS_SUCCESS)
			return;
		call->rep_done++;
	}
}

static void get_batch(struct vsm_vp *vp, void *argument)
{
	run_batch(vp, argument, get_element);
}

static void set_batch(struct vsm_vp *vp, void *argument)
{
	run_batch(vp, argument, set_element);
}

/* vp_query() or vp_call(). */
typedef bool request_call_fn(struct vsm_vp *self, struct vsm_vp *vp, vp_request_fn *function,
			     void *argument);

static uint16_t registers_call(struct hypercall *call, request_call_fn *send,
			       vp_request_fn *function)
{
	struct hv_vp_registers_input input;
	struct batch batch = {.call = call};
	struct vsm_vp *vp;
	uint16_t status;

	memcpy(&input, call->input, sizeof(input));
	status = hypercall_target_vtl(call, input.input_vtl, &batch.vtl);
	if (status != HV_STATUS_SUCCESS)
		return status;
	status = hypercall_find_vp(call, input.partition_id, input.vp_index, &vp);
	if (status != HV_STATUS_SUCCESS)
		return status;
	batch.caller = (struct regs_caller){.vtl = call->vtl, .same_vp = vp == call->vp};
	if (!send(call->vp, vp, function, &batch))
		return HYPERCALL_RETRY;
	if (batch.retry_at)
		vp_retry(call->vp, batch.retry_at);
	return batch.status;
}

uint16_t hc_get_vp_registers(struct hypercall *call)
{
	return registers_call(call, vp_query, get_batch);
}

uint16_t hc_set_vp_registers(struct hypercall *call)
{
	return registers_call(call, vp_call, set_batch);
}
