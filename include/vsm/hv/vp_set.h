/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HV_VP_SET: a sparse set of VPs, as the "Ex" calls and HvCallRetargetDeviceInterrupt take it.
 *
 * TLFS: data type HV_VP_SET. The banks follow the structure, one uint64_t for each bit of
 * valid_banks in ascending order; bank b holds the VPs 64 * b ... 64 * b + 63. In a hypercall's
 * input they are the variable header: its size is the number of banks.
 */
#ifndef VSM_HV_VP_SET_H
#define VSM_HV_VP_SET_H

#include <vsm/hv/base.h>

struct hv_vp_set {
	uint64_t format;
	uint64_t valid_banks;
};

HV_ASSERT_SIZE(struct hv_vp_set, 16);
HV_ASSERT_OFFSET(struct hv_vp_set, format, 0);
HV_ASSERT_OFFSET(struct hv_vp_set, valid_banks, 8);

#define HV_VP_SET_FORMAT_SPARSE_4K UINT64_C(0)
#define HV_VP_SET_FORMAT_ALL	   UINT64_C(1)
#define HV_VP_SET_MAX_BANKS	   64
#define HV_VP_SET_VPS_PER_BANK	   64

/* HvCallGetVpSetFromMda (0xe5); the output is a struct hv_vp_set and its banks. */
struct hv_get_vp_set_from_mda_input {
	uint64_t partition_id;
	uint64_t destination_address;
	uint8_t target_vtl; /* HV_VTL */
	uint8_t logical_destination;
	uint8_t reserved[6];
};

HV_ASSERT_SIZE(struct hv_get_vp_set_from_mda_input, 24);
HV_ASSERT_OFFSET(struct hv_get_vp_set_from_mda_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_get_vp_set_from_mda_input, destination_address, 8);
HV_ASSERT_OFFSET(struct hv_get_vp_set_from_mda_input, target_vtl, 16);
HV_ASSERT_OFFSET(struct hv_get_vp_set_from_mda_input, logical_destination, 17);
HV_ASSERT_OFFSET(struct hv_get_vp_set_from_mda_input, reserved, 18);

#endif
