/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HV_REGISTER_VALUE, and the input and output of HvCallGetVpRegisters (0x50), HvCallSetVpRegisters
 * (0x51) and HvCallGetVpCpuidValues (0xf4).
 *
 * A value has 128 bits; smaller values are at offset 0, followed by zeros.
 */
#ifndef VSM_HV_REGISTER_VALUE_H
#define VSM_HV_REGISTER_VALUE_H

#include <vsm/hv/base.h>

struct hv_u128 {
	uint64_t low;
	uint64_t high;
};

HV_ASSERT_SIZE(struct hv_u128, 16);
HV_ASSERT_OFFSET(struct hv_u128, low, 0);
HV_ASSERT_OFFSET(struct hv_u128, high, 8);

struct hv_x64_segment_register {
	uint64_t base;
	uint32_t limit; /* in bytes, the granularity bit applied */
	uint16_t selector;
	uint16_t attributes;
};

HV_ASSERT_SIZE(struct hv_x64_segment_register, 16);
HV_ASSERT_OFFSET(struct hv_x64_segment_register, base, 0);
HV_ASSERT_OFFSET(struct hv_x64_segment_register, limit, 8);
HV_ASSERT_OFFSET(struct hv_x64_segment_register, selector, 12);
HV_ASSERT_OFFSET(struct hv_x64_segment_register, attributes, 14);

#define HV_X64_SEGMENT_TYPE_MASK     0x000f
#define HV_X64_SEGMENT_NON_SYSTEM    0x0010 /* 1: code or data */
#define HV_X64_SEGMENT_DPL_SHIFT     5
#define HV_X64_SEGMENT_DPL_MASK	     0x0060
#define HV_X64_SEGMENT_PRESENT	     0x0080
#define HV_X64_SEGMENT_RESERVED_MASK 0x0f00
#define HV_X64_SEGMENT_AVAILABLE     0x1000
#define HV_X64_SEGMENT_LONG	     0x2000
#define HV_X64_SEGMENT_DEFAULT	     0x4000 /* D/B */
#define HV_X64_SEGMENT_GRANULARITY   0x8000

struct hv_x64_table_register {
	uint16_t pad[3];
	uint16_t limit;
	uint64_t base;
};

HV_ASSERT_SIZE(struct hv_x64_table_register, 16);
HV_ASSERT_OFFSET(struct hv_x64_table_register, pad, 0);
HV_ASSERT_OFFSET(struct hv_x64_table_register, limit, 6);
HV_ASSERT_OFFSET(struct hv_x64_table_register, base, 8);

struct hv_x64_fp_register {
	uint64_t mantissa;
	uint16_t exponent_sign; /* 14:0 exponent, 15 sign */
	uint8_t reserved[6];
};

HV_ASSERT_SIZE(struct hv_x64_fp_register, 16);
HV_ASSERT_OFFSET(struct hv_x64_fp_register, mantissa, 0);
HV_ASSERT_OFFSET(struct hv_x64_fp_register, exponent_sign, 8);
HV_ASSERT_OFFSET(struct hv_x64_fp_register, reserved, 10);

/* 32-bit form: EIP in 31:0 of last_rip, CS in 47:32. */
struct hv_x64_fp_control_status_register {
	uint16_t control;
	uint16_t status;
	uint8_t tag; /* abridged, as FXSAVE has it */
	uint8_t ignne;
	uint16_t last_opcode;
	uint64_t last_rip;
};

HV_ASSERT_SIZE(struct hv_x64_fp_control_status_register, 16);
HV_ASSERT_OFFSET(struct hv_x64_fp_control_status_register, control, 0);
HV_ASSERT_OFFSET(struct hv_x64_fp_control_status_register, status, 2);
HV_ASSERT_OFFSET(struct hv_x64_fp_control_status_register, tag, 4);
HV_ASSERT_OFFSET(struct hv_x64_fp_control_status_register, ignne, 5);
HV_ASSERT_OFFSET(struct hv_x64_fp_control_status_register, last_opcode, 6);
HV_ASSERT_OFFSET(struct hv_x64_fp_control_status_register, last_rip, 8);

/* 32-bit form: DP in 31:0 of last_rdp, DS in 47:32. */
struct hv_x64_xmm_control_status_register {
	uint64_t last_rdp;
	uint32_t mxcsr;
	uint32_t mxcsr_mask;
};

HV_ASSERT_SIZE(struct hv_x64_xmm_control_status_register, 16);
HV_ASSERT_OFFSET(struct hv_x64_xmm_control_status_register, last_rdp, 0);
HV_ASSERT_OFFSET(struct hv_x64_xmm_control_status_register, mxcsr, 8);
HV_ASSERT_OFFSET(struct hv_x64_xmm_control_status_register, mxcsr_mask, 12);

/* Registers 0x100 and 0x200-0x208, and the output elements of GetVpCpuidValues. */
struct hv_cpuid_result {
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
};

HV_ASSERT_SIZE(struct hv_cpuid_result, 16);
HV_ASSERT_OFFSET(struct hv_cpuid_result, eax, 0);
HV_ASSERT_OFFSET(struct hv_cpuid_result, ebx, 4);
HV_ASSERT_OFFSET(struct hv_cpuid_result, ecx, 8);
HV_ASSERT_OFFSET(struct hv_cpuid_result, edx, 12);

union hv_register_value {
	struct hv_u128 reg128;
	uint64_t reg64;
	uint32_t reg32;
	uint16_t reg16;
	uint8_t reg8;
	struct hv_x64_segment_register segment;
	struct hv_x64_table_register table;
	struct hv_x64_fp_register fp;
	struct hv_x64_fp_control_status_register fp_control_status;
	struct hv_x64_xmm_control_status_register xmm_control_status;
	struct hv_cpuid_result cpuid;
	uint8_t bytes[16];
};

HV_ASSERT_SIZE(union hv_register_value, 16);

/*
 * HvCallGetVpRegisters: this, then one uint32_t name for each rep, packed; the output is one
 * union hv_register_value for each. HvCallSetVpRegisters: this, then one hv_register_assoc for
 * each.
 */
struct hv_vp_registers_input {
	uint64_t partition_id;
	uint32_t vp_index;
	uint8_t input_vtl; /* HV_INPUT_VTL */
	uint8_t reserved[3];
};

HV_ASSERT_SIZE(struct hv_vp_registers_input, 16);
HV_ASSERT_OFFSET(struct hv_vp_registers_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_vp_registers_input, vp_index, 8);
HV_ASSERT_OFFSET(struct hv_vp_registers_input, input_vtl, 12);
HV_ASSERT_OFFSET(struct hv_vp_registers_input, reserved, 13);

struct hv_register_assoc {
	uint32_t name;
	uint32_t pad[3];
	union hv_register_value value;
};

HV_ASSERT_SIZE(struct hv_register_assoc, 32);
HV_ASSERT_OFFSET(struct hv_register_assoc, name, 0);
HV_ASSERT_OFFSET(struct hv_register_assoc, pad, 4);
HV_ASSERT_OFFSET(struct hv_register_assoc, value, 16);

/* One hv_cpuid_query for each rep follows; the output is one hv_cpuid_result for each. */
struct hv_get_vp_cpuid_values_input {
	uint64_t partition_id;
	uint32_t vp_index;
	uint32_t flags;
	uint32_t reserved;
	uint32_t pad;
};

HV_ASSERT_SIZE(struct hv_get_vp_cpuid_values_input, 24);
HV_ASSERT_OFFSET(struct hv_get_vp_cpuid_values_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_get_vp_cpuid_values_input, vp_index, 8);
HV_ASSERT_OFFSET(struct hv_get_vp_cpuid_values_input, flags, 12);
HV_ASSERT_OFFSET(struct hv_get_vp_cpuid_values_input, reserved, 16);
HV_ASSERT_OFFSET(struct hv_get_vp_cpuid_values_input, pad, 20);

#define HV_GET_VP_CPUID_USE_VP_XFEM_XSS		HV_BIT32(0)
#define HV_GET_VP_CPUID_APPLY_REGISTERED_VALUES HV_BIT32(1)

struct hv_cpuid_query {
	uint32_t eax;
	uint32_t ecx;
};

HV_ASSERT_SIZE(struct hv_cpuid_query, 8);
HV_ASSERT_OFFSET(struct hv_cpuid_query, eax, 0);
HV_ASSERT_OFFSET(struct hv_cpuid_query, ecx, 4);

#endif
