/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vp/fpu.h"

#include <string.h>

#include "core/x64.h"

/* SDM 1, 13.4.1 and 13.4.2: the legacy area and the header. */
enum {
	XSAVE_FCW = X64_XSAVE_FCW,
	XSAVE_FSW = 2,
	XSAVE_FTW = 4,
	XSAVE_FOP = 6,
	XSAVE_FIP = 8,
	XSAVE_FDP = 16,
	XSAVE_MXCSR = X64_XSAVE_MXCSR,
	XSAVE_MXCSR_MASK = X64_XSAVE_MXCSR_MASK,
	XSAVE_ST = X64_XSAVE_ST0,
	XSAVE_XMM = X64_XSAVE_XMM0,
	XSAVE_XMM_END = 416,
	XSAVE_BV = X64_XSAVE_BV,
	XSAVE_AVX = X64_XSAVE_AVX, /* fixed in the standard format: SDM 1, 13.4.3 */
	XSAVE_AVX_END = 832,
};

#define FCW_RESET 0x0040
#define FOP_MASK  0x07ff

/* SDM 2A "CPUID", leaf 0DH: EAX of sub-leaf 1, ECX of the components. */
#define CPUID_XSAVE	 0xdu
#define XSAVE_COMPACTS	 (1u << 1 | 1u << 3) /* XSAVEC, XSAVES */
#define XSAVE_ALIGNED	 (1u << 1)
#define XSAVE_ALIGNMENT	 64u
#define XSAVE_COMPONENTS 63u

static uint64_t components(const struct vcpu_state *state)
{
	uint64_t bv;

	memcpy(&bv, state->xsave + XSAVE_BV, sizeof(bv));
	return bv;
}

static bool has_avx(const struct vcpu_state *state)
{
	return state->xsave_size >= XSAVE_AVX_END;
}

/* Sets XSTATE_BV of @wanted components, after giving new ones their initial values. */
static void make_live(struct vcpu_state *state, uint64_t wanted)
{
	const uint64_t bv = components(state);
	const uint64_t now = bv | wanted;
	uint8_t *area = state->xsave;

	if (wanted & ~bv & X64_XFEATURE_X87) {
		const uint16_t fcw = X64_FCW_INIT;

		memset(area + XSAVE_FCW, 0, XSAVE_MXCSR - XSAVE_FCW);
		memset(area + XSAVE_ST, 0, XSAVE_XMM - XSAVE_ST);
		memcpy(area + XSAVE_FCW, &fcw, sizeof(fcw));
	}
	/* MXCSR belongs to both SSE and AVX: SDM 1, 13.7. */
	if ((wanted & (X64_XFEATURE_SSE | X64_XFEATURE_AVX)) &&
	    !(bv & (X64_XFEATURE_SSE | X64_XFEATURE_AVX))) {
		const uint32_t mxcsr = X64_MXCSR_RESET;

		memcpy(area + XSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
	}
	if (wanted & ~bv & X64_XFEATURE_SSE)
		memset(area + XSAVE_XMM, 0, XSAVE_XMM_END - XSAVE_XMM);
	if (wanted & ~bv & X64_XFEATURE_AVX)
		memset(area + XSAVE_AVX, 0, XSAVE_AVX_END - XSAVE_AVX);
	memcpy(area + XSAVE_BV, &now, sizeof(now));
}

void fpu_get_xmm(const struct vcpu_state *state, unsigned int n, void *value)
{
	if (components(state) & X64_XFEATURE_SSE)
		memcpy(value, state->xsave + XSAVE_XMM + 16 * n, 16);
	else
		memset(value, 0, 16);
}

void fpu_set_xmm(struct vcpu_state *state, unsigned int n, const void *value)
{
	make_live(state, X64_XFEATURE_SSE);
	memcpy(state->xsave + XSAVE_XMM + 16 * n, value, 16);
}

bool fpu_get_ymm_high(const struct vcpu_state *state, unsigned int n, void *value)
{
	if (!has_avx(state))
		return false;
	if (components(state) & X64_XFEATURE_AVX)
		memcpy(value, state->xsave + XSAVE_AVX + 16 * n, 16);
	else
		memset(value, 0, 16);
	return true;
}

bool fpu_set_ymm_high(struct vcpu_state *state, unsigned int n, const void *value)
{
	if (!has_avx(state))
		return false;
	make_live(state, X64_XFEATURE_AVX);
	memcpy(state->xsave + XSAVE_AVX + 16 * n, value, 16);
	return true;
}

void fpu_get_st(const struct vcpu_state *state, unsigned int n, struct hv_x64_fp_register *value)
{
	memset(value, 0, sizeof(*value));
	if (components(state) & X64_XFEATURE_X87)
		memcpy(value, state->xsave + XSAVE_ST + 16 * n, 10);
}

void fpu_set_st(struct vcpu_state *state, unsigned int n, const struct hv_x64_fp_register *value)
{
	make_live(state, X64_XFEATURE_X87);
	memcpy(state->xsave + XSAVE_ST + 16 * n, value, 10);
}

void fpu_get_control(const struct vcpu_state *state,
		     struct hv_x64_fp_control_status_register *value)
{
	const uint8_t *area = state->xsave;

	*value = (struct hv_x64_fp_control_status_register){.control = X64_FCW_INIT};
	if (!(components(state) & X64_XFEATURE_X87))
		return;
	memcpy(&value->control, area + XSAVE_FCW, 2);
	memcpy(&value->status, area + XSAVE_FSW, 2);
	value->tag = area[XSAVE_FTW];
	memcpy(&value->last_opcode, area + XSAVE_FOP, 2);
	memcpy(&value->last_rip, area + XSAVE_FIP, 8);
}

void fpu_set_control(struct vcpu_state *state,
		     const struct hv_x64_fp_control_status_register *value)
{
	const uint16_t opcode = value->last_opcode & FOP_MASK;
	uint8_t *area = state->xsave;

	make_live(state, X64_XFEATURE_X87);
	memcpy(area + XSAVE_FCW, &value->control, 2);
	memcpy(area + XSAVE_FSW, &value->status, 2);
	area[XSAVE_FTW] = value->tag;
	memcpy(area + XSAVE_FOP, &opcode, 2);
	memcpy(area + XSAVE_FIP, &value->last_rip, 8);
}

static uint32_t mxcsr_mask(const struct vcpu_state *state)
{
	uint32_t mask;

	memcpy(&mask, state->xsave + XSAVE_MXCSR_MASK, sizeof(mask));
	return mask ? mask & X64_MXCSR_MASK_ALL : X64_MXCSR_MASK_NONE;
}

void fpu_get_xmm_control(const struct vcpu_state *state,
			 struct hv_x64_xmm_control_status_register *value)
{
	const uint64_t bv = components(state);

	*value = (struct hv_x64_xmm_control_status_register){
		.mxcsr = X64_MXCSR_RESET,
		.mxcsr_mask = mxcsr_mask(state),
	};
	if (bv & X64_XFEATURE_X87)
		memcpy(&value->last_rdp, state->xsave + XSAVE_FDP, 8);
	if (bv & (X64_XFEATURE_SSE | X64_XFEATURE_AVX))
		memcpy(&value->mxcsr, state->xsave + XSAVE_MXCSR, 4);
}

bool fpu_set_xmm_control(struct vcpu_state *state,
			 const struct hv_x64_xmm_control_status_register *value)
{
	if (value->mxcsr & ~mxcsr_mask(state))
		return false;
	/* The data pointer belongs to the x87, the rest to SSE. */
	make_live(state, X64_XFEATURE_X87 | X64_XFEATURE_SSE);
	memcpy(state->xsave + XSAVE_FDP, &value->last_rdp, 8);
	memcpy(state->xsave + XSAVE_MXCSR, &value->mxcsr, 4);
	return true;
}

/* SDM 1, 13.4: only the standard format has a fixed offset for each component. */
static uint32_t area_size(backend_cpuid_fn *cpuid, void *vp, uint64_t features, bool compacted)
{
	uint32_t size = X64_XSAVE_LEGACY;

	for (uint32_t i = 2; i < XSAVE_COMPONENTS; i++) {
		uint32_t value[4];
		uint32_t offset;

		if (!(features >> i & 1))
			continue;
		cpuid(vp, CPUID_XSAVE, i, value);
		offset = compacted ? size : value[1];
		if (compacted && (value[2] & XSAVE_ALIGNED))
			offset = (size + XSAVE_ALIGNMENT - 1) & ~(XSAVE_ALIGNMENT - 1);
		if (offset + value[0] > size)
			size = offset + value[0];
	}
	return size;
}

void fpu_set_area_size(backend_cpuid_fn *cpuid, void *vp, uint64_t xcr0, uint64_t xss,
		       uint32_t subleaf, uint32_t value[4])
{
	if (subleaf == 0 && value[1])
		value[1] = area_size(cpuid, vp, xcr0, false);
	else if (subleaf == 1 && (value[0] & XSAVE_COMPACTS))
		value[1] = area_size(cpuid, vp, xcr0 | xss, true);
}

void fpu_reset(struct vcpu_state *state)
{
	const uint32_t mask = mxcsr_mask(state);
	const uint16_t fcw = FCW_RESET;

	memset(state->xsave, 0, state->xsave_size);
	memcpy(state->xsave + XSAVE_MXCSR_MASK, &mask, sizeof(mask));
	make_live(state, X64_XFEATURE_X87 | X64_XFEATURE_SSE);
	memcpy(state->xsave + XSAVE_FCW, &fcw, sizeof(fcw));
	/* Tags 0x5555 are "zero", not "empty": all ones in the abridged form (SDM 1, 8.1.7). */
	state->xsave[XSAVE_FTW] = 0xff;
}
