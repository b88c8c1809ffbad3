/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events that wait for a VP, and its state of activity: the values of the registers
 * ExplicitSuspend, InterceptSuspend, InternalActivityState, InstructionEmulationHints,
 * PendingInterruption, InterruptState, PendingEvent0/1 and DeliverabilityNotifications.
 *
 * TLFS: Virtual Processors, Pending Event registers.
 */
#ifndef VSM_HV_PENDING_EVENT_H
#define VSM_HV_PENDING_EVENT_H

#include <vsm/hv/base.h>

/* ExplicitSuspend, InterceptSuspend, DispatchSuspend */
#define HV_SUSPEND_SUSPENDED		HV_BIT64(0)
#define HV_INTERCEPT_SUSPEND_TLB_LOCKED HV_BIT64(1)

#define HV_INTERNAL_ACTIVITY_STARTUP_SUSPEND HV_BIT64(0) /* waits for a SIPI */
#define HV_INTERNAL_ACTIVITY_HALT_SUSPEND    HV_BIT64(1) /* HLT */
#define HV_INTERNAL_ACTIVITY_IDLE_SUSPEND    HV_BIT64(2) /* guest idle MSR */

#define HV_EMULATION_HINT_PARTITION_SECURE_VTL_ENABLED HV_BIT64(0)
#define HV_EMULATION_HINT_MBEC_USER_EXECUTE_CONTROL    HV_BIT64(1)

#define HV_PENDING_INTERRUPTION_PENDING			 HV_BIT64(0)
#define HV_PENDING_INTERRUPTION_TYPE_SHIFT		 1
#define HV_PENDING_INTERRUPTION_TYPE_MASK		 UINT64_C(0x000000000000000e)
#define HV_PENDING_INTERRUPTION_DELIVER_ERROR_CODE	 HV_BIT64(4)
#define HV_PENDING_INTERRUPTION_INSTRUCTION_LENGTH_SHIFT 5
#define HV_PENDING_INTERRUPTION_INSTRUCTION_LENGTH_MASK	 UINT64_C(0x00000000000001e0)
#define HV_PENDING_INTERRUPTION_NESTED_EVENT		 HV_BIT64(9)
#define HV_PENDING_INTERRUPTION_VECTOR_SHIFT		 16
#define HV_PENDING_INTERRUPTION_VECTOR_MASK		 UINT64_C(0x00000000ffff0000)
#define HV_PENDING_INTERRUPTION_ERROR_CODE_SHIFT	 32
#define HV_PENDING_INTERRUPTION_ERROR_CODE_MASK		 UINT64_C(0xffffffff00000000)

enum hv_interruption_type {
	HV_INTERRUPTION_TYPE_EXTERNAL_INTERRUPT = 0,
	HV_INTERRUPTION_TYPE_NMI = 2,
	HV_INTERRUPTION_TYPE_HARDWARE_EXCEPTION = 3,
	HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT = 4,
	HV_INTERRUPTION_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION = 5, /* INT1 */
	HV_INTERRUPTION_TYPE_SOFTWARE_EXCEPTION = 6,		/* INT3, INTO */
};

#define HV_INTERRUPT_STATE_SHADOW     HV_BIT64(0)
#define HV_INTERRUPT_STATE_NMI_MASKED HV_BIT64(1)

/*
 * PendingEvent0 (the first 16 bytes) and PendingEvent1 (the other 16). The low qword of
 * PendingEvent0 begins with the same fields for every type of event.
 */
#define HV_PENDING_EVENT_PENDING       HV_BIT64(0)
#define HV_PENDING_EVENT_TYPE_SHIFT    1
#define HV_PENDING_EVENT_TYPE_MASK     UINT64_C(0x000000000000000e)
#define HV_PENDING_EVENT_RESERVED_MASK UINT64_C(0x00000000000000f0)

enum hv_pending_event_type {
	HV_PENDING_EVENT_EXCEPTION = 0,
	HV_PENDING_EVENT_MEMORY_INTERCEPT = 1,
	HV_PENDING_EVENT_NESTED_MEMORY_INTERCEPT = 2,
	HV_PENDING_EVENT_VIRTUALIZATION_FAULT = 3,
	HV_PENDING_EVENT_HYPERCALL_OUTPUT = 4,
	HV_PENDING_EVENT_EXT_INT = 5,
	HV_PENDING_EVENT_SHADOW_IPT = 6,
};

/* Low qword of an exception; the high qword is its parameter (CR2 of #PF, bits of DR6 of #DB). */
#define HV_PENDING_EXCEPTION_DELIVER_ERROR_CODE HV_BIT64(8)
#define HV_PENDING_EXCEPTION_RESERVED_MASK	UINT64_C(0x000000000000fe00)
#define HV_PENDING_EXCEPTION_VECTOR_SHIFT	16
#define HV_PENDING_EXCEPTION_VECTOR_MASK	UINT64_C(0x00000000ffff0000)
#define HV_PENDING_EXCEPTION_ERROR_CODE_SHIFT	32
#define HV_PENDING_EXCEPTION_ERROR_CODE_MASK	UINT64_C(0xffffffff00000000)

/* A memory intercept: all 32 bytes. */
struct hv_pending_memory_intercept {
	uint8_t event; /* HV_PENDING_EVENT_... */
	uint8_t target_vtl;
	uint8_t access_type; /* enum hv_intercept_access_type */
	uint8_t flags;
	uint32_t reserved0;
	uint64_t guest_linear_address;
	uint64_t guest_physical_address;
	uint64_t reserved1;
};

HV_ASSERT_SIZE(struct hv_pending_memory_intercept, 32);
HV_ASSERT_OFFSET(struct hv_pending_memory_intercept, event, 0);
HV_ASSERT_OFFSET(struct hv_pending_memory_intercept, target_vtl, 1);
HV_ASSERT_OFFSET(struct hv_pending_memory_intercept, access_type, 2);
HV_ASSERT_OFFSET(struct hv_pending_memory_intercept, flags, 3);
HV_ASSERT_OFFSET(struct hv_pending_memory_intercept, reserved0, 4);
HV_ASSERT_OFFSET(struct hv_pending_memory_intercept, guest_linear_address, 8);
HV_ASSERT_OFFSET(struct hv_pending_memory_intercept, guest_physical_address, 16);
HV_ASSERT_OFFSET(struct hv_pending_memory_intercept, reserved1, 24);

#define HV_PENDING_MEMORY_INTERCEPT_GLA_VALID	 0x01
#define HV_PENDING_MEMORY_INTERCEPT_FINAL_ACCESS 0x02 /* not one of the page walk */

/* Low qword of a virtualization fault; the high qword is parameter 1. */
#define HV_PENDING_VIRTUALIZATION_FAULT_PARAMETER0_SHIFT 16
#define HV_PENDING_VIRTUALIZATION_FAULT_CODE_SHIFT	 32

/* Low qword of a hypercall output; the high qword is its GPA. */
#define HV_PENDING_HYPERCALL_OUTPUT_RETIRED    HV_BIT64(8)
#define HV_PENDING_HYPERCALL_OUTPUT_SIZE_SHIFT 32

/* Low qword of an external interrupt. */
#define HV_PENDING_EXT_INT_VECTOR_SHIFT 8
#define HV_PENDING_EXT_INT_VECTOR_MASK	UINT64_C(0x000000000000ff00)

#define HV_DELIVERABILITY_NMI			   HV_BIT64(0)
#define HV_DELIVERABILITY_INTERRUPT		   HV_BIT64(1)
#define HV_DELIVERABILITY_INTERRUPT_PRIORITY_SHIFT 2
#define HV_DELIVERABILITY_INTERRUPT_PRIORITY_MASK  UINT64_C(0x000000000000003c)
#define HV_DELIVERABILITY_SINT_SHIFT		   48
#define HV_DELIVERABILITY_SINT_MASK		   UINT64_C(0xffff000000000000)

#endif
