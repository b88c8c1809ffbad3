/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole register files: the state after RESET and INIT, and HV_INITIAL_VP_CONTEXT. */
#include <string.h>

#include "core/vp/fpu.h"
#include "core/vp/plain_msr.h"
#include "core/vp/cpu_registers.h"
#include "core/x64.h"

/* SDM 3A table 10-1. */
#define RESET_CS_BASE 0xffff0000u
#define RESET_LIMIT   0xffffu

#define ATTRIBUTES_CODE 0x009b /* present, execute/read, accessed */
#define ATTRIBUTES_DATA 0x0093 /* present, read/write, accessed */
#define ATTRIBUTES_LDTR 0x0082
#define ATTRIBUTES_TSS	0x008b /* busy, 32 or 64 bit */

/* SDM 4: fast strings are on; there is neither BTS nor PEBS. */
#define RESET_MISC_ENABLE UINT64_C(0x1801)

static void reset_segments(struct vcpu_state *cpu)
{
	for (unsigned int i = 0; i < SEGMENT_COUNT; i++)
		cpu->segment[i] = (struct hv_x64_segment_register){
			.limit = RESET_LIMIT,
			.attributes = ATTRIBUTES_DATA,
		};
	cpu->segment[SEGMENT_CS].selector = X64_RESET_CS;
	cpu->segment[SEGMENT_CS].base = RESET_CS_BASE;
	cpu->segment[SEGMENT_CS].attributes = ATTRIBUTES_CODE;
	cpu->segment[SEGMENT_LDTR].attributes = ATTRIBUTES_LDTR;
	cpu->segment[SEGMENT_TR].attributes = ATTRIBUTES_TSS;
	cpu->idtr = (struct hv_x64_table_register){.limit = RESET_LIMIT};
	cpu->gdtr = (struct hv_x64_table_register){.limit = RESET_LIMIT};
}

void regs_reset(struct vsm_vp *vp, uint8_t vtl, bool init)
{
	struct vcpu_state *cpu = vcpu_edit(vp, vtl, VCPU_ALL & ~(uint32_t)(VCPU_XCR0 | VCPU_FPU));
	const uint64_t cache = cpu->cr0 & (X64_CR0_CD | X64_CR0_NW);
	uint32_t signature[4];

	vp->partition->ops->vp_cpuid(vp->backend, 1, 0, signature);
	memset(cpu->gpr, 0, sizeof(cpu->gpr));
	cpu->gpr[GPR_RDX] = signature[0];
	cpu->rip = X64_RESET_RIP;
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
	if (vcpu_has_fpu(vp, vtl))
		fpu_reset(vcpu_edit(vp, vtl, VCPU_FPU));
	memcpy(cpu->msr, vcpu_msr_reset, sizeof(cpu->msr));
	cpu->smbase = X64_SMBASE_RESET;
	vp->vtl[vtl].misc_enable = RESET_MISC_ENABLE;
	/* All VTLs share these MSRs: enabling a higher VTL must not change them. */
	if (vtl == 0) {
		memset(&vp->mtrr, 0, sizeof(vp->mtrr));
		msr_plain_reset(vp);
	}
}

static struct hv_x64_segment_register loaded(struct hv_x64_segment_register segment)
{
	segment.attributes &= (uint16_t)~HV_X64_SEGMENT_RESERVED_MASK;
	return segment;
}

static void put_context(const struct backend_features *features,
			const struct hv_initial_vp_context *context, struct vcpu_state *cpu)
{
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
	/* VM entry needs a present TSS. */
	if (!(context->tr.attributes & HV_X64_SEGMENT_PRESENT))
		cpu->segment[SEGMENT_TR] = (struct hv_x64_segment_register){
			.limit = RESET_LIMIT,
			.attributes = ATTRIBUTES_TSS,
		};
	cpu->idtr = (struct hv_x64_table_register){.limit = context->idtr.limit,
						   .base = context->idtr.base};
	cpu->gdtr = (struct hv_x64_table_register){.limit = context->gdtr.limit,
						   .base = context->gdtr.base};
	cpu->cr0 = (context->cr0 & features->cr0_valid) | X64_CR0_ET;
	cpu->cr3 = context->cr3;
	cpu->cr4 = context->cr4;
	cpu->efer = regs_derive_lma(context->efer, context->cr0);
	cpu->msr[VCPU_MSR_PAT] = context->pat;
}

/* Includes the RESET values of registers that @context does not contain. */
static const char *contradiction(const struct backend_features *features,
				 const struct hv_initial_vp_context *context)
{
	uint8_t xsave[X64_XSAVE_LEGACY] = {0};
	struct vcpu_state cpu = {
		.xsave = xsave,
		.xsave_size = sizeof(xsave),
		.xcr0 = X64_XFEATURE_X87,
		.dr6 = X64_DR6_RESET,
		.dr7 = X64_DR7_RESET,
	};

	put_context(features, context, &cpu);
	return regs_contradiction(features, &cpu, VCPU_ALL);
}

/* Returns the name of an invalid register, or NULL. */
static const char *wrong_register(const struct backend_features *features, uint8_t vtl,
				  const struct hv_initial_vp_context *context)
{
	const bool long_mode = regs_derive_lma(context->efer, context->cr0) & X64_EFER_LMA;

	/* Checked here, as put_context() drops undefined bits of CR0. */
	if (!regs_cr0_is_legal(context->cr0))
		return "cr0";
	/* TLFS "Execution Mode": only VTL0 may use real mode. */
	if (vtl > 0 && !(context->cr0 & X64_CR0_PE))
		return "cr0: PE is 0, and only VTL0 may use real mode";
	if (vtl > 0 && features->long_mode_only && !long_mode)
		return "efer: this host has no 32-bit mode in a VTL above VTL0";
	/* VM entry accepts a RIP beyond the limit, but the first fetch faults (SDM 3A 5.3). */
	if (!(long_mode && (context->cs.attributes & HV_X64_SEGMENT_LONG)) &&
	    context->rip > context->cs.limit)
		return "rip: beyond the limit of cs, which is not a 64-bit segment";
	return contradiction(features, context);
}

uint16_t regs_check_context(struct vsm_partition *partition, uint8_t vtl,
			    const struct hv_initial_vp_context *context)
{
	const char *wrong = wrong_register(&partition->features, vtl, context);
	bool logged;

	if (!wrong)
		return HV_STATUS_SUCCESS;
	/* A guest can cause any number of errors: only the first is logged at WARN. */
	logged = atomic_exchange(&partition->context_logged, true);
	vsm_log(&partition->log, logged ? VSM_LOG_DEBUG : VSM_LOG_WARN,
		"VTL%u: initial VP context: INVALID_REGISTER_VALUE: %s", vtl, wrong);
	return HV_STATUS_INVALID_REGISTER_VALUE;
}

void regs_load_context(struct vsm_vp *vp, uint8_t vtl, const struct hv_initial_vp_context *context)
{
	put_context(&vp->partition->features, context,
		    vcpu_edit(vp, vtl, VCPU_GPR | VCPU_SYSTEM | VCPU_MSR));
	atomic_fetch_or(&vp->flush_wanted, vtl_bit(vtl));
}
