/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of the VP registers that the hypervisor defines: X(constant, number, name in the TLFS).
 * TLFS: HV_REGISTER_NAME (data types).
 */
#ifndef VSM_HV_REGISTERS_SYNTHETIC_H
#define VSM_HV_REGISTERS_SYNTHETIC_H

/* clang-format off */

/* Suspension, activity, and values that CPUID and partition-wide MSRs also report. */
#define HV_REGISTER_LIST_ACTIVITY(X) \
	X(HV_REGISTER_EXPLICIT_SUSPEND,             0x00000000, HvRegisterExplicitSuspend) \
	X(HV_REGISTER_INTERCEPT_SUSPEND,            0x00000001, HvRegisterInterceptSuspend) \
	X(HV_REGISTER_INSTRUCTION_EMULATION_HINTS,  0x00000002, HvRegisterInstructionEmulationHints) \
	X(HV_REGISTER_DISPATCH_SUSPEND,             0x00000003, HvRegisterDispatchSuspend) \
	X(HV_REGISTER_INTERNAL_ACTIVITY_STATE,      0x00000004, HvRegisterInternalActivityState) \
	X(HV_REGISTER_HYPERVISOR_VERSION,           0x00000100, HvRegisterHypervisorVersion) \
	X(HV_REGISTER_PRIVILEGES_AND_FEATURES_INFO, 0x00000200, HvRegisterPrivilegesAndFeaturesInfo) \
	X(HV_REGISTER_FEATURES_INFO,                0x00000201, HvRegisterFeaturesInfo) \
	X(HV_REGISTER_IMPLEMENTATION_LIMITS_INFO,   0x00000202, HvRegisterImplementationLimitsInfo) \
	X(HV_REGISTER_HARDWARE_FEATURES_INFO,       0x00000203, HvRegisterHardwareFeaturesInfo) \
	X(HV_REGISTER_CPU_MANAGEMENT_FEATURES_INFO, 0x00000204, HvRegisterCpuManagementFeaturesInfo) \
	X(HV_REGISTER_PASID_FEATURES_INFO,          0x00000205, HvRegisterPasidFeaturesInfo) \
	X(HV_REGISTER_SKIP_LEVEL_FEATURES_INFO,     0x00000206, HvRegisterSkipLevelFeaturesInfo) \
	X(HV_REGISTER_NESTED_VIRT_FEATURES_INFO,    0x00000207, HvRegisterNestedVirtFeaturesInfo) \
	X(HV_REGISTER_IPT_FEATURES_INFO,            0x00000208, HvRegisterIptFeaturesInfo) \
	X(HV_REGISTER_GUEST_CRASH_P0,               0x00000210, HvRegisterGuestCrashP0) \
	X(HV_REGISTER_GUEST_CRASH_P1,               0x00000211, HvRegisterGuestCrashP1) \
	X(HV_REGISTER_GUEST_CRASH_P2,               0x00000212, HvRegisterGuestCrashP2) \
	X(HV_REGISTER_GUEST_CRASH_P3,               0x00000213, HvRegisterGuestCrashP3) \
	X(HV_REGISTER_GUEST_CRASH_P4,               0x00000214, HvRegisterGuestCrashP4) \
	X(HV_REGISTER_GUEST_CRASH_CTL,              0x00000215, HvRegisterGuestCrashCtl) \
	X(HV_REGISTER_POWER_STATE_CONFIG_C1,        0x00000220, HvRegisterPowerStateConfigC1) \
	X(HV_REGISTER_POWER_STATE_TRIGGER_C1,       0x00000221, HvRegisterPowerStateTriggerC1) \
	X(HV_REGISTER_POWER_STATE_CONFIG_C2,        0x00000222, HvRegisterPowerStateConfigC2) \
	X(HV_REGISTER_POWER_STATE_TRIGGER_C2,       0x00000223, HvRegisterPowerStateTriggerC2) \
	X(HV_REGISTER_POWER_STATE_CONFIG_C3,        0x00000224, HvRegisterPowerStateConfigC3) \
	X(HV_REGISTER_POWER_STATE_TRIGGER_C3,       0x00000225, HvRegisterPowerStateTriggerC3) \
	X(HV_REGISTER_SYSTEM_RESET,                 0x00000230, HvRegisterSystemReset) \
	X(HV_REGISTER_PROCESSOR_CLOCK_FREQUENCY,    0x00000240, HvRegisterProcessorClockFrequency) \
	X(HV_REGISTER_INTERRUPT_CLOCK_FREQUENCY,    0x00000241, HvRegisterInterruptClockFrequency) \
	X(HV_REGISTER_GUEST_IDLE,                   0x00000250, HvRegisterGuestIdle) \
	X(HV_REGISTER_DEBUG_DEVICE_OPTIONS,         0x00000260, HvRegisterDebugDeviceOptions) \
	X(HV_REGISTER_MEMORY_ZEROING_CONTROL,       0x00000270, HvRegisterMemoryZeroingControl)

/* Pending events; layouts in pending_event.h. */
#define HV_REGISTER_LIST_EVENT(X) \
	X(HV_REGISTER_PENDING_INTERRUPTION,         0x00010002, HvRegisterPendingInterruption) \
	X(HV_REGISTER_INTERRUPT_STATE,              0x00010003, HvRegisterInterruptState) \
	X(HV_REGISTER_PENDING_EVENT0,               0x00010004, HvRegisterPendingEvent0) \
	X(HV_REGISTER_PENDING_EVENT1,               0x00010005, HvRegisterPendingEvent1) \
	X(HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, 0x00010006, HvRegisterDeliverabilityNotifications) \
	X(HV_X64_REGISTER_PENDING_DEBUG_EXCEPTION,  0x00010007, HvX64RegisterPendingDebugException) \
	X(HV_REGISTER_PENDING_EVENT2,               0x00010008, HvRegisterPendingEvent2) \
	X(HV_REGISTER_PENDING_EVENT3,               0x00010009, HvRegisterPendingEvent3)

/* Registers that mirror synthetic MSRs, and related ones. */
#define HV_REGISTER_LIST_SYNTHETIC(X) \
	X(HV_REGISTER_VP_RUNTIME,                 0x00090000, HvRegisterVpRuntime) \
	X(HV_X64_REGISTER_HYPERCALL,              0x00090001, HvX64RegisterHypercall) \
	X(HV_REGISTER_GUEST_OS_ID,                0x00090002, HvRegisterGuestOsId) \
	X(HV_REGISTER_VP_INDEX,                   0x00090003, HvRegisterVpIndex) \
	X(HV_REGISTER_TIME_REF_COUNT,             0x00090004, HvRegisterTimeRefCount) \
	X(HV_REGISTER_CPU_MANAGEMENT_VERSION,     0x00090007, HvRegisterCpuManagementVersion) \
	X(HV_X64_REGISTER_SYNTHETIC_EOI,          0x00090010, HvX64RegisterSyntheticEoi) \
	X(HV_X64_REGISTER_SYNTHETIC_ICR,          0x00090011, HvX64RegisterSyntheticIcr) \
	X(HV_X64_REGISTER_SYNTHETIC_TPR,          0x00090012, HvX64RegisterSyntheticTpr) \
	X(HV_REGISTER_VP_ASSIST_PAGE,             0x00090013, HvRegisterVpAssistPage) \
	X(HV_REGISTER_VP_ROOT_SIGNAL_COUNT,       0x00090014, HvRegisterVpRootSignalCount) \
	X(HV_REGISTER_REFERENCE_TSC,              0x00090017, HvRegisterReferenceTsc) \
	X(HV_REGISTER_VP_CONFIG,                  0x00090018, HvRegisterVpConfig) \
	X(HV_X64_REGISTER_GHCB,                   0x00090019, HvX64RegisterGhcb) \
	X(HV_REGISTER_REFERENCE_TSC_SEQUENCE,     0x0009001a, HvRegisterReferenceTscSequence) \
	X(HV_REGISTER_GUEST_SCHEDULER_EVENT,      0x0009001b, HvRegisterGuestSchedulerEvent) \
	X(HV_X64_REGISTER_REGISTER_PAGE,          0x0009001c, HvX64RegisterRegisterPage) \
	X(HV_REGISTER_STATS_PARTITION_RETAIL,     0x00090020, HvRegisterStatsPartitionRetail) \
	X(HV_REGISTER_STATS_PARTITION_INTERNAL,   0x00090021, HvRegisterStatsPartitionInternal) \
	X(HV_REGISTER_STATS_VP_RETAIL,            0x00090022, HvRegisterStatsVpRetail) \
	X(HV_REGISTER_STATS_VP_INTERNAL,          0x00090023, HvRegisterStatsVpInternal) \
	X(HV_X64_REGISTER_EMULATED_TIMER_PERIOD,  0x00090030, HvX64RegisterEmulatedTimerPeriod) \
	X(HV_X64_REGISTER_EMULATED_TIMER_CONTROL, 0x00090031, HvX64RegisterEmulatedTimerControl) \
	X(HV_X64_REGISTER_PM_TIMER_ASSIST,        0x00090032, HvX64RegisterPmTimerAssist) \
	X(HV_X64_REGISTER_SEV_CONTROL,            0x00090040, HvX64RegisterSevControl) \
	X(HV_X64_REGISTER_SEV_GHCB_GPA,           0x00090041, HvX64RegisterSevGhcbGpa) \
	X(HV_X64_REGISTER_SEV_AVIC_GPA,           0x00090043, HvX64RegisterSevAvicGpa) \
	X(HV_X64_REGISTER_NESTED_GUEST_STATE,     0x00090050, HvX64RegisterNestedGuestState) \
	X(HV_X64_REGISTER_NESTED_CURRENT_VM_GPA,  0x00090051, HvX64RegisterNestedCurrentVmGpa) \
	X(HV_X64_REGISTER_NESTED_VMX_INV_EPT,     0x00090052, HvX64RegisterNestedVmxInvEpt) \
	X(HV_X64_REGISTER_NESTED_VMX_INV_VPID,    0x00090053, HvX64RegisterNestedVmxInvVpid) \
	X(HV_REGISTER_NESTED_VP_INDEX,            0x00091003, HvRegisterNestedVpIndex)

/* The SynIC. SIFP is the SIEFP MSR, SIPP the SIMP MSR. */
#define HV_REGISTER_LIST_SYNIC(X) \
	X(HV_REGISTER_SINT0,           0x000a0000, HvRegisterSint0) \
	X(HV_REGISTER_SINT1,           0x000a0001, HvRegisterSint1) \
	X(HV_REGISTER_SINT2,           0x000a0002, HvRegisterSint2) \
	X(HV_REGISTER_SINT3,           0x000a0003, HvRegisterSint3) \
	X(HV_REGISTER_SINT4,           0x000a0004, HvRegisterSint4) \
	X(HV_REGISTER_SINT5,           0x000a0005, HvRegisterSint5) \
	X(HV_REGISTER_SINT6,           0x000a0006, HvRegisterSint6) \
	X(HV_REGISTER_SINT7,           0x000a0007, HvRegisterSint7) \
	X(HV_REGISTER_SINT8,           0x000a0008, HvRegisterSint8) \
	X(HV_REGISTER_SINT9,           0x000a0009, HvRegisterSint9) \
	X(HV_REGISTER_SINT10,          0x000a000a, HvRegisterSint10) \
	X(HV_REGISTER_SINT11,          0x000a000b, HvRegisterSint11) \
	X(HV_REGISTER_SINT12,          0x000a000c, HvRegisterSint12) \
	X(HV_REGISTER_SINT13,          0x000a000d, HvRegisterSint13) \
	X(HV_REGISTER_SINT14,          0x000a000e, HvRegisterSint14) \
	X(HV_REGISTER_SINT15,          0x000a000f, HvRegisterSint15) \
	X(HV_REGISTER_SCONTROL,        0x000a0010, HvRegisterScontrol) \
	X(HV_REGISTER_SVERSION,        0x000a0011, HvRegisterSversion) \
	X(HV_REGISTER_SIFP,            0x000a0012, HvRegisterSifp) \
	X(HV_REGISTER_SIPP,            0x000a0013, HvRegisterSipp) \
	X(HV_REGISTER_EOM,             0x000a0014, HvRegisterEom) \
	X(HV_REGISTER_SIRBP,           0x000a0015, HvRegisterSirbp) \
	X(HV_REGISTER_NESTED_SINT0,    0x000a1000, HvRegisterNestedSint0) \
	X(HV_REGISTER_NESTED_SINT1,    0x000a1001, HvRegisterNestedSint1) \
	X(HV_REGISTER_NESTED_SINT2,    0x000a1002, HvRegisterNestedSint2) \
	X(HV_REGISTER_NESTED_SINT3,    0x000a1003, HvRegisterNestedSint3) \
	X(HV_REGISTER_NESTED_SINT4,    0x000a1004, HvRegisterNestedSint4) \
	X(HV_REGISTER_NESTED_SINT5,    0x000a1005, HvRegisterNestedSint5) \
	X(HV_REGISTER_NESTED_SINT6,    0x000a1006, HvRegisterNestedSint6) \
	X(HV_REGISTER_NESTED_SINT7,    0x000a1007, HvRegisterNestedSint7) \
	X(HV_REGISTER_NESTED_SINT8,    0x000a1008, HvRegisterNestedSint8) \
	X(HV_REGISTER_NESTED_SINT9,    0x000a1009, HvRegisterNestedSint9) \
	X(HV_REGISTER_NESTED_SINT10,   0x000a100a, HvRegisterNestedSint10) \
	X(HV_REGISTER_NESTED_SINT11,   0x000a100b, HvRegisterNestedSint11) \
	X(HV_REGISTER_NESTED_SINT12,   0x000a100c, HvRegisterNestedSint12) \
	X(HV_REGISTER_NESTED_SINT13,   0x000a100d, HvRegisterNestedSint13) \
	X(HV_REGISTER_NESTED_SINT14,   0x000a100e, HvRegisterNestedSint14) \
	X(HV_REGISTER_NESTED_SINT15,   0x000a100f, HvRegisterNestedSint15) \
	X(HV_REGISTER_NESTED_SCONTROL, 0x000a1010, HvRegisterNestedScontrol) \
	X(HV_REGISTER_NESTED_SVERSION, 0x000a1011, HvRegisterNestedSversion) \
	X(HV_REGISTER_NESTED_SIFP,     0x000a1012, HvRegisterNestedSifp) \
	X(HV_REGISTER_NESTED_SIPP,     0x000a1013, HvRegisterNestedSipp) \
	X(HV_REGISTER_NESTED_EOM,      0x000a1014, HvRegisterNestedEom) \
	X(HV_REGISTER_NESTED_SIRBP,    0x000a1015, HvRegisterNestedSirbp)

#define HV_REGISTER_LIST_STIMER(X) \
	X(HV_REGISTER_STIMER0_CONFIG,              0x000b0000, HvRegisterStimer0Config) \
	X(HV_REGISTER_STIMER0_COUNT,               0x000b0001, HvRegisterStimer0Count) \
	X(HV_REGISTER_STIMER1_CONFIG,              0x000b0002, HvRegisterStimer1Config) \
	X(HV_REGISTER_STIMER1_COUNT,               0x000b0003, HvRegisterStimer1Count) \
	X(HV_REGISTER_STIMER2_CONFIG,              0x000b0004, HvRegisterStimer2Config) \
	X(HV_REGISTER_STIMER2_COUNT,               0x000b0005, HvRegisterStimer2Count) \
	X(HV_REGISTER_STIMER3_CONFIG,              0x000b0006, HvRegisterStimer3Config) \
	X(HV_REGISTER_STIMER3_COUNT,               0x000b0007, HvRegisterStimer3Count) \
	X(HV_REGISTER_STIME_UNHALTED_TIMER_CONFIG, 0x000b0100, HvRegisterStimeUnhaltedTimerConfig) \
	X(HV_REGISTER_STIME_UNHALTED_TIMER_COUNT,  0x000b0101, HvRegisterStimeUnhaltedTimerCount)

/* VSM; layouts in vsm.h and assist_page.h. */
#define HV_REGISTER_LIST_VSM(X) \
	X(HV_REGISTER_VSM_VP_VTL_CONTROL,         0x000d0000, HvRegisterVsmVpVtlControl) \
	X(HV_REGISTER_VSM_CODE_PAGE_OFFSETS,      0x000d0002, HvRegisterVsmCodePageOffsets) \
	X(HV_REGISTER_VSM_VP_STATUS,              0x000d0003, HvRegisterVsmVpStatus) \
	X(HV_REGISTER_VSM_PARTITION_STATUS,       0x000d0004, HvRegisterVsmPartitionStatus) \
	X(HV_REGISTER_VSM_VINA,                   0x000d0005, HvRegisterVsmVina) \
	X(HV_REGISTER_VSM_CAPABILITIES,           0x000d0006, HvRegisterVsmCapabilities) \
	X(HV_REGISTER_VSM_PARTITION_CONFIG,       0x000d0007, HvRegisterVsmPartitionConfig) \
	X(HV_REGISTER_GUEST_VSM_PARTITION_CONFIG, 0x000d0008, HvRegisterGuestVsmPartitionConfig) \
	X(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL0,  0x000d0010, HvRegisterVsmVpSecureConfigVtl0) \
	X(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL1,  0x000d0011, HvRegisterVsmVpSecureConfigVtl1) \
	X(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL2,  0x000d0012, HvRegisterVsmVpSecureConfigVtl2) \
	X(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL3,  0x000d0013, HvRegisterVsmVpSecureConfigVtl3) \
	X(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL4,  0x000d0014, HvRegisterVsmVpSecureConfigVtl4) \
	X(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL5,  0x000d0015, HvRegisterVsmVpSecureConfigVtl5) \
	X(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL6,  0x000d0016, HvRegisterVsmVpSecureConfigVtl6) \
	X(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL7,  0x000d0017, HvRegisterVsmVpSecureConfigVtl7) \
	X(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL8,  0x000d0018, HvRegisterVsmVpSecureConfigVtl8) \
	X(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL9,  0x000d0019, HvRegisterVsmVpSecureConfigVtl9) \
	X(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL10, 0x000d001a, HvRegisterVsmVpSecureConfigVtl10) \
	X(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL11, 0x000d001b, HvRegisterVsmVpSecureConfigVtl11) \
	X(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL12, 0x000d001c, HvRegisterVsmVpSecureConfigVtl12) \
	X(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL13, 0x000d001d, HvRegisterVsmVpSecureConfigVtl13) \
	X(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL14, 0x000d001e, HvRegisterVsmVpSecureConfigVtl14) \
	X(HV_REGISTER_VSM_VP_WAIT_FOR_TLB_LOCK,   0x000d0020, HvRegisterVsmVpWaitForTlbLock) \
	X(HV_REGISTER_ISOLATION_CAPABILITIES,     0x000d0100, HvRegisterIsolationCapabilities)

/* Register intercepts of a higher VTL; layouts in cr_intercept.h. */
#define HV_REGISTER_LIST_CR_INTERCEPT(X) \
	X(HV_X64_REGISTER_CR_INTERCEPT_CONTROL,               0x000e0000, HvX64RegisterCrInterceptControl) \
	X(HV_X64_REGISTER_CR_INTERCEPT_CR0_MASK,              0x000e0001, HvX64RegisterCrInterceptCr0Mask) \
	X(HV_X64_REGISTER_CR_INTERCEPT_CR4_MASK,              0x000e0002, HvX64RegisterCrInterceptCr4Mask) \
	X(HV_X64_REGISTER_CR_INTERCEPT_IA32_MISC_ENABLE_MASK, 0x000e0003, HvX64RegisterCrInterceptIa32MiscEnableMask)

/* clang-format on */

#endif
