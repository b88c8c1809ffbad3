/* SPDX-License-Identifier: BSD-2-Clause */
/* HvCallStartVirtualProcessor (0x99) and HvCallGetVpIndexFromApicId (0x9a). */
#include <string.h>

#include "core/hypercall/hypercall.h"
#include "core/vp/cpu_registers.h"
#include "core/interrupt/start_rules.h"
#include "core/vtl/start_vp.h"
#include "core/vp/vp.h"

struct start_request {
	const struct hypercall *call;
	const struct hv_initial_vp_context *context;
	uint8_t vtl;
	uint16_t status;
};

static void start(struct vsm_vp *vp, void *argument)
{
	struct start_request *request = argument;

	/* Checked again: a higher VTL may have denied startup since the request was made (P04). */
	request->status = HV_STATUS_ACCESS_DENIED;
	if (!startvp_allowed(request->call->vp, request->call->vtl))
		return;
	/* As with INIT, VTL0 cannot interrupt System Management Mode. The caller tries again. */
	request->status = HV_STATUS_INVALID_VP_STATE;
	if (request->call->vtl == 0 && vp_in_smm(vp))
		return;
	startvp_start(vp, request->vtl, request->context);
	request->status = HV_STATUS_SUCCESS;
}

uint16_t hc_start_virtual_processor(struct hypercall *call)
{
	/* HvCallEnableVpVtl and HvCallStartVirtualProcessor have the same input layout. */
	const struct hv_enable_vp_vtl_input *input = (const void *)call->input;
	struct start_request request = {
		.call = call, .context = &input->context, .vtl = input->target_vtl};
	struct vsm_partition *partition = call->vp->partition;
	struct vsm_vp *vp;
	uint16_t status = hypercall_partition(input->partition_id);

	if (status != HV_STATUS_SUCCESS)
		return status;
	if (!startvp_allowed(call->vp, call->vtl))
		return HV_STATUS_ACCESS_DENIED;
	vp = hypercall_vp(call, input->vp_index);
	if (!vp || vp == call->vp)
		return HV_STATUS_INVALID_VP_INDEX;
	if (request.vtl > call->vtl)
		return HV_STATUS_ACCESS_DENIED;
	if (!(atomic_load(&vp->enabled_vtls) & vtl_bit(request.vtl)))
		return HV_STATUS_INVALID_VP_STATE;
	status = regs_check_context(partition, request.vtl, request.context);
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (!vp_call(call->vp, vp, start, &request))
		return HYPERCALL_RETRY;
	return request.status;
}

uint16_t hc_get_vp_index_from_apic_id(struct hypercall *call)
{
	const struct hv_get_vp_index_from_apic_id_input *input = (const void *)call->input;
	const struct vsm_partition *partition = call->vp->partition;
	const uint16_t status = hypercall_partition(input->partition_id);

	if (status != HV_STATUS_SUCCESS)
		return status;
	if (input->target_vtl > call->vtl)
		return HV_STATUS_ACCESS_DENIED;
	if (!(atomic_load(&partition->enabled_vtls) & vtl_bit(input->target_vtl)))
		return HV_STATUS_INVALID_VTL_STATE;
	while (call->rep_done < call->rep_count) {
		uint32_t apic_id, index;
		int found;

		memcpy(&apic_id, call->element + sizeof(apic_id) * call->rep_done, sizeof(apic_id));
		found = vsm_lapic_router_find(partition->router[0], apic_id);
		if (found < 0)
			return HV_STATUS_INVALID_PARAMETER;
		index = (uint32_t)found;
		memcpy(call->output + sizeof(index) * call->rep_done, &index, sizeof(index));
		call->rep_done++;
		if (call->rep_done < call->rep_count && hypercall_time_is_up(call))
			return HYPERCALL_CONTINUE;
	}
	return HV_STATUS_SUCCESS;
}
