/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * State that the VTLs of a VP share (TLFS "Shared State"): CR2, DR0 to DR3 (DR6 with
 * VsmCapabilities.Dr6Shared), XCR0, the XSAVE user state, and the general registers except RSP.
 *
 * In the register file of an inactive VTL, shared registers are stale: vtl_copy_shared() copies
 * them at each change of the active VTL.
 */
#include <string.h>

#include "core/same.h"
#include "core/vtl/vtl.h"
#include "core/x64.h"

#define SHARED (VCPU_GPR | VCPU_SYSTEM | CORE_SELDOM)

static void copy_debug(struct vsm_vp *vp, const struct vcpu_state *source, uint8_t to)
{
	const struct vcpu_state *current = vp->cpu[to];
	bool dr6_shared = vp->partition->features.dr6_shared;
	struct vcpu_state *target;

	if (same_words(source->dr, current->dr, sizeof(source->dr)) &&
	    (!dr6_shared || source->dr6 == current->dr6))
		return;
	target = vcpu_edit(vp, to, VCPU_DEBUG);
	memcpy(target->dr, source->dr, sizeof(target->dr));
	if (dr6_shared)
		target->dr6 = source->dr6;
}

static bool differ(const uint8_t *a, const uint8_t *b, uint32_t from, uint32_t to)
{
	return from < to && memcmp(a + from, b + from, to - from) != 0;
}

/*
 * Whether a CPU could observe a difference. A component whose XSTATE_BV bit is clear is in its
 * initial state whatever its bytes are; MXCSR is always valid (SDM volume 1, 13.8).
 */
static bool fpu_differs(const uint8_t *a, const uint8_t *b, uint32_t size)
{
	uint64_t used;

	memcpy(&used, a + X64_XSAVE_BV, sizeof(used));
	/* The areas are nearly always equal. */
	if (same_words(a, b, X64_XSAVE_LEGACY) &&
	    (!(used & ~(X64_XFEATURE_X87 | X64_XFEATURE_SSE)) ||
	     same_words(a + X64_XSAVE_LEGACY, b + X64_XSAVE_LEGACY, size - X64_XSAVE_LEGACY)))
		return false;
	return differ(a, b, X64_XSAVE_BV, X64_XSAVE_LEGACY) ||
	       differ(a, b, X64_XSAVE_MXCSR, X64_XSAVE_ST0) ||
	       ((used & X64_XFEATURE_X87) && differ(a, b, 0, X64_XSAVE_XMM0)) ||
	       ((used & X64_XFEATURE_SSE) && differ(a, b, X64_XSAVE_XMM0, X64_XSAVE_BV)) ||
	       ((used & ~(X64_XFEATURE_X87 | X64_XFEATURE_SSE)) &&
		differ(a, b, X64_XSAVE_LEGACY, size));
}

static uint32_t groups_to_copy(const struct vsm_vp *vp)
{
	return vp->partition->features.fpu_shared ? SHARED & ~(uint32_t)VCPU_FPU : SHARED;
}

/* Copies XSTATE_BV too, so that a component in its initial state stays in it (P08). */
static void copy_fpu(struct vsm_vp *vp, const struct vcpu_state *source, uint8_t to)
{
	const struct vcpu_state *current = vp->cpu[to];

	if (source->xcr0 != current->xcr0)
		vcpu_edit(vp, to, VCPU_XCR0)->xcr0 = source->xcr0;
	if (!vp->partition->features.fpu_shared &&
	    fpu_differs(source->xsave, current->xsave, source->xsave_size))
		memcpy(vcpu_edit(vp, to, VCPU_FPU)->xsave, source->xsave, source->xsave_size);
}

/* Two VTLs with the same version have equal values; an edit or a load clears the version. */
static __attribute__((noinline)) void copy_seldom(struct vsm_vp *vp, uint8_t from, uint8_t to)
{
	const struct vcpu_state *source = vp->cpu[from];

	copy_debug(vp, source, to);
	copy_fpu(vp, source, to);
	if (!vp->vtl[from].seldom_version)
		vp->vtl[from].seldom_version = ++vp->seldom_version;
	vp->vtl[to].seldom_version = vp->vtl[from].seldom_version;
}

void vtl_copy_shared(struct vsm_vp *vp, uint8_t to)
{
	const uint32_t groups = groups_to_copy(vp);
	const struct vcpu_state *source = vcpu_get(vp, vp->active_vtl, groups);
	const struct vp_vtl *entered = &vp->vtl[to];
	struct vcpu_state *target;
	uint64_t rsp;

	vcpu_get(vp, to, groups);
	target = vcpu_edit(vp, to, VCPU_GPR);
	rsp = target->gpr[GPR_RSP];
	memcpy(target->gpr, source->gpr, sizeof(target->gpr));
	target->gpr[GPR_RSP] = rsp;
	if (target->cr2 != source->cr2)
		vcpu_edit(vp, to, VCPU_SYSTEM)->cr2 = source->cr2;
	if (!entered->seldom_version || entered->seldom_version != vp_active(vp)->seldom_version)
		copy_seldom(vp, vp->active_vtl, to);
}
