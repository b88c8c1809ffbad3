/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest pages by hypercall, outside of VTL protections: HvCallAcceptGpaPages (0xd9),
 * HvCallUnacceptGpaPages (0xda), HvCallModifySparseGpaPageHostVisibility (0xdb),
 * HvCallMemoryMappedIoRead (0x106) and ...Write (0x107), HvExtCallGetBootZeroedMemory (0x8002).
 */
#ifndef VSM_HV_GPA_PAGE_H
#define VSM_HV_GPA_PAGE_H

#include <vsm/hv/base.h>

/* Accept and unaccept: the rep count is the number of pages, there is no list. */
struct hv_accept_gpa_pages_input {
	uint64_t partition_id;
	uint32_t page_attributes;
	uint16_t vtl_permissions[2]; /* of VTL1 and VTL2 */
	uint64_t gpa_page;	     /* the first page */
};

HV_ASSERT_SIZE(struct hv_accept_gpa_pages_input, 24);
HV_ASSERT_OFFSET(struct hv_accept_gpa_pages_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_accept_gpa_pages_input, page_attributes, 8);
HV_ASSERT_OFFSET(struct hv_accept_gpa_pages_input, vtl_permissions, 12);
HV_ASSERT_OFFSET(struct hv_accept_gpa_pages_input, gpa_page, 16);

#define HV_ACCEPT_GPA_MEMORY_TYPE_MASK	    UINT32_C(0x0000003f)
#define HV_ACCEPT_GPA_MEMORY_TYPE_ANY	    0
#define HV_ACCEPT_GPA_MEMORY_TYPE_RAM	    1
#define HV_ACCEPT_GPA_HOST_VISIBILITY_SHIFT 6
#define HV_ACCEPT_GPA_HOST_VISIBILITY_MASK  UINT32_C(0x000000c0)
#define HV_ACCEPT_GPA_VTL_SET_SHIFT	    8
#define HV_ACCEPT_GPA_VTL_SET_MASK	    UINT32_C(0x00000700)
#define HV_UNACCEPT_GPA_VTL_SET_MASK	    UINT32_C(0x00000007)

/* One uint64_t GPA page number for each rep follows. */
struct hv_modify_host_visibility_input {
	uint64_t partition_id;
	uint32_t host_visibility;
	uint32_t reserved;
};

HV_ASSERT_SIZE(struct hv_modify_host_visibility_input, 16);
HV_ASSERT_OFFSET(struct hv_modify_host_visibility_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_modify_host_visibility_input, host_visibility, 8);
HV_ASSERT_OFFSET(struct hv_modify_host_visibility_input, reserved, 12);

#define HV_HOST_VISIBILITY_MASK	      UINT32_C(0x00000003)
#define HV_HOST_VISIBILITY_PRIVATE    0
#define HV_HOST_VISIBILITY_READ_ONLY  1
#define HV_HOST_VISIBILITY_READ_WRITE 3

#define HV_MMIO_DATA_MAX 64

struct hv_memory_mapped_io_read_input {
	uint64_t gpa;
	uint32_t size; /* in bytes, at most 64 */
	uint32_t reserved;
};

HV_ASSERT_SIZE(struct hv_memory_mapped_io_read_input, 16);
HV_ASSERT_OFFSET(struct hv_memory_mapped_io_read_input, gpa, 0);
HV_ASSERT_OFFSET(struct hv_memory_mapped_io_read_input, size, 8);
HV_ASSERT_OFFSET(struct hv_memory_mapped_io_read_input, reserved, 12);

struct hv_memory_mapped_io_read_output {
	uint8_t data[64];
};

HV_ASSERT_SIZE(struct hv_memory_mapped_io_read_output, 64);
HV_ASSERT_OFFSET(struct hv_memory_mapped_io_read_output, data, 0);

struct hv_memory_mapped_io_write_input {
	uint64_t gpa;
	uint32_t size;
	uint32_t reserved;
	uint8_t data[64];
};

HV_ASSERT_SIZE(struct hv_memory_mapped_io_write_input, 80);
HV_ASSERT_OFFSET(struct hv_memory_mapped_io_write_input, gpa, 0);
HV_ASSERT_OFFSET(struct hv_memory_mapped_io_write_input, size, 8);
HV_ASSERT_OFFSET(struct hv_memory_mapped_io_write_input, reserved, 12);
HV_ASSERT_OFFSET(struct hv_memory_mapped_io_write_input, data, 16);

/* GetBootZeroedMemory: a uint64_t number of ranges, then at most 255 of these. */
struct hv_gpa_page_range {
	uint64_t gpa_page;
	uint64_t page_count;
};

HV_ASSERT_SIZE(struct hv_gpa_page_range, 16);
HV_ASSERT_OFFSET(struct hv_gpa_page_range, gpa_page, 0);
HV_ASSERT_OFFSET(struct hv_gpa_page_range, page_count, 8);

#endif
