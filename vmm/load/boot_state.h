/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers with which the boot processor enters a kernel. */
#ifndef VMM_LOAD_BOOT_STATE_H
#define VMM_LOAD_BOOT_STATE_H

#include <stdint.h>

/* In the order of their encoding [SDM volume 2, "REX Prefixes"]. */
enum vmm_gpr {
	VMM_RAX,
	VMM_RCX,
	VMM_RDX,
	VMM_RBX,
	VMM_RSP,
	VMM_RBP,
	VMM_RSI,
	VMM_RDI,
	VMM_R8,
	VMM_R15 = 15,
	VMM_GPRS
};

/*
 * @attributes as in HV_X64_SEGMENT_REGISTER: bits 3:0 type, 4 non-system, 6:5 DPL, 7 present, 12
 * available, 13 long, 14 default, 15 granularity.
 */
struct vmm_segment {
	uint64_t base;
	uint32_t limit;
	uint16_t selector;
	uint16_t attributes;
};

struct vmm_descriptor_table {
	uint64_t base;
	uint16_t limit;
};

struct vmm_boot_state {
	uint64_t gpr[VMM_GPRS];
	uint64_t rip, rflags;
	uint64_t cr0, cr3, cr4, efer;
	struct vmm_segment cs, data; /* data: DS, ES, FS, GS, SS */
	struct vmm_segment tr, ldtr;
	struct vmm_descriptor_table gdtr, idtr;
};

/* 32-bit protected mode: flat segments, no paging, no descriptor tables, interrupts off. */
void vmm_boot_protected_mode(struct vmm_boot_state *state, uint32_t eip);

/* 64-bit mode with the page tables at @cr3 and vmm_boot_gdt at @gdt; interrupts off. */
void vmm_boot_long_mode(struct vmm_boot_state *state, uint64_t rip, uint64_t cr3, uint64_t gdt);

/* Code at selector 0x10, data at 0x18 (Linux boot protocol) and the TSS that TR needs at 0x20. */
#define VMM_GDT_ENTRIES 6u
extern const uint64_t vmm_boot_gdt[VMM_GDT_ENTRIES];

/* Page tables that map the first 4 GiB to themselves, writable, in 2 MiB pages. */
#define VMM_IDENTITY_PAGES 6u
void vmm_boot_identity_map(uint64_t table[VMM_IDENTITY_PAGES][512], uint64_t gpa);

#endif
