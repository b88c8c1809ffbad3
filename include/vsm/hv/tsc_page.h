/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HV_REFERENCE_TSC_PAGE, placed by MSR 0x40000021 (layout HV_PAGE_MSR_... of base.h), and
 * HvCallRestorePartitionTime (0x103).
 *
 * Reference time in units of 100 ns = ((TSC * scale) >> 64) + offset, the product in 128 bits.
 *
 * TLFS: Timers, Partition Reference Time Enlightenment.
 */
#ifndef VSM_HV_TSC_PAGE_H
#define VSM_HV_TSC_PAGE_H

#include <vsm/hv/base.h>

struct hv_reference_tsc_page {
	uint32_t tsc_sequence; /* 0: the page is not valid */
	uint32_t reserved0;
	uint64_t tsc_scale;
	int64_t tsc_offset;
	uint64_t timeline_bias;
	uint64_t tsc_multiplier;
	uint64_t reserved1[507];
};

HV_ASSERT_SIZE(struct hv_reference_tsc_page, 4096);
HV_ASSERT_OFFSET(struct hv_reference_tsc_page, tsc_sequence, 0);
HV_ASSERT_OFFSET(struct hv_reference_tsc_page, reserved0, 4);
HV_ASSERT_OFFSET(struct hv_reference_tsc_page, tsc_scale, 8);
HV_ASSERT_OFFSET(struct hv_reference_tsc_page, tsc_offset, 16);
HV_ASSERT_OFFSET(struct hv_reference_tsc_page, timeline_bias, 24);
HV_ASSERT_OFFSET(struct hv_reference_tsc_page, tsc_multiplier, 32);
HV_ASSERT_OFFSET(struct hv_reference_tsc_page, reserved1, 40);

#define HV_REFERENCE_TSC_SEQUENCE_INVALID UINT32_C(0)
/* Old guests treat this value as invalid as well, so it is never used. */
#define HV_REFERENCE_TSC_SEQUENCE_OLD_INVALID UINT32_C(0xffffffff)

#define HV_REFERENCE_TIME_HZ UINT64_C(10000000)

struct hv_restore_partition_time_input {
	uint64_t partition_id;
	uint32_t tsc_sequence;
	uint32_t reserved;
	uint64_t reference_time; /* in units of 100 ns */
	uint64_t tsc;
};

HV_ASSERT_SIZE(struct hv_restore_partition_time_input, 32);
HV_ASSERT_OFFSET(struct hv_restore_partition_time_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_restore_partition_time_input, tsc_sequence, 8);
HV_ASSERT_OFFSET(struct hv_restore_partition_time_input, reserved, 12);
HV_ASSERT_OFFSET(struct hv_restore_partition_time_input, reference_time, 16);
HV_ASSERT_OFFSET(struct hv_restore_partition_time_input, tsc, 24);

#endif
