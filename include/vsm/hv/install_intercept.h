/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intercepts that a higher VTL installs: HvCallInstallIntercept (0x4d),
 * HvCallRegisterInterceptResult (0x91), HvCallCheckForIoIntercept (0xad).
 *
 * TLFS: HV_INTERCEPT_TYPE, HV_INTERCEPT_PARAMETERS.
 */
#ifndef VSM_HV_INSTALL_INTERCEPT_H
#define VSM_HV_INSTALL_INTERCEPT_H

#include <vsm/hv/base.h>

/* clang-format off */

/* X(name, number, name in the TLFS): constant HV_INTERCEPT_TYPE_<name>. */
#define HV_INTERCEPT_TYPE_LIST(X) \
	X(X64_IO_PORT,                    0x00, HvInterceptTypeX64IoPort) \
	X(X64_MSR,                        0x01, HvInterceptTypeX64Msr) \
	X(X64_CPUID,                      0x02, HvInterceptTypeX64Cpuid) \
	X(EXCEPTION,                      0x03, HvInterceptTypeException) \
	X(MMIO,                           0x05, HvInterceptTypeMmio) \
	X(X64_GLOBAL_CPUID,               0x06, HvInterceptTypeX64GlobalCpuid) \
	X(X64_APIC_SMI,                   0x07, HvInterceptTypeX64ApicSmi) \
	X(HYPERCALL,                      0x08, HvInterceptTypeHypercall) \
	X(X64_APIC_INIT_SIPI,             0x09, HvInterceptTypeX64ApicInitSipi) \
	X(MC_UPDATE_PATCH_LEVEL_MSR_READ, 0x0a, HvInterceptTypeMcUpdatePatchLevelMsrRead) \
	X(X64_APIC_WRITE,                 0x0b, HvInterceptTypeX64ApicWrite) \
	X(X64_MSR_INDEX,                  0x0c, HvInterceptTypeX64MsrIndex) \
	X(UNKNOWN_SYNIC_CONNECTION,       0x0d, HvInterceptTypeUnknownSynicConnection) \
	X(X64_APIC_EOI,                   0x0e, HvInterceptTypeX64ApicEoi) \
	X(RETARGET_INTERRUPT_WITH_UNKNOWN_DEVICE_ID, 0x0f, HvInterceptTypeRetargetInterruptWithUnknownDeviceId) \
	X(X64_EXCEPTION_TRAP,             0x10, HvInterceptTypeX64ExceptionTrap) \
	X(X64_IO_PORT_RANGE,              0x11, HvInterceptTypeX64IoPortRange) \
	X(REGISTER,                       0x12, HvInterceptTypeRegister) \
	X(SYSTEM_RESET_EXTENDED,          0x13, HvInterceptTypeSystemResetExtended)

#define HV_INTERCEPT_TYPE_ENUM_(name, number, tlfs) HV_INTERCEPT_TYPE_##name = (number),
enum hv_intercept_type { HV_INTERCEPT_TYPE_LIST(HV_INTERCEPT_TYPE_ENUM_) };
#undef HV_INTERCEPT_TYPE_ENUM_

/* clang-format on */

struct hv_install_intercept_input {
	uint64_t partition_id;
	uint32_t access_type_mask; /* 0 uninstalls */
	uint32_t intercept_type;   /* enum hv_intercept_type */
	uint64_t intercept_parameters;
};

HV_ASSERT_SIZE(struct hv_install_intercept_input, 24);
HV_ASSERT_OFFSET(struct hv_install_intercept_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_install_intercept_input, access_type_mask, 8);
HV_ASSERT_OFFSET(struct hv_install_intercept_input, intercept_type, 12);
HV_ASSERT_OFFSET(struct hv_install_intercept_input, intercept_parameters, 16);

#define HV_INTERCEPT_ACCESS_MASK_NONE	 UINT32_C(0)
#define HV_INTERCEPT_ACCESS_MASK_READ	 UINT32_C(1)
#define HV_INTERCEPT_ACCESS_MASK_WRITE	 UINT32_C(2)
#define HV_INTERCEPT_ACCESS_MASK_EXECUTE UINT32_C(4)

/* intercept_parameters, by type */
#define HV_INTERCEPT_IO_PORT_MASK	     UINT64_C(0x000000000000ffff)
#define HV_INTERCEPT_CPUID_MASK		     UINT64_C(0x00000000ffffffff)
#define HV_INTERCEPT_EXCEPTION_VECTOR_MASK   UINT64_C(0x000000000000ffff)
#define HV_INTERCEPT_APIC_WRITE_MASK	     UINT64_C(0x00000000ffffffff)
#define HV_INTERCEPT_MSR_INDEX_MASK	     UINT64_C(0x00000000ffffffff)
#define HV_INTERCEPT_IO_PORT_RANGE_BASE_MASK UINT64_C(0x000000000000ffff)
#define HV_INTERCEPT_IO_PORT_RANGE_END_SHIFT 16
#define HV_INTERCEPT_IO_PORT_RANGE_END_MASK  UINT64_C(0x00000000ffff0000)

struct hv_register_intercept_result_cpuid_input {
	uint64_t partition_id;
	uint32_t vp_index;
	uint32_t intercept_type;
	uint32_t input_eax;
	uint32_t input_ecx;
	uint8_t subleaf_specific;
	uint8_t always_override;
	uint16_t pad0;
	uint32_t result_eax;
	uint32_t result_eax_mask;
	uint32_t result_ebx;
	uint32_t result_ebx_mask;
	uint32_t result_ecx;
	uint32_t result_ecx_mask;
	uint32_t result_edx;
	uint32_t result_edx_mask;
	uint32_t pad1;
};

HV_ASSERT_SIZE(struct hv_register_intercept_result_cpuid_input, 64);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, vp_index, 8);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, intercept_type, 12);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, input_eax, 16);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, input_ecx, 20);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, subleaf_specific, 24);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, always_override, 25);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, pad0, 26);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, result_eax, 28);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, result_eax_mask, 32);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, result_ebx, 36);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, result_ebx_mask, 40);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, result_ecx, 44);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, result_ecx_mask, 48);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, result_edx, 52);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, result_edx_mask, 56);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_cpuid_input, pad1, 60);

struct hv_register_intercept_result_msr_input {
	uint64_t partition_id;
	uint32_t vp_index;
	uint32_t intercept_type;
	uint32_t msr_index;
	uint32_t access_type_mask;
	uint32_t action;
	uint32_t pad;
};

HV_ASSERT_SIZE(struct hv_register_intercept_result_msr_input, 32);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_msr_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_msr_input, vp_index, 8);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_msr_input, intercept_type, 12);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_msr_input, msr_index, 16);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_msr_input, access_type_mask, 20);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_msr_input, action, 24);
HV_ASSERT_OFFSET(struct hv_register_intercept_result_msr_input, pad, 28);

#define HV_UNIMPLEMENTED_MSR_ACTION_FAULT		   0
#define HV_UNIMPLEMENTED_MSR_ACTION_IGNORE_WRITE_READ_ZERO 1

struct hv_check_for_io_intercept_input {
	uint64_t partition_id;
	uint32_t vp_index;
	uint8_t input_vtl; /* HV_INPUT_VTL */
	uint8_t reserved0;
	uint16_t port;
	uint8_t access_size; /* 1, 2 or 4 bytes */
	uint8_t is_write;
	uint8_t reserved1[6];
};

HV_ASSERT_SIZE(struct hv_check_for_io_intercept_input, 24);
HV_ASSERT_OFFSET(struct hv_check_for_io_intercept_input, partition_id, 0);
HV_ASSERT_OFFSET(struct hv_check_for_io_intercept_input, vp_index, 8);
HV_ASSERT_OFFSET(struct hv_check_for_io_intercept_input, input_vtl, 12);
HV_ASSERT_OFFSET(struct hv_check_for_io_intercept_input, reserved0, 13);
HV_ASSERT_OFFSET(struct hv_check_for_io_intercept_input, port, 14);
HV_ASSERT_OFFSET(struct hv_check_for_io_intercept_input, access_size, 16);
HV_ASSERT_OFFSET(struct hv_check_for_io_intercept_input, is_write, 17);
HV_ASSERT_OFFSET(struct hv_check_for_io_intercept_input, reserved1, 18);

struct hv_check_for_io_intercept_output {
	uint8_t intercept;
	uint8_t reserved[7];
};

HV_ASSERT_SIZE(struct hv_check_for_io_intercept_output, 8);
HV_ASSERT_OFFSET(struct hv_check_for_io_intercept_output, intercept, 0);
HV_ASSERT_OFFSET(struct hv_check_for_io_intercept_output, reserved, 1);

#endif
