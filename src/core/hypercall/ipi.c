/* SPDX-License-Identifier: BSD-2-Clause */
/* HvCallSendSyntheticClusterIpi (0x0b), its Ex form (0x15), HvCallAssertVirtualInterrupt (0x94). */
#include "core/hypercall/hypercall.h"
#include "core/interrupt/interrupt.h"
#include "core/trace/trace.h"
#include "core/hypercall/vp_set.h"

/* The target VTL is read from the copied input, and applies in every form of the call (P18). */
static uint16_t send_to_set(struct hypercall *call, uint32_t vector, uint8_t input_vtl,
			    const struct vp_set *set)
{
	const struct vsm_partition *partition = call->vp->partition;
	uint16_t status;
	uint8_t vtl;

	if (vector < HV_IPI_VECTOR_MIN || vector > HV_IPI_VECTOR_MAX)
		return HV_STATUS_INVALID_PARAMETER;
	status = hypercall_target_vtl(call, input_vtl, &vtl);
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (!(atomic_load(&partition->enabled_vtls) & vtl_bit(vtl)))
		return HV_STATUS_INVALID_VTL_STATE;
	trace(call->vp, VSM_TRACE_IPI, vtl, vector, set->bank[0], VSM_LAPIC_FIXED);
	interrupt_post_set(call->vp, vtl, (uint8_t)vector, set->bank);
	return HV_STATUS_SUCCESS;
}

uint16_t hc_send_ipi(struct hypercall *call)
{
	const struct hv_send_synthetic_cluster_ipi_input *input = (const void *)call->input;
	struct vp_set set;

	if (input->flags || input->reserved)
		return HV_STATUS_INVALID_PARAMETER;
	vp_set_from_mask(call->vp->partition, input->processor_mask, &set);
	return send_to_set(call, input->vector, input->input_vtl, &set);
}

uint16_t hc_send_ipi_ex(struct hypercall *call)
{
	const struct hv_send_synthetic_cluster_ipi_ex_input *input = (const void *)call->input;
	struct vp_set set;
	uint16_t status;

	if (input->flags || input->reserved)
		return HV_STATUS_INVALID_PARAMETER;
	status = vp_set_parse(call, &set);
	return status == HV_STATUS_SUCCESS
		       ? send_to_set(call, input->vector, input->input_vtl, &set)
		       : status;
}

uint16_t hc_assert_virtual_interrupt(struct hypercall *call)
{
	const struct hv_assert_virtual_interrupt_input *input = (const void *)call->input;
	struct vsm_partition *partition = call->vp->partition;
	uint32_t type = (uint32_t)(input->interrupt_control & HV_INTERRUPT_CONTROL_TYPE_MASK);
	struct vsm_lapic_ipi ipi = {
		.destination = (uint32_t)input->destination_address,
		.vector = (uint8_t)input->requested_vector,
		.flags = VSM_LAPIC_IPI_WIDE,
	};

	if (hypercall_partition(input->partition_id) != HV_STATUS_SUCCESS)
		return HV_STATUS_ACCESS_DENIED;
	if (input->target_vtl >= call->vtl)
		return HV_STATUS_ACCESS_DENIED;
	if (!(atomic_load(&partition->enabled_vtls) & vtl_bit(input->target_vtl)))
		return HV_STATUS_INVALID_VTL_STATE;
	if ((input->interrupt_control & HV_INTERRUPT_CONTROL_RESERVED_MASK) || input->reserved0 ||
	    input->reserved1 || input->destination_address >> 32)
		return HV_STATUS_INVALID_PARAMETER;
	switch (type) {
	case HV_INTERRUPT_TYPE_FIXED:
		if (input->requested_vector < HV_IPI_VECTOR_MIN ||
		    input->requested_vector > HV_IPI_VECTOR_MAX)
			return HV_STATUS_INVALID_PARAMETER;
		ipi.delivery = VSM_LAPIC_FIXED;
		break;
	case HV_INTERRUPT_TYPE_NMI:
		ipi.delivery = VSM_LAPIC_NMI;
		break;
	default:
		return HV_STATUS_INVALID_PARAMETER;
	}
	if (input->interrupt_control & HV_INTERRUPT_CONTROL_LOGICAL_DESTINATION)
		ipi.flags |= VSM_LAPIC_IPI_LOGICAL;
	if (input->interrupt_control & HV_INTERRUPT_CONTROL_LEVEL_TRIGGERED)
		ipi.flags |= VSM_LAPIC_IPI_LEVEL;
	interrupt_send(partition, input->target_vtl, NULL, call->vp, &ipi);
	return HV_STATUS_SUCCESS;
}
