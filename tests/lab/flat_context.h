/* SPDX-License-Identifier: BSD-2-Clause */
/* The initial context of a VTL with flat segments in 32-bit or 64-bit mode. */
#ifndef LAB_FLAT_CONTEXT_H
#define LAB_FLAT_CONTEXT_H

#include <vsm/hv/hv.h>
#include <vsm/vsm.h>

enum {
	FLAT_CODE_32 = 0xc09b,
	FLAT_CODE_64 = 0xa09b,
};

/* The GDT has code at 0x08, data at 0x10. The caller sets IDTR, control registers and EFER. */
static inline struct hv_initial_vp_context flat_context(uint16_t code, uint64_t rip, uint64_t rsp,
							uint64_t gdt, uint64_t tss)
{
	const struct hv_x64_segment_register data = {
		.limit = 0xffffffff, .selector = 0x10, .attributes = 0xc093};

	return (struct hv_initial_vp_context){
		.rip = rip,
		.rsp = rsp,
		.rflags = 2,
		.cs = {.limit = 0xffffffff, .selector = 0x08, .attributes = code},
		.ds = data,
		.es = data,
		.fs = data,
		.gs = data,
		.ss = data,
		.tr = {.base = tss, .limit = 0x67, .selector = 0x18, .attributes = 0x8b},
		.gdtr = {.limit = 0x1f, .base = gdt},
		.pat = 0x0007040600070406,
	};
}

/* Sets VTL0's registers to @context, except FS, GS, LDTR and PAT. Returns false if one is refused. */
static inline bool flat_start(struct vsm_vp *vp, const struct hv_initial_vp_context *context)
{
	static const uint32_t name[] = {
		HV_X64_REGISTER_RIP,  HV_X64_REGISTER_RSP,  HV_X64_REGISTER_RFLAGS,
		HV_X64_REGISTER_CR3,  HV_X64_REGISTER_CR4,  HV_X64_REGISTER_EFER,
		HV_X64_REGISTER_CR0,  HV_X64_REGISTER_CS,   HV_X64_REGISTER_SS,
		HV_X64_REGISTER_DS,   HV_X64_REGISTER_ES,   HV_X64_REGISTER_TR,
		HV_X64_REGISTER_GDTR, HV_X64_REGISTER_IDTR,
	};
	const union hv_register_value value[] = {
		{.reg128 = {.low = context->rip}},
		{.reg128 = {.low = context->rsp}},
		{.reg128 = {.low = context->rflags}},
		{.reg128 = {.low = context->cr3}},
		{.reg128 = {.low = context->cr4}},
		{.reg128 = {.low = context->efer}},
		{.reg128 = {.low = context->cr0}},
		{.segment = context->cs},
		{.segment = context->ss},
		{.segment = context->ds},
		{.segment = context->es},
		{.segment = context->tr},
		{.table = context->gdtr},
		{.table = context->idtr},
	};
	const int count = sizeof(name) / sizeof(name[0]);

	return vsm_vp_set_registers(vp, 0, name, value, count) == count;
}

#endif
