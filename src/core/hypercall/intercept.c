/* SPDX-License-Identifier: BSD-2-Clause */
/* HvCallInstallIntercept (0x4d) and HvCallCheckForIoIntercept (0xad). */
#include <string.h>

#include "core/hypercall/hypercall.h"
#include "core/intercept/intercept.h"

uint16_t hc_install_intercept(struct hypercall *call)
{
	struct hv_install_intercept_input input;
	uint16_t status;

	memcpy(&input, call->input, sizeof(input));
	/* No VTL is below VTL0 (ACCESS_DENIED has precedence over other errors). */
	if (call->vtl == 0)
		return HV_STATUS_ACCESS_DENIED;
	status = hypercall_partition(input.partition_id);
	if (status != HV_STATUS_SUCCESS)
		return status;
	return intercept_install(call->vp->partition, call->vtl, input.intercept_type,
				 input.access_type_mask, input.intercept_parameters);
}

uint16_t hc_check_for_io_intercept(struct hypercall *call)
{
	struct hv_check_for_io_intercept_input input;
	struct hv_check_for_io_intercept_output output = {0};
	struct vsm_vp *vp;
	uint8_t target;
	uint16_t status;

	memcpy(&input, call->input, sizeof(input));
	status = hypercall_find_vp(call, input.partition_id, input.vp_index, &vp);
	if (status != HV_STATUS_SUCCESS)
		return status;
	status = hypercall_target_vtl(call, input.input_vtl, &target);
	if (status != HV_STATUS_SUCCESS)
		return status;
	if ((input.access_size != 1 && input.access_size != 2 && input.access_size != 4) ||
	    input.is_write > 1)
		return HV_STATUS_INVALID_PARAMETER;
	output.intercept = intercept_io_owner(call->vp->partition, target, input.port,
					      input.access_size, input.is_write) != 0;
	memcpy(call->output, &output, sizeof(output));
	return HV_STATUS_SUCCESS;
}
