/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts by hypercall: HvCallSendSyntheticClusterIpi (0x0b), ...Ex (0x15),
 * HvCallAssertVirtualInterrupt (0x94), HvCallRetargetDeviceInterrupt (0x7e),
 * HvCallGetVpIndexFromApicId (0x9a).
 *
 * TLFS: Virtual Interrupt Control.
 */
#ifndef VSM_HV_INTERRUPT_H
#define VSM_HV_INTERRUPT_H

#include <vsm/hv/vp_set.h>

struct hv_send_synthetic_cluster_ipi_input {
	uint32_t vector;
	uint8_t input_vtl; /* HV_INPUT_VTL */
	uint8_t flags;
	uint16_t reserved;
	uint64_t processor_mask; /* VPs 0 to 63 */
};

HV_ASSERT_SIZE(struct hv_send_synthetic_cluster_ipi_input, 16);
HV_ASSERT_OFFSET(struct hv_send_synthetic_cluster_ipi_input, vector, 0);
HV_ASSERT_OFFSET(struct hv_send_synthetic_cluster_ipi_input, input_vtl, 4);
HV_ASSERT_OFFSET(struct hv_send_synthetic_cluster_ipi_input, flags, 5);
HV_ASSERT_OFFSET(struct hv_send_synthetic_cluster_ipi_input, reserved, 6);
HV_ASSERT_OFFSET(struct hv_send_synthetic_cluster_ipi_input, processor_mask, 8);

/* The set's banks follow. */
struct hv_send_synthetic_cluster_ipi_ex_input {
	uint32_t vector;
	uint8_t input_vtl; /* HV_INPUT_VTL */
	uint8_t flags;
	uint16_t reserved;
	struct hv_vp_set vp_set;
};

HV_ASSERT_SIZE(struct hv_send_synthetic_cluster_ipi_ex_input, 24);
HV_ASSERT_OFFSET(struct hv_send_synthetic_cluster_ipi_ex_input, vector, 0);
HV_ASSERT_OFFSET(struct hv_send_synthetic_cluster_ipi_ex_input, input_vtl, 4);
HV_ASSERT_OFFSET(struct hv_send_synthetic_cluster_ipi_ex_input, flags, 5);
HV_ASSERT_OFFSET(struct hv_send_synthetic_cluster_ipi_ex_input, reserved, 6);
HV_ASSERT_OFFSET(struct hv_send_synthetic_cluster_ipi_ex_input, vp_set, 8);

#define HV_IPI_VECTOR_MIN 0x10
#define HV_IPI_VECTOR_MAX 0xff

struct hv_assert_virtual_interrupt_input {
	uint64_t partition_id;
	uint64_t interrupt_control;
	uint64_t destination_address;
	uint32_t requested_vector;
	uint8_t target_vtl; /* HV_VTL */
	uint8_t reserved0;
	uint16_t reserved1;
};

HV_ASSERT_SIZE(struct hv_assert_virtual_interrupt_input, 32);
HV_ASSERT_OFFSET(struct hv_assert_virtual_interrupt_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_assert_virtual_interrupt_input, interrupt_control, 8);
HV_ASSERT_OFFSET(struct hv_assert_virtual_interrupt_input, destination_address, 16);
HV_ASSERT_OFFSET(struct hv_assert_virtual_interrupt_input, requested_vector, 24);
HV_ASSERT_OFFSET(struct hv_assert_virtual_interrupt_input, target_vtl, 28);
HV_ASSERT_OFFSET(struct hv_assert_virtual_interrupt_input, reserved0, 29);
HV_ASSERT_OFFSET(struct hv_assert_virtual_interrupt_input, reserved1, 30);

/* 31:0 is an enum hv_interrupt_type. */
#define HV_INTERRUPT_CONTROL_TYPE_MASK		 UINT64_C(0x00000000ffffffff)
#define HV_INTERRUPT_CONTROL_LEVEL_TRIGGERED	 HV_BIT64(32)
#define HV_INTERRUPT_CONTROL_LOGICAL_DESTINATION HV_BIT64(33)
#define HV_INTERRUPT_CONTROL_RESERVED_MASK	 UINT64_C(0xfffffffc00000000)
#define HV_INTERRUPT_VECTOR_NONE		 UINT32_C(0xffffffff)

enum hv_interrupt_type {
	HV_INTERRUPT_TYPE_FIXED = 0,
	HV_INTERRUPT_TYPE_LOWEST_PRIORITY = 1,
	HV_INTERRUPT_TYPE_SMI = 2,
	HV_INTERRUPT_TYPE_REMOTE_READ = 3,
	HV_INTERRUPT_TYPE_NMI = 4,
	HV_INTERRUPT_TYPE_INIT = 5,
	HV_INTERRUPT_TYPE_SIPI = 6,
	HV_INTERRUPT_TYPE_EXT_INT = 7,
	HV_INTERRUPT_TYPE_LOCAL_INT0 = 8,
	HV_INTERRUPT_TYPE_LOCAL_INT1 = 9,
};

struct hv_interrupt_entry {
	uint32_t source;
	uint32_t reserved;
	uint32_t msi_address;
	uint32_t msi_data;
};

HV_ASSERT_SIZE(struct hv_interrupt_entry, 16);
HV_ASSERT_OFFSET(struct hv_interrupt_entry, source, 0);
HV_ASSERT_OFFSET(struct hv_interrupt_entry, reserved, 4);
HV_ASSERT_OFFSET(struct hv_interrupt_entry, msi_address, 8);
HV_ASSERT_OFFSET(struct hv_interrupt_entry, msi_data, 12);

#define HV_INTERRUPT_SOURCE_MSI	   1
#define HV_INTERRUPT_SOURCE_IOAPIC 2

/*
 * With HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET the last field is a VP set's format, and its
 * mask of valid banks and its banks are the variable header; else it is a mask of the VPs 0 to
 * 63.
 */
struct hv_retarget_device_interrupt_input {
	uint64_t partition_id;
	uint64_t device_id;
	struct hv_interrupt_entry interrupt_entry;
	uint64_t reserved;
	uint32_t vector;
	uint32_t flags;
	uint64_t mask_or_format;
};

HV_ASSERT_SIZE(struct hv_retarget_device_interrupt_input, 56);
HV_ASSERT_OFFSET(struct hv_retarget_device_interrupt_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_retarget_device_interrupt_input, device_id, 8);
HV_ASSERT_OFFSET(struct hv_retarget_device_interrupt_input, interrupt_entry, 16);
HV_ASSERT_OFFSET(struct hv_retarget_device_interrupt_input, reserved, 32);
HV_ASSERT_OFFSET(struct hv_retarget_device_interrupt_input, vector, 40);
HV_ASSERT_OFFSET(struct hv_retarget_device_interrupt_input, flags, 44);
HV_ASSERT_OFFSET(struct hv_retarget_device_interrupt_input, mask_or_format, 48);

#define HV_DEVICE_INTERRUPT_TARGET_MULTICAST	  HV_BIT32(0)
#define HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET  HV_BIT32(1)
#define HV_DEVICE_INTERRUPT_TARGET_PROXY_REDIRECT HV_BIT32(2)

/* One uint32_t APIC id for each rep follows; the output is one uint32_t VP index for each. */
struct hv_get_vp_index_from_apic_id_input {
	uint64_t partition_id;
	uint8_t target_vtl; /* HV_VTL */
	uint8_t reserved[7];
};

HV_ASSERT_SIZE(struct hv_get_vp_index_from_apic_id_input, 16);
HV_ASSERT_OFFSET(struct hv_get_vp_index_from_apic_id_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_get_vp_index_from_apic_id_input, target_vtl, 8);
HV_ASSERT_OFFSET(struct hv_get_vp_index_from_apic_id_input, reserved, 9);

#endif
