/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual processors: creation, requests to other VPs, exits, exceptions, time. */
#ifndef CORE_VP_H
#define CORE_VP_H

#include <time.h>

#include "core/core.h"
#include "core/x64.h"

int vp_create(struct vsm_partition *partition, uint32_t index, struct vsm_vp **vp);
void vp_destroy(struct vsm_vp *vp);
/* Resets all state except the SynICs (partition reset). Owner, or no VP runs. */
void vp_reset(struct vsm_vp *vp);

/*
 * Runs @function, which may change registers of @vp, between two instructions of @vp, and waits for
 * its end. @self: the VP that the caller's thread owns, or NULL.
 *
 * False: @function was not run, because @self must return to its run loop: the VMM stops it
 * (vsm_vp_kick), a higher VTL has an interrupt or NMI, the APIC of the active VTL has an event
 * (NMI, INIT ...), or a request of the VMM or of another VP, not from a lower VTL, changes its
 * registers. Without @self always true.
 */
bool vp_call(struct vsm_vp *self, struct vsm_vp *vp, vp_request_fn *function, void *argument);
/*
 * vp_call() for a @function that only reads registers: it may run while @vp waits in a hypercall.
 */
bool vp_query(struct vsm_vp *self, struct vsm_vp *vp, vp_request_fn *function, void *argument);
/* vp_call() that also returns false at @deadline (CLOCK_MONOTONIC; NULL: none). */
bool vp_call_until(struct vsm_vp *self, struct vsm_vp *vp, vp_request_fn *function, void *argument,
		   const struct timespec *deadline);

/* Makes the VP leave its sleep or the guest, so that it checks for work. Any thread. */
void vp_kick(struct vsm_vp *vp);

/* Completes the exit that the backend reported; a failure marks the VP broken. Owner. */
void vp_answer(struct vsm_vp *vp, enum backend_answer answer);
/*
 * Undoes the instruction of the exit: RIP is at the instruction again. Called before an intercept
 * message is built, which has the state before the instruction. Owner.
 */
void vp_undo_exit(struct vsm_vp *vp);

/*
 * Makes the active VTL repeat its instruction, which had no effect, when the TSC reaches @at, or at
 * an earlier interrupt. Owner.
 */
static inline void vp_retry(struct vsm_vp *vp, uint64_t at)
{
	vp_active(vp)->activity = VP_INTERCEPT_SUSPENDED;
	vp_active(vp)->retry_at = at;
}

bool vp_exit_pending(const struct vsm_vp *vp);
/* Completes the pending exit, with the data that the VMM has stored. Owner. */
void vp_finish_exit(struct vsm_vp *vp);

/*
 * Whether @self must interrupt a long hypercall: the VMM stops it, or a higher VTL has an
 * interrupt.
 */
bool vp_must_leave_call(struct vsm_vp *self);
/*
 * If @vp executes one of @vtls, waits until it has left the guest once. False: @self, the caller's
 * VP, must return to its run loop first.
 */
bool vp_wait_exit(struct vsm_vp *self, struct vsm_vp *vp, uint16_t vtls);

/*
 * Raises an exception at the VTL's current instruction, merged with one that is pending (SDM 3A
 * 6.15): a double fault, or a shutdown. Owner.
 */
void vp_inject_exception(struct vsm_vp *vp, uint8_t vtl, uint8_t vector, bool has_error_code,
			 uint32_t error_code, uint64_t parameter);
/* Sets the pending exception without merging. Owner. */
void vp_set_exception(struct vsm_vp *vp, uint8_t vtl, uint8_t vector, bool has_error_code,
		      uint32_t error_code, uint64_t parameter);

static inline uint64_t vp_tsc(const struct vsm_partition *partition)
{
	if (__builtin_expect(atomic_load_explicit(&partition->time_stopped, memory_order_acquire),
			     0))
		return partition->stopped_tsc;
	return partition->ops->tsc(partition->backend);
}

/*
 * TLFS "Virtual processor run time": TSC ticks in which the VP runs guest code or the hypervisor
 * works for it, not those in which it waits or is outside of vsm_vp_run(). Owner.
 */
static inline uint64_t vp_runtime(const struct vsm_vp *vp)
{
	return vp->runtime + (vp->runtime_counting ? vp_tsc(vp->partition) - vp->runtime_since : 0);
}

void vp_runtime_start(struct vsm_vp *vp);
void vp_runtime_stop(struct vsm_vp *vp);

/* @cpu has VCPU_SYSTEM valid. */
static inline uint8_t vcpu_cpl(const struct vcpu_state *cpu)
{
	return (cpu->segment[SEGMENT_SS].attributes & HV_X64_SEGMENT_DPL_MASK) >>
	       HV_X64_SEGMENT_DPL_SHIFT;
}

static inline bool vcpu_long_mode(const struct vcpu_state *cpu)
{
	return (cpu->efer & X64_EFER_LMA) &&
	       (cpu->segment[SEGMENT_CS].attributes & HV_X64_SEGMENT_LONG);
}

/* Owner. */
static inline uint8_t vp_cpl(struct vsm_vp *vp, uint8_t vtl)
{
	return vcpu_cpl(vcpu_get(vp, vtl, VCPU_SYSTEM));
}

static inline bool vp_long_mode(struct vsm_vp *vp, uint8_t vtl)
{
	return vcpu_long_mode(vcpu_get(vp, vtl, VCPU_SYSTEM));
}

static inline void vp_skip_instruction(struct vsm_vp *vp, uint8_t vtl, uint8_t length)
{
	struct vcpu_state *cpu = vcpu_edit(vp, vtl, VCPU_GPR);

	vcpu_get(vp, vtl, VCPU_SYSTEM);
	cpu->rip += length;
	if (!vcpu_long_mode(cpu))
		cpu->rip = (uint32_t)cpu->rip;
}

#endif
