/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HV_STATUS: the low 16 bits of every hypercall's result.
 *
 * TLFS 6.0b appendix B; numbers that it lacks (INVALID_VTL_STATE and those from KEY_ALREADY_EXISTS
 * on) are from Microsoft's public headers (OpenVMM's hvdef, Linux' include/hyperv). The appendix
 * has 0x33 for INSUFFICIENT_BUFFERS, which is a misprint.
 */
#ifndef VSM_HV_STATUS_H
#define VSM_HV_STATUS_H

/* clang-format off */

/* X(name, number): constant HV_STATUS_<name>. */
#define HV_STATUS_LIST(X) \
	X(SUCCESS,                                      0x0000) \
	X(INVALID_HYPERCALL_CODE,                       0x0002) \
	X(INVALID_HYPERCALL_INPUT,                      0x0003) \
	X(INVALID_ALIGNMENT,                            0x0004) \
	X(INVALID_PARAMETER,                            0x0005) \
	X(ACCESS_DENIED,                                0x0006) \
	X(INVALID_PARTITION_STATE,                      0x0007) \
	X(OPERATION_DENIED,                             0x0008) \
	X(UNKNOWN_PROPERTY,                             0x0009) \
	X(PROPERTY_VALUE_OUT_OF_RANGE,                  0x000a) \
	X(INSUFFICIENT_MEMORY,                          0x000b) \
	X(PARTITION_TOO_DEEP,                           0x000c) \
	X(INVALID_PARTITION_ID,                         0x000d) \
	X(INVALID_VP_INDEX,                             0x000e) \
	X(NOT_FOUND,                                    0x0010) \
	X(INVALID_PORT_ID,                              0x0011) \
	X(INVALID_CONNECTION_ID,                        0x0012) \
	X(INSUFFICIENT_BUFFERS,                         0x0013) \
	X(NOT_ACKNOWLEDGED,                             0x0014) \
	X(INVALID_VP_STATE,                             0x0015) \
	X(ACKNOWLEDGED,                                 0x0016) \
	X(INVALID_SAVE_RESTORE_STATE,                   0x0017) \
	X(INVALID_SYNIC_STATE,                          0x0018) \
	X(OBJECT_IN_USE,                                0x0019) \
	X(INVALID_PROXIMITY_DOMAIN_INFO,                0x001a) \
	X(NO_DATA,                                      0x001b) \
	X(INACTIVE,                                     0x001c) \
	X(NO_RESOURCES,                                 0x001d) \
	X(FEATURE_UNAVAILABLE,                          0x001e) \
	X(PARTIAL_PACKET,                               0x001f) \
	X(PROCESSOR_FEATURE_NOT_SUPPORTED,              0x0020) \
	X(PROCESSOR_CACHE_LINE_FLUSH_SIZE_INCOMPATIBLE, 0x0030) \
	X(INSUFFICIENT_BUFFER,                          0x0033) \
	X(INCOMPATIBLE_PROCESSOR,                       0x0037) \
	X(INSUFFICIENT_DEVICE_DOMAINS,                  0x0038) \
	X(CPUID_FEATURE_VALIDATION_ERROR,               0x003c) \
	X(CPUID_XSAVE_FEATURE_VALIDATION_ERROR,         0x003d) \
	X(PROCESSOR_STARTUP_TIMEOUT,                    0x003e) \
	X(SMX_ENABLED,                                  0x003f) \
	X(INVALID_LP_INDEX,                             0x0041) \
	X(INVALID_REGISTER_VALUE,                       0x0050) \
	X(INVALID_VTL_STATE,                            0x0051) \
	X(NX_NOT_DETECTED,                              0x0055) \
	X(INVALID_DEVICE_ID,                            0x0057) \
	X(INVALID_DEVICE_STATE,                         0x0058) \
	X(PENDING_PAGE_REQUESTS,                        0x0059) \
	X(PAGE_REQUEST_INVALID,                         0x0060) \
	X(KEY_ALREADY_EXISTS,                           0x0065) \
	X(DEVICE_ALREADY_IN_DOMAIN,                     0x0066) \
	X(INVALID_CPU_GROUP_ID,                         0x006f) \
	X(INVALID_CPU_GROUP_STATE,                      0x0070) \
	X(OPERATION_FAILED,                             0x0071) \
	X(NOT_ALLOWED_WITH_NESTED_VIRT_ACTIVE,          0x0072) \
	X(INSUFFICIENT_ROOT_MEMORY,                     0x0073) \
	X(EVENT_BUFFER_ALREADY_FREED,                   0x0074) \
	X(TIMEOUT,                                      0x0078) \
	X(CALL_PENDING,                                 0x0079) \
	X(VTL_ALREADY_ENABLED,                          0x0086) \
	X(UNKNOWN_REGISTER_NAME,                        0x0087)

#define HV_STATUS_ENUM_(name, number) HV_STATUS_##name = (number),
enum hv_status { HV_STATUS_LIST(HV_STATUS_ENUM_) };
#undef HV_STATUS_ENUM_

/* clang-format on */

#endif
