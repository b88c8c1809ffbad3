/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLFS "Virtual Interrupt Management". Before each entry the VTLs above the active one are checked:
 * the highest one that has an unblocked NMI, or a vector above its own processor priority, and does
 * not wait for a SIPI, is entered, whatever RFLAGS.IF is in either VTL. For vectors only IRR, ISR
 * and TPR decide, so one that the TPR masks never causes an entry (P12).
 */
#include <string.h>

#include "core/interrupt/interrupt.h"
#include "core/interrupt/eoi.h"
#include "core/schedule/smm.h"
#include "core/vtl/start_vp.h"
#include "core/interrupt/stimer.h"
#include "core/interrupt/synic.h"
#include "core/trace/trace.h"
#include "core/vp/vp.h"
#include "core/vtl/vtl.h"
#include "core/x64.h"
#include "lapic/fast.h"

/* How often lower VTLs may interrupt a higher one, which they could otherwise keep from running. */
#define LOWER_HZ 10000u

static uint64_t deadline_of(const struct vsm_vp *vp, uint16_t vtls)
{
	uint64_t deadline = UINT64_MAX;

	for (; vtls; vtls &= (uint16_t)(vtls - 1)) {
		uint8_t vtl = (uint8_t)__builtin_ctz(vtls);
		uint64_t lapic = vsm_lapic_next_deadline(&vp->vtl[vtl].lapic);
		uint64_t stimer = stimer_next(vp, vtl);

		if (lapic < deadline)
			deadline = lapic;
		if (stimer != UINT64_MAX) {
			stimer = reftime_to_tsc(vp->partition, stimer);
			if (stimer < deadline)
				deadline = stimer;
		}
	}
	return deadline;
}

static inline uint64_t next_deadline(struct vsm_vp *vp)
{
	if (__builtin_expect(vp->deadline_stale, 0)) {
		vp->deadline = deadline_of(vp, atomic_load(&vp->enabled_vtls));
		vp->deadline_stale = false;
	}
	return vp->deadline;
}

static bool vina_asserted(const struct vp_vtl *own)
{
	const struct hv_vp_assist_page *page = (const struct hv_vp_assist_page *)own->assist;

	return __atomic_load_n(&page->vtl_control.vina_status, __ATOMIC_RELAXED) &
	       HV_VINA_STATUS_ASSERTED;
}

static bool lower_vtl_posted(struct vsm_vp *vp)
{
	for (int vtl = vtl_below(vp, vp->active_vtl); vtl >= 0; vtl = vtl_below(vp, (uint8_t)vtl))
		if (vsm_lapic_has_posted(&vp->vtl[vtl].lapic))
			return true;
	return false;
}

/*
 * Whether posts to lower VTLs still need a VINA check: the last check was too recent, or
 * VinaAsserted was still set, which the guest can clear without an exit. @awake: the active VTL
 * runs.
 */
static bool notification_waits(struct vsm_vp *vp, bool awake)
{
	return (awake || !vina_asserted(vp_active(vp))) && lower_vtl_posted(vp);
}

/*
 * TSC at which to leave the guest. Timers of VTLs below the active one are at most 1/LOWER_HZ late.
 * @look: a VINA check is due within the same time.
 */
static inline uint64_t entry_deadline(struct vsm_vp *vp, bool look)
{
	const uint16_t lower = (uint16_t)(vtl_bit(vp->active_vtl) - 1u);
	uint64_t deadline = next_deadline(vp);
	uint64_t soon;
	uint64_t own;

	if (!look && (!lower || deadline == UINT64_MAX))
		return deadline;
	soon = vp_tsc(vp->partition) + vp->partition->features.tsc_hz / LOWER_HZ;
	if (!look && deadline >= soon)
		return deadline;
	own = deadline_of(vp, atomic_load(&vp->enabled_vtls) & (uint16_t)~lower);
	return own < soon ? own : soon;
}

static __attribute__((noinline)) void expire_all(struct vsm_vp *vp)
{
	const uint64_t now = vp_tsc(vp->partition);

	if (now < vp->deadline)
		return;
	for (uint16_t vtls = atomic_load(&vp->enabled_vtls); vtls; vtls &= (uint16_t)(vtls - 1)) {
		uint8_t vtl = (uint8_t)__builtin_ctz(vtls);

		vsm_lapic_expire(&vp->vtl[vtl].lapic, now);
		stimer_expire(vp, vtl, reftime_now(vp->partition));
	}
	vp->deadline_stale = true;
}

static inline void expire_timers(struct vsm_vp *vp)
{
	if (__builtin_expect(next_deadline(vp) != UINT64_MAX, 0))
		expire_all(vp);
}

/*
 * A CPU latches one NMI while another is in service (SDM 3A "Handling Multiple NMIs"). If none is
 * in service two may be pending: the second is delivered after the IRET of the first.
 */
static void add_nmis(struct vsm_vp *vp, uint8_t vtl, unsigned int count)
{
	struct vcpu_events *events = &vcpu_edit(vp, vtl, VCPU_EVENTS)->events;
	const unsigned int most = events->nmi_masked || events->nmi_injected ? 1 : 2;

	count += events->nmi_pending;
	events->nmi_pending = (uint8_t)(count < most ? count : most);
}

static __attribute__((noinline)) void do_events(struct vsm_vp *vp, uint8_t vtl)
{
	uint8_t sipi_vector = 0;
	uint32_t events;

	/* ExtINT needs no event: its line is read. */
	events = vsm_lapic_take_events(&vp->vtl[vtl].lapic, ~smm_blocked_events(vp, vtl),
				       &sipi_vector);
	if (events & VSM_LAPIC_EVENT_INIT)
		startvp_init(vp, vtl);
	if (events & VSM_LAPIC_EVENT_SIPI)
		startvp_sipi(vp, vtl, sipi_vector);
	if (events & VSM_LAPIC_EVENT_NMI)
		add_nmis(vp, vtl, events & VSM_LAPIC_EVENT_NMI_AGAIN ? 2 : 1);
	/* No virtual SMI for a higher VTL (TLFS "Virtual Interrupt Controller"): it is dropped. */
}

/* Without a new post, too, there may be events: from a look of vp_call(), or SMIs that wait. */
static inline void take_events(struct vsm_vp *vp, uint8_t vtl)
{
	struct vsm_lapic *lapic = &vp->vtl[vtl].lapic;

	lapic_fast_look(lapic);
	if (__builtin_expect(lapic_fast_events(lapic) != 0, 0))
		do_events(vp, vtl);
}

/* Whether @vtl has an unblocked NMI. */
static bool nmi_deliverable(struct vsm_vp *vp, uint8_t vtl)
{
	const struct vcpu_state *cpu = vp->cpu[vtl];

	/* No load needed: only take_events() and register accesses set the flag. */
	return (cpu->valid & VCPU_EVENTS) && cpu->events.nmi_pending && !cpu->events.nmi_masked;
}

static bool preempts(struct vsm_vp *vp, uint8_t vtl)
{
	return vp->vtl[vtl].activity != VP_WAIT_FOR_SIPI &&
	       (lapic_fast_pending(&vp->vtl[vtl].lapic) >= 0 || nmi_deliverable(vp, vtl));
}

/*
 * Takes events of the VTLs above the active one. Returns the highest that must be entered, or -1.
 */
static inline int check_above(struct vsm_vp *vp)
{
	uint16_t above = atomic_load(&vp->enabled_vtls) & vtls_above(vp->active_vtl);
	int highest = -1;

	for (; above; above &= (uint16_t)(above - 1)) {
		const uint8_t vtl = (uint8_t)__builtin_ctz(above);

		take_events(vp, vtl);
		if (preempts(vp, vtl))
			highest = vtl;
	}
	return highest;
}

static __attribute__((noinline)) void preempt(struct vsm_vp *vp, uint8_t vtl)
{
	/* When the preempted VTL resumes, it retries its instruction. */
	if (vp_active(vp)->activity == VP_INTERCEPT_SUSPENDED)
		vp_active(vp)->activity = VP_RUNNING;
	vtl_enter(vp, vtl, HV_VTL_ENTRY_INTERRUPT);
}

int interrupt_due(struct vsm_vp *vp)
{
	expire_timers(vp);
	return check_above(vp);
}

uint64_t interrupt_deadline(struct vsm_vp *vp)
{
	return next_deadline(vp);
}

/* Whether an interrupt of @vtl could be delivered if @vtl were active (TLFS "VINA"). */
static bool lower_deliverable(struct vsm_vp *vp, uint8_t vtl)
{
	return (lapic_fast_pending(&vp->vtl[vtl].lapic) >= 0 ||
		lapic_fast_extint_waits(&vp->vtl[vtl].lapic)) &&
	       (vcpu_get(vp, vtl, VCPU_GPR)->rflags & X64_RFLAGS_IF) &&
	       !vcpu_get(vp, vtl, VCPU_EVENTS)->events.interrupt_shadow;
}

/*
 * Takes the posts to lower VTLs, so that later posts kick again. Limited to LOWER_HZ, since a kick
 * does not always lead to a VINA.
 */
static void check_below(struct vsm_vp *vp)
{
	uint64_t now;

	if (!lower_vtl_posted(vp))
		return;
	now = vp_tsc(vp->partition);
	if (now < vp->next_lower_vina_check)
		return;
	vp->next_lower_vina_check = now + vp->partition->features.tsc_hz / LOWER_HZ;
	for (int vtl = vtl_below(vp, vp->active_vtl); vtl >= 0; vtl = vtl_below(vp, (uint8_t)vtl))
		take_events(vp, (uint8_t)vtl);
}

/*
 * VINA: notifies the active VTL, once until it clears VinaAsserted. False: it has no assist page.
 */
static __attribute__((noinline)) bool notify_of_lower(struct vsm_vp *vp)
{
	struct vp_vtl *own = vp_active(vp);
	struct hv_vp_assist_page *page = (struct hv_vp_assist_page *)own->assist;
	uint8_t vector = own->vina & HV_VSM_VINA_VECTOR_MASK;

	if (!page)
		return false;
	if (vina_asserted(own))
		return true;
	check_below(vp);
	for (int vtl = vtl_below(vp, vp->active_vtl); vtl >= 0; vtl = vtl_below(vp, (uint8_t)vtl)) {
		if (lower_deliverable(vp, (uint8_t)vtl)) {
			__atomic_fetch_or(&page->vtl_control.vina_status, HV_VINA_STATUS_ASSERTED,
					  __ATOMIC_RELAXED);
			vsm_lapic_post(&own->lapic, vector,
				       own->vina & HV_VSM_VINA_AUTO_EOI ? VSM_LAPIC_AUTO_EOI
									: VSM_LAPIC_EDGE);
			/* Takes the post, so that later posts kick again. */
			take_events(vp, vp->active_vtl);
			trace(vp, VSM_TRACE_VINA, vp->active_vtl, vector, 0, 0);
			break;
		}
	}
	return true;
}

/* The 8259 belongs to VTL0. */
static inline bool extint_waits(const struct vsm_vp *vp)
{
	return vp->active_vtl == 0 && lapic_fast_extint_waits(&vp->vtl[0].lapic);
}

/* Whether VTL0 takes a pending SMI at the next entry: no other event is in delivery. */
static bool smi_deliverable(struct vsm_vp *vp)
{
	const struct vcpu_events *events;

	if (!smm_due(vp))
		return false;
	events = &vcpu_get(vp, 0, VCPU_EVENTS)->events;
	return !events->interrupt_injected && !events->nmi_injected;
}

/* Ends the wait of the active VTL if its condition is met. False: it keeps waiting. */
static __attribute__((noinline)) bool wake(struct vsm_vp *vp)
{
	struct vp_vtl *own = vp_active(vp);
	const struct vcpu_events *events;
	bool pending;

	pending = lapic_fast_pending(&own->lapic) >= 0 || extint_waits(vp);
	switch (own->activity) {
	case VP_RUNNING:
		return true;
	case VP_HALTED:
		pending =
			pending && (vcpu_get(vp, vp->active_vtl, VCPU_GPR)->rflags & X64_RFLAGS_IF);
		break;
	case VP_IDLE:
		break;
	case VP_TLB_LOCKED:
		/* The guest repeats its flush, which may block again. */
		atomic_store(&vp->tlb_waits, true);
		pending = atomic_load(&vp->partition->tlb_unlocks) != own->tlb_unlocks;
		break;
	case VP_INTERCEPT_SUSPENDED:
		/* Retried at retry_at, or earlier if an interrupt can be injected. */
		pending = (pending &&
			   vp->partition->ops->vp_can_inject(vp->backend, vp->active_vtl)) ||
			  vp_tsc(vp->partition) >= own->retry_at;
		break;
	case VP_WAIT_FOR_SIPI:
		return false;
	}
	/* An NMI, an SMI, or an exception that a higher VTL injected, also ends the wait. */
	events = &vcpu_get(vp, vp->active_vtl, VCPU_EVENTS)->events;
	if (!pending && !nmi_deliverable(vp, vp->active_vtl) && !events->exception_pending &&
	    !smi_deliverable(vp))
		return false;
	if (own->activity == VP_TLB_LOCKED)
		atomic_store(&vp->tlb_waits, false);
	own->activity = VP_RUNNING;
	return true;
}

static __attribute__((noinline)) void inject(struct vsm_vp *vp, struct backend_run *run)
{
	struct vp_vtl *own = vp_active(vp);
	struct vsm_lapic_taken taken;

	/* Not during a debugger's step: the RFLAGS saved by the delivery would contain TF. */
	if (own->debug & VSM_DEBUG_STEP)
		return;
	/* Taken only when the CPU accepts it at the next entry, so that it cannot be lost (P14). */
	if (vp->partition->ops->vp_can_inject(vp->backend, vp->active_vtl) &&
	    vsm_lapic_take(&own->lapic, &taken)) {
		run->inject = taken.vector;
		trace(vp, VSM_TRACE_INTERRUPT, vp->active_vtl, taken.vector, 0, 0);
	}
	/* A vector with AutoEOI is not in service, so the next vector needs a window, too (P34). */
	run->interrupt_window = lapic_fast_pending(&own->lapic) >= 0;
}

/* Requests the vector of the 8259 only when the CPU accepts it at the next entry (P14). */
static __attribute__((noinline)) void take_extint(struct vsm_vp *vp, struct backend_run *run)
{
	if (vp->vtl[0].debug & VSM_DEBUG_STEP)
		return;
	vp->inta_due = vp->partition->ops->vp_can_inject(vp->backend, 0);
	run->interrupt_window = !vp->inta_due;
}

bool interrupt_before_entry(struct vsm_vp *vp, struct backend_run *run)
{
	const struct vp_vtl *own;
	bool notified;
	bool awake;
	int due;

	interrupt_resolve_eoi(vp);
	expire_timers(vp);
	/* A guest may free a message slot without an EOM: check while messages wait. */
	if (atomic_load_explicit(&vp->synic_waiting, memory_order_relaxed))
		synic_retry(vp);
	/* Clears the record of posts, so that later posts kick again. */
	take_events(vp, vp->active_vtl);
	if (__builtin_expect(vp->smm_blocks, 0) && vp->active_vtl == 0)
		do_events(vp, 0);
	due = check_above(vp);
	if (due >= 0)
		preempt(vp, (uint8_t)due);
	/* preempt() may have changed the active VTL. */
	own = vp_active(vp);
	notified = own->vina & HV_VSM_VINA_ENABLED && notify_of_lower(vp);
	vp->deferred = notified ? 0 : (uint16_t)(vtl_bit(vp->active_vtl) - 1u);
	awake = own->activity == VP_RUNNING || wake(vp);
	run->deadline = entry_deadline(vp, notified && notification_waits(vp, awake));
	if (__builtin_expect(vp->smm_blocks, 0) && vp->active_vtl == 0)
		run->deadline = smm_deadline(vp, run->deadline);
	if (!awake) {
		if (own->activity == VP_INTERCEPT_SUSPENDED && own->retry_at < run->deadline)
			run->deadline = own->retry_at;
		return false;
	}
	run->inject = -1;
	run->interrupt_window = false;
	if (!(vp->unchecked & vtl_bit(vp->active_vtl))) {
		if (extint_waits(vp))
			take_extint(vp, run);
		else if (lapic_fast_pending(&own->lapic) >= 0)
			inject(vp, run);
	}
	run->cr8 = lapic_fast_cr8(&own->lapic);
	run->apic_enabled = lapic_fast_is_enabled(&own->lapic);
	return true;
}

void interrupt_after_exit(struct vsm_vp *vp, const struct backend_run *run)
{
	struct vsm_lapic *lapic = &vp_active(vp)->lapic;

	interrupt_resolve_eoi(vp);
	if (run->cr8 != lapic_fast_cr8(lapic))
		vsm_lapic_set_cr8(lapic, run->cr8);
}
