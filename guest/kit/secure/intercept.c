/* SPDX-License-Identifier: BSD-2-Clause */
/* Intercepts of VTL0's accesses: logged, and answered with #GP(0) at the instruction. */
#include "kit/secure/state.h"

#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/x64.h"

static void inject_gp(void)
{
	const uint64_t event = HV_PENDING_EVENT_PENDING |
			       (uint64_t)HV_PENDING_EVENT_EXCEPTION << HV_PENDING_EVENT_TYPE_SHIFT |
			       HV_PENDING_EXCEPTION_DELIVER_ERROR_CODE |
			       (uint64_t)VECTOR_GP << HV_PENDING_EXCEPTION_VECTOR_SHIFT;

	/* Refused while an event is pending: VTL0 takes that event and retries the access. */
	register_set_u64(HV_VP_INDEX_SELF, input_vtl(0), HV_REGISTER_PENDING_EVENT0, event);
}

void intercept_take(struct cpu *cpu)
{
	volatile struct hv_message *slot = &cpu->messages->slot[HV_SYNIC_SINT_HYPERVISOR];
	const uint32_t type = slot->message_type;
	struct hv_message message;
	const struct hv_x64_memory_intercept_message *memory = (const void *)message.payload;
	uint64_t address = 0;

	if (type == HV_MESSAGE_TYPE_NONE)
		return;
	memcpy(&message, (const void *)(uintptr_t)slot, sizeof(message));
	slot->message_type = HV_MESSAGE_TYPE_NONE;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (slot->flags & HV_MESSAGE_FLAG_PENDING)
		wrmsr(HV_X64_MSR_EOM, 0);
	if (type == HV_MESSAGE_TYPE_GPA_INTERCEPT)
		address = memory->guest_physical_address;
	lock_take(&secure.lock);
	secure.intercepts++;
	secure_log(SECURE_KERNEL_EVENT_INTERCEPT, address, memory->header.rip,
		   (uint64_t)type << 8 | memory->header.access_type);
	lock_drop(&secure.lock);
	inject_gp();
}
