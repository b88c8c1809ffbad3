/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole register files: the state after RESET and INIT, and HV_INITIAL_VP_CONTEXT.
 */
#include <string.h>

#include "core/fpu.h"
#include "core/regs_table.h"
#include "core/x64.h"

/* SDM 3A table 10-1. */
#define RESET_RIP     0xfff0u
#define RESET_CS_BASE 0xffff0000u
#define RESET_CS      0xf000u
#define RESET_LIMIT   0xffffu

#define ATTRIBUTES_CODE 0x009b /* present, execute/read, accessed */
#define ATTRIBUTES_DATA 0x0093 /* present, read/write, accessed */
#define ATTRIBUTES_LDTR 0x0082
#define ATTRIBUTES_TSS	0x008b /* busy, 32 or 64 bit */
#define TYPE_TSS16_BUSY 3
#define TYPE_TSS_BUSY	11

/* SDM 4: fast strings are on; there is neither BTS nor PEBS. */
#define RESET_MISC_ENABLE UINT64_C(0x1801)

static void reset_segments(struct vcpu_state *cpu)
{
	for (unsigned int i = 0; i < SEGMENT_COUNT; i++)
		cpu->segment[i] = (struct hv_x64_segment_register){
			.limit = RESET_LIMIT,
			.attributes = ATTRIBUTES_DATA,
		};
	cpu->segment[SEGMENT_CS].selector = RESET_CS;
	cpu->segment[SEGMENT_CS].base = RESET_CS_BASE;
	cpu->segment[SEGMENT_CS].attributes = ATTRIBUTES_CODE;
	cpu->segment[SEGMENT_LDTR].attributes = ATTRIBUTES_LDTR;
	cpu->segment[SEGMENT_TR].attributes = ATTRIBUTES_TSS;
	cpu->idtr = (struct hv_x64_table_register){.limit = RESET_LIMIT};
	cpu->gdtr = (struct hv_x64_table_register){.limit = RESET_LIMIT};
}

void regs_reset(struct vsm_vp *vp, uint8_t vtl, bool init)
{
	struct vcpu_state *cpu = vcpu_edit(vp, vtl, VCPU_ALL & ~(uint32_t)VCPU_XCR0);
	const uint64_t cache = cpu->cr0 & (X64_CR0_CD | X64_CR0_NW);
	uint32_t signature[4];

	vp->partition->ops->vp_cpuid(vp->backend, 1, 0, signature);
	memset(cpu->gpr, 0, sizeof(cpu->gpr));
	cpu->gpr[GPR_RDX] = signature[0];
	cpu->rip = RESET_RIP;
	cpu->rflags = X64_RFLAGS_FIXED;
	/* INIT leaves caches, x87, SSE, XCR0, MTRRs and most MSRs as they are. */
	cpu->cr0 = X64_CR0_ET | (init ? cache : X64_CR0_CD | X64_CR0_NW);
	cpu->cr2 = 0;
	cpu->cr3 = 0;
	cpu->cr4 = 0;
	cpu->efer = 0;
	reset_segments(cpu);
	memset(cpu->dr, 0, sizeof(cpu->dr));
	cpu->dr6 = X64_DR6_RESET;
	cpu->dr7 = X64_DR7_RESET;
	memset(&cpu->events, 0, sizeof(cpu->events));
	atomic_fetch_or(&vp->flush_wanted, vtl_bit(vtl));
	if (init)
		return;

	vcpu_edit(vp, vtl, VCPU_XCR0)->xcr0 = X64_XFEATURE_X87;
	fpu_reset(cpu);
	memset(cpu->msr, 0, sizeof(cpu->msr));
	cpu->msr[VCPU_MSR_PAT] = X64_PAT_RESET;
	vp->vtl[vtl].misc_enable = RESET_MISC_ENABLE;
	/* Shared: enabling a higher VTL must not change what the lower ones have set. */
	if (vtl == 0)
		memset(&vp->mtrr, 0, sizeof(vp->mtrr));
}

/* ------------------------------------------------------------------ initial contexts */

static bool modes_are_legal(const struct vsm_partition *partition, uint8_t vtl,
			    const struct hv_initial_vp_context *context)
{
	const struct backend_features *features = &partition->features;
	const uint64_t efer = regs_derive_lma(context->efer, context->cr0);

	if (!regs_cr0_is_legal(context->cr0))
		return false;
	/* TLFS 15.6: real mode is for VTL0 alone. */
	if (vtl > 0 && !(context->cr0 & X64_CR0_PE))
		return false;
	if ((context->cr4 & ~features->cr4_valid) ||
	    (context->efer & ~(features->efer_valid | X64_EFER_LMA)))
		return false;
	if (efer & X64_EFER_LMA)
		return context->cr4 & X64_CR4_PAE;
	/* Outside of long mode: no PCIDs (SDM 3A 4.10.1), and perhaps no VTL at all. */
	return !(context->cr4 & X64_CR4_PCIDE) && !(vtl > 0 && features->long_mode_only);
}

static bool segments_are_legal(const struct vsm_partition *partition,
			       const struct hv_initial_vp_context *context)
{
	const struct {
		unsigned int which;
		const struct hv_x64_segment_register *segment;
	} all[] = {
		{SEGMENT_CS, &context->cs},	{SEGMENT_DS, &context->ds},
		{SEGMENT_ES, &context->es},	{SEGMENT_FS, &context->fs},
		{SEGMENT_GS, &context->gs},	{SEGMENT_SS, &context->ss},
		{SEGMENT_LDTR, &context->ldtr}, {SEGMENT_TR, &context->tr},
	};
	const uint16_t type = context->tr.attributes & HV_X64_SEGMENT_TYPE_MASK;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!regs_segment_is_legal(partition, all[i].which, all[i].segment))
			return false;
	/* Every segment may be null, but a TR that is there must be a busy task: SDM 3C 27.3.1.2. */
	if ((context->tr.attributes & HV_X64_SEGMENT_PRESENT) && type != TYPE_TSS_BUSY &&
	    type != TYPE_TSS16_BUSY)
		return false;
	return regs_is_canonical(partition, context->idtr.base) &&
	       regs_is_canonical(partition, context->gdtr.base);
}

uint16_t regs_check_context(const struct vsm_partition *partition, uint8_t vtl,
			    const struct hv_initial_vp_context *context)
{
	const uint64_t efer = regs_derive_lma(context->efer, context->cr0);

	if (!modes_are_legal(partition, vtl, context) || !segments_are_legal(partition, context))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	if (!regs_cr3_is_legal(partition, context->cr3) || !regs_pat_is_legal(context->pat) ||
	    !regs_rflags_are_legal(context->rflags, efer))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	if (efer & X64_EFER_LMA ? !regs_is_canonical(partition, context->rip) : context->rip >> 32)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	return HV_STATUS_SUCCESS;
}

static struct hv_x64_segment_register loaded(struct hv_x64_segment_register segment)
{
	segment.attributes &= (uint16_t)~HV_X64_SEGMENT_RESERVED_MASK;
	return segment;
}

void regs_load_context(struct vsm_vp *vp, uint8_t vtl, const struct hv_initial_vp_context *context)
{
	struct vcpu_state *cpu = vcpu_edit(vp, vtl, VCPU_GPR | VCPU_SYSTEM | VCPU_MSR);

	cpu->rip = context->rip;
	cpu->gpr[GPR_RSP] = context->rsp;
	cpu->rflags = context->rflags | X64_RFLAGS_FIXED;
	cpu->segment[SEGMENT_CS] = loaded(context->cs);
	cpu->segment[SEGMENT_DS] = loaded(context->ds);
	cpu->segment[SEGMENT_ES] = loaded(context->es);
	cpu->segment[SEGMENT_FS] = loaded(context->fs);
	cpu->segment[SEGMENT_GS] = loaded(context->gs);
	cpu->segment[SEGMENT_SS] = loaded(context->ss);
	cpu->segment[SEGMENT_TR] = loaded(context->tr);
	cpu->segment[SEGMENT_LDTR] = loaded(context->ldtr);
	/* A CPU in protected mode always has a task register. */
	if (!(context->tr.attributes & HV_X64_SEGMENT_PRESENT))
		cpu->segment[SEGMENT_TR] = (struct hv_x64_segment_register){
			.limit = RESET_LIMIT,
			.attributes = ATTRIBUTES_TSS,
		};
	cpu->idtr = (struct hv_x64_table_register){.limit = context->idtr.limit,
						   .base = context->idtr.base};
	cpu->gdtr = (struct hv_x64_table_register){.limit = context->gdtr.limit,
						   .base = context->gdtr.base};
	cpu->cr0 = (context->cr0 & vp->partition->features.cr0_valid) | X64_CR0_ET;
	cpu->cr3 = context->cr3;
	cpu->cr4 = context->cr4;
	cpu->efer = regs_derive_lma(context->efer, context->cr0);
	cpu->msr[VCPU_MSR_PAT] = context->pat;
	atomic_fetch_or(&vp->flush_wanted, vtl_bit(vtl));
}
