/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual processors: ownership, work for another VP's thread, the run loop.
 */
#ifndef CORE_VP_H
#define CORE_VP_H

#include <time.h>

#include "core/core.h"
#include "core/x64.h"

int vp_create(struct vsm_partition *partition, uint32_t index, struct vsm_vp **vp);
void vp_destroy(struct vsm_vp *vp);
/* Reset state of everything (partition reset). Owner, or no VP runs. */
void vp_reset(struct vsm_vp *vp);

/*
 * Runs @function for @vp in the thread that owns it, and returns when it is done: at once if that is
 * the caller's own VP, on the caller's thread if nobody owns @vp, else by @vp's thread at its next look.
 * While it waits, a caller that owns a VP itself (@self, may be NULL) serves requests made to it, so
 * that two VPs can ask each other without deadlock.
 *
 * False: nothing was done, @self was told to stop (vsm_vp_kick): its VMM can stop VPs in any order.
 * Without @self it is always done.
 */
bool vp_call(struct vsm_vp *self, struct vsm_vp *vp,
	     void (*function)(struct vsm_vp *vp, void *argument), void *argument);
/* The same, but only until @deadline (CLOCK_MONOTONIC; NULL: for ever). False: nothing was done. */
bool vp_call_until(struct vsm_vp *self, struct vsm_vp *vp,
		   void (*function)(struct vsm_vp *vp, void *argument), void *argument,
		   const struct timespec *deadline);

/* Makes the VP look at its state soon: wakes it or makes it leave the guest. Any thread. */
void vp_kick(struct vsm_vp *vp);

/* Does what other VPs have asked @vp for. Owner. */
void vp_serve(struct vsm_vp *vp);

/*
 * The exit that the backend reported is taken back: no effect, RIP at the instruction again. Before
 * an intercept message is built, so that it shows the state before the instruction. Owner.
 */
void vp_take_back(struct vsm_vp *vp);

/*
 * The active VTL tries its instruction, which had no effect, again when the TSC reaches @at; sooner if an interrupt comes
 * first. The VP goes on to serve requests and to enter higher VTLs. Owner.
 */
static inline void vp_retry(struct vsm_vp *vp, uint64_t at)
{
	vp_active(vp)->activity = VP_INTERCEPT_SUSPENDED;
	vp_active(vp)->retry_at = at;
}

/* Whether the VMM owes the VP an answer to the exit that it was given. Owner. */
bool vp_exit_pending(const struct vsm_vp *vp);
/* Ends that exit: the data of a read is in place, or no longer matters. Owner. */
void vp_finish_exit(struct vsm_vp *vp);

/* Waits until @vp has left the guest since this call, if it was in it in one of @vtls. @self as in vp_call. */
void vp_wait_exit(struct vsm_vp *self, struct vsm_vp *vp, uint16_t vtls);

/* Queues an exception for the VTL at its current instruction. #DF and triple fault rules: vp.c. */
void vp_inject_exception(struct vsm_vp *vp, uint8_t vtl, uint8_t vector, bool has_error_code,
			 uint32_t error_code, uint64_t parameter);

/* CPL of the VTL (SS.DPL), and whether it is in 64-bit mode (EFER.LMA and CS.L). Owner. */
static inline uint8_t vp_cpl(struct vsm_vp *vp, uint8_t vtl)
{
	const struct vcpu_state *cpu = vcpu_get(vp, vtl, VCPU_SYSTEM);

	return (cpu->segment[SEGMENT_SS].attributes & HV_X64_SEGMENT_DPL_MASK) >>
	       HV_X64_SEGMENT_DPL_SHIFT;
}

static inline bool vp_long_mode(struct vsm_vp *vp, uint8_t vtl)
{
	const struct vcpu_state *cpu = vcpu_get(vp, vtl, VCPU_SYSTEM);

	return (cpu->efer & X64_EFER_LMA) &&
	       (cpu->segment[SEGMENT_CS].attributes & HV_X64_SEGMENT_LONG);
}

/* Advances RIP of the VTL over an instruction (32 bits wide outside of 64-bit mode). */
static inline void vp_skip_instruction(struct vsm_vp *vp, uint8_t vtl, uint8_t length)
{
	struct vcpu_state *cpu = vcpu_edit(vp, vtl, VCPU_GPR);

	cpu->rip += length;
	if (!vp_long_mode(vp, vtl))
		cpu->rip = (uint32_t)cpu->rip;
}

/* The guest's TSC, and the partition's reference time (100 ns). */
static inline uint64_t vp_tsc(const struct vsm_partition *partition)
{
	return partition->ops->tsc(partition->backend);
}

#endif
