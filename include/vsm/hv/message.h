/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SynIC messages, and the calls that post one or signal an event.
 *
 * Type 0x80010006 is RegisterIntercept, which a higher VTL receives; some headers also give that
 * number to IommuPrq. The order of the header's fields is that of the TLFS's structure, not of its
 * table.
 */
#ifndef VSM_HV_MESSAGE_H
#define VSM_HV_MESSAGE_H

#include <vsm/hv/base.h>

/* clang-format off */

/* X(constant, number, name in the TLFS). */
#define HV_MESSAGE_TYPE_LIST(X) \
	X(HV_MESSAGE_TYPE_NONE,                          0x00000000, HvMessageTypeNone) \
	X(HV_MESSAGE_TYPE_UNMAPPED_GPA,                  0x80000000, HvMessageTypeUnmappedGpa) \
	X(HV_MESSAGE_TYPE_GPA_INTERCEPT,                 0x80000001, HvMessageTypeGpaIntercept) \
	X(HV_MESSAGE_TYPE_UNACCEPTED_GPA,                0x80000003, HvMessageTypeUnacceptedGpa) \
	X(HV_MESSAGE_TYPE_GPA_ATTRIBUTE_INTERCEPT,       0x80000004, HvMessageTypeGpaAttributeIntercept) \
	X(HV_MESSAGE_TYPE_ENABLE_PARTITION_VTL_INTERCEPT, 0x80000005, HvMessageTypeEnablePartitionVtlIntercept) \
	X(HV_MESSAGE_TYPE_TIMER_EXPIRED,                 0x80000010, HvMessageTypeTimerExpired) \
	X(HV_MESSAGE_TYPE_INVALID_VP_REGISTER_VALUE,     0x80000020, HvMessageTypeInvalidVpRegisterValue) \
	X(HV_MESSAGE_TYPE_UNRECOVERABLE_EXCEPTION,       0x80000021, HvMessageTypeUnrecoverableException) \
	X(HV_MESSAGE_TYPE_UNSUPPORTED_FEATURE,           0x80000022, HvMessageTypeUnsupportedFeature) \
	X(HV_MESSAGE_TYPE_TLB_PAGE_SIZE_MISMATCH,        0x80000023, HvMessageTypeTlbPageSizeMismatch) \
	X(HV_MESSAGE_TYPE_IOMMU_FAULT,                   0x80000024, HvMessageTypeIommuFault) \
	X(HV_MESSAGE_TYPE_OPAQUE_INTERCEPT,              0x8000003f, HvMessageTypeOpaqueIntercept) \
	X(HV_MESSAGE_TYPE_EVENT_LOG_BUFFER_COMPLETE,     0x80000040, HvMessageTypeEventLogBufferComplete) \
	X(HV_MESSAGE_TYPE_HYPERCALL_INTERCEPT,           0x80000050, HvMessageTypeHypercallIntercept) \
	X(HV_MESSAGE_TYPE_SYNIC_EVENT_INTERCEPT,         0x80000060, HvMessageTypeSynicEventIntercept) \
	X(HV_MESSAGE_TYPE_SYNIC_SINT_INTERCEPT,          0x80000061, HvMessageTypeSynicSintIntercept) \
	X(HV_MESSAGE_TYPE_SYNIC_SINT_DELIVERABLE,        0x80000062, HvMessageTypeSynicSintDeliverable) \
	X(HV_MESSAGE_TYPE_ASYNC_CALL_COMPLETION,         0x80000070, HvMessageTypeAsyncCallCompletion) \
	X(HV_MESSAGE_TYPE_INSUFFICIENT_MEMORY,           0x80000071, HvMessageTypeInsufficientMemory) \
	X(HV_MESSAGE_TYPE_SCHEDULER_VP_SIGNAL_BITSET,    0x80000100, HvMessageTypeSchedulerVpSignalBitset) \
	X(HV_MESSAGE_TYPE_SCHEDULER_VP_SIGNAL_PAIR,      0x80000101, HvMessageTypeSchedulerVpSignalPair) \
	X(HV_MESSAGE_TYPE_X64_IO_PORT_INTERCEPT,         0x80010000, HvMessageTypeX64IoPortIntercept) \
	X(HV_MESSAGE_TYPE_X64_MSR_INTERCEPT,             0x80010001, HvMessageTypeX64MsrIntercept) \
	X(HV_MESSAGE_TYPE_X64_CPUID_INTERCEPT,           0x80010002, HvMessageTypeX64CpuidIntercept) \
	X(HV_MESSAGE_TYPE_X64_EXCEPTION_INTERCEPT,       0x80010003, HvMessageTypeX64ExceptionIntercept) \
	X(HV_MESSAGE_TYPE_X64_APIC_EOI,                  0x80010004, HvMessageTypeX64ApicEoi) \
	X(HV_MESSAGE_TYPE_X64_LEGACY_FP_ERROR,           0x80010005, HvMessageTypeX64LegacyFpError) \
	X(HV_MESSAGE_TYPE_REGISTER_INTERCEPT,            0x80010006, HvMessageTypeRegisterIntercept) \
	X(HV_MESSAGE_TYPE_X64_HALT,                      0x80010007, HvMessageTypeX64Halt) \
	X(HV_MESSAGE_TYPE_X64_INTERRUPTION_DELIVERABLE,  0x80010008, HvMessageTypeX64InterruptionDeliverable) \
	X(HV_MESSAGE_TYPE_X64_SIPI_INTERCEPT,            0x80010009, HvMessageTypeX64SipiIntercept) \
	X(HV_MESSAGE_TYPE_X64_RDTSC_INTERCEPT,           0x8001000a, HvMessageTypeX64RdtscIntercept) \
	X(HV_MESSAGE_TYPE_X64_APIC_SMI,                  0x8001000b, HvMessageTypeX64ApicSmi) \
	X(HV_MESSAGE_TYPE_X64_APIC_INIT_SIPI,            0x8001000d, HvMessageTypeX64ApicInitSipi) \
	X(HV_MESSAGE_TYPE_X64_APIC_WRITE,                0x8001000e, HvMessageTypeX64ApicWrite) \
	X(HV_MESSAGE_TYPE_X64_PROXY_INTERRUPT_INTERCEPT, 0x8001000f, HvMessageTypeX64ProxyInterruptIntercept) \
	X(HV_MESSAGE_TYPE_X64_SNP_GUEST_REQUEST,         0x80010011, HvMessageTypeX64SnpGuestRequest) \
	X(HV_MESSAGE_TYPE_X64_EXCEPTION_TRAP,            0x80010012, HvMessageTypeX64ExceptionTrap) \
	X(HV_MESSAGE_TYPE_X64_SEV_VMGEXIT,               0x80010013, HvMessageTypeX64SevVmgexit) \
	X(HV_MESSAGE_TYPE_X64_MSR_LIST_INTERCEPT,        0x80010015, HvMessageTypeX64MsrListIntercept)

/* The values are beyond int: an enumeration of them is standard C++, and C only from C23 on. */
#define HV_MESSAGE_TYPE_ENUM_(constant, number, name) constant = (number),
__extension__ enum hv_message_type { HV_MESSAGE_TYPE_LIST(HV_MESSAGE_TYPE_ENUM_) };
#undef HV_MESSAGE_TYPE_ENUM_

/* clang-format on */

/* Set in every type that only the hypervisor sends; a guest may not post such a type. */
#define HV_MESSAGE_TYPE_HYPERVISOR UINT32_C(0x80000000)

#define HV_MESSAGE_SIZE	       256
#define HV_MESSAGE_PAYLOAD_MAX 240

/* One slot of the SIM page. */
struct hv_message {
	uint32_t message_type; /* 0: the slot is free */
	uint8_t payload_size;  /* 0..240 */
	uint8_t flags;
	uint16_t reserved;
	uint64_t sender; /* partition (intercepts), port (messages of guests), 0 (timers) */
	uint64_t payload[30];
};

HV_ASSERT_SIZE(struct hv_message, 256);
HV_ASSERT_OFFSET(struct hv_message, message_type, 0);
HV_ASSERT_OFFSET(struct hv_message, payload_size, 4);
HV_ASSERT_OFFSET(struct hv_message, flags, 5);
HV_ASSERT_OFFSET(struct hv_message, reserved, 6);
HV_ASSERT_OFFSET(struct hv_message, sender, 8);
HV_ASSERT_OFFSET(struct hv_message, payload, 16);

#define HV_MESSAGE_FLAG_PENDING 0x01

/* Times are in units of 100 ns of the reference time. */
struct hv_timer_message_payload {
	uint32_t timer_index;
	uint32_t reserved;
	uint64_t expiration_time;
	uint64_t delivery_time;
};

HV_ASSERT_SIZE(struct hv_timer_message_payload, 24);
HV_ASSERT_OFFSET(struct hv_timer_message_payload, timer_index, 0);
HV_ASSERT_OFFSET(struct hv_timer_message_payload, reserved, 4);
HV_ASSERT_OFFSET(struct hv_timer_message_payload, expiration_time, 8);
HV_ASSERT_OFFSET(struct hv_timer_message_payload, delivery_time, 16);

struct hv_post_message_input {
	uint32_t connection_id;
	uint32_t reserved;
	uint32_t message_type; /* not 0, without HV_MESSAGE_TYPE_HYPERVISOR */
	uint32_t payload_size; /* at most 240 */
	uint64_t payload[30];
};

HV_ASSERT_SIZE(struct hv_post_message_input, 256);
HV_ASSERT_OFFSET(struct hv_post_message_input, connection_id, 0);
HV_ASSERT_OFFSET(struct hv_post_message_input, reserved, 4);
HV_ASSERT_OFFSET(struct hv_post_message_input, message_type, 8);
HV_ASSERT_OFFSET(struct hv_post_message_input, payload_size, 12);
HV_ASSERT_OFFSET(struct hv_post_message_input, payload, 16);

struct hv_signal_event_input {
	uint32_t connection_id; /* 24 bits */
	uint16_t flag_number;
	uint16_t reserved;
};

HV_ASSERT_SIZE(struct hv_signal_event_input, 8);
HV_ASSERT_OFFSET(struct hv_signal_event_input, connection_id, 0);
HV_ASSERT_OFFSET(struct hv_signal_event_input, flag_number, 4);
HV_ASSERT_OFFSET(struct hv_signal_event_input, reserved, 6);

#define HV_CONNECTION_ID_MASK UINT32_C(0x00ffffff)

struct hv_signal_event_direct_input {
	uint64_t partition_id;
	uint32_t vp_index;
	uint8_t target_vtl; /* HV_VTL */
	uint8_t sint;
	uint16_t flag_number;
};

HV_ASSERT_SIZE(struct hv_signal_event_direct_input, 16);
HV_ASSERT_OFFSET(struct hv_signal_event_direct_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_signal_event_direct_input, vp_index, 8);
HV_ASSERT_OFFSET(struct hv_signal_event_direct_input, target_vtl, 12);
HV_ASSERT_OFFSET(struct hv_signal_event_direct_input, sint, 13);
HV_ASSERT_OFFSET(struct hv_signal_event_direct_input, flag_number, 14);

struct hv_signal_event_direct_output {
	uint8_t newly_signaled;
	uint8_t reserved[7];
};

HV_ASSERT_SIZE(struct hv_signal_event_direct_output, 8);
HV_ASSERT_OFFSET(struct hv_signal_event_direct_output, newly_signaled, 0);
HV_ASSERT_OFFSET(struct hv_signal_event_direct_output, reserved, 1);

/*
 * The layout that callers use; the TLFS has the SINT at 13 and the message at 16. The message lacks
 * the alignment of struct hv_message.
 */
struct hv_post_message_direct_input {
	uint64_t partition_id;
	uint32_t vp_index;
	uint8_t target_vtl; /* HV_VTL */
	uint8_t pad0[3];
	uint8_t sint;
	uint8_t pad1[3];
	uint8_t message[256];
	uint32_t pad2;
};

HV_ASSERT_SIZE(struct hv_post_message_direct_input, 280);
HV_ASSERT_OFFSET(struct hv_post_message_direct_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_post_message_direct_input, vp_index, 8);
HV_ASSERT_OFFSET(struct hv_post_message_direct_input, target_vtl, 12);
HV_ASSERT_OFFSET(struct hv_post_message_direct_input, pad0, 13);
HV_ASSERT_OFFSET(struct hv_post_message_direct_input, sint, 16);
HV_ASSERT_OFFSET(struct hv_post_message_direct_input, pad1, 17);
HV_ASSERT_OFFSET(struct hv_post_message_direct_input, message, 20);
HV_ASSERT_OFFSET(struct hv_post_message_direct_input, pad2, 276);

#endif
