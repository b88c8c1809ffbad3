/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/cpu.h"
#include "kit/vtl.h"
#include "kit/x64.h"

void vtl_context(struct hv_initial_vp_context *context, struct cpu *cpu, void (*entry)(void),
		 uint64_t cr3)
{
	const struct hv_x64_segment_register data = {0, 0xffffffff, SELECTOR_DATA, 0xc093};

	*context = (struct hv_initial_vp_context){
		.rip = (uint64_t)entry,
		.rsp = (uint64_t)cpu->stack_end - 16,
		.rflags = RFLAGS_ONE,
		.cs = {0, 0xffffffff, SELECTOR_CODE, 0xa09b},
		.ds = data,
		.es = data,
		.ss = data,
		.gs = {(uint64_t)cpu, 0xffffffff, SELECTOR_DATA, 0xc093},
		.fs = data,
		.tr = {(uint64_t)cpu->tss, 0x67, SELECTOR_TSS, 0x8b},
		.ldtr = {0, 0, 0, 0},
		.idtr = {.limit = sizeof(cpu_idt) - 1, .base = (uint64_t)cpu_idt},
		.gdtr = {.limit = 6 * 8 - 1, .base = (uint64_t)cpu->gdt},
		.efer = EFER_LME | EFER_LMA,
		.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG,
		.cr3 = cr3,
		.cr4 = CR4_PAE | CR4_FXSR | CR4_XMM | (read_cr4() & CR4_XSAVE),
		.pat = 0x0007040600070406,
	};
}
