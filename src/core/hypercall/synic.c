/* SPDX-License-Identifier: BSD-2-Clause */
/* HvCallPostMessage (0x5c) and HvCallSignalEvent (0x5d). */
#include "core/interrupt/connection.h"
#include "core/hypercall/hypercall.h"

uint16_t hc_post_message(struct hypercall *call)
{
	const struct hv_post_message_input *input = (const void *)call->input;

	if (input->reserved || input->message_type == HV_MESSAGE_TYPE_NONE ||
	    (input->message_type & HV_MESSAGE_TYPE_HYPERVISOR) ||
	    input->payload_size > HV_MESSAGE_PAYLOAD_MAX)
		return HV_STATUS_INVALID_PARAMETER;
	return connection_post(call->vp->partition, input->connection_id, input->message_type,
			       input->payload, input->payload_size);
}

uint16_t hc_signal_event(struct hypercall *call)
{
	const struct hv_signal_event_input *input = (const void *)call->input;

	if (input->reserved || input->flag_number >= HV_EVENT_FLAGS_COUNT)
		return HV_STATUS_INVALID_PARAMETER;
	return connection_signal(call->vp->partition, input->connection_id, input->flag_number);
}
