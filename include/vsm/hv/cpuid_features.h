/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID 0x40000003 (privileges and features) and 0x40000004 (recommendations).
 *
 * TLFS: Feature Discovery; bits that it lists as reserved are named after Microsoft's public
 * headers (OpenVMM's hvdef, Linux' include/hyperv).
 */
#ifndef VSM_HV_CPUID_FEATURES_H
#define VSM_HV_CPUID_FEATURES_H

#include <vsm/hv/base.h>

/* clang-format off */

/* HV_PARTITION_PRIVILEGE_MASK: X(name, bit, name in the TLFS), for HV_PRIVILEGE_BIT_<name>. */
#define HV_PRIVILEGE_LIST(X) \
	X(ACCESS_VP_RUN_TIME_REG,                  0, AccessVpRunTimeReg) \
	X(ACCESS_PARTITION_REFERENCE_COUNTER,      1, AccessPartitionReferenceCounter) \
	X(ACCESS_SYNIC_REGS,                       2, AccessSynicRegs) \
	X(ACCESS_SYNTHETIC_TIMER_REGS,             3, AccessSyntheticTimerRegs) \
	X(ACCESS_INTR_CTRL_REGS,                   4, AccessIntrCtrlRegs) \
	X(ACCESS_HYPERCALL_MSRS,                   5, AccessHypercallMsrs) \
	X(ACCESS_VP_INDEX,                         6, AccessVpIndex) \
	X(ACCESS_RESET_REG,                        7, AccessResetReg) \
	X(ACCESS_STATS_REG,                        8, AccessStatsReg) \
	X(ACCESS_PARTITION_REFERENCE_TSC,          9, AccessPartitionReferenceTsc) \
	X(ACCESS_GUEST_IDLE_REG,                  10, AccessGuestIdleReg) \
	X(ACCESS_FREQUENCY_REGS,                  11, AccessFrequencyRegs) \
	X(ACCESS_DEBUG_REGS,                      12, AccessDebugRegs) \
	X(ACCESS_REENLIGHTENMENT_CONTROLS,        13, AccessReenlightenmentControls) \
	X(ACCESS_ROOT_SCHEDULER_REG,              14, AccessRootSchedulerReg) \
	X(ACCESS_TSC_INVARIANT_CONTROLS,          15, AccessTscInvariantControls) \
	X(CREATE_PARTITIONS,                      32, CreatePartitions) \
	X(ACCESS_PARTITION_ID,                    33, AccessPartitionId) \
	X(ACCESS_MEMORY_POOL,                     34, AccessMemoryPool) \
	X(ADJUST_MESSAGE_BUFFERS,                 35, AdjustMessageBuffers) \
	X(POST_MESSAGES,                          36, PostMessages) \
	X(SIGNAL_EVENTS,                          37, SignalEvents) \
	X(CREATE_PORT,                            38, CreatePort) \
	X(CONNECT_PORT,                           39, ConnectPort) \
	X(ACCESS_STATS,                           40, AccessStats) \
	X(DEBUGGING,                              43, Debugging) \
	X(CPU_MANAGEMENT,                         44, CpuManagement) \
	X(CONFIGURE_PROFILER,                     45, ConfigureProfiler) \
	X(ENABLE_EXPANDED_STACKWALKING,           46, EnableExpandedStackwalking) \
	X(ENABLE_EXTENDED_GVA_RANGES,             47, EnableExtendedGvaRangesForFlushVirtualAddressList) \
	X(ACCESS_VSM,                             48, AccessVsm) \
	X(ACCESS_VP_REGISTERS,                    49, AccessVpRegisters) \
	X(FAST_HYPERCALL_OUTPUT,                  51, FastHypercallOutput) \
	X(ENABLE_EXTENDED_HYPERCALLS,             52, EnableExtendedHypercalls) \
	X(START_VIRTUAL_PROCESSOR,                53, StartVirtualProcessor) \
	X(ISOLATION,                              54, Isolation)

/* X(name, bit, name in the TLFS): constant HV_FEATURE_BIT_<name>, in EDX of leaf 0x40000003. */
#define HV_FEATURE_LIST(X) \
	X(MWAIT,                              0, Mwait) \
	X(GUEST_DEBUGGING,                    1, GuestDebugging) \
	X(PERFORMANCE_MONITORS,               2, PerformanceMonitors) \
	X(CPU_DYNAMIC_PARTITIONING,           3, CpuDynamicPartitioning) \
	X(XMM_REGISTERS_FOR_FAST_HYPERCALL,   4, XmmRegistersForFastHypercall) \
	X(GUEST_IDLE,                         5, GuestIdle) \
	X(HYPERVISOR_SLEEP_STATE,             6, HypervisorSleepState) \
	X(NUMA_DISTANCE_QUERY,                7, NumaDistanceQuery) \
	X(FREQUENCY_REGS,                     8, FrequencyRegs) \
	X(SYNTHETIC_MACHINE_CHECK,            9, SyntheticMachineCheck) \
	X(GUEST_CRASH_REGS,                  10, GuestCrashRegs) \
	X(DEBUG_REGS,                        11, DebugRegs) \
	X(NPIEP,                             12, Npiep) \
	X(DISABLE_HYPERVISOR,                13, DisableHypervisor) \
	X(EXTENDED_GVA_RANGES,               14, ExtendedGvaRangesForFlushVirtualAddressList) \
	X(FAST_HYPERCALL_OUTPUT,             15, FastHypercallOutput) \
	X(PASID_FEATURES,                    16, PasidFeatures) \
	X(SINT_POLLING_MODE,                 17, SintPollingMode) \
	X(HYPERCALL_MSR_LOCK,                18, HypercallMsrLock) \
	X(DIRECT_SYNTHETIC_TIMERS,           19, DirectSyntheticTimers) \
	X(PAT_REGISTER_FOR_VSM,              20, PatRegisterForVsm) \
	X(BNDCFGS_REGISTER_FOR_VSM,          21, BndcfgsRegisterForVsm) \
	X(WATCHDOG_TIMER,                    22, WatchdogTimer) \
	X(SYNTHETIC_TIME_UNHALTED_TIMER,     23, SyntheticTimeUnhaltedTimer) \
	X(DEVICE_DOMAINS,                    24, DeviceDomains) \
	X(S1_DEVICE_DOMAINS,                 25, S1DeviceDomains) \
	X(LBR,                               26, Lbr) \
	X(IPT,                               27, Ipt) \
	X(CROSS_VTL_FLUSH,                   28, CrossVtlFlush) \
	X(IDLE_SPEC_CTRL,                    29, IdleSpecCtrl) \
	X(TRANSLATE_GVA_FLAGS,               30, TranslateGvaFlags) \
	X(APIC_EOI_INTERCEPT,                31, ApicEoiIntercept)

/* X(name, bit, name in the TLFS): constant HV_RECOMMEND_BIT_<name>, in EAX of leaf 0x40000004. */
#define HV_RECOMMEND_LIST(X) \
	X(ADDRESS_SPACE_SWITCH_HYPERCALL,    0, UseHypercallForAddressSpaceSwitch) \
	X(LOCAL_FLUSH_HYPERCALL,             1, UseHypercallForLocalFlush) \
	X(REMOTE_FLUSH_HYPERCALL,            2, UseHypercallForRemoteFlush) \
	X(APIC_MSRS,                         3, UseApicMsrs) \
	X(RESET_MSR,                         4, UseMsrForReset) \
	X(RELAXED_TIMING,                    5, UseRelaxedTiming) \
	X(DMA_REMAPPING,                     6, UseDmaRemapping) \
	X(INTERRUPT_REMAPPING,               7, UseInterruptRemapping) \
	X(X2APIC_MSRS,                       8, UseX2ApicMsrs) \
	X(DEPRECATE_AUTO_EOI,                9, DeprecateAutoEoi) \
	X(SYNTHETIC_CLUSTER_IPI,            10, UseSyntheticClusterIpi) \
	X(EX_PROCESSOR_MASKS,               11, UseExProcessorMasks) \
	X(NESTED,                           12, Nested) \
	X(INT_FOR_MBEC_SYSTEM_CALLS,        13, UseIntForMbecSystemCalls) \
	X(ENLIGHTENED_VMCS,                 14, UseEnlightenedVmcs) \
	X(SYNCED_TIMELINE,                  15, UseSyncedTimeline) \
	X(CORE_SCHEDULER,                   16, CoreSchedulerRequested) \
	X(DIRECT_LOCAL_FLUSH_ENTIRE,        17, UseDirectLocalFlushEntire) \
	X(NO_NON_ARCHITECTURAL_CORE_SHARING, 18, NoNonArchitecturalCoreSharing) \
	X(X2APIC,                           19, UseX2Apic) \
	X(RESTORE_TIME_ON_RESUME,           20, RestoreTimeOnResume) \
	X(HYPERCALL_MMIO,                   21, UseHypercallMmioAccess) \
	X(GPA_PINNING_HYPERCALL,            22, UseGpaPinningHypercall) \
	X(WAKE_VPS,                         23, WakeVps)

#define HV_PRIVILEGE_ENUM_(name, bit, tlfs) HV_PRIVILEGE_BIT_##name = (bit),
enum hv_privilege_bit { HV_PRIVILEGE_LIST(HV_PRIVILEGE_ENUM_) };
#undef HV_PRIVILEGE_ENUM_

#define HV_FEATURE_ENUM_(name, bit, tlfs) HV_FEATURE_BIT_##name = (bit),
enum hv_feature_bit { HV_FEATURE_LIST(HV_FEATURE_ENUM_) };
#undef HV_FEATURE_ENUM_

#define HV_RECOMMEND_ENUM_(name, bit, tlfs) HV_RECOMMEND_BIT_##name = (bit),
enum hv_recommend_bit { HV_RECOMMEND_LIST(HV_RECOMMEND_ENUM_) };
#undef HV_RECOMMEND_ENUM_

/* clang-format on */

/* Masks by name: HV_PRIVILEGE(ACCESS_VSM), where EAX is bits 31:0 and EBX is bits 63:32. */
#define HV_PRIVILEGE(name) HV_BIT64(HV_PRIVILEGE_BIT_##name)
#define HV_FEATURE(name)   HV_BIT32(HV_FEATURE_BIT_##name)
#define HV_RECOMMEND(name) HV_BIT32(HV_RECOMMEND_BIT_##name)

/* ECX of leaf 0x40000003 */
#define HV_FEATURE_ECX_MAX_C_STATE_MASK	       UINT32_C(0x0000000f)
#define HV_FEATURE_ECX_HPET_FOR_C3	       HV_BIT32(4)
#define HV_FEATURE_ECX_INVARIANT_MPERF	       HV_BIT32(5)
#define HV_FEATURE_ECX_SUPERVISOR_SHADOW_STACK HV_BIT32(6)
#define HV_FEATURE_ECX_ARCHITECTURAL_PMU       HV_BIT32(7)
#define HV_FEATURE_ECX_EXCEPTION_TRAP	       HV_BIT32(8)

#define HV_PRIVILEGES_FOR_VSM                                           \
	(HV_PRIVILEGE(ACCESS_VSM) | HV_PRIVILEGE(ACCESS_VP_REGISTERS) | \
	 HV_PRIVILEGE(ACCESS_SYNIC_REGS))

#endif
