/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HV_INITIAL_VP_CONTEXT, and the calls that take it: HvCallEnableVpVtl (0x0f) and
 * HvCallStartVirtualProcessor (0x99). Also HvCallEnablePartitionVtl (0x0d).
 *
 * The segments' order is not that of the register names.
 */
#ifndef VSM_HV_VP_CONTEXT_H
#define VSM_HV_VP_CONTEXT_H

#include <vsm/hv/register_value.h>

struct hv_initial_vp_context {
	uint64_t rip;
	uint64_t rsp;
	uint64_t rflags;
	struct hv_x64_segment_register cs;
	struct hv_x64_segment_register ds;
	struct hv_x64_segment_register es;
	struct hv_x64_segment_register fs;
	struct hv_x64_segment_register gs;
	struct hv_x64_segment_register ss;
	struct hv_x64_segment_register tr;
	struct hv_x64_segment_register ldtr;
	struct hv_x64_table_register idtr;
	struct hv_x64_table_register gdtr;
	uint64_t efer;
	uint64_t cr0;
	uint64_t cr3;
	uint64_t cr4;
	uint64_t pat;
};

HV_ASSERT_SIZE(struct hv_initial_vp_context, 224);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, rip, 0);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, rsp, 8);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, rflags, 16);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, cs, 24);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, ds, 40);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, es, 56);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, fs, 72);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, gs, 88);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, ss, 104);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, tr, 120);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, ldtr, 136);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, idtr, 152);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, gdtr, 168);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, efer, 184);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, cr0, 192);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, cr3, 200);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, cr4, 208);
HV_ASSERT_OFFSET(struct hv_initial_vp_context, pat, 216);

/* Also the input of HvCallStartVirtualProcessor. */
struct hv_enable_vp_vtl_input {
	uint64_t partition_id;
	uint32_t vp_index;
	uint8_t target_vtl; /* HV_VTL */
	uint8_t reserved[3];
	struct hv_initial_vp_context context;
};

HV_ASSERT_SIZE(struct hv_enable_vp_vtl_input, 240);
HV_ASSERT_OFFSET(struct hv_enable_vp_vtl_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_enable_vp_vtl_input, vp_index, 8);
HV_ASSERT_OFFSET(struct hv_enable_vp_vtl_input, target_vtl, 12);
HV_ASSERT_OFFSET(struct hv_enable_vp_vtl_input, reserved, 13);
HV_ASSERT_OFFSET(struct hv_enable_vp_vtl_input, context, 16);

struct hv_enable_partition_vtl_input {
	uint64_t partition_id;
	uint8_t target_vtl; /* HV_VTL */
	uint8_t flags;
	uint8_t reserved[6];
};

HV_ASSERT_SIZE(struct hv_enable_partition_vtl_input, 16);
HV_ASSERT_OFFSET(struct hv_enable_partition_vtl_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_enable_partition_vtl_input, target_vtl, 8);
HV_ASSERT_OFFSET(struct hv_enable_partition_vtl_input, flags, 9);
HV_ASSERT_OFFSET(struct hv_enable_partition_vtl_input, reserved, 10);

#define HV_ENABLE_PARTITION_VTL_MBEC			0x01
#define HV_ENABLE_PARTITION_VTL_SUPERVISOR_SHADOW_STACK 0x02
#define HV_ENABLE_PARTITION_VTL_HARDWARE_HVPT		0x04
#define HV_ENABLE_PARTITION_VTL_RESERVED_MASK		0xf8

#endif
