/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLFS "Secure Intercepts". Called by the owner of the VP, for its active VTL.
 *
 * intercept_memory() to intercept_cr() post a message to SINT0 of the intercepting VTL on the same
 * VP: the interrupt makes the run loop enter that VTL. The lower VTL's RIP is at the instruction,
 * which had no effect.
 *
 * The functions for MSRs, ports and registers return false if no VTL intercepts the access;
 * otherwise they undo the instruction (vp_undo_exit()), so that the exit needs no answer.
 */
#ifndef CORE_INTERCEPT_H
#define CORE_INTERCEPT_H

#include "core/core.h"
#include "core/memory/gpa.h"

/* A memory access that fault->vtl denies. */
void intercept_memory(struct vsm_vp *vp, const struct gpa_fault *fault, bool gva_valid,
		      uint64_t gva, bool hypercall_output);
/*
 * The backend reported an allowed access of an instruction with another operand, which is denied:
 * decodes the instruction to find and report this operand.
 */
void intercept_other_operand(struct vsm_vp *vp);
bool intercept_msr(struct vsm_vp *vp, uint32_t msr, bool write, uint64_t value, uint8_t length);
bool intercept_io(struct vsm_vp *vp, const struct backend_run *run);
/* @control: index of the HV_CR_INTERCEPT bit. */
bool intercept_cr(struct vsm_vp *vp, uint32_t control, uint64_t value, uint8_t length);

/* After a change of CrInterceptControl or masks of @vtl. */
int intercept_update(struct vsm_vp *vp, uint8_t vtl);
/* Bits of CrInterceptControl that this partition can enforce. */
uint64_t intercept_supported(const struct vsm_partition *partition);
/* Whether this partition can enforce HV_INTERCEPT_ACCESS bits @mask of an MSR. */
bool intercept_msr_supported(const struct vsm_partition *partition, uint32_t msr, uint32_t mask);

/* HvCallInstallIntercept by @vtl. @mask: HV_INTERCEPT_ACCESS bits; 0 removes the intercept. */
uint16_t intercept_install(struct vsm_partition *partition, uint8_t vtl, uint32_t type,
			   uint32_t mask, uint64_t parameter);
/* The lowest VTL above @vtl that intercepts this port access; 0: none. */
uint8_t intercept_io_owner(struct vsm_partition *partition, uint8_t vtl, uint16_t port,
			   uint8_t size, bool write);
/* Reports every installed rule, as arguments of intercept_install(). The partition is stopped. */
typedef void intercept_rule_fn(void *opaque, uint32_t type, uint32_t mask, uint64_t parameter);
void intercept_each(struct vsm_partition *partition, uint8_t vtl, intercept_rule_fn *rule,
		    void *opaque);
/* No VP runs. */
void intercept_reset(struct vsm_partition *partition);
/* The VPs may already be freed. */
void intercept_destroy(struct vsm_partition *partition);

#endif
