/* SPDX-License-Identifier: BSD-2-Clause */
#include "listener.h"

#include <string.h>

#include "unit_test.h"
#include "core/memory/overlay.h"
#include "core/vtl/vtl.h"
#include "core/x64.h"

#define VECTOR 0x50u

void listener_create(struct vsm_partition *partition, uint8_t vtl)
{
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	uint8_t caller = vp->active_vtl;
	uint64_t config = HV_VSM_PARTITION_CONFIG_ENABLE_VTL_PROTECTION |
			  HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_MASK |
			  HV_VSM_PARTITION_CONFIG_ZERO_MEMORY_ON_RESET;

	guest_enable_vtl(partition, vtl);
	while (vp->active_vtl < vtl)
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	/* So that no interrupt of SINT0 is pending when @vtl returns. */
	vcpu_edit(vp, vtl, VCPU_GPR)->rflags |= X64_RFLAGS_IF;
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SIMP,
				     (LISTENER_SIM_GPA + 0x1000u * vtl) | HV_PAGE_MSR_ENABLE),
			 GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0, VECTOR | HV_SYNIC_SINT_AUTO_EOI),
			 GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SCONTROL, HV_SYNIC_SCONTROL_ENABLE),
			 GUEST_DONE);
	assert_int_equal(vtl_set_config(partition, vtl, vtl, config), HV_STATUS_SUCCESS);
	while (vp->active_vtl > caller)
		assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
}

static struct hv_message *slot(struct vsm_vp *vp, uint8_t vtl)
{
	return (struct hv_message *)(void *)overlay_memory(vp->partition, OVERLAY_SIM, vtl,
							   vp->index);
}

bool listener_has_message(struct vsm_vp *vp, uint8_t vtl)
{
	return slot(vp, vtl)->message_type != 0;
}

struct hv_message listener_take(struct vsm_vp *vp, uint8_t vtl)
{
	struct hv_message message = *slot(vp, vtl);

	assert_int_equal(vp->active_vtl, vtl);
	assert_int_not_equal(message.message_type, 0);
	slot(vp, vtl)->message_type = 0;
	return message;
}

void listener_return(struct vsm_vp *vp)
{
	assert_int_equal(guest_vtl_return(vp, false), GUEST_DONE);
}

uint64_t payload_u64(const struct hv_message *message, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const uint8_t *)message->payload + offset, sizeof(value));
	return value;
}

uint32_t payload_u32(const struct hv_message *message, size_t offset)
{
	return (uint32_t)(payload_u64(message, offset & ~7ul) >> (offset % 8 * 8));
}

uint16_t payload_u16(const struct hv_message *message, size_t offset)
{
	return (uint16_t)(payload_u64(message, offset & ~7ul) >> (offset % 8 * 8));
}

uint8_t payload_u8(const struct hv_message *message, size_t offset)
{
	return ((const uint8_t *)message->payload)[offset];
}
