/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMCB of AMD's SVM, as far as the engine nested uses it (APM volume 2, appendix B). */
#ifndef VKVM_NESTED_VMCB_H
#define VKVM_NESTED_VMCB_H

#include <stddef.h>
#include <stdint.h>

struct vmcb_segment {
	uint16_t selector;
	uint16_t attributes;
	uint32_t limit;
	uint64_t base;
};

struct vmcb {
	/* Control area. */
	uint32_t intercept_cr;
	uint32_t intercept_dr;
	uint32_t intercept_exception;
	uint32_t intercept_misc1;
	uint32_t intercept_misc2;
	uint32_t intercept_misc3;
	uint8_t reserved0[0x40 - 0x18];
	uint64_t iopm_base;
	uint64_t msrpm_base;
	uint64_t tsc_offset;
	uint32_t asid;
	uint32_t tlb_control;
	uint32_t int_control;
	uint32_t int_vector;
	uint32_t int_state;
	uint32_t reserved1;
	uint32_t exit_code;
	uint32_t exit_code_high;
	uint64_t exit_info1;
	uint64_t exit_info2;
	uint32_t exit_int_info;
	uint32_t exit_int_error;
	uint64_t nested_control;
	uint8_t reserved2[0xa8 - 0x98];
	uint32_t event_inject;
	uint32_t event_inject_error;
	uint64_t nested_cr3;
	uint8_t reserved3[0x400 - 0xb8];
	/* State save area. */
	struct vmcb_segment es;
	struct vmcb_segment cs;
	struct vmcb_segment ss;
	struct vmcb_segment ds;
	struct vmcb_segment fs;
	struct vmcb_segment gs;
	struct vmcb_segment gdtr;
	struct vmcb_segment ldtr;
	struct vmcb_segment idtr;
	struct vmcb_segment tr;
	uint8_t reserved4[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t reserved5;
	uint64_t efer;
	uint8_t reserved6[0x548 - 0x4d8];
	uint64_t cr4;
	uint64_t cr3;
	uint64_t cr0;
	uint64_t dr7;
	uint64_t dr6;
	uint64_t rflags;
	uint64_t rip;
	uint8_t reserved7[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t reserved8[0x5f8 - 0x5e0];
	uint64_t rax;
	uint8_t reserved9[0x640 - 0x600];
	uint64_t cr2;
	uint8_t reserved10[0x1000 - 0x648];
} __attribute__((packed, aligned(8)));

_Static_assert(sizeof(struct vmcb) == 0x1000, "a page");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x70, "APM 2, table B-1");
_Static_assert(offsetof(struct vmcb, nested_cr3) == 0xb0, "APM 2, table B-1");
_Static_assert(offsetof(struct vmcb, tr) == 0x490, "APM 2, table B-2");
_Static_assert(offsetof(struct vmcb, efer) == 0x4d0, "APM 2, table B-2");
_Static_assert(offsetof(struct vmcb, rip) == 0x578, "APM 2, table B-2");
_Static_assert(offsetof(struct vmcb, rax) == 0x5f8, "APM 2, table B-2");

/* intercept_cr */
#define VMCB_INTERCEPT_CR0_WRITE (1u << 16)
#define VMCB_INTERCEPT_CR4_WRITE (1u << 20)
/* intercept_misc1 */
#define VMCB_INTERCEPT_IDTR_WRITE (1u << 10)
#define VMCB_INTERCEPT_GDTR_WRITE (1u << 11)
#define VMCB_INTERCEPT_LDTR_WRITE (1u << 12)
#define VMCB_INTERCEPT_TR_WRITE	  (1u << 13)
#define VMCB_INTERCEPT_CPUID	  (1u << 18)
#define VMCB_INTERCEPT_INVLPGA	  (1u << 26)
#define VMCB_INTERCEPT_SHUTDOWN	  (1u << 31)
/* intercept_misc2: VMRUN, VMMCALL, VMLOAD, VMSAVE, STGI, CLGI, SKINIT; XSETBV */
#define VMCB_INTERCEPT_SVM    0x7fu
#define VMCB_INTERCEPT_XSETBV (1u << 13)

/* exit_code */
enum vmcb_exit {
	VMCB_EXIT_CR0_WRITE = 0x10,
	VMCB_EXIT_CR4_WRITE = 0x14,
	VMCB_EXIT_IDTR_WRITE = 0x6a,
	VMCB_EXIT_GDTR_WRITE = 0x6b,
	VMCB_EXIT_LDTR_WRITE = 0x6c,
	VMCB_EXIT_TR_WRITE = 0x6d,
	VMCB_EXIT_CPUID = 0x72,
	VMCB_EXIT_INVLPGA = 0x7a,
	VMCB_EXIT_SHUTDOWN = 0x7f,
	VMCB_EXIT_VMRUN = 0x80,
	VMCB_EXIT_VMMCALL = 0x81,
	VMCB_EXIT_SKINIT = 0x86,
	VMCB_EXIT_XSETBV = 0x8d,
	VMCB_EXIT_NPF = 0x400,
};

/* exit_info1 of a nested page fault (APM 2, 15.25.6) */
#define VMCB_NPF_WRITE (UINT64_C(1) << 1)
#define VMCB_NPF_FETCH (UINT64_C(1) << 4)
#define VMCB_NPF_WALK  (UINT64_C(1) << 33)

/* exit_int_info */
#define VMCB_EVENT_VALID       (1u << 31)
#define VMCB_EVENT_HAS_ERROR   (1u << 11)
#define VMCB_EVENT_TYPE(event) ((event) >> 8 & 7u)
enum vmcb_event_type {
	VMCB_EVENT_INTERRUPT = 0,
	VMCB_EVENT_NMI = 2,
	VMCB_EVENT_EXCEPTION = 3
};

#define X64_EFER_SVME (UINT64_C(1) << 12)

#endif
