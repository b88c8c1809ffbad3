/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The register page: a copy of a lower VTL's registers for a VTL that takes its intercepts through
 * the VP assist page (VsmPartitionConfig.InterceptPage). Placed by VP register 0x0009001c (layout
 * HV_PAGE_MSR_... of base.h). The layout of the page is from Microsoft's public headers (OpenVMM's
 * hvdef, Linux' include/hyperv).
 */
#ifndef VSM_HV_REGISTER_PAGE_H
#define VSM_HV_REGISTER_PAGE_H

#include <vsm/hv/register_value.h>

struct hv_x64_register_page {
	uint16_t version;
	uint8_t is_valid;
	uint8_t vtl;
	uint32_t dirty;
	uint64_t rax;
	uint64_t rcx;
	uint64_t rdx;
	uint64_t rbx;
	uint64_t rsp;
	uint64_t rbp;
	uint64_t rsi;
	uint64_t rdi;
	uint64_t r8;
	uint64_t r9;
	uint64_t r10;
	uint64_t r11;
	uint64_t r12;
	uint64_t r13;
	uint64_t r14;
	uint64_t r15;
	uint64_t rip;
	uint64_t rflags;
	uint64_t reserved;
	struct hv_u128 xmm[6];
	struct hv_x64_segment_register es;
	struct hv_x64_segment_register cs;
	struct hv_x64_segment_register ss;
	struct hv_x64_segment_register ds;
	struct hv_x64_segment_register fs;
	struct hv_x64_segment_register gs;
	uint64_t cr0;
	uint64_t cr3;
	uint64_t cr4;
	uint64_t cr8;
	uint64_t efer;
	uint64_t dr7;
	uint64_t pending_interruption;
	uint64_t interrupt_state;
	uint64_t instruction_emulation_hints;
};

HV_ASSERT_SIZE(struct hv_x64_register_page, 424);
HV_ASSERT_OFFSET(struct hv_x64_register_page, version, 0);
HV_ASSERT_OFFSET(struct hv_x64_register_page, is_valid, 2);
HV_ASSERT_OFFSET(struct hv_x64_register_page, vtl, 3);
HV_ASSERT_OFFSET(struct hv_x64_register_page, dirty, 4);
HV_ASSERT_OFFSET(struct hv_x64_register_page, rax, 8);
HV_ASSERT_OFFSET(struct hv_x64_register_page, rcx, 16);
HV_ASSERT_OFFSET(struct hv_x64_register_page, rdx, 24);
HV_ASSERT_OFFSET(struct hv_x64_register_page, rbx, 32);
HV_ASSERT_OFFSET(struct hv_x64_register_page, rsp, 40);
HV_ASSERT_OFFSET(struct hv_x64_register_page, rbp, 48);
HV_ASSERT_OFFSET(struct hv_x64_register_page, rsi, 56);
HV_ASSERT_OFFSET(struct hv_x64_register_page, rdi, 64);
HV_ASSERT_OFFSET(struct hv_x64_register_page, r8, 72);
HV_ASSERT_OFFSET(struct hv_x64_register_page, r9, 80);
HV_ASSERT_OFFSET(struct hv_x64_register_page, r10, 88);
HV_ASSERT_OFFSET(struct hv_x64_register_page, r11, 96);
HV_ASSERT_OFFSET(struct hv_x64_register_page, r12, 104);
HV_ASSERT_OFFSET(struct hv_x64_register_page, r13, 112);
HV_ASSERT_OFFSET(struct hv_x64_register_page, r14, 120);
HV_ASSERT_OFFSET(struct hv_x64_register_page, r15, 128);
HV_ASSERT_OFFSET(struct hv_x64_register_page, rip, 136);
HV_ASSERT_OFFSET(struct hv_x64_register_page, rflags, 144);
HV_ASSERT_OFFSET(struct hv_x64_register_page, reserved, 152);
HV_ASSERT_OFFSET(struct hv_x64_register_page, xmm, 160);
HV_ASSERT_OFFSET(struct hv_x64_register_page, es, 256);
HV_ASSERT_OFFSET(struct hv_x64_register_page, cs, 272);
HV_ASSERT_OFFSET(struct hv_x64_register_page, ss, 288);
HV_ASSERT_OFFSET(struct hv_x64_register_page, ds, 304);
HV_ASSERT_OFFSET(struct hv_x64_register_page, fs, 320);
HV_ASSERT_OFFSET(struct hv_x64_register_page, gs, 336);
HV_ASSERT_OFFSET(struct hv_x64_register_page, cr0, 352);
HV_ASSERT_OFFSET(struct hv_x64_register_page, cr3, 360);
HV_ASSERT_OFFSET(struct hv_x64_register_page, cr4, 368);
HV_ASSERT_OFFSET(struct hv_x64_register_page, cr8, 376);
HV_ASSERT_OFFSET(struct hv_x64_register_page, efer, 384);
HV_ASSERT_OFFSET(struct hv_x64_register_page, dr7, 392);
HV_ASSERT_OFFSET(struct hv_x64_register_page, pending_interruption, 400);
HV_ASSERT_OFFSET(struct hv_x64_register_page, interrupt_state, 408);
HV_ASSERT_OFFSET(struct hv_x64_register_page, instruction_emulation_hints, 416);

#define HV_REGISTER_PAGE_DIRTY_GENERAL_PURPOSE HV_BIT32(0)
#define HV_REGISTER_PAGE_DIRTY_RIP	       HV_BIT32(1)
#define HV_REGISTER_PAGE_DIRTY_XMM	       HV_BIT32(2)
#define HV_REGISTER_PAGE_DIRTY_SEGMENTS	       HV_BIT32(3)
#define HV_REGISTER_PAGE_DIRTY_RFLAGS	       HV_BIT32(4)

#endif
