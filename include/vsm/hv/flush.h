/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLB flushes: HvCallFlushVirtualAddressSpace (0x02), ...List (0x03), their "Ex" forms (0x13,
 * 0x14), and those of a hypervisor for its guests, HvCallFlushGuestPhysicalAddressSpace (0xaf) and
 * ...List (0xb0).
 *
 * TLFS: Virtual MMU. Bits 8 and 9 of the flags are from Microsoft's public headers (OpenVMM's
 * hvdef, Linux' include/hyperv).
 */
#ifndef VSM_HV_FLUSH_H
#define VSM_HV_FLUSH_H

#include <vsm/hv/vp_set.h>

#define HV_FLUSH_ALL_PROCESSORS		    HV_BIT64(0)
#define HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES HV_BIT64(1)
#define HV_FLUSH_NON_GLOBAL_MAPPINGS_ONLY   HV_BIT64(2)
#define HV_FLUSH_USE_EXTENDED_RANGE_FORMAT  HV_BIT64(3) /* list calls only */
#define HV_FLUSH_USE_TARGET_VTL		    HV_BIT64(4)
#define HV_FLUSH_TARGET_VTL0		    HV_BIT64(8)
#define HV_FLUSH_TARGET_VTL1		    HV_BIT64(9)
#define HV_FLUSH_RESERVED_MASK		    UINT64_C(0xfffffffffffffce0)

/* 0x02; for 0x03 one uint64_t GVA range for each rep follows. */
struct hv_flush_virtual_address_input {
	uint64_t address_space; /* CR3 */
	uint64_t flags;
	uint64_t processor_mask; /* VPs 0 to 63 */
};

HV_ASSERT_SIZE(struct hv_flush_virtual_address_input, 24);
HV_ASSERT_OFFSET(struct hv_flush_virtual_address_input, address_space, 0);
HV_ASSERT_OFFSET(struct hv_flush_virtual_address_input, flags, 8);
HV_ASSERT_OFFSET(struct hv_flush_virtual_address_input, processor_mask, 16);

/* 0x13: the set's banks follow; for 0x14 the GVA ranges follow those. */
struct hv_flush_virtual_address_ex_input {
	uint64_t address_space;
	uint64_t flags;
	struct hv_vp_set vp_set;
};

HV_ASSERT_SIZE(struct hv_flush_virtual_address_ex_input, 32);
HV_ASSERT_OFFSET(struct hv_flush_virtual_address_ex_input, address_space, 0);
HV_ASSERT_OFFSET(struct hv_flush_virtual_address_ex_input, flags, 8);
HV_ASSERT_OFFSET(struct hv_flush_virtual_address_ex_input, vp_set, 16);

/* 0xaf; for 0xb0 one uint64_t GPA range for each rep follows, packed like an extended GVA range. */
struct hv_flush_guest_physical_address_input {
	uint64_t address_space;
	uint64_t flags;
};

HV_ASSERT_SIZE(struct hv_flush_guest_physical_address_input, 16);
HV_ASSERT_OFFSET(struct hv_flush_guest_physical_address_input, address_space, 0);
HV_ASSERT_OFFSET(struct hv_flush_guest_physical_address_input, flags, 8);

/* A GVA range: 63:12 page number, 11:0 number of further pages. */
#define HV_GVA_RANGE_PAGE_MASK	     UINT64_C(0xfffffffffffff000)
#define HV_GVA_RANGE_ADDITIONAL_MASK UINT64_C(0x0000000000000fff)

/*
 * An extended GVA range: with LARGE clear 63:12 are the page number; with LARGE set 63:21 are the
 * number of a large page, of 1 GiB with GIANT set, of 2 MiB otherwise.
 */
#define HV_GVA_RANGE_EX_ADDITIONAL_MASK UINT64_C(0x00000000000007ff)
#define HV_GVA_RANGE_EX_LARGE		HV_BIT64(11)
#define HV_GVA_RANGE_EX_GIANT		HV_BIT64(12)
#define HV_GVA_RANGE_EX_LARGE_PAGE_MASK UINT64_C(0xffffffffffe00000)
#define HV_GVA_RANGE_EX_RESERVED_MASK	UINT64_C(0x00000000001fe000) /* with LARGE set */

#endif
