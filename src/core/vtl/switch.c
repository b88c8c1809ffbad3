/* SPDX-License-Identifier: BSD-2-Clause */
/* TLFS "VTL Entry", "VTL Return". */
#include <string.h>

#include "core/trace/trace.h"
#include "core/vp/debug.h"
#include "core/vp/vp.h"
#include "core/vtl/vtl.h"

/* RIP of both VTLs is already set. */
static void vtl_switch(struct vsm_vp *vp, uint8_t to)
{
	vtl_copy_shared(vp, to);
	vp_set_active(vp, to);
	vp_active(vp)->entered = true;
	atomic_fetch_add_explicit(&vp->switches, 1, memory_order_relaxed);
}

static struct hv_vp_assist_page *assist_page(const struct vp_vtl *vtl)
{
	return (struct hv_vp_assist_page *)vtl->assist;
}

/*
 * At an entry and at a return. By the TLFS, AutoReset clears VinaAsserted when the VTL is entered;
 * the guest cannot observe that a return clears it too.
 */
static void vina_auto_reset(const struct vp_vtl *vtl)
{
	struct hv_vp_assist_page *page = assist_page(vtl);

	if (page && (vtl->vina & HV_VSM_VINA_AUTO_RESET))
		__atomic_store_n(&page->vtl_control.vina_status, 0, __ATOMIC_RELAXED);
}

/* TLFS HV_VP_VTL_CONTROL: the mode of @vtl, which executes the return, selects the layout. */
static void store_return_registers(struct vsm_vp *vp, uint8_t vtl,
				   struct hv_vp_vtl_control *control)
{
	const struct vcpu_state *cpu = vcpu_get(vp, vtl, VCPU_GPR | VCPU_SYSTEM);

	if (vcpu_long_mode(cpu)) {
		control->vtl_return_x64_rax = cpu->gpr[GPR_RAX];
		control->vtl_return_x64_rcx = cpu->gpr[GPR_RCX];
	} else {
		control->vtl_return_x64_rax = (uint32_t)cpu->gpr[GPR_RAX] | cpu->gpr[GPR_RCX] << 32;
		control->vtl_return_x64_rcx = (uint32_t)cpu->gpr[GPR_RDX];
	}
}

/*
 * The assist page is the entered VTL's own overlay, independent of the lower VTL's view of that GPA
 * (P17). VtlReturn* get the lower VTL's RAX and RCX, for secure kernels that never write them.
 */
static void report_entry(struct vsm_vp *vp, enum hv_vtl_entry_reason reason)
{
	struct hv_vp_assist_page *page = assist_page(vp_active(vp));

	debug_due(vp, vp->active_vtl, VSM_DEBUG_VTL_ENTRY);
	if (!page)
		return;
	page->vtl_control.entry_reason = reason;
	store_return_registers(vp, vp->active_vtl, &page->vtl_control);
	vina_auto_reset(vp_active(vp));
}

void vtl_enter(struct vsm_vp *vp, uint8_t vtl, enum hv_vtl_entry_reason reason)
{
	uint8_t from = vp->active_vtl;

	if (trace_is_on(vp->partition))
		trace_write(vp, VSM_TRACE_VTL_ENTER, from, vtl, reason,
			    vcpu_get(vp, from, VCPU_GPR)->rip);
	vtl_switch(vp, vtl);
	vp_active(vp)->activity = VP_RUNNING;
	report_entry(vp, reason);
}

bool vtl_call(struct vsm_vp *vp, uint64_t control, uint64_t input, uint8_t length)
{
	int target = vtl_above(vp, vp->active_vtl);

	if (control != HV_CALL_VTL_CALL || input != 0 || target < 0)
		return false;
	vp_skip_instruction(vp, vp->active_vtl, length);
	vtl_enter(vp, (uint8_t)target, HV_VTL_ENTRY_VTL_CALL);
	return true;
}

/*
 * TLFS "VTL Return": restores the registers that the return sequence clobbered. @long_mode: of the
 * VTL that returns.
 */
static void restore_registers(struct vsm_vp *vp, uint8_t to, bool long_mode,
			      const struct hv_vp_vtl_control *control)
{
	struct vcpu_state *cpu = vcpu_edit(vp, to, VCPU_GPR);
	uint64_t rax = __atomic_load_n(&control->vtl_return_x64_rax, __ATOMIC_RELAXED);
	uint64_t rcx = __atomic_load_n(&control->vtl_return_x64_rcx, __ATOMIC_RELAXED);

	if (long_mode) {
		cpu->gpr[GPR_RAX] = rax;
		cpu->gpr[GPR_RCX] = rcx;
	} else {
		cpu->gpr[GPR_RAX] = (uint32_t)rax;
		cpu->gpr[GPR_RCX] = rax >> 32;
		cpu->gpr[GPR_RDX] = (uint32_t)rcx;
	}
}

bool vtl_return(struct vsm_vp *vp, uint64_t control, uint64_t input, uint8_t length)
{
	uint8_t from = vp->active_vtl;
	int target = vtl_below(vp, from);
	struct vp_vtl *own = vp_active(vp);
	const struct hv_vp_assist_page *page = assist_page(own);
	bool fast = input & HV_VTL_RETURN_FAST;
	bool long_mode = vp_long_mode(vp, from);
	bool again;

	if (control != HV_CALL_VTL_RETURN || (input & ~(uint64_t)HV_VTL_RETURN_FAST) != 0 ||
	    target < 0)
		return false;
	vp_skip_instruction(vp, from, length);
	vtl_tlb_unlock(vp, from);
	vina_auto_reset(own);
	again = vp->vtl[target].entered;
	vtl_switch(vp, (uint8_t)target);
	own->entered = false;
	if (!fast && page)
		restore_registers(vp, (uint8_t)target, long_mode, &page->vtl_control);
	/* VTL @from preempted a VTL below @target, so @target is entered only now. */
	if (!again && vtl_below(vp, (uint8_t)target) >= 0) {
		vp_active(vp)->activity = VP_RUNNING;
		report_entry(vp, HV_VTL_ENTRY_INTERRUPT);
	}
	if (trace_is_on(vp->partition))
		trace_write(vp, VSM_TRACE_VTL_RETURN, from, (uint64_t)target, fast,
			    vcpu_get(vp, (uint8_t)target, VCPU_GPR)->rip);
	return true;
}

void vtl_tlb_lock(struct vsm_vp *vp, uint8_t owner, uint8_t locked)
{
	atomic_fetch_or(&vp->tlb_locked[locked], vtl_bit(owner));
	trace(vp, VSM_TRACE_TLB_LOCK, owner, locked, 1, 0);
}

/* Drops the lock of @owner only (P09). True: no VTL holds a TLB lock on @locked any more. */
static bool tlb_release(struct vsm_vp *vp, uint8_t owner, uint8_t locked)
{
	uint16_t held = atomic_load_explicit(&vp->tlb_locked[locked], memory_order_relaxed);

	if (!(held & vtl_bit(owner)))
		return false;
	held = atomic_fetch_and(&vp->tlb_locked[locked], (uint16_t)~vtl_bit(owner));
	trace(vp, VSM_TRACE_TLB_LOCK, owner, locked, 0, 0);
	return held == vtl_bit(owner);
}

/* Wakes VPs that wait for a TLB lock of @owner. A VP that runs a VTL above @owner does not wait. */
static void tlb_wake(struct vsm_vp *vp, uint8_t owner)
{
	struct vsm_partition *partition = vp->partition;

	atomic_fetch_add(&partition->tlb_unlocks, 1);
	for (uint32_t i = 0; i < partition->vp_count; i++) {
		struct vsm_vp *other = partition->vp[i];

		if (other != vp && atomic_load(&other->tlb_waits) &&
		    !(atomic_load(&other->in_guest) & vtls_above(owner)))
			vp_kick(other);
	}
}

static __attribute__((noinline)) void tlb_unlock_all(struct vsm_vp *vp, uint8_t owner)
{
	bool released = false;

	for (uint8_t vtl = 0; vtl < owner; vtl++)
		released |= tlb_release(vp, owner, vtl);
	if (released)
		tlb_wake(vp, owner);
}

/* Called at each VTL return. */
void vtl_tlb_unlock(struct vsm_vp *vp, uint8_t owner)
{
	uint16_t held = 0;

	for (uint8_t vtl = 0; vtl < owner; vtl++)
		held |= atomic_load_explicit(&vp->tlb_locked[vtl], memory_order_relaxed);
	if (held & vtl_bit(owner))
		tlb_unlock_all(vp, owner);
}

void vtl_tlb_unlock_one(struct vsm_vp *vp, uint8_t owner, uint8_t locked)
{
	if (tlb_release(vp, owner, locked))
		tlb_wake(vp, owner);
}
