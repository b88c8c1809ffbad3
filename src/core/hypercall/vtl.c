/* SPDX-License-Identifier: BSD-2-Clause */
/* HvCallEnablePartitionVtl (0x0d) and HvCallEnableVpVtl (0x0f). */

#include "core/hypercall/hypercall.h"
#include "core/vp/cpu_registers.h"
#include "core/vp/vp.h"
#include "core/vtl/vtl.h"

uint16_t hc_enable_partition_vtl(struct hypercall *call)
{
	const struct hv_enable_partition_vtl_input *input = (const void *)call->input;
	const uint16_t status = hypercall_partition(input->partition_id);

	if (status != HV_STATUS_SUCCESS)
		return status;
	for (size_t i = 0; i < sizeof(input->reserved); i++)
		if (input->reserved[i])
			return HV_STATUS_INVALID_PARAMETER;
	return vtl_enable_partition(call->vp->partition, call->vtl, input->target_vtl,
				    input->flags);
}

struct enable_request {
	const struct hypercall *call;
	const struct hv_initial_vp_context *context;
	uint8_t target;
	uint16_t status;
};

static void enable(struct vsm_vp *vp, void *argument)
{
	struct enable_request *request = argument;

	request->status = vtl_enable_vp(request->call->vp, request->call->vtl, vp, request->target,
					request->context);
}

uint16_t hc_enable_vp_vtl(struct hypercall *call)
{
	const struct hv_enable_vp_vtl_input *input = (const void *)call->input;
	struct enable_request request = {
		.call = call, .context = &input->context, .target = input->target_vtl};
	struct vsm_vp *vp;
	uint16_t status;

	status = hypercall_find_vp(call, input->partition_id, input->vp_index, &vp);
	if (status != HV_STATUS_SUCCESS)
		return status;
	status = vtl_may_enable_vp(call->vp, call->vtl, vp, request.target);
	if (status != HV_STATUS_SUCCESS)
		return status;
	status = regs_check_context(vp->partition, request.target, request.context);
	if (status != HV_STATUS_SUCCESS)
		return status;
	/* Runs on the thread that owns the target VP, which may be running (P01). */
	if (!vp_call(call->vp, vp, enable, &request))
		return HYPERCALL_RETRY;
	return request.status;
}
