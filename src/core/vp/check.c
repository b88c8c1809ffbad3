/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks a combination of register values by the rules of VM entry (SDM 3C 27.3.1, APM volume 2
 * "Canonicalization and Consistency Checks"), and of KVM when registers are set.
 */
#include <string.h>

#include "core/vp/cpu_registers.h"
#include "core/vp/vp.h"
#include "core/x64.h"

struct state {
	const struct backend_features *features;
	const struct vcpu_state *cpu;
};

static bool long_mode(const struct vcpu_state *cpu)
{
	return cpu->efer & X64_EFER_LMA;
}

static bool cr0(const struct state *state)
{
	const uint64_t value = state->cpu->cr0;

	return !(value & ~state->features->cr0_valid) && regs_cr0_is_legal(value);
}

static bool cr3(const struct state *state)
{
	return !(state->cpu->cr3 >> state->features->gpa_bits);
}

/* SDM 3A 4.10.1: PCIDs are for long mode. */
static bool cr4(const struct state *state)
{
	const uint64_t value = state->cpu->cr4;

	return !(value & ~state->features->cr4_valid) &&
	       (!(value & X64_CR4_PCIDE) || long_mode(state->cpu));
}

static bool efer(const struct state *state)
{
	return !(state->cpu->efer & ~(state->features->efer_valid | X64_EFER_LMA));
}

/* SDM 3A 4.1.2: LMA follows from LME and PG, and long mode requires PAE. */
static bool lma(const struct state *state)
{
	const struct vcpu_state *cpu = state->cpu;

	return long_mode(cpu) == ((cpu->cr0 & X64_CR0_PG) && (cpu->efer & X64_EFER_LME));
}

static bool pae(const struct state *state)
{
	return !long_mode(state->cpu) || (state->cpu->cr4 & X64_CR4_PAE);
}

static bool rflags(const struct state *state)
{
	const struct vcpu_state *cpu = state->cpu;

	return regs_rflags_are_legal(cpu->rflags, cpu->efer) &&
	       (!(cpu->rflags & X64_RFLAGS_VM) || (cpu->cr0 & X64_CR0_PE));
}

static bool rip(const struct state *state)
{
	return vcpu_long_mode(state->cpu)
		       ? regs_is_canonical_in_mode(state->cpu->cr4, state->cpu->rip)
		       : !(state->cpu->rip >> 32);
}

/* ------------------------------------------------------------------ segments: SDM 3C 27.3.1.2 */

static unsigned int type_of(const struct hv_x64_segment_register *segment)
{
	return segment->attributes & HV_X64_SEGMENT_TYPE_MASK;
}

static unsigned int dpl_of(const struct hv_x64_segment_register *segment)
{
	return (segment->attributes & HV_X64_SEGMENT_DPL_MASK) >> HV_X64_SEGMENT_DPL_SHIFT;
}

static bool is_present(const struct hv_x64_segment_register *segment)
{
	return segment->attributes & HV_X64_SEGMENT_PRESENT;
}

/* In virtual-8086 mode the selectors determine all six segments. */
static bool v8086_segment(const struct hv_x64_segment_register *segment)
{
	return segment->base == (uint64_t)segment->selector << 4 && segment->limit == 0xffff &&
	       segment->attributes == 0xf3;
}

/* CS and SS must have matching privilege levels in protected mode. */
static bool privilege(const struct vcpu_state *cpu)
{
	const struct hv_x64_segment_register *code = &cpu->segment[SEGMENT_CS];
	const unsigned int stack = dpl_of(&cpu->segment[SEGMENT_SS]);

	if (!(cpu->cr0 & X64_CR0_PE))
		return true;
	if (!(type_of(code) & SEGMENT_TYPE_CODE))
		return dpl_of(code) == 0 && stack == 0;
	return type_of(code) & SEGMENT_TYPE_CONFORMING ? dpl_of(code) <= stack
						       : dpl_of(code) == stack;
}

static bool cs(const struct state *state)
{
	const struct vcpu_state *cpu = state->cpu;
	const struct hv_x64_segment_register *segment = &cpu->segment[SEGMENT_CS];

	if (cpu->rflags & X64_RFLAGS_VM)
		return v8086_segment(segment);
	if ((segment->attributes & HV_X64_SEGMENT_LONG) && !long_mode(cpu))
		return false;
	return is_present(segment) && regs_segment_is_legal(state->features, SEGMENT_CS, segment) &&
	       privilege(cpu);
}

static bool segment(const struct state *state, unsigned int which)
{
	const struct hv_x64_segment_register *segment = &state->cpu->segment[which];

	if (state->cpu->rflags & X64_RFLAGS_VM)
		return v8086_segment(segment);
	return regs_segment_is_legal(state->features, which, segment);
}

static bool ss(const struct state *state)
{
	return segment(state, SEGMENT_SS);
}

static bool ds(const struct state *state)
{
	return segment(state, SEGMENT_DS);
}

static bool es(const struct state *state)
{
	return segment(state, SEGMENT_ES);
}

static bool fs(const struct state *state)
{
	return segment(state, SEGMENT_FS);
}

static bool gs(const struct state *state)
{
	return segment(state, SEGMENT_GS);
}

static bool ldtr(const struct state *state)
{
	return regs_segment_is_legal(state->features, SEGMENT_LDTR,
				     &state->cpu->segment[SEGMENT_LDTR]);
}

/* TR always has a busy TSS; in long mode not a 16-bit one. */
static bool tr(const struct state *state)
{
	const struct hv_x64_segment_register *segment = &state->cpu->segment[SEGMENT_TR];

	return is_present(segment) && regs_segment_is_legal(state->features, SEGMENT_TR, segment) &&
	       (type_of(segment) == SEGMENT_TYPE_TSS_BUSY || !long_mode(state->cpu));
}

static bool tables(const struct state *state)
{
	return regs_is_canonical_for_cpu(state->features, state->cpu->gdtr.base) &&
	       regs_is_canonical_for_cpu(state->features, state->cpu->idtr.base);
}

static bool debug(const struct state *state)
{
	return !(state->cpu->dr6 >> 32) && !(state->cpu->dr7 >> 32);
}

static bool xcr0(const struct state *state)
{
	return regs_xcr0_is_legal(state->features, state->cpu->xcr0);
}

/*
 * SDM 1, 13.4.2 and 13.8: XSTATE_BV has only supported components; the other words of the header
 * are 0.
 */
static bool xsave(const struct state *state)
{
	const uint8_t *area = state->cpu->xsave;
	uint64_t header[8];
	uint32_t mxcsr;
	uint32_t mask;

	memcpy(header, area + X64_XSAVE_BV, sizeof(header));
	memcpy(&mxcsr, area + X64_XSAVE_MXCSR, sizeof(mxcsr));
	memcpy(&mask, area + X64_XSAVE_MXCSR_MASK, sizeof(mask));
	if (header[0] & ~(state->features->xcr0_supported | X64_XFEATURE_X87 | X64_XFEATURE_SSE))
		return false;
	for (unsigned int i = 1; i < 8; i++)
		if (header[i])
			return false;
	/* KVM checks MXCSR even where XSTATE_BV marks it as initial. */
	return !(mxcsr & ~(mask ? mask & X64_MXCSR_MASK_ALL : X64_MXCSR_MASK_NONE));
}

static bool msr_address(const struct state *state, uint64_t address)
{
	return state->features->msr_address_by_la57
		       ? regs_is_canonical_in_mode(state->cpu->cr4, address)
		       : regs_is_canonical_for_cpu(state->features, address);
}

static bool msrs(const struct state *state)
{
	static const uint8_t address[] = {VCPU_MSR_KERNEL_GS_BASE, VCPU_MSR_SYSENTER_EIP,
					  VCPU_MSR_SYSENTER_ESP, VCPU_MSR_LSTAR, VCPU_MSR_CSTAR};
	const uint64_t *msr = state->cpu->msr;

	for (size_t i = 0; i < sizeof(address); i++)
		if (!msr_address(state, msr[address[i]]))
			return false;
	for (unsigned int i = VCPU_MSR_OPTIONAL; i < VCPU_MSR_COUNT; i++)
		if (msr[i] & ~state->features->msr_valid[i])
			return false;
	return msr_address(state, msr[VCPU_MSR_BNDCFGS] & ~UINT64_C(0xfff)) &&
	       regs_pat_is_legal(msr[VCPU_MSR_PAT]) && !(msr[VCPU_MSR_TSC_AUX] >> 32);
}

/*
 * SDM 3C 27.2.1.3 and 27.3.1.4. An injected interrupt, except by INT n, needs IF and no interrupt
 * shadow; an exception has an error code if its vector pushes one (in real mode none does, which
 * KVM handles).
 */
static bool events(const struct state *state)
{
	const struct vcpu_state *cpu = state->cpu;
	const struct vcpu_events *events = &cpu->events;

	if (events->exception_pending &&
	    (!regs_exception_is_legal(events->exception_vector) ||
	     ((cpu->cr0 & X64_CR0_PE) && regs_exception_has_error(events->exception_vector) !=
						 events->exception_has_error_code)))
		return false;
	return !events->interrupt_injected || events->interrupt_soft ||
	       ((cpu->rflags & X64_RFLAGS_IF) && !events->interrupt_shadow);
}

#define GPR    VCPU_GPR
#define SYSTEM VCPU_SYSTEM

/* A rule is checked after a change of one of `groups`; it also reads `also`. */
static const struct {
	const char *name;
	bool (*holds)(const struct state *state);
	uint32_t groups;
	uint32_t also;
} rules[] = {
	{"cr0", cr0, SYSTEM, 0},
	{"cr3", cr3, SYSTEM, 0},
	{"cr4", cr4, SYSTEM, 0},
	{"efer", efer, SYSTEM, 0},
	{"efer: LMA is not LME with CR0.PG", lma, SYSTEM, 0},
	{"cr4: long mode needs PAE", pae, SYSTEM, 0},
	{"rflags", rflags, GPR | SYSTEM, 0},
	{"cs", cs, GPR | SYSTEM, 0},
	{"ss", ss, GPR | SYSTEM, 0},
	{"ds", ds, GPR | SYSTEM, 0},
	{"es", es, GPR | SYSTEM, 0},
	{"fs", fs, GPR | SYSTEM, 0},
	{"gs", gs, GPR | SYSTEM, 0},
	{"ldtr", ldtr, SYSTEM, 0},
	{"tr", tr, SYSTEM, 0},
	{"gdtr or idtr", tables, SYSTEM, 0},
	{"rip", rip, GPR | SYSTEM, 0},
	{"dr6 or dr7", debug, VCPU_DEBUG, 0},
	{"xcr0", xcr0, VCPU_XCR0, 0},
	{"xsave", xsave, VCPU_FPU, 0},
	{"msr", msrs, VCPU_MSR, SYSTEM},
	{"events", events, VCPU_EVENTS, GPR | SYSTEM},
};

#define RULES ARRAY_SIZE(rules)

uint32_t regs_contradiction_needs(uint32_t groups)
{
	uint32_t needs = 0;

	for (size_t i = 0; i < RULES; i++)
		if (rules[i].groups & groups)
			needs |= rules[i].groups | rules[i].also;
	return needs;
}

const char *regs_contradiction(const struct backend_features *features,
			       const struct vcpu_state *cpu, uint32_t groups)
{
	const struct state state = {.features = features, .cpu = cpu};

	for (size_t i = 0; i < RULES; i++)
		if ((rules[i].groups & groups) && !rules[i].holds(&state))
			return rules[i].name;
	return NULL;
}
