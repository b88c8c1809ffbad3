/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of the VP registers that the architecture defines: X(constant, number, name in the TLFS).
 * TLFS: HV_REGISTER_NAME (data types).
 */
#ifndef VSM_HV_REGISTERS_X64_H
#define VSM_HV_REGISTERS_X64_H

/* clang-format off */

/* RSP, RIP and RFLAGS are private to a VTL, the others shared. */
#define HV_REGISTER_LIST_GENERAL(X) \
	X(HV_X64_REGISTER_RAX,                0x00020000, HvX64RegisterRax) \
	X(HV_X64_REGISTER_RCX,                0x00020001, HvX64RegisterRcx) \
	X(HV_X64_REGISTER_RDX,                0x00020002, HvX64RegisterRdx) \
	X(HV_X64_REGISTER_RBX,                0x00020003, HvX64RegisterRbx) \
	X(HV_X64_REGISTER_RSP,                0x00020004, HvX64RegisterRsp) \
	X(HV_X64_REGISTER_RBP,                0x00020005, HvX64RegisterRbp) \
	X(HV_X64_REGISTER_RSI,                0x00020006, HvX64RegisterRsi) \
	X(HV_X64_REGISTER_RDI,                0x00020007, HvX64RegisterRdi) \
	X(HV_X64_REGISTER_R8,                 0x00020008, HvX64RegisterR8) \
	X(HV_X64_REGISTER_R9,                 0x00020009, HvX64RegisterR9) \
	X(HV_X64_REGISTER_R10,                0x0002000a, HvX64RegisterR10) \
	X(HV_X64_REGISTER_R11,                0x0002000b, HvX64RegisterR11) \
	X(HV_X64_REGISTER_R12,                0x0002000c, HvX64RegisterR12) \
	X(HV_X64_REGISTER_R13,                0x0002000d, HvX64RegisterR13) \
	X(HV_X64_REGISTER_R14,                0x0002000e, HvX64RegisterR14) \
	X(HV_X64_REGISTER_R15,                0x0002000f, HvX64RegisterR15) \
	X(HV_X64_REGISTER_RIP,                0x00020010, HvX64RegisterRip) \
	X(HV_X64_REGISTER_RFLAGS,             0x00020011, HvX64RegisterRflags) \
	X(HV_X64_REGISTER_XMM0,               0x00030000, HvX64RegisterXmm0) \
	X(HV_X64_REGISTER_XMM1,               0x00030001, HvX64RegisterXmm1) \
	X(HV_X64_REGISTER_XMM2,               0x00030002, HvX64RegisterXmm2) \
	X(HV_X64_REGISTER_XMM3,               0x00030003, HvX64RegisterXmm3) \
	X(HV_X64_REGISTER_XMM4,               0x00030004, HvX64RegisterXmm4) \
	X(HV_X64_REGISTER_XMM5,               0x00030005, HvX64RegisterXmm5) \
	X(HV_X64_REGISTER_XMM6,               0x00030006, HvX64RegisterXmm6) \
	X(HV_X64_REGISTER_XMM7,               0x00030007, HvX64RegisterXmm7) \
	X(HV_X64_REGISTER_XMM8,               0x00030008, HvX64RegisterXmm8) \
	X(HV_X64_REGISTER_XMM9,               0x00030009, HvX64RegisterXmm9) \
	X(HV_X64_REGISTER_XMM10,              0x0003000a, HvX64RegisterXmm10) \
	X(HV_X64_REGISTER_XMM11,              0x0003000b, HvX64RegisterXmm11) \
	X(HV_X64_REGISTER_XMM12,              0x0003000c, HvX64RegisterXmm12) \
	X(HV_X64_REGISTER_XMM13,              0x0003000d, HvX64RegisterXmm13) \
	X(HV_X64_REGISTER_XMM14,              0x0003000e, HvX64RegisterXmm14) \
	X(HV_X64_REGISTER_XMM15,              0x0003000f, HvX64RegisterXmm15) \
	X(HV_X64_REGISTER_FP_MMX0,            0x00030010, HvX64RegisterFpMmx0) \
	X(HV_X64_REGISTER_FP_MMX1,            0x00030011, HvX64RegisterFpMmx1) \
	X(HV_X64_REGISTER_FP_MMX2,            0x00030012, HvX64RegisterFpMmx2) \
	X(HV_X64_REGISTER_FP_MMX3,            0x00030013, HvX64RegisterFpMmx3) \
	X(HV_X64_REGISTER_FP_MMX4,            0x00030014, HvX64RegisterFpMmx4) \
	X(HV_X64_REGISTER_FP_MMX5,            0x00030015, HvX64RegisterFpMmx5) \
	X(HV_X64_REGISTER_FP_MMX6,            0x00030016, HvX64RegisterFpMmx6) \
	X(HV_X64_REGISTER_FP_MMX7,            0x00030017, HvX64RegisterFpMmx7) \
	X(HV_X64_REGISTER_FP_CONTROL_STATUS,  0x00030018, HvX64RegisterFpControlStatus) \
	X(HV_X64_REGISTER_XMM_CONTROL_STATUS, 0x00030019, HvX64RegisterXmmControlStatus)

/* CR2, DR0-DR3 and XFEM (XCR0) are shared by the VTLs. */
#define HV_REGISTER_LIST_CONTROL(X) \
	X(HV_X64_REGISTER_CR0,              0x00040000, HvX64RegisterCr0) \
	X(HV_X64_REGISTER_CR2,              0x00040001, HvX64RegisterCr2) \
	X(HV_X64_REGISTER_CR3,              0x00040002, HvX64RegisterCr3) \
	X(HV_X64_REGISTER_CR4,              0x00040003, HvX64RegisterCr4) \
	X(HV_X64_REGISTER_CR8,              0x00040004, HvX64RegisterCr8) \
	X(HV_X64_REGISTER_XFEM,             0x00040005, HvX64RegisterXfem) \
	X(HV_X64_REGISTER_INTERMEDIATE_CR0, 0x00041000, HvX64RegisterIntermediateCr0) \
	X(HV_X64_REGISTER_INTERMEDIATE_CR3, 0x00041002, HvX64RegisterIntermediateCr3) \
	X(HV_X64_REGISTER_INTERMEDIATE_CR4, 0x00041003, HvX64RegisterIntermediateCr4) \
	X(HV_X64_REGISTER_INTERMEDIATE_CR8, 0x00041004, HvX64RegisterIntermediateCr8) \
	X(HV_X64_REGISTER_DR0,              0x00050000, HvX64RegisterDr0) \
	X(HV_X64_REGISTER_DR1,              0x00050001, HvX64RegisterDr1) \
	X(HV_X64_REGISTER_DR2,              0x00050002, HvX64RegisterDr2) \
	X(HV_X64_REGISTER_DR3,              0x00050003, HvX64RegisterDr3) \
	X(HV_X64_REGISTER_DR6,              0x00050004, HvX64RegisterDr6) \
	X(HV_X64_REGISTER_DR7,              0x00050005, HvX64RegisterDr7) \
	X(HV_X64_REGISTER_ES,               0x00060000, HvX64RegisterEs) \
	X(HV_X64_REGISTER_CS,               0x00060001, HvX64RegisterCs) \
	X(HV_X64_REGISTER_SS,               0x00060002, HvX64RegisterSs) \
	X(HV_X64_REGISTER_DS,               0x00060003, HvX64RegisterDs) \
	X(HV_X64_REGISTER_FS,               0x00060004, HvX64RegisterFs) \
	X(HV_X64_REGISTER_GS,               0x00060005, HvX64RegisterGs) \
	X(HV_X64_REGISTER_LDTR,             0x00060006, HvX64RegisterLdtr) \
	X(HV_X64_REGISTER_TR,               0x00060007, HvX64RegisterTr) \
	X(HV_X64_REGISTER_IDTR,             0x00070000, HvX64RegisterIdtr) \
	X(HV_X64_REGISTER_GDTR,             0x00070001, HvX64RegisterGdtr)

#define HV_REGISTER_LIST_MSR(X) \
	X(HV_X64_REGISTER_TSC,                          0x00080000, HvX64RegisterTsc) \
	X(HV_X64_REGISTER_EFER,                         0x00080001, HvX64RegisterEfer) \
	X(HV_X64_REGISTER_KERNEL_GS_BASE,               0x00080002, HvX64RegisterKernelGsBase) \
	X(HV_X64_REGISTER_APIC_BASE,                    0x00080003, HvX64RegisterApicBase) \
	X(HV_X64_REGISTER_PAT,                          0x00080004, HvX64RegisterPat) \
	X(HV_X64_REGISTER_SYSENTER_CS,                  0x00080005, HvX64RegisterSysenterCs) \
	X(HV_X64_REGISTER_SYSENTER_EIP,                 0x00080006, HvX64RegisterSysenterEip) \
	X(HV_X64_REGISTER_SYSENTER_ESP,                 0x00080007, HvX64RegisterSysenterEsp) \
	X(HV_X64_REGISTER_STAR,                         0x00080008, HvX64RegisterStar) \
	X(HV_X64_REGISTER_LSTAR,                        0x00080009, HvX64RegisterLstar) \
	X(HV_X64_REGISTER_CSTAR,                        0x0008000a, HvX64RegisterCstar) \
	X(HV_X64_REGISTER_SFMASK,                       0x0008000b, HvX64RegisterSfmask) \
	X(HV_X64_REGISTER_INITIAL_APIC_ID,              0x0008000c, HvX64RegisterInitialApicId) \
	X(HV_X64_REGISTER_MSR_MTRR_CAP,                 0x0008000d, HvX64RegisterMsrMtrrCap) \
	X(HV_X64_REGISTER_MSR_MTRR_DEF_TYPE,            0x0008000e, HvX64RegisterMsrMtrrDefType) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_BASE0,          0x00080010, HvX64RegisterMsrMtrrPhysBase0) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_BASE1,          0x00080011, HvX64RegisterMsrMtrrPhysBase1) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_BASE2,          0x00080012, HvX64RegisterMsrMtrrPhysBase2) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_BASE3,          0x00080013, HvX64RegisterMsrMtrrPhysBase3) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_BASE4,          0x00080014, HvX64RegisterMsrMtrrPhysBase4) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_BASE5,          0x00080015, HvX64RegisterMsrMtrrPhysBase5) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_BASE6,          0x00080016, HvX64RegisterMsrMtrrPhysBase6) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_BASE7,          0x00080017, HvX64RegisterMsrMtrrPhysBase7) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_BASE8,          0x00080018, HvX64RegisterMsrMtrrPhysBase8) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_BASE9,          0x00080019, HvX64RegisterMsrMtrrPhysBase9) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_BASEA,          0x0008001a, HvX64RegisterMsrMtrrPhysBaseA) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_BASEB,          0x0008001b, HvX64RegisterMsrMtrrPhysBaseB) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_BASEC,          0x0008001c, HvX64RegisterMsrMtrrPhysBaseC) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_BASED,          0x0008001d, HvX64RegisterMsrMtrrPhysBaseD) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_BASEE,          0x0008001e, HvX64RegisterMsrMtrrPhysBaseE) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_BASEF,          0x0008001f, HvX64RegisterMsrMtrrPhysBaseF) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_MASK0,          0x00080040, HvX64RegisterMsrMtrrPhysMask0) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_MASK1,          0x00080041, HvX64RegisterMsrMtrrPhysMask1) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_MASK2,          0x00080042, HvX64RegisterMsrMtrrPhysMask2) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_MASK3,          0x00080043, HvX64RegisterMsrMtrrPhysMask3) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_MASK4,          0x00080044, HvX64RegisterMsrMtrrPhysMask4) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_MASK5,          0x00080045, HvX64RegisterMsrMtrrPhysMask5) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_MASK6,          0x00080046, HvX64RegisterMsrMtrrPhysMask6) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_MASK7,          0x00080047, HvX64RegisterMsrMtrrPhysMask7) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_MASK8,          0x00080048, HvX64RegisterMsrMtrrPhysMask8) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_MASK9,          0x00080049, HvX64RegisterMsrMtrrPhysMask9) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_MASKA,          0x0008004a, HvX64RegisterMsrMtrrPhysMaskA) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_MASKB,          0x0008004b, HvX64RegisterMsrMtrrPhysMaskB) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_MASKC,          0x0008004c, HvX64RegisterMsrMtrrPhysMaskC) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_MASKD,          0x0008004d, HvX64RegisterMsrMtrrPhysMaskD) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_MASKE,          0x0008004e, HvX64RegisterMsrMtrrPhysMaskE) \
	X(HV_X64_REGISTER_MSR_MTRR_PHYS_MASKF,          0x0008004f, HvX64RegisterMsrMtrrPhysMaskF) \
	X(HV_X64_REGISTER_MSR_MTRR_FIX64K00000,         0x00080070, HvX64RegisterMsrMtrrFix64k00000) \
	X(HV_X64_REGISTER_MSR_MTRR_FIX16K80000,         0x00080071, HvX64RegisterMsrMtrrFix16k80000) \
	X(HV_X64_REGISTER_MSR_MTRR_FIX16KA0000,         0x00080072, HvX64RegisterMsrMtrrFix16kA0000) \
	X(HV_X64_REGISTER_MSR_MTRR_FIX4KC0000,          0x00080073, HvX64RegisterMsrMtrrFix4kC0000) \
	X(HV_X64_REGISTER_MSR_MTRR_FIX4KC8000,          0x00080074, HvX64RegisterMsrMtrrFix4kC8000) \
	X(HV_X64_REGISTER_MSR_MTRR_FIX4KD0000,          0x00080075, HvX64RegisterMsrMtrrFix4kD0000) \
	X(HV_X64_REGISTER_MSR_MTRR_FIX4KD8000,          0x00080076, HvX64RegisterMsrMtrrFix4kD8000) \
	X(HV_X64_REGISTER_MSR_MTRR_FIX4KE0000,          0x00080077, HvX64RegisterMsrMtrrFix4kE0000) \
	X(HV_X64_REGISTER_MSR_MTRR_FIX4KE8000,          0x00080078, HvX64RegisterMsrMtrrFix4kE8000) \
	X(HV_X64_REGISTER_MSR_MTRR_FIX4KF0000,          0x00080079, HvX64RegisterMsrMtrrFix4kF0000) \
	X(HV_X64_REGISTER_MSR_MTRR_FIX4KF8000,          0x0008007a, HvX64RegisterMsrMtrrFix4kF8000) \
	X(HV_X64_REGISTER_TSC_AUX,                      0x0008007b, HvX64RegisterTscAux) \
	X(HV_X64_REGISTER_BNDCFGS,                      0x0008007c, HvX64RegisterBndcfgs) \
	X(HV_X64_REGISTER_DEBUG_CTL,                    0x0008007d, HvX64RegisterDebugCtl) \
	X(HV_X64_REGISTER_M_COUNT,                      0x0008007e, HvX64RegisterMCount) \
	X(HV_X64_REGISTER_A_COUNT,                      0x0008007f, HvX64RegisterACount) \
	X(HV_X64_REGISTER_SGX_LAUNCH_CONTROL0,          0x00080080, HvX64RegisterSgxLaunchControl0) \
	X(HV_X64_REGISTER_SGX_LAUNCH_CONTROL1,          0x00080081, HvX64RegisterSgxLaunchControl1) \
	X(HV_X64_REGISTER_SGX_LAUNCH_CONTROL2,          0x00080082, HvX64RegisterSgxLaunchControl2) \
	X(HV_X64_REGISTER_SGX_LAUNCH_CONTROL3,          0x00080083, HvX64RegisterSgxLaunchControl3) \
	X(HV_X64_REGISTER_SPEC_CTRL,                    0x00080084, HvX64RegisterSpecCtrl) \
	X(HV_X64_REGISTER_PRED_CMD,                     0x00080085, HvX64RegisterPredCmd) \
	X(HV_X64_REGISTER_VIRT_SPEC_CTRL,               0x00080086, HvX64RegisterVirtSpecCtrl) \
	X(HV_X64_REGISTER_TSC_VIRTUAL_OFFSET,           0x00080087, HvX64RegisterTscVirtualOffset) \
	X(HV_X64_REGISTER_TSX_CTRL,                     0x00080088, HvX64RegisterTsxCtrl) \
	X(HV_X64_REGISTER_MSR_MC_UPDATE_PATCH_LEVEL,    0x00080089, HvX64RegisterMsrMcUpdatePatchLevel) \
	X(HV_X64_REGISTER_AVAILABLE1,                   0x0008008a, HvX64RegisterAvailable1) \
	X(HV_X64_REGISTER_XSS,                          0x0008008b, HvX64RegisterXss) \
	X(HV_X64_REGISTER_U_CET,                        0x0008008c, HvX64RegisterUCet) \
	X(HV_X64_REGISTER_S_CET,                        0x0008008d, HvX64RegisterSCet) \
	X(HV_X64_REGISTER_SSP,                          0x0008008e, HvX64RegisterSsp) \
	X(HV_X64_REGISTER_PL0_SSP,                      0x0008008f, HvX64RegisterPl0Ssp) \
	X(HV_X64_REGISTER_PL1_SSP,                      0x00080090, HvX64RegisterPl1Ssp) \
	X(HV_X64_REGISTER_PL2_SSP,                      0x00080091, HvX64RegisterPl2Ssp) \
	X(HV_X64_REGISTER_PL3_SSP,                      0x00080092, HvX64RegisterPl3Ssp) \
	X(HV_X64_REGISTER_INTERRUPT_SSP_TABLE_ADDR,     0x00080093, HvX64RegisterInterruptSspTableAddr) \
	X(HV_X64_REGISTER_TSC_VIRTUAL_MULTIPLIER,       0x00080094, HvX64RegisterTscVirtualMultiplier) \
	X(HV_X64_REGISTER_TSC_DEADLINE,                 0x00080095, HvX64RegisterTscDeadline) \
	X(HV_X64_REGISTER_TSC_ADJUST,                   0x00080096, HvX64RegisterTscAdjust) \
	X(HV_X64_REGISTER_PASID,                        0x00080097, HvX64RegisterPasid) \
	X(HV_X64_REGISTER_UMWAIT_CONTROL,               0x00080098, HvX64RegisterUmwaitControl) \
	X(HV_X64_REGISTER_XFD,                          0x00080099, HvX64RegisterXfd) \
	X(HV_X64_REGISTER_XFD_ERR,                      0x0008009a, HvX64RegisterXfdErr) \
	X(HV_X64_REGISTER_MSR_IA32_MISC_ENABLE,         0x000800a0, HvX64RegisterMsrIa32MiscEnable) \
	X(HV_X64_REGISTER_IA32_FEATURE_CONTROL,         0x000800a1, HvX64RegisterIa32FeatureControl) \
	X(HV_X64_REGISTER_IA32_VMX_BASIC,               0x000800a2, HvX64RegisterIa32VmxBasic) \
	X(HV_X64_REGISTER_IA32_VMX_PINBASED_CTLS,       0x000800a3, HvX64RegisterIa32VmxPinbasedCtls) \
	X(HV_X64_REGISTER_IA32_VMX_PROCBASED_CTLS,      0x000800a4, HvX64RegisterIa32VmxProcbasedCtls) \
	X(HV_X64_REGISTER_IA32_VMX_EXIT_CTLS,           0x000800a5, HvX64RegisterIa32VmxExitCtls) \
	X(HV_X64_REGISTER_IA32_VMX_ENTRY_CTLS,          0x000800a6, HvX64RegisterIa32VmxEntryCtls) \
	X(HV_X64_REGISTER_IA32_VMX_MISC,                0x000800a7, HvX64RegisterIa32VmxMisc) \
	X(HV_X64_REGISTER_IA32_VMX_CR0_FIXED0,          0x000800a8, HvX64RegisterIa32VmxCr0Fixed0) \
	X(HV_X64_REGISTER_IA32_VMX_CR0_FIXED1,          0x000800a9, HvX64RegisterIa32VmxCr0Fixed1) \
	X(HV_X64_REGISTER_IA32_VMX_CR4_FIXED0,          0x000800aa, HvX64RegisterIa32VmxCr4Fixed0) \
	X(HV_X64_REGISTER_IA32_VMX_CR4_FIXED1,          0x000800ab, HvX64RegisterIa32VmxCr4Fixed1) \
	X(HV_X64_REGISTER_IA32_VMX_VMCS_ENUM,           0x000800ac, HvX64RegisterIa32VmxVmcsEnum) \
	X(HV_X64_REGISTER_IA32_VMX_PROCBASED_CTLS2,     0x000800ad, HvX64RegisterIa32VmxProcbasedCtls2) \
	X(HV_X64_REGISTER_IA32_VMX_EPT_VPID_CAP,        0x000800ae, HvX64RegisterIa32VmxEptVpidCap) \
	X(HV_X64_REGISTER_IA32_VMX_TRUE_PINBASED_CTLS,  0x000800af, HvX64RegisterIa32VmxTruePinbasedCtls) \
	X(HV_X64_REGISTER_IA32_VMX_TRUE_PROCBASED_CTLS, 0x000800b0, HvX64RegisterIa32VmxTrueProcbasedCtls) \
	X(HV_X64_REGISTER_IA32_VMX_TRUE_EXIT_CTLS,      0x000800b1, HvX64RegisterIa32VmxTrueExitCtls) \
	X(HV_X64_REGISTER_IA32_VMX_TRUE_ENTRY_CTLS,     0x000800b2, HvX64RegisterIa32VmxTrueEntryCtls) \
	X(HV_X64_REGISTER_AMD_VM_HSAVE_PA,              0x000800b3, HvX64RegisterAmdVmHsavePa) \
	X(HV_X64_REGISTER_AMD_VM_CR,                    0x000800b4, HvX64RegisterAmdVmCr)

#define HV_REGISTER_LIST_PERF(X) \
	X(HV_X64_REGISTER_PERF_GLOBAL_CTRL,      0x00081000, HvX64RegisterPerfGlobalCtrl) \
	X(HV_X64_REGISTER_PERF_GLOBAL_STATUS,    0x00081001, HvX64RegisterPerfGlobalStatus) \
	X(HV_X64_REGISTER_PERF_GLOBAL_IN_USE,    0x00081002, HvX64RegisterPerfGlobalInUse) \
	X(HV_X64_REGISTER_FIXED_CTR_CTRL,        0x00081003, HvX64RegisterFixedCtrCtrl) \
	X(HV_X64_REGISTER_DS_AREA,               0x00081004, HvX64RegisterDsArea) \
	X(HV_X64_REGISTER_PEBS_ENABLE,           0x00081005, HvX64RegisterPebsEnable) \
	X(HV_X64_REGISTER_PEBS_LD_LAT,           0x00081006, HvX64RegisterPebsLdLat) \
	X(HV_X64_REGISTER_PEBS_FRONTEND,         0x00081007, HvX64RegisterPebsFrontend) \
	X(HV_X64_REGISTER_RTIT_CTL,              0x00081008, HvX64RegisterRtitCtl) \
	X(HV_X64_REGISTER_RTIT_STATUS,           0x00081009, HvX64RegisterRtitStatus) \
	X(HV_X64_REGISTER_RTIT_OUTPUT_BASE,      0x0008100a, HvX64RegisterRtitOutputBase) \
	X(HV_X64_REGISTER_RTIT_OUTPUT_MASK_PTRS, 0x0008100b, HvX64RegisterRtitOutputMaskPtrs) \
	X(HV_X64_REGISTER_RTIT_CR3_MATCH,        0x0008100c, HvX64RegisterRtitCr3Match) \
	X(HV_X64_REGISTER_PERF_EVT_SEL0,         0x00081100, HvX64RegisterPerfEvtSel0) \
	X(HV_X64_REGISTER_PMC0,                  0x00081200, HvX64RegisterPmc0) \
	X(HV_X64_REGISTER_FIXED_CTR0,            0x00081300, HvX64RegisterFixedCtr0) \
	X(HV_X64_REGISTER_RTIT_ADDR0A,           0x00081400, HvX64RegisterRtitAddr0A) \
	X(HV_X64_REGISTER_LBR_TOS,               0x00082000, HvX64RegisterLbrTos) \
	X(HV_X64_REGISTER_LBR_SELECT,            0x00082001, HvX64RegisterLbrSelect) \
	X(HV_X64_REGISTER_LER_FROM_LIP,          0x00082002, HvX64RegisterLerFromLip) \
	X(HV_X64_REGISTER_LER_TO_LIP,            0x00082003, HvX64RegisterLerToLip) \
	X(HV_X64_REGISTER_LBR_FROM0,             0x00082100, HvX64RegisterLbrFrom0) \
	X(HV_X64_REGISTER_LBR_TO0,               0x00082200, HvX64RegisterLbrTo0) \
	X(HV_X64_REGISTER_LBR_INFO0,             0x00083300, HvX64RegisterLbrInfo0)

/* The local APIC: 0x00084800 plus the low byte of the x2APIC MSR. */
#define HV_REGISTER_LIST_APIC(X) \
	X(HV_X64_REGISTER_APIC_ID,            0x00084802, HvX64RegisterApicId) \
	X(HV_X64_REGISTER_APIC_VERSION,       0x00084803, HvX64RegisterApicVersion) \
	X(HV_X64_REGISTER_APIC_TPR,           0x00084808, HvX64RegisterApicTpr) \
	X(HV_X64_REGISTER_APIC_PPR,           0x0008480a, HvX64RegisterApicPpr) \
	X(HV_X64_REGISTER_APIC_EOI,           0x0008480b, HvX64RegisterApicEoi) \
	X(HV_X64_REGISTER_APIC_LDR,           0x0008480d, HvX64RegisterApicLdr) \
	X(HV_X64_REGISTER_APIC_SPURIOUS,      0x0008480f, HvX64RegisterApicSpurious) \
	X(HV_X64_REGISTER_APIC_ISR0,          0x00084810, HvX64RegisterApicIsr0) \
	X(HV_X64_REGISTER_APIC_ISR1,          0x00084811, HvX64RegisterApicIsr1) \
	X(HV_X64_REGISTER_APIC_ISR2,          0x00084812, HvX64RegisterApicIsr2) \
	X(HV_X64_REGISTER_APIC_ISR3,          0x00084813, HvX64RegisterApicIsr3) \
	X(HV_X64_REGISTER_APIC_ISR4,          0x00084814, HvX64RegisterApicIsr4) \
	X(HV_X64_REGISTER_APIC_ISR5,          0x00084815, HvX64RegisterApicIsr5) \
	X(HV_X64_REGISTER_APIC_ISR6,          0x00084816, HvX64RegisterApicIsr6) \
	X(HV_X64_REGISTER_APIC_ISR7,          0x00084817, HvX64RegisterApicIsr7) \
	X(HV_X64_REGISTER_APIC_TMR0,          0x00084818, HvX64RegisterApicTmr0) \
	X(HV_X64_REGISTER_APIC_TMR1,          0x00084819, HvX64RegisterApicTmr1) \
	X(HV_X64_REGISTER_APIC_TMR2,          0x0008481a, HvX64RegisterApicTmr2) \
	X(HV_X64_REGISTER_APIC_TMR3,          0x0008481b, HvX64RegisterApicTmr3) \
	X(HV_X64_REGISTER_APIC_TMR4,          0x0008481c, HvX64RegisterApicTmr4) \
	X(HV_X64_REGISTER_APIC_TMR5,          0x0008481d, HvX64RegisterApicTmr5) \
	X(HV_X64_REGISTER_APIC_TMR6,          0x0008481e, HvX64RegisterApicTmr6) \
	X(HV_X64_REGISTER_APIC_TMR7,          0x0008481f, HvX64RegisterApicTmr7) \
	X(HV_X64_REGISTER_APIC_IRR0,          0x00084820, HvX64RegisterApicIrr0) \
	X(HV_X64_REGISTER_APIC_IRR1,          0x00084821, HvX64RegisterApicIrr1) \
	X(HV_X64_REGISTER_APIC_IRR2,          0x00084822, HvX64RegisterApicIrr2) \
	X(HV_X64_REGISTER_APIC_IRR3,          0x00084823, HvX64RegisterApicIrr3) \
	X(HV_X64_REGISTER_APIC_IRR4,          0x00084824, HvX64RegisterApicIrr4) \
	X(HV_X64_REGISTER_APIC_IRR5,          0x00084825, HvX64RegisterApicIrr5) \
	X(HV_X64_REGISTER_APIC_IRR6,          0x00084826, HvX64RegisterApicIrr6) \
	X(HV_X64_REGISTER_APIC_IRR7,          0x00084827, HvX64RegisterApicIrr7) \
	X(HV_X64_REGISTER_APIC_ESE,           0x00084828, HvX64RegisterApicEse) \
	X(HV_X64_REGISTER_APIC_ICR,           0x00084830, HvX64RegisterApicIcr) \
	X(HV_X64_REGISTER_APIC_LVT_TIMER,     0x00084832, HvX64RegisterApicLvtTimer) \
	X(HV_X64_REGISTER_APIC_LVT_THERMAL,   0x00084833, HvX64RegisterApicLvtThermal) \
	X(HV_X64_REGISTER_APIC_LVT_PERFMON,   0x00084834, HvX64RegisterApicLvtPerfmon) \
	X(HV_X64_REGISTER_APIC_LVT_LINT0,     0x00084835, HvX64RegisterApicLvtLint0) \
	X(HV_X64_REGISTER_APIC_LVT_LINT1,     0x00084836, HvX64RegisterApicLvtLint1) \
	X(HV_X64_REGISTER_APIC_LVT_ERROR,     0x00084837, HvX64RegisterApicLvtError) \
	X(HV_X64_REGISTER_APIC_INIT_COUNT,    0x00084838, HvX64RegisterApicInitCount) \
	X(HV_X64_REGISTER_APIC_CURRENT_COUNT, 0x00084839, HvX64RegisterApicCurrentCount) \
	X(HV_X64_REGISTER_APIC_DIVIDE,        0x0008483e, HvX64RegisterApicDivide) \
	X(HV_X64_REGISTER_APIC_SELF_IPI,      0x0008483f, HvX64RegisterApicSelfIpi)

/* YMMnLow is XMMn. */
#define HV_REGISTER_LIST_YMM(X) \
	X(HV_X64_REGISTER_YMM0_LOW,   0x000c0000, HvX64RegisterYmm0Low) \
	X(HV_X64_REGISTER_YMM1_LOW,   0x000c0001, HvX64RegisterYmm1Low) \
	X(HV_X64_REGISTER_YMM2_LOW,   0x000c0002, HvX64RegisterYmm2Low) \
	X(HV_X64_REGISTER_YMM3_LOW,   0x000c0003, HvX64RegisterYmm3Low) \
	X(HV_X64_REGISTER_YMM4_LOW,   0x000c0004, HvX64RegisterYmm4Low) \
	X(HV_X64_REGISTER_YMM5_LOW,   0x000c0005, HvX64RegisterYmm5Low) \
	X(HV_X64_REGISTER_YMM6_LOW,   0x000c0006, HvX64RegisterYmm6Low) \
	X(HV_X64_REGISTER_YMM7_LOW,   0x000c0007, HvX64RegisterYmm7Low) \
	X(HV_X64_REGISTER_YMM8_LOW,   0x000c0008, HvX64RegisterYmm8Low) \
	X(HV_X64_REGISTER_YMM9_LOW,   0x000c0009, HvX64RegisterYmm9Low) \
	X(HV_X64_REGISTER_YMM10_LOW,  0x000c000a, HvX64RegisterYmm10Low) \
	X(HV_X64_REGISTER_YMM11_LOW,  0x000c000b, HvX64RegisterYmm11Low) \
	X(HV_X64_REGISTER_YMM12_LOW,  0x000c000c, HvX64RegisterYmm12Low) \
	X(HV_X64_REGISTER_YMM13_LOW,  0x000c000d, HvX64RegisterYmm13Low) \
	X(HV_X64_REGISTER_YMM14_LOW,  0x000c000e, HvX64RegisterYmm14Low) \
	X(HV_X64_REGISTER_YMM15_LOW,  0x000c000f, HvX64RegisterYmm15Low) \
	X(HV_X64_REGISTER_YMM0_HIGH,  0x000c0010, HvX64RegisterYmm0High) \
	X(HV_X64_REGISTER_YMM1_HIGH,  0x000c0011, HvX64RegisterYmm1High) \
	X(HV_X64_REGISTER_YMM2_HIGH,  0x000c0012, HvX64RegisterYmm2High) \
	X(HV_X64_REGISTER_YMM3_HIGH,  0x000c0013, HvX64RegisterYmm3High) \
	X(HV_X64_REGISTER_YMM4_HIGH,  0x000c0014, HvX64RegisterYmm4High) \
	X(HV_X64_REGISTER_YMM5_HIGH,  0x000c0015, HvX64RegisterYmm5High) \
	X(HV_X64_REGISTER_YMM6_HIGH,  0x000c0016, HvX64RegisterYmm6High) \
	X(HV_X64_REGISTER_YMM7_HIGH,  0x000c0017, HvX64RegisterYmm7High) \
	X(HV_X64_REGISTER_YMM8_HIGH,  0x000c0018, HvX64RegisterYmm8High) \
	X(HV_X64_REGISTER_YMM9_HIGH,  0x000c0019, HvX64RegisterYmm9High) \
	X(HV_X64_REGISTER_YMM10_HIGH, 0x000c001a, HvX64RegisterYmm10High) \
	X(HV_X64_REGISTER_YMM11_HIGH, 0x000c001b, HvX64RegisterYmm11High) \
	X(HV_X64_REGISTER_YMM12_HIGH, 0x000c001c, HvX64RegisterYmm12High) \
	X(HV_X64_REGISTER_YMM13_HIGH, 0x000c001d, HvX64RegisterYmm13High) \
	X(HV_X64_REGISTER_YMM14_HIGH, 0x000c001e, HvX64RegisterYmm14High) \
	X(HV_X64_REGISTER_YMM15_HIGH, 0x000c001f, HvX64RegisterYmm15High)

/* clang-format on */

#endif
