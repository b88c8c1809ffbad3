/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The few architectural bits that the core looks at (SDM volumes 3A and 4).
 */
#ifndef CORE_X64_H
#define CORE_X64_H

#include <stdint.h>

#define X64_CR0_PE (1u << 0)
#define X64_CR0_MP (1u << 1)
#define X64_CR0_EM (1u << 2)
#define X64_CR0_TS (1u << 3)
#define X64_CR0_ET (1u << 4)
#define X64_CR0_NE (1u << 5)
#define X64_CR0_WP (1u << 16)
#define X64_CR0_AM (1u << 18)
#define X64_CR0_NW (1u << 29)
#define X64_CR0_CD (1u << 30)
#define X64_CR0_PG (1u << 31)

#define X64_CR4_PSE	   (1u << 4)
#define X64_CR4_PAE	   (1u << 5)
#define X64_CR4_MCE	   (1u << 6)
#define X64_CR4_PGE	   (1u << 7)
#define X64_CR4_OSFXSR	   (1u << 9)
#define X64_CR4_OSXMMEXCPT (1u << 10)
#define X64_CR4_LA57	   (1u << 12)
#define X64_CR4_PCIDE	   (1u << 17)
#define X64_CR4_OSXSAVE	   (1u << 18)
#define X64_CR4_SMEP	   (1u << 20)
#define X64_CR4_SMAP	   (1u << 21)
#define X64_CR4_PKE	   (1u << 22)

#define X64_EFER_SCE (UINT64_C(1) << 0)
#define X64_EFER_LME (UINT64_C(1) << 8)
#define X64_EFER_LMA (UINT64_C(1) << 10)
#define X64_EFER_NXE (UINT64_C(1) << 11)

#define X64_RFLAGS_FIXED (UINT64_C(1) << 1)
#define X64_RFLAGS_TF	 (UINT64_C(1) << 8)
#define X64_RFLAGS_IF	 (UINT64_C(1) << 9)
#define X64_RFLAGS_RF	 (UINT64_C(1) << 16)
#define X64_RFLAGS_VM	 (UINT64_C(1) << 17)
#define X64_RFLAGS_AC	 (UINT64_C(1) << 18)

#define X64_EXCEPTION_DB 1
#define X64_EXCEPTION_UD 6
#define X64_EXCEPTION_DF 8
#define X64_EXCEPTION_GP 13
#define X64_EXCEPTION_PF 14

#define X64_PAT_RESET	UINT64_C(0x0007040600070406)
#define X64_DR6_RESET	UINT64_C(0xffff0ff0)
#define X64_DR7_RESET	UINT64_C(0x400)
#define X64_MXCSR_RESET 0x1f80u
#define X64_FCW_RESET	0x37fu

/* Bits of MXCSR that can be there, and those that are if the area does not say: SDM 1, 11.6.6. */
#define X64_MXCSR_MASK_ALL  0xffffu
#define X64_MXCSR_MASK_NONE 0xffbfu

/* Offsets in the XSAVE area, standard format (SDM volume 1, 13.4). */
#define X64_XSAVE_FCW	       0u
#define X64_XSAVE_MXCSR	       24u
#define X64_XSAVE_MXCSR_MASK   28u
#define X64_XSAVE_ST0	       32u
#define X64_XSAVE_XMM0	       160u
#define X64_XSAVE_BV	       512u
#define X64_XSAVE_AVX	       576u
#define X64_XSAVE_LEGACY       576u /* bytes of legacy area and header */
#define X64_XFEATURE_X87       (UINT64_C(1) << 0)
#define X64_XFEATURE_SSE       (UINT64_C(1) << 1)
#define X64_XFEATURE_AVX       (UINT64_C(1) << 2)
#define X64_XFEATURE_TILE_DATA (UINT64_C(1) << 18)

/* MSRs (SDM volume 4) */
#define X64_MSR_TSC		    0x10u
#define X64_MSR_APIC_BASE	    0x1bu
#define X64_APIC_BASE_ENABLED	    (UINT64_C(1) << 11)
#define X64_MSR_TSC_ADJUST	    0x3bu
#define X64_MSR_MTRRCAP		    0xfeu
#define X64_MSR_SYSENTER_CS	    0x174u
#define X64_MSR_SYSENTER_ESP	    0x175u
#define X64_MSR_SYSENTER_EIP	    0x176u
#define X64_MSR_MISC_ENABLE	    0x1a0u
#define X64_MSR_MTRR_PHYS_BASE0	    0x200u
#define X64_MSR_MTRR_PHYS_MASK7	    0x20fu
#define X64_MSR_MTRR_FIX64K	    0x250u
#define X64_MSR_MTRR_FIX4K_LAST	    0x26fu
#define X64_MSR_PAT		    0x277u
#define X64_MSR_MTRR_DEF_TYPE	    0x2ffu
#define X64_MSR_TSC_DEADLINE	    0x6e0u
#define X64_MSR_SGX_LAUNCH_CONTROL0 0x8cu
#define X64_MSR_SGX_LAUNCH_CONTROL3 0x8fu
#define X64_MSR_S_CET		    0x6a2u
#define X64_MSR_PL0_SSP		    0x6a4u
#define X64_MSR_INTERRUPT_SSP_TABLE 0x6a8u
#define X64_MSR_XSS		    0xda0u
#define X64_MSR_EFER		    0xc0000080u
#define X64_MSR_STAR		    0xc0000081u
#define X64_MSR_LSTAR		    0xc0000082u
#define X64_MSR_CSTAR		    0xc0000083u
#define X64_MSR_SFMASK		    0xc0000084u
#define X64_MSR_FS_BASE		    0xc0000100u
#define X64_MSR_GS_BASE		    0xc0000101u
#define X64_MSR_KERNEL_GS_BASE	    0xc0000102u
#define X64_MSR_TSC_AUX		    0xc0000103u

#endif
