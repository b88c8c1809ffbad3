/* SPDX-License-Identifier: BSD-2-Clause */
/* A register write of VTL0 that keeps the watched bits set is performed for VTL0, and an access that the
 * program permits is retried; everything else is logged and raises #GP(0). */
#include "kit/secure/state.h"

#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/x64.h"

#define CANONICAL_BITS 47

/* Bits that VTL0 cannot clear once they are set. */
static const struct {
	uint32_t name, mask_name;
	uint64_t kept;
} watched[] = {
	{HV_X64_REGISTER_CR0, HV_X64_REGISTER_CR_INTERCEPT_CR0_MASK, CR0_WP},
	{HV_X64_REGISTER_CR4, HV_X64_REGISTER_CR_INTERCEPT_CR4_MASK, CR4_SMEP | CR4_SMAP},
};

#define WATCHED (sizeof(watched) / sizeof(watched[0]))

bool intercept_watch_registers(void)
{
	for (uint32_t i = 0; i < WATCHED; i++)
		if (register_set_u64(HV_VP_INDEX_SELF, 0, watched[i].mask_name, watched[i].kept) !=
		    HV_STATUS_SUCCESS)
			return false;
	return register_set_u64(HV_VP_INDEX_SELF, 0, HV_X64_REGISTER_CR_INTERCEPT_CONTROL,
				HV_CR_INTERCEPT(CR0_WRITE) | HV_CR_INTERCEPT(CR4_WRITE)) ==
	       HV_STATUS_SUCCESS;
}

static void inject_gp(void)
{
	const uint64_t event = HV_PENDING_EVENT_PENDING |
			       (uint64_t)HV_PENDING_EVENT_EXCEPTION << HV_PENDING_EVENT_TYPE_SHIFT |
			       HV_PENDING_EXCEPTION_DELIVER_ERROR_CODE |
			       (uint64_t)VECTOR_GP << HV_PENDING_EXCEPTION_VECTOR_SHIFT;

	/* The hypervisor refuses #GP while an event is pending: VTL0 takes the event, then retries. */
	register_set_u64(HV_VP_INDEX_SELF, input_vtl(0), HV_REGISTER_PENDING_EVENT0, event);
}

static bool set_vtl0(uint32_t name, uint64_t value)
{
	return register_set_u64(HV_VP_INDEX_SELF, input_vtl(0), name, value) == HV_STATUS_SUCCESS;
}

/* Performs a write that clears none of the watched bits. RIP is set first, since that can fail (the next RIP
 * may not be canonical), and #GP must leave the register unchanged. */
static bool write_register(const struct hv_x64_register_intercept_message *message)
{
	const uint64_t value = message->access_info.reg64, rip = message->header.rip;
	const uint64_t next = rip + (message->header.instruction_length_cr8 & 0xf);
	union hv_register_value now;

	for (uint32_t i = 0; i < WATCHED; i++) {
		if (watched[i].name != message->register_name)
			continue;
		if (register_get(HV_VP_INDEX_SELF, input_vtl(0), watched[i].name, &now) !=
			    HV_STATUS_SUCCESS ||
		    now.reg64 & ~value & watched[i].kept)
			return false;
		if ((rip ^ next) >> CANONICAL_BITS || !set_vtl0(HV_X64_REGISTER_RIP, next))
			return false;
		if (set_vtl0(watched[i].name, value))
			return true;
		set_vtl0(HV_X64_REGISTER_RIP, rip);
		return false;
	}
	return false;
}

void intercept_handle(struct cpu *cpu)
{
	volatile struct hv_message *slot = &cpu->messages->slot[HV_SYNIC_SINT_HYPERVISOR];
	const uint32_t type = slot->message_type;
	struct hv_message message;
	const struct hv_x64_memory_intercept_message *memory = (const void *)message.payload;
	const struct hv_x64_register_intercept_message *written = (const void *)message.payload;
	uint64_t address = 0;

	if (type == HV_MESSAGE_TYPE_NONE)
		return;
	memcpy(&message, (const void *)(uintptr_t)slot, sizeof(message));
	slot->message_type = HV_MESSAGE_TYPE_NONE;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (slot->flags & HV_MESSAGE_FLAG_PENDING)
		wrmsr(HV_X64_MSR_EOM, 0);
	if (type == HV_MESSAGE_TYPE_REGISTER_INTERCEPT && write_register(written))
		return;
	if (type == HV_MESSAGE_TYPE_GPA_INTERCEPT)
		address = memory->guest_physical_address;
	if (type == HV_MESSAGE_TYPE_REGISTER_INTERCEPT)
		address = written->access_info.reg64;
	lock_take(&secure.lock);
	if (type == HV_MESSAGE_TYPE_GPA_INTERCEPT &&
	    guest_permits(address, memory->header.access_type)) {
		lock_drop(&secure.lock);
		return;
	}
	secure.intercepts++;
	secure_log(SECURE_KERNEL_EVENT_INTERCEPT, address, memory->header.rip,
		   (uint64_t)type << 8 | memory->header.access_type);
	lock_drop(&secure.lock);
	inject_gp();
}
