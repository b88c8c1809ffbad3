/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page of a VP and VTL, placed by MSR 0x40000073 or VP register 0x00090013.
 *
 * TLFS: Virtual Processors. Fields from offset 112 on are from Microsoft's public headers
 * (OpenVMM's hvdef, Linux' include/hyperv).
 */
#ifndef VSM_HV_ASSIST_PAGE_H
#define VSM_HV_ASSIST_PAGE_H

#include <vsm/hv/message.h>

/* clang-format off */

/*
 * VtlControl.EntryReason. X(name, number, name in the TLFS): constant HV_VTL_ENTRY_<name>. For an
 * intercept message on SINT0 the reason is INTERRUPT; INTERCEPT is used only with
 * VsmPartitionConfig.InterceptPage.
 */
#define HV_VTL_ENTRY_REASON_LIST(X) \
	X(RESERVED,  0, HvVtlEntryReserved) \
	X(VTL_CALL,  1, HvVtlEntryVtlCall) \
	X(INTERRUPT, 2, HvVtlEntryInterrupt) \
	X(INTERCEPT, 3, HvVtlEntryIntercept)

#define HV_VTL_ENTRY_ENUM_(name, number, tlfs) HV_VTL_ENTRY_##name = (number),
enum hv_vtl_entry_reason { HV_VTL_ENTRY_REASON_LIST(HV_VTL_ENTRY_ENUM_) };
#undef HV_VTL_ENTRY_ENUM_

/* clang-format on */

struct hv_vp_vtl_control {
	uint32_t entry_reason;
	uint8_t vina_status;
	uint8_t reserved0;
	uint16_t reserved1;
	uint64_t vtl_return_x64_rax; /* 32-bit: EAX in 31:0, ECX in 63:32 */
	uint64_t vtl_return_x64_rcx; /* 32-bit: EDX in 31:0 */
};

HV_ASSERT_SIZE(struct hv_vp_vtl_control, 24);
HV_ASSERT_OFFSET(struct hv_vp_vtl_control, entry_reason, 0);
HV_ASSERT_OFFSET(struct hv_vp_vtl_control, vina_status, 4);
HV_ASSERT_OFFSET(struct hv_vp_vtl_control, reserved0, 5);
HV_ASSERT_OFFSET(struct hv_vp_vtl_control, reserved1, 6);
HV_ASSERT_OFFSET(struct hv_vp_vtl_control, vtl_return_x64_rax, 8);
HV_ASSERT_OFFSET(struct hv_vp_vtl_control, vtl_return_x64_rcx, 16);

#define HV_VINA_STATUS_ASSERTED 0x01

struct hv_nested_enlightenments_control {
	uint32_t features;
	uint32_t hypercall_controls;
};

HV_ASSERT_SIZE(struct hv_nested_enlightenments_control, 8);
HV_ASSERT_OFFSET(struct hv_nested_enlightenments_control, features, 0);
HV_ASSERT_OFFSET(struct hv_nested_enlightenments_control, hypercall_controls, 4);

#define HV_NESTED_FEATURE_DIRECT_HYPERCALL		  HV_BIT32(0)
#define HV_NESTED_FEATURE_VIRTUALIZATION_EXCEPTION	  HV_BIT32(1)
#define HV_NESTED_HYPERCALL_INTER_PARTITION_COMMUNICATION HV_BIT32(0)

struct hv_virtualization_fault_information {
	uint16_t parameter0;
	uint16_t reserved0;
	uint32_t code;
	uint64_t parameter1;
	uint64_t reserved1[3];
};

HV_ASSERT_SIZE(struct hv_virtualization_fault_information, 40);
HV_ASSERT_OFFSET(struct hv_virtualization_fault_information, parameter0, 0);
HV_ASSERT_OFFSET(struct hv_virtualization_fault_information, reserved0, 2);
HV_ASSERT_OFFSET(struct hv_virtualization_fault_information, code, 4);
HV_ASSERT_OFFSET(struct hv_virtualization_fault_information, parameter1, 8);
HV_ASSERT_OFFSET(struct hv_virtualization_fault_information, reserved1, 16);

/* One action that VTL return takes; type 0 ends the list. */
struct hv_vtl_return_action_signal_event {
	uint64_t type;
	uint32_t target_vp;
	uint8_t target_vtl;
	uint8_t target_sint;
	uint16_t flag_number;
};

HV_ASSERT_SIZE(struct hv_vtl_return_action_signal_event, 16);
HV_ASSERT_OFFSET(struct hv_vtl_return_action_signal_event, type, 0);
HV_ASSERT_OFFSET(struct hv_vtl_return_action_signal_event, target_vp, 8);
HV_ASSERT_OFFSET(struct hv_vtl_return_action_signal_event, target_vtl, 12);
HV_ASSERT_OFFSET(struct hv_vtl_return_action_signal_event, target_sint, 13);
HV_ASSERT_OFFSET(struct hv_vtl_return_action_signal_event, flag_number, 14);

#define HV_VTL_RETURN_ACTION_NONE	  UINT64_C(0)
#define HV_VTL_RETURN_ACTION_SIGNAL_EVENT UINT64_C(1)

struct hv_vp_assist_page {
	uint32_t apic_assist;
	uint32_t reserved0;
	struct hv_vp_vtl_control vtl_control;
	struct hv_nested_enlightenments_control nested_enlightenments_control;
	uint8_t enlighten_vm_entry;
	uint8_t reserved1[7];
	uint64_t current_nested_vmcs;
	uint8_t synthetic_time_unhalted_timer_expired;
	uint8_t reserved2[7];
	struct hv_virtualization_fault_information virtualization_fault_information;
	uint64_t reserved3;
	struct hv_message intercept_message; /* only with VsmPartitionConfig.InterceptPage */
	uint8_t vtl_return_actions[256];
	uint8_t reserved4[3472];
};

HV_ASSERT_SIZE(struct hv_vp_assist_page, 4096);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, apic_assist, 0);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, reserved0, 4);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, vtl_control, 8);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, vtl_control.entry_reason, 8);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, vtl_control.vina_status, 12);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, vtl_control.vtl_return_x64_rax, 16);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, vtl_control.vtl_return_x64_rcx, 24);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, nested_enlightenments_control, 32);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, enlighten_vm_entry, 40);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, reserved1, 41);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, current_nested_vmcs, 48);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, synthetic_time_unhalted_timer_expired, 56);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, reserved2, 57);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, virtualization_fault_information, 64);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, reserved3, 104);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, intercept_message, 112);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, vtl_return_actions, 368);
HV_ASSERT_OFFSET(struct hv_vp_assist_page, reserved4, 624);

/* apic_assist */
#define HV_APIC_ASSIST_NO_EOI_REQUIRED HV_BIT32(0)

#endif
