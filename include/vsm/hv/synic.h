/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SynIC's MSRs and pages, and the synthetic timers' MSRs. Messages are in message.h.
 *
 * SIMP, SIEFP and the VP assist page's MSR have the layout HV_PAGE_MSR_... of base.h.
 *
 * TLFS: Inter-Partition Communication, Timers. SINT bits 19 and 20 are from Microsoft's public
 * headers (OpenVMM's hvdef, Linux' include/hyperv).
 */
#ifndef VSM_HV_SYNIC_H
#define VSM_HV_SYNIC_H

#include <vsm/hv/message.h>

#define HV_SYNIC_SINT_COUNT   16
#define HV_SYNIC_STIMER_COUNT 4
#define HV_SYNIC_VERSION      UINT64_C(1)

/* The SINT of intercept messages. */
#define HV_SYNIC_SINT_HYPERVISOR 0

#define HV_SYNIC_SCONTROL_ENABLE HV_BIT64(0)

/* Reserved bits read back as they were written. */
#define HV_SYNIC_SINT_VECTOR_MASK   UINT64_C(0x00000000000000ff)
#define HV_SYNIC_SINT_MASKED	    HV_BIT64(16)
#define HV_SYNIC_SINT_AUTO_EOI	    HV_BIT64(17)
#define HV_SYNIC_SINT_POLLING	    HV_BIT64(18)
#define HV_SYNIC_SINT_AS_INTERCEPT  HV_BIT64(19)
#define HV_SYNIC_SINT_PROXY	    HV_BIT64(20)
#define HV_SYNIC_SINT_RESERVED_MASK UINT64_C(0xffffffffffe0ff00)
#define HV_SYNIC_SINT_RESET	    UINT64_C(0x0000000000010000)
#define HV_SYNIC_FIRST_VALID_VECTOR 16

/* The SIM page: one message slot for each SINT. */
struct hv_message_page {
	struct hv_message slot[16];
};

HV_ASSERT_SIZE(struct hv_message_page, 4096);
HV_ASSERT_OFFSET(struct hv_message_page, slot, 0);
HV_ASSERT_OFFSET(struct hv_message_page, slot[1], 256);
HV_ASSERT_OFFSET(struct hv_message_page, slot[15], 3840);

/* The SIEF page: 2048 flags for each SINT, flag n is bit n % 64 of flags[n / 64]. */
#define HV_EVENT_FLAGS_COUNT 2048

struct hv_synic_event_flags {
	uint64_t flags[32];
};

HV_ASSERT_SIZE(struct hv_synic_event_flags, 256);
HV_ASSERT_OFFSET(struct hv_synic_event_flags, flags, 0);

struct hv_event_flags_page {
	struct hv_synic_event_flags slot[16];
};

HV_ASSERT_SIZE(struct hv_event_flags_page, 4096);
HV_ASSERT_OFFSET(struct hv_event_flags_page, slot, 0);
HV_ASSERT_OFFSET(struct hv_event_flags_page, slot[1], 256);
HV_ASSERT_OFFSET(struct hv_event_flags_page, slot[15], 3840);

/* STIMERn_CONFIG; STIMERn_COUNT is a plain number in units of 100 ns. */
#define HV_STIMER_ENABLE	    HV_BIT64(0)
#define HV_STIMER_PERIODIC	    HV_BIT64(1)
#define HV_STIMER_LAZY		    HV_BIT64(2)
#define HV_STIMER_AUTO_ENABLE	    HV_BIT64(3)
#define HV_STIMER_APIC_VECTOR_SHIFT 4
#define HV_STIMER_APIC_VECTOR_MASK  UINT64_C(0x0000000000000ff0)
#define HV_STIMER_DIRECT_MODE	    HV_BIT64(12)
#define HV_STIMER_SINT_SHIFT	    16
#define HV_STIMER_SINT_MASK	    UINT64_C(0x00000000000f0000)
#define HV_STIMER_RESERVED_MASK	    UINT64_C(0xfffffffffff0e000)

#endif
