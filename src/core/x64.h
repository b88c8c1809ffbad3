/* SPDX-License-Identifier: BSD-2-Clause */
/* Architectural bits that the core uses (SDM volumes 3A and 4). */
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
#define X64_RFLAGS_DF	 (UINT64_C(1) << 10)
#define X64_RFLAGS_RF	 (UINT64_C(1) << 16)
#define X64_RFLAGS_VM	 (UINT64_C(1) << 17)
#define X64_RFLAGS_AC	 (UINT64_C(1) << 18)

#define X64_EXCEPTION_DB 1
#define X64_EXCEPTION_BP 3
#define X64_EXCEPTION_UD 6
#define X64_EXCEPTION_GP 13
#define X64_EXCEPTION_PF 14

#define X64_PAT_RESET	UINT64_C(0x0007040600070406)
#define X64_DR6_HITS	UINT64_C(0xf)
#define X64_DR6_BS	(UINT64_C(1) << 14)
#define X64_DR6_RESET	UINT64_C(0xffff0ff0)
#define X64_DR7_RESET	UINT64_C(0x400)
#define X64_MXCSR_RESET 0x1f80u
#define X64_FCW_INIT	0x37fu /* after FINIT, and in the initial state of the x87 component */

#define X64_SMBASE_RESET 0x30000u
/* Offset from SMBASE and size of the state save area (SDM 3C, "SMRAM State Save Map"). */
#define X64_SMM_SAVE_AREA 0xfe00u
#define X64_SMM_SAVE_SIZE 0x200u

/* Defined bits of MXCSR, and those that exist if MXCSR_MASK is 0: SDM 1, 11.6.6. */
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

/* SDM volume 4, APM volume 2 appendix A. */
#define X64_MSR_SMBASE		      0x9eu
#define X64_MSR_P5_MC_ADDR	      0x0u
#define X64_MSR_P5_MC_TYPE	      0x1u
#define X64_MSR_TSC		      0x10u
#define X64_MSR_PLATFORM_ID	      0x17u
#define X64_MSR_APIC_BASE	      0x1bu
#define X64_APIC_BASE_ENABLED	      (UINT64_C(1) << 11)
#define X64_MSR_EBL_CR_POWERON	      0x2au
#define X64_MSR_EBC_FREQUENCY_ID      0x2cu
#define X64_MSR_SMI_COUNT	      0x34u
#define X64_MSR_FEAT_CTL	      0x3au
#define X64_MSR_TSC_ADJUST	      0x3bu
#define X64_MSR_SPEC_CTRL	      0x48u
#define X64_MSR_PRED_CMD	      0x49u
#define X64_MSR_UCODE_WRITE	      0x79u
#define X64_MSR_UCODE_REV	      0x8bu
#define X64_MSR_SGX_LAUNCH_CONTROL0   0x8cu
#define X64_MSR_SGX_LAUNCH_CONTROL3   0x8fu
#define X64_MSR_P6_PERFCTR0	      0xc1u
#define X64_MSR_P6_PERFCTR1	      0xc2u
#define X64_MSR_FSB_FREQ	      0xcdu
#define X64_MSR_PLATFORM_INFO	      0xceu
#define X64_MSR_UMWAIT_CONTROL	      0xe1u
#define X64_MSR_MTRRCAP		      0xfeu
#define X64_MSR_ARCH_CAPABILITIES     0x10au
#define X64_MSR_FLUSH_CMD	      0x10bu
#define X64_MSR_BBL_CR_CTL3	      0x11eu
#define X64_MSR_TSX_CTRL	      0x122u
#define X64_MSR_MISC_FEATURES_ENABLES 0x140u
#define X64_MSR_SYSENTER_CS	      0x174u
#define X64_MSR_SYSENTER_ESP	      0x175u
#define X64_MSR_SYSENTER_EIP	      0x176u
#define X64_MSR_MCG_CAP		      0x179u
#define X64_MSR_MCG_STATUS	      0x17au
#define X64_MSR_P6_EVNTSEL0	      0x186u
#define X64_MSR_P6_EVNTSEL1	      0x187u
#define X64_MSR_PERF_STATUS	      0x198u
#define X64_MSR_PERF_CTL	      0x199u
#define X64_MSR_MISC_ENABLE	      0x1a0u
#define X64_MSR_XFD		      0x1c4u
#define X64_MSR_XFD_ERR		      0x1c5u
#define X64_MSR_DEBUGCTL	      0x1d9u
#define X64_MSR_LASTBRANCHFROMIP      0x1dbu
#define X64_MSR_LASTINTTOIP	      0x1deu
#define X64_MSR_POWER_CTL	      0x1fcu
#define X64_MSR_MTRR_PHYS_BASE0	      0x200u
#define X64_MSR_MTRR_PHYS_MASK7	      0x20fu
#define X64_MSR_MTRR_FIX64K	      0x250u
#define X64_MSR_MTRR_FIX4K_LAST	      0x26fu
#define X64_MSR_PAT		      0x277u
#define X64_MSR_MTRR_DEF_TYPE	      0x2ffu
#define X64_MSR_RAPL_POWER_UNIT	      0x606u
#define X64_MSR_PKG_ENERGY_STATUS     0x611u
#define X64_MSR_DRAM_ENERGY_STATUS    0x619u
#define X64_MSR_PP0_ENERGY_STATUS     0x639u
#define X64_MSR_PP1_ENERGY_STATUS     0x641u
#define X64_MSR_S_CET		      0x6a2u
#define X64_MSR_PL0_SSP		      0x6a4u
#define X64_MSR_INTERRUPT_SSP_TABLE   0x6a8u
#define X64_MSR_TSC_DEADLINE	      0x6e0u
#define X64_MSR_BNDCFGS		      0xd90u
#define X64_MSR_XSS		      0xda0u
#define X64_MSR_EFER		      0xc0000080u
#define X64_MSR_STAR		      0xc0000081u
#define X64_MSR_LSTAR		      0xc0000082u
#define X64_MSR_CSTAR		      0xc0000083u
#define X64_MSR_SFMASK		      0xc0000084u
#define X64_MSR_FS_BASE		      0xc0000100u
#define X64_MSR_GS_BASE		      0xc0000101u
#define X64_MSR_KERNEL_GS_BASE	      0xc0000102u
#define X64_MSR_TSC_AUX		      0xc0000103u
#define X64_MSR_K7_EVNTSEL0	      0xc0010000u
#define X64_MSR_K7_PERFCTR3	      0xc0010007u
#define X64_MSR_SYSCFG		      0xc0010010u
#define X64_MSR_HWCR		      0xc0010015u
#define X64_MSR_K7_CLK_CTL	      0xc001001bu
#define X64_MSR_NB_CFG		      0xc001001fu
#define X64_MSR_PATCH_LOADER	      0xc0010020u
#define X64_MSR_INT_PENDING_MSG	      0xc0010055u
#define X64_MSR_MMIO_CONF_BASE	      0xc0010058u
#define X64_MSR_TSEG_ADDR	      0xc0010112u
#define X64_MSR_TSEG_MASK	      0xc0010113u
#define X64_MSR_VM_CR		      0xc0010114u
#define X64_MSR_VIRT_SPEC_CTRL	      0xc001011fu
#define X64_MSR_OSVW_ID_LENGTH	      0xc0010140u
#define X64_MSR_OSVW_STATUS	      0xc0010141u
#define X64_MSR_DC_CFG		      0xc0011022u
#define X64_MSR_DE_CFG		      0xc0011029u
#define X64_MSR_BU_CFG2		      0xc001102au
#define X64_MSR_EX_CFG		      0xc001102cu

/* SDM 3A table 10-1: after RESET and INIT. */
#define X64_RESET_RIP 0xfff0u
#define X64_RESET_CS  0xf000u

#endif
