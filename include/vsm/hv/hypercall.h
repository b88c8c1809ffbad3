/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercall codes.
 *
 * TLFS: Hypercall Reference; 6.0b appendix A. HvCallFlushVirtualAddressListEx is a rep call,
 * although the appendix marks it as a simple one. The control and result words are in
 * hypercall_word.h.
 */
#ifndef VSM_HV_HYPERCALL_H
#define VSM_HV_HYPERCALL_H

/* clang-format off */

/* Every call code that a guest may see, ascending: X(constant, number, name in the TLFS). */
#define HV_HYPERCALL_LIST(X) \
	X(HV_CALL_SWITCH_VIRTUAL_ADDRESS_SPACE,           0x0001, HvCallSwitchVirtualAddressSpace) \
	X(HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE,            0x0002, HvCallFlushVirtualAddressSpace) \
	X(HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST,             0x0003, HvCallFlushVirtualAddressList) \
	X(HV_CALL_GET_LOGICAL_PROCESSOR_RUN_TIME,         0x0004, HvCallGetLogicalProcessorRunTime) \
	X(HV_CALL_NOTIFY_LONG_SPIN_WAIT,                  0x0008, HvCallNotifyLongSpinWait) \
	X(HV_CALL_PARKED_VIRTUAL_PROCESSORS,              0x0009, HvCallParkedVirtualProcessors) \
	X(HV_CALL_INVOKE_HYPERVISOR_DEBUGGER,             0x000a, HvCallInvokeHypervisorDebugger) \
	X(HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI,             0x000b, HvCallSendSyntheticClusterIpi) \
	X(HV_CALL_MODIFY_VTL_PROTECTION_MASK,             0x000c, HvCallModifyVtlProtectionMask) \
	X(HV_CALL_ENABLE_PARTITION_VTL,                   0x000d, HvCallEnablePartitionVtl) \
	X(HV_CALL_DISABLE_PARTITION_VTL,                  0x000e, HvCallDisablePartitionVtl) \
	X(HV_CALL_ENABLE_VP_VTL,                          0x000f, HvCallEnableVpVtl) \
	X(HV_CALL_DISABLE_VP_VTL,                         0x0010, HvCallDisableVpVtl) \
	X(HV_CALL_VTL_CALL,                               0x0011, HvCallVtlCall) \
	X(HV_CALL_VTL_RETURN,                             0x0012, HvCallVtlReturn) \
	X(HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX,         0x0013, HvCallFlushVirtualAddressSpaceEx) \
	X(HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX,          0x0014, HvCallFlushVirtualAddressListEx) \
	X(HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX,          0x0015, HvCallSendSyntheticClusterIpiEx) \
	X(HV_CALL_GET_PARTITION_PROPERTY,                 0x0044, HvCallGetPartitionProperty) \
	X(HV_CALL_SET_PARTITION_PROPERTY,                 0x0045, HvCallSetPartitionProperty) \
	X(HV_CALL_GET_PARTITION_ID,                       0x0046, HvCallGetPartitionId) \
	X(HV_CALL_DEPOSIT_MEMORY,                         0x0048, HvCallDepositMemory) \
	X(HV_CALL_WITHDRAW_MEMORY,                        0x0049, HvCallWithdrawMemory) \
	X(HV_CALL_GET_MEMORY_BALANCE,                     0x004a, HvCallGetMemoryBalance) \
	X(HV_CALL_INSTALL_INTERCEPT,                      0x004d, HvCallInstallIntercept) \
	X(HV_CALL_GET_VP_REGISTERS,                       0x0050, HvCallGetVpRegisters) \
	X(HV_CALL_SET_VP_REGISTERS,                       0x0051, HvCallSetVpRegisters) \
	X(HV_CALL_TRANSLATE_VIRTUAL_ADDRESS,              0x0052, HvCallTranslateVirtualAddress) \
	X(HV_CALL_READ_GPA,                               0x0053, HvCallReadGpa) \
	X(HV_CALL_WRITE_GPA,                              0x0054, HvCallWriteGpa) \
	X(HV_CALL_POST_MESSAGE,                           0x005c, HvCallPostMessage) \
	X(HV_CALL_SIGNAL_EVENT,                           0x005d, HvCallSignalEvent) \
	X(HV_CALL_POST_DEBUG_DATA,                        0x0069, HvCallPostDebugData) \
	X(HV_CALL_RETRIEVE_DEBUG_DATA,                    0x006a, HvCallRetrieveDebugData) \
	X(HV_CALL_RESET_DEBUG_SESSION,                    0x006b, HvCallResetDebugSession) \
	X(HV_CALL_MAP_STATS_PAGE,                         0x006c, HvCallMapStatsPage) \
	X(HV_CALL_UNMAP_STATS_PAGE,                       0x006d, HvCallUnmapStatsPage) \
	X(HV_CALL_MAP_SPARSE_GPA_PAGES,                   0x006e, HvCallMapSparseGpaPages) \
	X(HV_CALL_OUTPUT_DEBUG_CHARACTER,                 0x0071, HvCallOutputDebugCharacter) \
	X(HV_CALL_GET_SYSTEM_PROPERTY,                    0x007b, HvCallGetSystemProperty) \
	X(HV_CALL_RETARGET_DEVICE_INTERRUPT,              0x007e, HvCallRetargetDeviceInterrupt) \
	X(HV_CALL_NOTIFY_PARTITION_EVENT,                 0x0087, HvCallNotifyPartitionEvent) \
	X(HV_CALL_NOTIFY_PORT_RING_EMPTY,                 0x008b, HvCallNotifyPortRingEmpty) \
	X(HV_CALL_MODIFY_SPARSE_GPA_PAGES,                0x0090, HvCallModifySparseGpaPages) \
	X(HV_CALL_REGISTER_INTERCEPT_RESULT,              0x0091, HvCallRegisterInterceptResult) \
	X(HV_CALL_UNREGISTER_INTERCEPT_RESULT,            0x0092, HvCallUnregisterInterceptResult) \
	X(HV_CALL_ASSERT_VIRTUAL_INTERRUPT,               0x0094, HvCallAssertVirtualInterrupt) \
	X(HV_CALL_START_VIRTUAL_PROCESSOR,                0x0099, HvCallStartVirtualProcessor) \
	X(HV_CALL_GET_VP_INDEX_FROM_APIC_ID,              0x009a, HvCallGetVpIndexFromApicId) \
	X(HV_CALL_TRANSLATE_VIRTUAL_ADDRESS_EX,           0x00ac, HvCallTranslateVirtualAddressEx) \
	X(HV_CALL_CHECK_FOR_IO_INTERCEPT,                 0x00ad, HvCallCheckForIoIntercept) \
	X(HV_CALL_SET_GPA_PAGE_ATTRIBUTES,                0x00ae, HvCallSetGpaPageAttributes) \
	X(HV_CALL_FLUSH_GUEST_PHYSICAL_ADDRESS_SPACE,     0x00af, HvCallFlushGuestPhysicalAddressSpace) \
	X(HV_CALL_FLUSH_GUEST_PHYSICAL_ADDRESS_LIST,      0x00b0, HvCallFlushGuestPhysicalAddressList) \
	X(HV_CALL_COMPLETE_INTERCEPT,                     0x00bd, HvCallCompleteIntercept) \
	X(HV_CALL_SIGNAL_EVENT_DIRECT,                    0x00c0, HvCallSignalEventDirect) \
	X(HV_CALL_POST_MESSAGE_DIRECT,                    0x00c1, HvCallPostMessageDirect) \
	X(HV_CALL_QUERY_VTL_PROTECTION_MASK_RANGE,        0x00cc, HvCallQueryVtlProtectionMaskRange) \
	X(HV_CALL_MODIFY_VTL_PROTECTION_MASK_RANGE,       0x00cd, HvCallModifyVtlProtectionMaskRange) \
	X(HV_CALL_CHECK_SPARSE_GPA_PAGE_VTL_ACCESS,       0x00d4, HvCallCheckSparseGpaPageVtlAccess) \
	X(HV_CALL_FLUSH_TLB,                              0x00d6, HvCallFlushTlb) \
	X(HV_CALL_ACCEPT_GPA_PAGES,                       0x00d9, HvCallAcceptGpaPages) \
	X(HV_CALL_UNACCEPT_GPA_PAGES,                     0x00da, HvCallUnacceptGpaPages) \
	X(HV_CALL_MODIFY_SPARSE_GPA_PAGE_HOST_VISIBILITY, 0x00db, HvCallModifySparseGpaPageHostVisibility) \
	X(HV_CALL_GET_INTERCEPT_DATA,                     0x00df, HvCallGetInterceptData) \
	X(HV_CALL_MAP_VP_STATE_PAGE,                      0x00e1, HvCallMapVpStatePage) \
	X(HV_CALL_UNMAP_VP_STATE_PAGE,                    0x00e2, HvCallUnmapVpStatePage) \
	X(HV_CALL_GET_VP_STATE,                           0x00e3, HvCallGetVpState) \
	X(HV_CALL_SET_VP_STATE,                           0x00e4, HvCallSetVpState) \
	X(HV_CALL_GET_VP_SET_FROM_MDA,                    0x00e5, HvCallGetVpSetFromMda) \
	X(HV_CALL_GET_VP_CPUID_VALUES,                    0x00f4, HvCallGetVpCpuidValues) \
	X(HV_CALL_RESTORE_PARTITION_TIME,                 0x0103, HvCallRestorePartitionTime) \
	X(HV_CALL_MEMORY_MAPPED_IO_READ,                  0x0106, HvCallMemoryMappedIoRead) \
	X(HV_CALL_MEMORY_MAPPED_IO_WRITE,                 0x0107, HvCallMemoryMappedIoWrite) \
	X(HV_CALL_INSTALL_INTERCEPT_EX,                   0x0110, HvCallInstallInterceptEx) \
	X(HV_CALL_PIN_GPA_PAGE_RANGES,                    0x0112, HvCallPinGpaPageRanges) \
	X(HV_CALL_UNPIN_GPA_PAGE_RANGES,                  0x0113, HvCallUnpinGpaPageRanges) \
	X(HV_CALL_QUERY_SPARSE_GPA_PAGE_HOST_VISIBILITY,  0x011c, HvCallQuerySparseGpaPageHostVisibility) \
	X(HV_EXT_CALL_QUERY_CAPABILITIES,                 0x8001, HvExtCallQueryCapabilities) \
	X(HV_EXT_CALL_GET_BOOT_ZEROED_MEMORY,             0x8002, HvExtCallGetBootZeroedMemory) \
	X(HV_EXT_CALL_MEMORY_HEAT_HINT,                   0x8003, HvExtCallMemoryHeatHint) \
	X(HV_EXT_CALL_EPF_SETUP,                          0x8004, HvExtCallEpfSetup) \
	X(HV_EXT_CALL_SCHEDULER_ASSIST_SETUP,             0x8005, HvExtCallSchedulerAssistSetup) \
	X(HV_EXT_CALL_MEMORY_HEAT_HINT_ASYNC,             0x8006, HvExtCallMemoryHeatHintAsync) \
	X(HV_CALL_VBS_VM_CALL_REPORT,                     0xc001, HvCallVbsVmCallReport)

#define HV_HYPERCALL_ENUM_(constant, number, name) constant = (number),
enum hv_hypercall_code { HV_HYPERCALL_LIST(HV_HYPERCALL_ENUM_) };
#undef HV_HYPERCALL_ENUM_

/* clang-format on */

/* From this code on, calls need the privilege EnableExtendedHypercalls. */
#define HV_EXT_CALL_FIRST 0x8001

/* Bit n of the result of HvExtCallQueryCapabilities is set if call 0x8002 + n is supported. */
#define HV_EXT_CALL_CAPABILITY(code) ((code)-0x8002)

#endif
