/* SPDX-License-Identifier: BSD-2-Clause */
#include "load/boot_state.h"

#include <string.h>

#define CR0_PE	   0x00000001u
#define CR0_ET	   0x00000010u
#define CR0_NE	   0x00000020u
#define CR0_PG	   0x80000000u
#define CR4_PAE	   0x00000020u
#define EFER_LME   0x00000100u
#define EFER_LMA   0x00000400u
#define RFLAGS_ONE 0x00000002u

#define SELECTOR_CODE 0x10u
#define SELECTOR_DATA 0x18u
#define SELECTOR_TSS  0x20u

#define ATTRIBUTES_CODE_32 0xc09bu
#define ATTRIBUTES_CODE_64 0xa09bu
#define ATTRIBUTES_DATA	   0xc093u
#define ATTRIBUTES_TSS	   0x008bu /* busy, as VMX requires */
#define ATTRIBUTES_LDT	   0x0082u

const uint64_t vmm_boot_gdt[VMM_GDT_ENTRIES] = {
	0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00008b000000ffff, 0,
};

static void common(struct vmm_boot_state *state)
{
	memset(state, 0, sizeof(*state));
	state->rflags = RFLAGS_ONE;
	state->data = (struct vmm_segment){
		.limit = 0xffffffff, .selector = SELECTOR_DATA, .attributes = ATTRIBUTES_DATA};
	state->cs = (struct vmm_segment){
		.limit = 0xffffffff, .selector = SELECTOR_CODE, .attributes = ATTRIBUTES_CODE_32};
	state->tr = (struct vmm_segment){
		.limit = 0xffff, .selector = SELECTOR_TSS, .attributes = ATTRIBUTES_TSS};
	state->ldtr = (struct vmm_segment){.limit = 0xffff, .attributes = ATTRIBUTES_LDT};
}

void vmm_boot_protected_mode(struct vmm_boot_state *state, uint32_t eip)
{
	common(state);
	state->rip = eip;
	state->cr0 = CR0_PE | CR0_ET;
}

void vmm_boot_long_mode(struct vmm_boot_state *state, uint64_t rip, uint64_t cr3, uint64_t gdt)
{
	common(state);
	state->rip = rip;
	state->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_PG;
	state->cr3 = cr3;
	state->cr4 = CR4_PAE;
	state->efer = EFER_LME | EFER_LMA;
	state->cs.attributes = ATTRIBUTES_CODE_64;
	state->gdtr = (struct vmm_descriptor_table){.base = gdt, .limit = sizeof(vmm_boot_gdt) - 1};
}

void vmm_boot_identity_map(uint64_t table[VMM_IDENTITY_PAGES][512], uint64_t gpa)
{
	const uint64_t present_writable = 3, large = 0x80;

	memset(table, 0, VMM_IDENTITY_PAGES * sizeof(table[0]));
	table[0][0] = (gpa + 4096) | present_writable;
	for (uint64_t i = 0; i < 4; i++)
		table[1][i] = (gpa + 4096 * (2 + i)) | present_writable;
	for (uint64_t i = 0; i < 4u * 512; i++)
		table[2 + i / 512][i % 512] = i << 21 | present_writable | large;
}
