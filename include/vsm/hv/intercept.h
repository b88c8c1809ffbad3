/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Payloads of intercept messages: what follows the 16 bytes of header in a struct hv_message.
 *
 * TLFS: Inter-Partition Communication, message payloads; Virtual Secure Mode. Access types are 0, 1
 * and 2, as in every implementation, not the mask of the TLFS text.
 */
#ifndef VSM_HV_INTERCEPT_H
#define VSM_HV_INTERCEPT_H

#include <vsm/hv/message.h>
#include <vsm/hv/register_value.h>

enum hv_intercept_access_type {
	HV_INTERCEPT_ACCESS_READ = 0,
	HV_INTERCEPT_ACCESS_WRITE = 1,
	HV_INTERCEPT_ACCESS_EXECUTE = 2,
};

/* The state of the VP before the intercepted instruction. Begins nearly every payload. */
struct hv_x64_intercept_message_header {
	uint32_t vp_index;
	uint8_t instruction_length_cr8; /* 3:0 length (0: unknown), 7:4 CR8 */
	uint8_t access_type;		/* enum hv_intercept_access_type */
	uint16_t execution_state;
	struct hv_x64_segment_register cs;
	uint64_t rip;
	uint64_t rflags;
};

HV_ASSERT_SIZE(struct hv_x64_intercept_message_header, 40);
HV_ASSERT_OFFSET(struct hv_x64_intercept_message_header, vp_index, 0);
HV_ASSERT_OFFSET(struct hv_x64_intercept_message_header, instruction_length_cr8, 4);
HV_ASSERT_OFFSET(struct hv_x64_intercept_message_header, access_type, 5);
HV_ASSERT_OFFSET(struct hv_x64_intercept_message_header, execution_state, 6);
HV_ASSERT_OFFSET(struct hv_x64_intercept_message_header, cs, 8);
HV_ASSERT_OFFSET(struct hv_x64_intercept_message_header, rip, 24);
HV_ASSERT_OFFSET(struct hv_x64_intercept_message_header, rflags, 32);

#define HV_INTERCEPT_INSTRUCTION_LENGTH_MASK 0x0f
#define HV_INTERCEPT_CR8_SHIFT		     4

#define HV_X64_EXECUTION_STATE_CPL_MASK			   0x0003
#define HV_X64_EXECUTION_STATE_CR0_PE			   0x0004
#define HV_X64_EXECUTION_STATE_CR0_AM			   0x0008
#define HV_X64_EXECUTION_STATE_EFER_LMA			   0x0010
#define HV_X64_EXECUTION_STATE_DEBUG_ACTIVE		   0x0020
#define HV_X64_EXECUTION_STATE_INTERRUPTION_PENDING	   0x0040
#define HV_X64_EXECUTION_STATE_VTL_SHIFT		   7
#define HV_X64_EXECUTION_STATE_VTL_MASK			   0x0780
#define HV_X64_EXECUTION_STATE_ENCLAVE_MODE		   0x0800
#define HV_X64_EXECUTION_STATE_INTERRUPT_SHADOW		   0x1000
#define HV_X64_EXECUTION_STATE_VIRTUALIZATION_FAULT_ACTIVE 0x2000
#define HV_X64_EXECUTION_STATE_RESERVED_MASK		   0xc000

/*
 * UNMAPPED_GPA, GPA_INTERCEPT, UNACCEPTED_GPA, GPA_ATTRIBUTE_INTERCEPT. Newer hypervisors send only
 * the first 80 bytes (HV_X64_MEMORY_INTERCEPT_SHORT_SIZE), older ones all.
 */
struct hv_x64_memory_intercept_message {
	struct hv_x64_intercept_message_header header;
	uint32_t cache_type; /* enum hv_cache_type */
	uint8_t instruction_byte_count;
	uint8_t memory_access_info;
	uint8_t tpr_priority;
	uint8_t reserved;
	uint64_t guest_virtual_address;
	uint64_t guest_physical_address;
	uint8_t instruction_bytes[16];
	struct hv_x64_segment_register ds;
	struct hv_x64_segment_register ss;
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
};

HV_ASSERT_SIZE(struct hv_x64_memory_intercept_message, 240);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, header, 0);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, cache_type, 40);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, instruction_byte_count, 44);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, memory_access_info, 45);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, tpr_priority, 46);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, reserved, 47);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, guest_virtual_address, 48);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, guest_physical_address, 56);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, instruction_bytes, 64);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, ds, 80);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, ss, 96);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, rax, 112);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, rcx, 120);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, rdx, 128);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, rbx, 136);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, rsp, 144);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, rbp, 152);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, rsi, 160);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, rdi, 168);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, r8, 176);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, r9, 184);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, r10, 192);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, r11, 200);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, r12, 208);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, r13, 216);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, r14, 224);
HV_ASSERT_OFFSET(struct hv_x64_memory_intercept_message, r15, 232);

#define HV_X64_MEMORY_INTERCEPT_SHORT_SIZE 80

enum hv_cache_type {
	HV_CACHE_TYPE_UNCACHED = 0,
	HV_CACHE_TYPE_WRITE_COMBINING = 1,
	HV_CACHE_TYPE_WRITE_THROUGH = 4,
	HV_CACHE_TYPE_WRITE_PROTECTED = 5,
	HV_CACHE_TYPE_WRITE_BACK = 6,
};

#define HV_MEMORY_ACCESS_GVA_VALID		  0x01
#define HV_MEMORY_ACCESS_GVA_GPA_VALID		  0x02
#define HV_MEMORY_ACCESS_HYPERCALL_OUTPUT_PENDING 0x04
#define HV_MEMORY_ACCESS_TLB_LOCKED		  0x08
#define HV_MEMORY_ACCESS_SUPERVISOR_SHADOW_STACK  0x10
#define HV_MEMORY_ACCESS_VERIFY_PAGE_WRITABILITY  0x20

/* The value of a write is EDX:EAX of the raw registers. */
struct hv_x64_msr_intercept_message {
	struct hv_x64_intercept_message_header header;
	uint32_t msr_number;
	uint32_t reserved;
	uint64_t rdx;
	uint64_t rax;
};

HV_ASSERT_SIZE(struct hv_x64_msr_intercept_message, 64);
HV_ASSERT_OFFSET(struct hv_x64_msr_intercept_message, header, 0);
HV_ASSERT_OFFSET(struct hv_x64_msr_intercept_message, msr_number, 40);
HV_ASSERT_OFFSET(struct hv_x64_msr_intercept_message, reserved, 44);
HV_ASSERT_OFFSET(struct hv_x64_msr_intercept_message, rdx, 48);
HV_ASSERT_OFFSET(struct hv_x64_msr_intercept_message, rax, 56);

/*
 * access_info: the value of a write, the destination register (32 bits) of a read, or the address
 * (64 bits) of a memory operand.
 */
struct hv_x64_register_intercept_message {
	struct hv_x64_intercept_message_header header;
	uint8_t flags;
	uint8_t reserved0;
	uint16_t reserved1;
	uint32_t register_name; /* HV_X64_REGISTER_... */
	union hv_register_value access_info;
};

HV_ASSERT_SIZE(struct hv_x64_register_intercept_message, 64);
HV_ASSERT_OFFSET(struct hv_x64_register_intercept_message, header, 0);
HV_ASSERT_OFFSET(struct hv_x64_register_intercept_message, flags, 40);
HV_ASSERT_OFFSET(struct hv_x64_register_intercept_message, reserved0, 41);
HV_ASSERT_OFFSET(struct hv_x64_register_intercept_message, reserved1, 42);
HV_ASSERT_OFFSET(struct hv_x64_register_intercept_message, register_name, 44);
HV_ASSERT_OFFSET(struct hv_x64_register_intercept_message, access_info, 48);

#define HV_REGISTER_INTERCEPT_IS_MEMORY_OP 0x01

struct hv_x64_io_port_intercept_message {
	struct hv_x64_intercept_message_header header;
	uint16_t port_number;
	uint8_t access_info;
	uint8_t instruction_byte_count;
	uint32_t reserved;
	uint64_t rax;
	uint8_t instruction_bytes[16];
	struct hv_x64_segment_register ds;
	struct hv_x64_segment_register es;
	uint64_t rcx;
	uint64_t rsi;
	uint64_t rdi;
};

HV_ASSERT_SIZE(struct hv_x64_io_port_intercept_message, 128);
HV_ASSERT_OFFSET(struct hv_x64_io_port_intercept_message, header, 0);
HV_ASSERT_OFFSET(struct hv_x64_io_port_intercept_message, port_number, 40);
HV_ASSERT_OFFSET(struct hv_x64_io_port_intercept_message, access_info, 42);
HV_ASSERT_OFFSET(struct hv_x64_io_port_intercept_message, instruction_byte_count, 43);
HV_ASSERT_OFFSET(struct hv_x64_io_port_intercept_message, reserved, 44);
HV_ASSERT_OFFSET(struct hv_x64_io_port_intercept_message, rax, 48);
HV_ASSERT_OFFSET(struct hv_x64_io_port_intercept_message, instruction_bytes, 56);
HV_ASSERT_OFFSET(struct hv_x64_io_port_intercept_message, ds, 72);
HV_ASSERT_OFFSET(struct hv_x64_io_port_intercept_message, es, 88);
HV_ASSERT_OFFSET(struct hv_x64_io_port_intercept_message, rcx, 104);
HV_ASSERT_OFFSET(struct hv_x64_io_port_intercept_message, rsi, 112);
HV_ASSERT_OFFSET(struct hv_x64_io_port_intercept_message, rdi, 120);

#define HV_IO_PORT_ACCESS_SIZE_MASK 0x07 /* 1, 2 or 4 bytes */
#define HV_IO_PORT_ACCESS_STRING    0x08
#define HV_IO_PORT_ACCESS_REP	    0x10

struct hv_x64_exception_intercept_message {
	struct hv_x64_intercept_message_header header;
	uint16_t exception_vector;
	uint8_t exception_info;
	uint8_t instruction_byte_count;
	uint32_t error_code;
	uint64_t exception_parameter; /* CR2 of #PF, DR6 of #DB */
	uint64_t reserved;
	uint8_t instruction_bytes[16];
	struct hv_x64_segment_register ds;
	struct hv_x64_segment_register ss;
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
};

HV_ASSERT_SIZE(struct hv_x64_exception_intercept_message, 240);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, header, 0);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, exception_vector, 40);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, exception_info, 42);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, instruction_byte_count, 43);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, error_code, 44);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, exception_parameter, 48);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, reserved, 56);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, instruction_bytes, 64);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, ds, 80);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, ss, 96);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, rax, 112);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, rcx, 120);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, rdx, 128);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, rbx, 136);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, rsp, 144);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, rbp, 152);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, rsi, 160);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, rdi, 168);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, r8, 176);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, r9, 184);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, r10, 192);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, r11, 200);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, r12, 208);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, r13, 216);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, r14, 224);
HV_ASSERT_OFFSET(struct hv_x64_exception_intercept_message, r15, 232);

#define HV_EXCEPTION_INFO_ERROR_CODE_VALID   0x01
#define HV_EXCEPTION_INFO_SOFTWARE_EXCEPTION 0x02

/* The inputs, and what the instruction would have returned. */
struct hv_x64_cpuid_intercept_message {
	struct hv_x64_intercept_message_header header;
	uint64_t rax;
	uint64_t rcx;
	uint64_t rdx;
	uint64_t rbx;
	uint64_t default_result_rax;
	uint64_t default_result_rcx;
	uint64_t default_result_rdx;
	uint64_t default_result_rbx;
};

HV_ASSERT_SIZE(struct hv_x64_cpuid_intercept_message, 104);
HV_ASSERT_OFFSET(struct hv_x64_cpuid_intercept_message, header, 0);
HV_ASSERT_OFFSET(struct hv_x64_cpuid_intercept_message, rax, 40);
HV_ASSERT_OFFSET(struct hv_x64_cpuid_intercept_message, rcx, 48);
HV_ASSERT_OFFSET(struct hv_x64_cpuid_intercept_message, rdx, 56);
HV_ASSERT_OFFSET(struct hv_x64_cpuid_intercept_message, rbx, 64);
HV_ASSERT_OFFSET(struct hv_x64_cpuid_intercept_message, default_result_rax, 72);
HV_ASSERT_OFFSET(struct hv_x64_cpuid_intercept_message, default_result_rcx, 80);
HV_ASSERT_OFFSET(struct hv_x64_cpuid_intercept_message, default_result_rdx, 88);
HV_ASSERT_OFFSET(struct hv_x64_cpuid_intercept_message, default_result_rbx, 96);

struct hv_x64_hypercall_intercept_message {
	struct hv_x64_intercept_message_header header;
	uint64_t rax;
	uint64_t rbx;
	uint64_t rcx;
	uint64_t rdx;
	uint64_t r8;
	uint64_t rsi;
	uint64_t rdi;
	struct hv_u128 xmm[6];
	uint32_t flags;
	uint32_t reserved[3];
};

HV_ASSERT_SIZE(struct hv_x64_hypercall_intercept_message, 208);
HV_ASSERT_OFFSET(struct hv_x64_hypercall_intercept_message, header, 0);
HV_ASSERT_OFFSET(struct hv_x64_hypercall_intercept_message, rax, 40);
HV_ASSERT_OFFSET(struct hv_x64_hypercall_intercept_message, rbx, 48);
HV_ASSERT_OFFSET(struct hv_x64_hypercall_intercept_message, rcx, 56);
HV_ASSERT_OFFSET(struct hv_x64_hypercall_intercept_message, rdx, 64);
HV_ASSERT_OFFSET(struct hv_x64_hypercall_intercept_message, r8, 72);
HV_ASSERT_OFFSET(struct hv_x64_hypercall_intercept_message, rsi, 80);
HV_ASSERT_OFFSET(struct hv_x64_hypercall_intercept_message, rdi, 88);
HV_ASSERT_OFFSET(struct hv_x64_hypercall_intercept_message, xmm, 96);
HV_ASSERT_OFFSET(struct hv_x64_hypercall_intercept_message, flags, 192);
HV_ASSERT_OFFSET(struct hv_x64_hypercall_intercept_message, reserved, 196);

#define HV_HYPERCALL_INTERCEPT_ISOLATED HV_BIT32(0)

struct hv_x64_sipi_intercept_message {
	struct hv_x64_intercept_message_header header;
	uint32_t target_vp_index;
	uint32_t interrupt_vector;
};

HV_ASSERT_SIZE(struct hv_x64_sipi_intercept_message, 48);
HV_ASSERT_OFFSET(struct hv_x64_sipi_intercept_message, header, 0);
HV_ASSERT_OFFSET(struct hv_x64_sipi_intercept_message, target_vp_index, 40);
HV_ASSERT_OFFSET(struct hv_x64_sipi_intercept_message, interrupt_vector, 44);

struct hv_x64_interruption_deliverable_message {
	struct hv_x64_intercept_message_header header;
	uint8_t deliverable_type; /* enum hv_interruption_type */
	uint8_t reserved[7];
};

HV_ASSERT_SIZE(struct hv_x64_interruption_deliverable_message, 48);
HV_ASSERT_OFFSET(struct hv_x64_interruption_deliverable_message, header, 0);
HV_ASSERT_OFFSET(struct hv_x64_interruption_deliverable_message, deliverable_type, 40);
HV_ASSERT_OFFSET(struct hv_x64_interruption_deliverable_message, reserved, 41);

struct hv_x64_synic_sint_deliverable_message {
	struct hv_x64_intercept_message_header header;
	uint16_t deliverable_sints;
	uint16_t reserved[3];
};

HV_ASSERT_SIZE(struct hv_x64_synic_sint_deliverable_message, 48);
HV_ASSERT_OFFSET(struct hv_x64_synic_sint_deliverable_message, header, 0);
HV_ASSERT_OFFSET(struct hv_x64_synic_sint_deliverable_message, deliverable_sints, 40);
HV_ASSERT_OFFSET(struct hv_x64_synic_sint_deliverable_message, reserved, 42);

/* No common header. */
struct hv_x64_apic_eoi_message {
	uint32_t vp_index;
	uint32_t interrupt_vector;
};

HV_ASSERT_SIZE(struct hv_x64_apic_eoi_message, 8);
HV_ASSERT_OFFSET(struct hv_x64_apic_eoi_message, vp_index, 0);
HV_ASSERT_OFFSET(struct hv_x64_apic_eoi_message, interrupt_vector, 4);

/* No common header. */
struct hv_x64_invalid_vp_register_message {
	uint32_t vp_index;
	uint32_t reserved;
};

HV_ASSERT_SIZE(struct hv_x64_invalid_vp_register_message, 8);
HV_ASSERT_OFFSET(struct hv_x64_invalid_vp_register_message, vp_index, 0);
HV_ASSERT_OFFSET(struct hv_x64_invalid_vp_register_message, reserved, 4);

/* No common header. UNRECOVERABLE_EXCEPTION and X64_HALT consist of the common header alone. */
struct hv_x64_unsupported_feature_message {
	uint32_t vp_index;
	uint32_t feature_code;
	uint64_t feature_parameter;
};

HV_ASSERT_SIZE(struct hv_x64_unsupported_feature_message, 16);
HV_ASSERT_OFFSET(struct hv_x64_unsupported_feature_message, vp_index, 0);
HV_ASSERT_OFFSET(struct hv_x64_unsupported_feature_message, feature_code, 4);
HV_ASSERT_OFFSET(struct hv_x64_unsupported_feature_message, feature_parameter, 8);

#define HV_UNSUPPORTED_FEATURE_INTERCEPT       1
#define HV_UNSUPPORTED_FEATURE_TASK_SWITCH_TSS 2

#endif
