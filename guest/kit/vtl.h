/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Higher VTLs, with a small kernel: at a VTL call it calls one function and returns; at an interrupt it takes
 * the interrupt, reads the message slot of SINT0, and returns. So a test consists of functions for VTL0 and
 * functions that vtl_run() calls in a higher VTL.
 */
#ifndef KIT_VTL_H
#define KIT_VTL_H

#define VTL_GPRS 16

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

#include <vsm/hv/hv.h>

#include "kit/cpu.h"

#define VTL_SINT0_VECTOR 0x50 /* vector of intercept messages, in each VTL */
#define VTL_LOG		 16

enum vtl_gpr {
	GPR_RAX,
	GPR_RCX,
	GPR_RDX,
	GPR_RBX,
	GPR_RSP,
	GPR_RBP,
	GPR_RSI,
	GPR_RDI,
	GPR_R8,
	GPR_R9,
	GPR_R10,
	GPR_R11,
	GPR_R12,
	GPR_R13,
	GPR_R14,
	GPR_R15,
};

struct vtl_service;

typedef void vtl_work(void *argument);
/* Handles an intercept; @message is a copy. */
typedef void vtl_intercept(struct vtl_service *service, const struct hv_message *message);

/* State of one VP in one VTL above 0. */
struct vtl_service {
	uint64_t gpr[VTL_GPRS]; /* the lower VTL's, loaded at the VTL return, except RSP */
	vtl_work *work;
	void *argument;
	bool return_fast;	      /* make a fast return next time */
	bool keep_return_fields;      /* do not write VtlReturn* of the assist page */
	volatile uint32_t entries[4]; /* number of entries by reason */
	vtl_intercept *on_intercept;  /* NULL: an intercept ends the machine */
	void *intercept_argument;
	volatile uint32_t intercepts; /* number received; log[] has the last VTL_LOG */
	struct hv_message log[VTL_LOG];
};

extern struct vtl_service *vtl_service_of[CPU_MAX][VTL_COUNT];

struct vtl_service *vtl_service(void);

/* Fills in an initial context that starts at @entry on @cpu, in 64-bit mode on page tables @cr3. */
void vtl_context(struct hv_initial_vp_context *context, struct cpu *cpu, void (*entry)(void),
		 uint64_t cr3);

/* HvCallEnablePartitionVtl and HvCallEnableVpVtl. Return the HV_STATUS. */
uint16_t vtl_enable_partition(uint8_t vtl, uint8_t flags);
uint16_t vtl_enable_vp(uint32_t vp, uint8_t vtl);

/*
 * Enables @vtl on the partition and on every VP (the first from the lower VTL, the others from @vtl
 * itself), and initializes it on each. Call once for each VTL, in VTL0 of VP0, after all lower VTLs
 * are enabled. Returns the first status that was not SUCCESS.
 */
uint16_t vtl_enable_all(uint8_t vtl);
/* vtl_enable_all() with flags for the partition (HV_ENABLE_PARTITION_VTL_MBEC). */
uint16_t vtl_enable_all_with(uint8_t vtl, uint8_t flags);

/* Makes a VTL call: the next higher VTL of this VP runs work(argument). */
void vtl_run(vtl_work *work, void *argument);
/* Runs @work in VTL @vtl of this VP, by a VTL call from each VTL below it. */
void vtl_run_in(uint8_t vtl, vtl_work *work, void *argument);
/* Runs @work in VTL @vtl of VP @vp; call it in VTL0. */
void vtl_run_on(uint32_t vp, uint8_t vtl, vtl_work *work, void *argument);

/* VTL calls and returns without a service (vtl_entry.S). */
void vtl_call_stub(const void *stub);
uint64_t vtl_switch(uint64_t *gpr, const void *stub, uint64_t control);

/* HvCallModifyVtlProtectionMask for @count pages from @gpa on, in as many calls as needed. Returns the
 * HV_STATUS. A secure kernel calls guest_lock() or guest_protect() instead, which keep its locks. */
uint16_t vtl_protect(uint64_t gpa, uint64_t count, uint32_t flags);
/* Runs vtl_protect() in VTL @vtl, which is the current one or a higher one. */
uint16_t vtl_protect_by(uint8_t vtl, uint64_t gpa, uint64_t count, uint32_t flags);
#define VTL_PROTECT_ALL HV_MAP_GPA_PERMISSIONS_MASK

/* Handlers for on_intercept; a handler may call them, too. */
vtl_intercept vtl_allow;     /* memory: grants all access to the page, and retries */
vtl_intercept vtl_skip;	     /* advances past the instruction, by the length in the message */
vtl_intercept vtl_inject_gp; /* #GP(0) through PendingEvent0 */

void vtl_set_lower_rip(uint64_t rip);
#endif

#endif
